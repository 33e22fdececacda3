"""Export: the stream as files that others read. Knows no model and no Ray."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from millrace.pipeline.export.executor import Executor
    from millrace.pipeline.export.explain import Explanation, explain_row
    from millrace.pipeline.export.options import ExportOptions
    from millrace.pipeline.export.plan import Plan, Shard, make_plan
    from millrace.pipeline.export.session import Session
    from millrace.pipeline.export.source import Source
    from millrace.pipeline.export.stored import StoredStream
    from millrace.pipeline.export.verify import Damage, verify_shard
    from millrace.pipeline.export.writer import Done, ShardWriter

_HOMES = {
    "Damage": "verify",
    "Done": "writer",
    "Executor": "executor",
    "Explanation": "explain",
    "ExportOptions": "options",
    "Plan": "plan",
    "Session": "session",
    "Shard": "plan",
    "ShardWriter": "writer",
    "Source": "source",
    "StoredStream": "stored",
    "explain_row": "explain",
    "make_plan": "plan",
    "verify_shard": "verify",
}

__all__ = [  # noqa: RUF022  (in the order of the work)
    "ExportOptions", "Plan", "Shard", "make_plan", "Source", "ShardWriter", "Done", "Executor", "Session",
    "Damage", "verify_shard", "Explanation", "explain_row", "StoredStream",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"millrace.pipeline.export.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
