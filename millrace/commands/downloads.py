"""Downloads: what people see while a dataset is fetched. A bar on a terminal, a line per file elsewhere."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from millrace.commands.screen import Screen
from millrace.reports.words import duration, size

WHOLE = float("inf")  # stands for the time of the last line of a file that is whole
QUIET = 5.0  # seconds between two plain lines of one file


class Downloads:
    """A progress callable for `datasets.load`, as a context: `progress(file, bytes done, total or None)`.

    All goes to stderr, so that stdout holds results alone; with `--json` nothing is shown.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._bar: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._said: dict[str, float] = {}
        self._begun: dict[str, float] = {}

    def __enter__(self) -> "Downloads":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, file: str, done: int, total: int | None) -> None:
        """Take a report of the fetcher; called often, shows little."""
        if self._screen.as_json:
            return
        if self._screen.errors.is_terminal and not self._screen.errors.is_dumb_terminal:
            self._draw(file, done, total)
        else:
            self._line(file, done, total)

    def _draw(self, file: str, done: int, total: int | None) -> None:
        if self._bar is None:
            self._bar = _bar(self._screen.errors)
            self._bar.start()
        if file not in self._tasks:
            self._tasks[file] = self._bar.add_task(file, total=total)
        self._bar.update(self._tasks[file], completed=done, total=total)

    def _line(self, file: str, done: int, total: int | None) -> None:
        """A line when the file is whole, and every few seconds until then."""
        now = time.monotonic()
        finished = total is not None and done >= total
        last = self._said.setdefault(file, now)
        begun = self._begun.setdefault(file, now)
        if last == WHOLE or (not finished and now - last < QUIET):
            return
        self._said[file] = WHOLE if finished else now
        of = "" if total is None or finished else f" of {size(total)}"
        left = ""
        if total is not None and 0 < done < total:
            left = f", {duration((now - begun) * (total - done) / done)} left"
        print(f"{file}: {size(done)}{of}{left}", file=sys.stderr, flush=True)


def _bar(console: Console) -> Progress:
    """The bar: name, bar, bytes, speed, time left; 80 columns hold it."""
    return Progress(
        TextColumn("{task.description}", style="dim"),
        BarColumn(bar_width=18, complete_style="cyan", finished_style="cyan"),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
    )
