"""The command line: `millrace COMMAND`. One row of a table and one file beside this one make a command.

Nothing heavy is imported before the command is known, so `--help` answers at once.
"""

import importlib
import io
import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NamedTuple

from millrace.errors import MillraceError, unknown_name
from millrace.extras import extras_named
from millrace.version import __version__

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
BROKEN_PIPE = 141  # 128 + SIGPIPE


class HelpRow(NamedTuple):
    """A row of the help page. The command lives in commands/<name>.py, dashes as underscores."""

    group: str
    name: str
    summary: str


COMMANDS = (
    HelpRow("data", "datasets", "list the datasets: what they are, which are in the cache"),
    HelpRow("data", "fetch", "download, verify and decode datasets"),
    HelpRow("data", "preview", "draw samples beside their augmentations, as one PNG"),
    HelpRow("data", "serve", "offer augmented batches to any client, over Arrow Flight"),
    HelpRow("training", "train", "train a network on augmented images"),
    HelpRow("training", "resume", "go on with a run that was stopped"),
    HelpRow("training", "evaluate", "test accuracy, error per class, confusion matrix"),
    HelpRow("training", "compare", "train several configurations, compare them by validation"),
    HelpRow("training", "leaderboard", "runs of a folder, ranked by validation accuracy"),
    HelpRow("training", "report", "the report of a run, written again"),
    HelpRow("training", "profile", "where a run's time went, and what holds it back"),
    HelpRow("training", "audit", "prove what a run was trained on, and what it survived"),
    HelpRow("training", "replay", "compute a run again, to the same bytes"),
    HelpRow("networks", "predict", "say what pictures show, with probabilities"),
    HelpRow("networks", "export-model", "a trained network as one file: safetensors, ONNX, npz"),
    HelpRow("exports", "export", "write what training sees as files that other tools read"),
    HelpRow("exports", "verify", "check an export: counts, digests, decoding"),
    HelpRow("exports", "explain", "one row of an export, drawn again: parameters, pictures"),
    HelpRow("settings", "config", "show the resolved configuration, and who set what"),
)

HELP = """\
millrace {version}: augmented image batches for training. Same seed, same bits.

usage: millrace COMMAND [ARGUMENTS] [--flags]

{commands}

start here:
  millrace train                        handwritten digits, built in; seconds
  millrace train --dataset mnist        downloads MNIST first
  millrace evaluate latest              or the folder that train names

millrace help COMMAND shows the flags of a command. Settings come from flags,
else MILLRACE_* variables, else a YAML file, else defaults. Exit codes: 0 done,
1 failed, 2 wrong usage, 130 interrupted, 143 terminated."""


def help_page() -> str:
    """The page that `millrace --help` prints."""
    lines: list[str] = []
    for command in COMMANDS:
        if f"{command.group}:" not in lines:
            lines += ["", f"{command.group}:"]
        lines.append(f"  {command.name:<12} {command.summary}")
    return HELP.format(version=__version__, commands="\n".join(lines[1:]))


def _dispatch(arguments: Sequence[str]) -> int:
    """Run the command that the arguments name."""
    first, rest = (arguments[0], list(arguments[1:])) if arguments else ("--help", [])
    if first in ("--version", "-V"):
        print(f"millrace {__version__}")
        return 0
    if first in ("--help", "-h") or (first == "help" and not rest):
        print(help_page())
        return 0
    if first == "help":
        first, rest = rest[0], ["--help"]
    if first not in {command.name for command in COMMANDS}:
        kind = "flag" if first.startswith("-") else "command"
        names = [command.name for command in COMMANDS] if kind == "command" else ["--help", "--version"]
        raise unknown_name(kind, first, names, do="see millrace --help")
    return int(importlib.import_module(f"millrace.commands.{first.replace('-', '_')}").run(rest))


def _report(error: MillraceError, *, as_json: bool) -> None:
    """An error on stderr: for people, or one JSON object."""
    from millrace.commands.wording import parts

    worded = parts(error)
    if as_json:
        record = {"error": worded.pop("what"), "kind": type(error).__name__, **worded, "exit_code": error.exit_code}
        print(json.dumps(record, default=str), file=sys.stderr)
        return
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    head = "\x1b[1;31merror:\x1b[0m" if colour else "error:"
    print(f"{head} {MillraceError(**worded)}", file=sys.stderr)


def _unexpected(error: BaseException, *, as_json: bool) -> None:
    """A fault of Millrace itself: short, unless the traceback is asked for."""
    if os.environ.get("MILLRACE_TRACEBACK"):
        traceback.print_exception(error)
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    fault = MillraceError(
        f"unexpected {text}", do="MILLRACE_TRACEBACK=1 millrace … shows where; please report it with that"
    )
    _report(fault, as_json=as_json)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name; default sys.argv) and give its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # a program may be started without (`>&-`)
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no × gets a ?, not a traceback
    try:
        code = _exit_code(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader left, of stdout (`| head`) or of both
        from millrace.commands.screen import discard

        for stream in (sys.stdout, sys.stderr):
            discard(stream)
        return BROKEN_PIPE


def _exit_code(arguments: Sequence[str]) -> int:
    """Run the command; an error becomes its message and its exit code. Errors: BrokenPipeError."""
    as_json = "--json" in arguments
    try:
        with extras_named():
            return _dispatch(arguments)
    except MillraceError as error:
        _report(error, as_json=as_json)
        if os.environ.get("MILLRACE_TRACEBACK"):
            traceback.print_exception(error)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
    except Exception as error:
        _unexpected(error, as_json=as_json)
        return 1
