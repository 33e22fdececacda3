"""From a table to ordered, augmented batches: order, draws, warp, stream, read-ahead. Knows no model and no Ray."""

# ruff: noqa: I001
from typing import TYPE_CHECKING

from millrace.lazy import door

if TYPE_CHECKING:
    from millrace.pipeline.batch import (
        arrow_bytes as arrow_bytes,
        images_of as images_of,
        labels_of as labels_of,
        metadata_of as metadata_of,
        parameters_of as parameters_of,
        samples_of as samples_of,
    )
    from millrace.pipeline.draw import PARAMETER_NAMES as PARAMETER_NAMES
    from millrace.pipeline.floats import F32Array as F32Array, channels_last as channels_last, normalised as normalised
    from millrace.pipeline.order import Order as Order
    from millrace.pipeline.policy import (
        PRESETS as PRESETS,
        Policy as Policy,
        from_mapping as from_mapping,
        preset as preset,
    )
    from millrace.pipeline.readahead import ReadAhead as ReadAhead
    from millrace.pipeline.statistics import pixel_statistics as pixel_statistics
    from millrace.pipeline.stream import Stream as Stream, Visited as Visited, augmented as augmented
    from millrace.pipeline.warp import U8Array as U8Array
else:
    __getattr__, __dir__, __all__ = door(__name__, __file__)
