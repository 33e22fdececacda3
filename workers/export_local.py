"""Threads of this process that write the shards of an export."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from millrace.cores import cores
from millrace.pipeline.export import Done, ShardWriter

Result = TypeVar("Result")


class LocalExecutor:
    """Threads that write shards. An executor runs `ShardWriter.shard` for many indices, somewhere; which shard is
    written where and when changes no byte. threads: how many shards are in work at once."""

    def __init__(self, writer: ShardWriter, threads: int) -> None:
        self._writer, self._threads = writer, max(1, threads)

    def run(self, indices: Sequence[int], stopped: Callable[[], bool]) -> Iterator[Done]:
        """Each index done, in any order. Once `stopped` says so no further shard is begun; those begun are finished.
        Raises what went wrong with a shard, after the others begun are finished."""
        return in_threads(self._writer.shard, indices, self._threads, stopped)


def executor(
    writer: ShardWriter, workers: int, address: str | None = None, note: Callable[[str], None] = lambda text: None
) -> LocalExecutor:
    """The executor of `--runtime local`, which has no address and nothing to note. workers: shards in work at once; 0:
    two more than there are cores, since some wait for the disk."""
    return LocalExecutor(writer, workers or cores() + 2)


def in_threads(
    work: Callable[[int], Result], indices: Sequence[int], threads: int, stopped: Callable[[], bool]
) -> Iterator[Result]:
    """work(index) for every index, by threads, as they come; no more than `threads` results wait.

    After an error, or once `stopped`, nothing new is begun; what is begun is finished, then the error is raised.
    """
    left = iter(indices)
    failed: BaseException | None = None
    with ThreadPoolExecutor(threads, thread_name_prefix="export") as pool:
        running: set[Future[Result]] = set()
        while True:
            while failed is None and len(running) < threads and not stopped():
                index = next(left, None)
                if index is None:
                    break
                running.add(pool.submit(work, index))
            if not running:
                break
            # A short wait, so that a stop is seen while shards take long.
            done, running = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                error = future.exception()
                if error is None:
                    yield future.result()
                else:
                    failed = failed or error
    if failed is not None:
        raise failed
