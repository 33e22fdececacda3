"""Screen: where commands write. Text for people (colours on a terminal alone), JSON lines for machines."""

import contextlib
import dataclasses
import json
import os
import sys
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from millrace.commands.wording import in_flags, typed

PLAIN_WIDTH = 160  # a pipe or a file has no edge to wrap at


class _Output(Console):
    """A console whose reader may leave: that is an error like any other, where rich would end the program."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class _Notes(Console):
    """A console for what need not be read: where its reader leaves, it goes silent."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        discard(sys.stderr)


class Screen:
    """One command's output. With `as_json` only `record` writes to stdout, without it everything else does.

    Errors, of every method that writes to stdout: BrokenPipeError where the reader of a pipe left (`| head`), OSError
    where the terminal has gone or the disk is full."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json, self._muted = as_json, False
        width = None if sys.stdout.isatty() else PLAIN_WIDTH
        self.console: Console = _Output(highlight=False, width=width, quiet=as_json, emoji=False, markup=False)
        self.errors: Console = _Notes(stderr=True, highlight=False, soft_wrap=True, emoji=False, markup=False)

    def mute(self) -> None:
        """Write nothing more to stdout: what is written there cannot be read."""
        self.console.quiet = self._muted = True
        discard(sys.stdout)

    @property
    def live(self) -> bool:
        """Whether a picture that redraws itself makes sense."""
        return self.console.is_terminal and not self.console.is_dumb_terminal and not self.as_json

    def say(self, text: str | Text = "", style: str | None = None) -> None:
        """One line for people."""
        text = typed(text) if isinstance(text, str) else text
        self.console.print(text, style=style, soft_wrap=True)

    def facts(self, *rows: tuple[str, str]) -> None:
        """Lines of a faint name and a value, values under each other."""
        for name, value in rows:
            self.say(Text.assemble((f"{name:<10}", "dim"), typed(value)))

    def show(self, table: Table) -> None:
        """A table for people."""
        self.console.print(table)

    def record(self, **fields: object) -> None:
        """One line for machines."""
        if self.as_json and not self._muted:
            print(json.dumps(fields, default=_plain), flush=True)

    def note(self, text: str) -> None:
        """Something other than the result: to stderr, so that stdout holds results alone; JSON in JSON mode."""
        text = typed(in_flags(text))
        if self.as_json:
            print(json.dumps({"notice": text}), file=sys.stderr, flush=True)
        else:
            self.errors.print(Text.assemble(("note: ", "yellow"), text))


def discard(stream: TextIO) -> None:
    """Let what this stream holds, and all that is written to it from now on, go nowhere: else Python would complain of
    it once more while it flushes at exit."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def table(*headers: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table in the house's looks: no frame, faint heads; the columns named in `right` are numbers."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=False)
    for header in headers:
        made.add_column(header, justify="right" if header in right else "left", no_wrap=header in right)
    return made


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)
