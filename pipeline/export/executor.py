"""Where shards are written: threads of this process, or the actors of a cluster, behind one interface."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from millrace.pipeline.export.writer import Done


class Executor(Protocol):
    """Runs `ShardWriter.shard` for many indices, somewhere. Which shard is written where and when changes no byte."""

    def run(self, indices: Sequence[int], stopped: Callable[[], bool]) -> Iterator[Done]:
        """Each index done, in any order. Once `stopped` says so no further shard is begun; those begun are finished.

        Raises what went wrong with a shard, after the others begun are finished."""
