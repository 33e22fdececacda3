"""Many rows on several threads: each takes the next few, so that no list of tasks is held, and errors end all."""

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

CHUNK = 16  # rows that a thread takes at once
SAY = 0.25  # seconds between two reports


def over_rows(
    rows: int, work: Callable[[int], None], threads: int, report: Callable[[int], None] = lambda done: None
) -> None:
    """Call `work` once with each of range(rows), in no order. report: called now and then with how many are done."""
    chunks, done, stop, lock = itertools.count(0, CHUNK), [0], threading.Event(), threading.Lock()

    def take() -> None:
        while not stop.is_set() and (first := next(chunks)) < rows:
            last = min(first + CHUNK, rows)
            for row in range(first, last):
                if stop.is_set():
                    return
                work(row)
            with lock:
                done[0] += last - first

    with ThreadPoolExecutor(max(1, threads), "millrace-decode") as pool:
        running = {pool.submit(take) for _ in range(max(1, threads))}
        try:
            while running:
                finished, running = wait(running, timeout=SAY, return_when=FIRST_EXCEPTION)
                for one in finished:
                    one.result()
                report(done[0])
                if not running:
                    break
        except BaseException:  # also Ctrl-C: threads end after the row in work
            stop.set()
            raise
