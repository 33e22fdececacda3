"""From a table to ordered, augmented batches: order, draws, warp, stream, read-ahead. Knows no model and no Ray."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from millrace.pipeline.batch import images_of, labels_of, metadata_of, parameters_of, samples_of
    from millrace.pipeline.order import Order
    from millrace.pipeline.policy import PRESETS, Policy, from_mapping, preset
    from millrace.pipeline.readahead import ReadAhead
    from millrace.pipeline.stream import Stream

_HOMES = {
    "PRESETS": "policy",
    "Policy": "policy",
    "from_mapping": "policy",
    "preset": "policy",
    "Order": "order",
    "ReadAhead": "readahead",
    "Stream": "stream",
    "images_of": "batch",
    "labels_of": "batch",
    "metadata_of": "batch",
    "parameters_of": "batch",
    "samples_of": "batch",
}
__all__ = [  # noqa: RUF022  (in the order of the pipeline)
    "PRESETS", "Policy", "from_mapping", "preset", "Order", "ReadAhead", "Stream",
    "images_of", "labels_of", "metadata_of", "parameters_of", "samples_of",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"millrace.pipeline.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
