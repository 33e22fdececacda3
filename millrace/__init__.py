"""Millrace: augmented image batches for training. Same seed, same bits.

The rooms that the repository shows at its top (`pipeline`, `model`, `workers`, `datasets`) lie there, here are links;
in a wheel they are folders like the others.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from millrace.library.networks import network
    from millrace.library.run import open_run
    from millrace.library.training import resume, train
    from millrace.loading.datastream import stream
    from millrace.pipeline.policy import Policy

_HOMES = {
    "Policy": "millrace.pipeline.policy",
    "network": "millrace.library.networks",
    "open_run": "millrace.library.run",
    "stream": "millrace.loading.datastream",
    "resume": "millrace.library.training",
    "train": "millrace.library.training",
}

__all__ = ["Policy", "network", "open_run", "resume", "stream", "train"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
