"""Messages of the library as the command line says them.

The library speaks of arguments and functions, in backticks: `subset=600`, `millrace.resume('runs/a')`. Whoever typed a
command reads of flags and commands: --subset 600, `millrace resume runs/a`.
"""

import ast
import re
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import Any

from millrace.commands.main import COMMANDS
from millrace.errors import MillraceError
from millrace.reports.words import argument
from millrace.settings.keys import known_keys
from millrace.settings.layers import flag

# Arguments that are no keys of the configuration, and the flag of each.
BESIDE = {name: name for name in ("format", "originals", "augment_test", "shard_rows", "precision", "rows", "columns")}
BESIDE |= {"views": "tta", "path": "out", "split": "split", "host": "host"}
_ARGUMENT = re.compile(r"`([a-z_.]+)(?:=([^`]*))?`")
_TYPED = re.compile(rf"(?<![\w./\\-])millrace(?= (?:{'|'.join(one.name for one in COMMANDS)}|help)\b)")
_CALL = re.compile(r"`millrace\.(?:open_run\((?P<run>[^`]*)\)\.)?(?P<name>[a-z_]+)(?:\((?P<given>[^`]*)\))?`")


@cache
def program() -> str:
    """What this program is called by at the prompt: `millrace` where the shell finds this one by that name, else the
    path that was typed; after `python -m millrace` that, with the Python's path."""
    found, own = shutil.which("millrace"), Path(sys.executable).parent
    started = Path(sys.argv[0]) if sys.argv else Path()
    if found is not None and Path(found).parent.resolve() == own.resolve():
        return "millrace"
    if started.name == "millrace":
        return argument(started)
    if started.name == "__main__.py" and started.parent.name == "millrace":
        here = Path.cwd()
        python = Path(sys.executable)
        return f"{argument(python.relative_to(here) if python.is_relative_to(here) else python)} -m millrace"
    return "millrace"


def typed(text: str) -> str:
    """The text with commands as they are typed here: `.venv/bin/millrace resume …` where no shell finds `millrace`."""
    return _TYPED.sub(lambda _: program(), text)


def in_flags(text: str) -> str:
    """The message with the flag in the place of each argument, and the command in the place of each call of one path.
    What stands in other backticks, or is called with more, stays as it is."""
    return _ARGUMENT.sub(_flag, _CALL.sub(_command, text))


def parts(error: MillraceError) -> dict[str, Any]:
    """What an error consists of (`what`, `expected`, `got`, `do`), each part worded `in_flags`."""
    found = {name: getattr(error, name) for name in ("what", "expected", "got", "do")}
    return {name: typed(in_flags(part)) if isinstance(part, str) else part for name, part in found.items()}


def _flag(found: re.Match[str]) -> str:
    key, value = found[1], found[2]
    name = BESIDE.get(key, key)
    if key not in BESIDE and key not in known_keys():
        return found[0]
    if value == "False":
        return flag(f"no-{name}")
    if value is not None and value.startswith("("):  # (64, 64): the values of a flag follow each other
        value = value.strip("()").replace(",", "")
    return flag(name) if value in (None, "True") else f"{flag(name)} {value}"


def _command(found: re.Match[str]) -> str:
    given = found["run"] or found["given"]
    name = found["name"].replace("_", "-")
    if name not in {command.name for command in COMMANDS}:
        return found[0]
    if not given:
        return f"`millrace {name}`"
    try:
        path = ast.literal_eval(given)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return found[0]  # a message quotes other code, and is there to be read
    return f"`millrace {name} {argument(path)}`" if isinstance(path, str) else found[0]
