"""Datasets: bytes on the net become a verified file, a table, a subset, a split.

The front door; everything is imported late, so that listing the datasets is quick.
"""

# ruff: noqa: I001
from typing import TYPE_CHECKING

from millrace.lazy import door

if TYPE_CHECKING:
    from millrace.datasets.arrays import Arrays as Arrays
    from millrace.datasets.clearing import cached_tables as cached_tables, clear as clear
    from millrace.datasets.catalogue import (
        everyday as everyday,
        find as find,
        is_path as is_path,
        named as named,
        policy_of as policy_of,
        registry as registry,
    )
    from millrace.datasets.download import Progress as Progress
    from millrace.datasets.importers.options import Reading as Reading
    from millrace.datasets.importers.path_spec import PathSpec as PathSpec, reading_kept as reading_kept
    from millrace.datasets.label_arrays import as_labels as as_labels
    from millrace.datasets.loading import (
        dataset_folder as dataset_folder,
        is_cached as is_cached,
        load as load,
        verify as verify,
    )
    from millrace.datasets.pictures import (
        opaque as opaque,
        prepared as prepared,
        prepared_as_read as prepared_as_read,
        read_picture as read_picture,
    )
    from millrace.datasets.pixel_arrays import as_images as as_images, layouts as layouts
    from millrace.datasets.spec import (
        BUILT_IN as BUILT_IN,
        MAX_CLASSES as MAX_CLASSES,
        DatasetSpec as DatasetSpec,
        FileSpec as FileSpec,
        MemberSpec as MemberSpec,
    )
    from millrace.datasets.splits import (
        Split as Split,
        balanced as balanced,
        rows_to_test as rows_to_test,
        split as split,
    )
    from millrace.datasets.table_copies import TableFiles as TableFiles
    from millrace.datasets.table import Dataset as Dataset, images as images, in_memory as in_memory, labels as labels
else:
    __getattr__, __dir__, __all__ = door(__name__, __file__)
