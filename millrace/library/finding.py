"""Runs: where they lie, how one is found by what people type, and whether two are the same."""

import contextlib
import difflib
import itertools
import os
import sys
from datetime import datetime
from pathlib import Path

from millrace.errors import CheckpointError, UsageError
from millrace.runs import CHECKPOINTS, CONFIG, RESULT, RunFolder, is_address
from millrace.settings import layers
from millrace.settings.keys import flat
from millrace.settings.layers import Settings
from millrace.storage import faults
from millrace.workers import Job
from millrace.yaml_text import scalar

NAMED = 3  # runs named in a message
RUN = "a folder, a name in the data folder, an address, or `latest`"


def runs_folder() -> Path:
    """The folder of the runs without `--out`: in $XDG_DATA_HOME, ~/.local/share or the platform's own."""
    home = Path(os.path.expanduser("~"))
    xdg = os.environ.get("XDG_DATA_HOME", "")
    base = home / "Library" / "Application Support" if sys.platform == "darwin" else home / ".local" / "share"
    return (Path(xdg) if os.path.isabs(xdg) else base) / "millrace" / "runs"


def called(dataset: str) -> str:
    """What a dataset is called in a line: its name, or the last part of its path or address, without an ending."""
    return Path(dataset.partition("?")[0] if "://" in dataset else dataset).stem


def new_folder(dataset: str, now: datetime) -> Path:
    """Make an empty folder for a new run: `<dataset>-<yyyymmdd-hhmmss>`, with a number behind if that is taken. No two
    processes get the same. Errors: CheckpointError where it cannot be made."""
    stem, base = f"{called(dataset)}-{now:%Y%m%d-%H%M%S}", runs_folder()
    do = "choose another `out`"
    with faults(f"the run's folder in {base}", "cannot be made", CheckpointError, do=do, full=do):
        for name in itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2))):
            with contextlib.suppress(FileExistsError):
                (base / name).mkdir(parents=True)
                return base / name
    raise AssertionError("there is always another number")


def locate(text: str, what: str = "run", expected: str = RUN) -> Path:
    """The folder that people mean: a path, else the name of a run in the data folder, else `latest`.

    Errors: UsageError that there is no such `what`, naming runs that exist."""
    path = Path(os.path.expanduser(text))
    if path.exists():
        return path.absolute()
    there = sorted(
        (folder for folder in runs_folder().glob("*") if RunFolder.is_run(folder)),
        key=trained_last,
        reverse=True,
    )
    if text == "latest" and there:
        return there[0]
    names = [folder.name for folder in there]
    if text in names:
        return runs_folder() / text
    near = difflib.get_close_matches(text, names, n=1)
    raise UsageError(
        f"no {what} at {text}",
        expected=expected,
        got=f"the newest are {', '.join(names[:NAMED])}" if names else f"no runs in {runs_folder()}",
        do=f"did you mean {near[0]}?" if near else None if names else "`millrace.train` makes one",
    )


def trained_last(run: Path) -> float:
    """When training last wrote into the run's folder, in seconds since 1970: its newest checkpoint or its result, else
    its configuration. A report, or a file of the user's, does not make a run the latest."""
    newest = 0.0
    for path in (run / CONFIG, run / RESULT, *(run / CHECKPOINTS).glob("step-*")):
        with contextlib.suppress(OSError):  # a run in training drops its old checkpoints meanwhile
            newest = max(newest, path.stat().st_mtime)
    return newest


def here(text: str) -> Path:
    """A folder of this machine, for what works on no other. Errors: UsageError for an address."""
    if is_address(text):
        raise UsageError("this command works in folders of this machine alone", expected="a path", got=text)
    return Path(os.path.expanduser(text)).absolute()


def open_folder(text: str) -> RunFolder:
    """The run that people mean: its address, or what `locate` finds. Errors: UsageError where none lies there."""
    return RunFolder.open(text if is_address(text) else locate(text))


def settings_of(folder: RunFolder) -> Settings:
    """The job and the place that a run's folder keeps."""
    return layers.merge(layers.from_file_text(folder.config_text(), str(folder.path / "config.yaml")))


def changes(kept: Job, asked: Job) -> list[str]:
    """The keys in which two jobs differ: `epochs: 30 there, 20 here`."""
    before, after = flat(kept), flat(asked)
    return [
        f"{key}: {scalar(before[key])} there, {scalar(after[key])} here" for key in before if before[key] != after[key]
    ]
