"""The display of work on shards: images per second and the time left."""

import time
from types import TracebackType

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from millrace.commands.screen import Screen
from millrace.pipeline.export import Done
from millrace.reports.words import duration

QUIET = 5.0  # seconds between two plain lines


class ShardDisplay:
    """Counts rows as they are done, as a context. On a terminal a bar, elsewhere now and then a line, on stderr."""

    def __init__(self, screen: Screen, doing: str, total: int) -> None:
        self._screen, self._doing, self._total = screen, doing, total
        self._done = self._made = 0
        self._begun = self._said = time.monotonic()
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> "ShardDisplay":
        console = self._screen.errors
        if console.is_terminal and not console.is_dumb_terminal and not self._screen.as_json:
            columns = (
                TextColumn("{task.description}", style="dim"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[state]}"),
            )
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task(self._doing, total=self._total, state="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def take(self, done: Done) -> None:
        """`advance` by a shard of an export."""
        self.advance(done.record.rows, made=done.made)

    def advance(self, rows: int, *, made: bool = True) -> None:
        """More rows are done; `made` ones took work and count for the speed."""
        self._done += rows
        self._made += rows if made else 0
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, state=self._state())
        elif not self._screen.as_json and now - self._said >= QUIET and self._done < self._total:
            self._said = now
            self._screen.errors.print(f"{self._doing}: {self._done:,} of {self._total:,} images, {self._state()}")

    @property
    def seconds(self) -> float:
        """Seconds since the work began."""
        return time.monotonic() - self._begun

    @property
    def speed(self) -> float:
        """Images per second so far."""
        return self._made / max(self.seconds, 1e-9)

    def _state(self) -> str:
        if not self._made:
            return "all of them there already"
        left = (self._total - self._done) / self.speed
        return f"{self.speed:,.0f} images/s, {duration(left)} left"
