"""How large an export will be, before it is written: from a few rows of each split, encoded and thrown away."""

from dataclasses import replace

from millrace.pipeline.export.plan import Plan
from millrace.pipeline.export.writer import ShardWriter

TRIED = 2048  # rows of each split


def estimate(plan: Plan, writer: ShardWriter) -> dict[str, int]:
    """Bytes of each split, about."""
    found: dict[str, int] = {}
    for name, size in plan.splits.items():
        first = next(shard for shard in plan.shards if shard.split == name)
        tried = replace(first, rows=min(TRIED, first.rows))
        record, _, files = writer.encoded(tried, writer.source.rows(tried))
        found[name] = round((record.bytes + sum(len(data) for _, data in files)) / tried.rows * size.rows)
    return found
