"""`millrace resume`: go on with a run that was stopped."""

from collections.abc import Sequence
from dataclasses import dataclass

from millrace.commands.screen import Screen
from millrace.commands.training import show
from millrace.library import finding, resolving
from millrace.library.training import go_on
from millrace.settings import flags, layers
from millrace.settings.keys import known_keys

# The recipe of a run is fixed, the place may change.
KEYS = tuple(key for key, known in known_keys().items() if known.place and key != "out")
REFUSED = {key: "a run keeps its recipe; millrace train begins another" for key in known_keys() if key not in KEYS}
REFUSED["out"] = "a run goes on in its own folder"


@dataclass(frozen=True)
class ResumeOptions:
    """Go on with a run from its newest checkpoint. It ends in the same weights, bit for bit, as if it had never
    stopped, on however many workers; a stale run goes on in an order of its own, which its journal keeps. Where
    --runtime is given, the cluster that the run had is not asked for."""

    run: str = flags.positional(
        "RUN", "folder or address of the run, its name in the data folder, or latest", required=True
    )
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Train to the end, as `train` does; a finished run says its result."""
    options, given = flags.parse("resume", ResumeOptions, arguments, KEYS, REFUSED)
    folder = finding.open_folder(options.run)
    settings = resolving.for_run(folder.path, layers.from_flags(given))
    return show(Screen(as_json=options.json), settings, lambda watched: go_on(folder, settings, watched))
