"""Formats: rows become the bytes of a shard. One file per format; `datasets.exported.decoders` reads them back.

An encoder is a pure function: the same rows give the same bytes, whoever encodes them and when.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from millrace.datasets.exported import Rows

if TYPE_CHECKING:
    from millrace.pipeline.export.plan import Plan, Shard

Files = list[tuple[str, bytes]]


def encode(rows: Rows, plan: "Plan", shard: "Shard") -> tuple[Sequence[Any], Files]:
    """The parts of the shard's file, buffers to be written one after another; and other files by name."""
    module = import_module(f"millrace.pipeline.export.formats.{plan.options.format}")
    return module.encode(rows, plan, shard)  # type: ignore[no-any-return]


def assemble(plan: "Plan", split: str) -> tuple[str, bytes] | None:
    """For formats that join a split's shards into one file in the end: its name and its first bytes."""
    if plan.options.format != "imagefolder":
        return None
    module = import_module("millrace.pipeline.export.formats.imagefolder")
    return f"{split}/metadata.csv", module.heading(plan)
