"""From a table to ordered, augmented batches: order, draws, warp, stream, read-ahead. Knows no model and no Ray."""

# ruff: noqa: I001
from typing import TYPE_CHECKING

from millrace.lazy import door

if TYPE_CHECKING:
    from millrace.pipeline.balance import BalancedRows as BalancedRows
    from millrace.pipeline.batch import (
        arrow_bytes as arrow_bytes,
        columns as columns,
        described as described,
        images_of as images_of,
        labels_of as labels_of,
        metadata_of as metadata_of,
        parameters_of as parameters_of,
        samples_of as samples_of,
    )
    from millrace.pipeline.floats import normalised as normalised
    from millrace.pipeline.order import Order as Order
    from millrace.pipeline.policy import (
        PRESETS as PRESETS,
        Policy as Policy,
        from_mapping as from_mapping,
        preset as preset,
    )
    from millrace.pipeline.plain_floats import channels_last as channels_last, plain_normalised as plain_normalised
    from millrace.pipeline.readahead import ReadAhead as ReadAhead
    from millrace.pipeline.sampling import (
        BALANCED as BALANCED,
        SAMPLING_HELP as SAMPLING_HELP,
        SAMPLINGS as SAMPLINGS,
        UNIFORM as UNIFORM,
    )
    from millrace.pipeline.sizes import Sizes as Sizes
    from millrace.pipeline.statistics import pixel_statistics as pixel_statistics
    from millrace.pipeline.stream import Stream as Stream, augmented as augmented
    from millrace.pipeline.visited import (
        PARAMETER_NAMES as PARAMETER_NAMES,
        F32Array as F32Array,
        U8Array as U8Array,
        Visited as Visited,
    )
else:
    __getattr__, __dir__, __all__ = door(__name__, __file__)
