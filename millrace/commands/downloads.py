"""Downloads: what people see while a dataset is fetched. A bar on a terminal, a line per file elsewhere."""

import sys
import time
from dataclasses import dataclass
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

QUIET = 5.0  # seconds between two plain lines of one file


@dataclass
class _Coming:
    """A file that comes: since when, how many bytes were there by then (they are no speed), how many are there now,
    when it was last spoken of, and whether its last line was said."""

    begun: float
    there: int
    done: int
    said: float
    whole: bool = False

    def left(self, now: float, total: int) -> float:
        """The seconds until all bytes are there."""
        return (now - self.begun) * (total - self.done) / max(1, self.done - self.there)


class Downloads:
    """A progress callable for `datasets.load`, as a context: `progress(file, bytes done, total or None)`.

    All goes to stderr, so that stdout holds results alone; with `--json` nothing is shown.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._bar: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._files: dict[str, _Coming] = {}

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

    def __call__(self, name: str, done: int, total: int | None) -> None:
        """Take a report of the fetcher; called often, shows little."""
        if self._screen.as_json:
            return
        now = time.monotonic()
        file = self._files.get(name)
        anew = file is None or done < file.done  # another address may begin anew
        if file is None or anew:
            file = self._files[name] = _Coming(now, done, done, now)
        file.done = done
        if self._screen.errors.is_terminal and not self._screen.errors.is_dumb_terminal:
            self._draw(name, done, total, anew)
        else:
            self._line(name, file, now, total)

    def _draw(self, name: str, done: int, total: int | None, anew: bool) -> None:
        if self._bar is None:
            self._bar = _bar(self._screen.errors)
            self._bar.start()
        if name not in self._tasks:
            self._tasks[name] = self._bar.add_task(name, total=total, completed=done)
        elif anew:
            self._bar.reset(self._tasks[name], total=total, completed=done)
        else:
            self._bar.update(self._tasks[name], completed=done, total=total)

    def _line(self, name: str, file: _Coming, now: float, total: int | None) -> None:
        """A line when the file is whole, and every few seconds until then."""
        finished = total is not None and file.done >= total
        if file.whole or (not finished and now - file.said < QUIET):
            return
        file.said, file.whole = now, finished
        of = "" if total is None or finished else f" of {size(total)}"
        left = ""
        if total is not None and file.there < file.done < total:
            left = f", {duration(file.left(now, total))} left"
        print(f"{name}: {size(file.done)}{of}{left}", file=sys.stderr, flush=True)


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
