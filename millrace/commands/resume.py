"""`millrace resume`: go on with a run that was stopped."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from millrace import config
from millrace.commands import flags, layers, runs
from millrace.commands.screen import Screen
from millrace.commands.training import already_done, carry_out

# The recipe of a run is fixed, the place may change.
KEYS = tuple(key for key, known in config.known_keys().items() if known.place and key != "out")


@dataclass(frozen=True)
class ResumeOptions:
    """Go on with a run from its newest checkpoint. It ends in the same weights, bit for bit, as if it had never
    stopped, on however many workers. Where --runtime is given, the cluster that the run had is not asked for."""

    run: str = flags.positional(
        "RUN", "folder or address of the run, its name in the data folder, or latest", required=True
    )
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Train to the end, as `train` does; a finished run says its result."""
    options, given = flags.parse("resume", ResumeOptions, arguments, KEYS)
    screen = Screen(as_json=options.json)
    folder = runs.open_run(options.run)
    environment = layers.from_environment()
    for key, setting in environment.items():
        if key not in KEYS:
            screen.note(f"{setting.source} is not heeded: a run keeps its recipe")
    file = layers.from_file(os.fspath(folder.path / "config.yaml"))
    place = {key: setting for key, setting in environment.items() if key in KEYS}
    flagged = layers.from_flags(given)
    if "runtime" in {**place, **flagged}:  # another place: the cluster that the run had is none of it
        file = {key: setting for key, setting in file.items() if key != "address"}
    settings = layers.merge(file, place, flagged).config
    if folder.finished:
        return already_done(screen, settings, folder)
    return carry_out(screen, settings, lambda: folder)
