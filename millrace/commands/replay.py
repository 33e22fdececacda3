"""`millrace replay`: a run computed again, to the same bytes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from millrace.commands.downloads import Downloads
from millrace.commands.run_display import RunDisplay
from millrace.commands.screen import Screen
from millrace.commands.stopping import Stopping
from millrace.errors import IntegrityError
from millrace.library import finding, resolving
from millrace.library.replaying import Replay, replay
from millrace.reports.words import behind, short
from millrace.settings import flags, layers
from millrace.settings.keys import DATA_KEYS

KEYS = ("workers", "augmenters", "read_ahead", *DATA_KEYS)
SHOWN = 5  # differences that are named


@dataclass(frozen=True)
class ReplayOptions:
    """Compute a run again from its first weights up to its newest checkpoint, and compare every byte: weights,
    optimizer, measures, ledger. A stale run is computed from its journal, any other from its configuration.

    Exit code 0 where all is the same, 1 where something differs, which is named."""

    run: str = flags.positional(
        "RUN", "folder or address of the run, its name in the data folder, or latest", required=True
    )
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Replay on as many threads as there are cores, or --workers. Errors: IntegrityError where something differs."""
    options, given = flags.parse("replay", ReplayOptions, arguments, KEYS)
    screen, stopping = Screen(as_json=options.json), Stopping()
    folder = finding.open_folder(options.run)
    settings = resolving.for_run(folder.path, layers.from_flags(given))
    place = settings.place if "workers" in given else replace(settings.place, workers=0)
    with Downloads(screen) as downloads, RunDisplay(screen, settings, stopping, downloads) as display:
        dataset = resolving.dataset_of(settings, downloads)
        found = replay(folder, settings.job, dataset, place, display, stopping.event)
    screen.record(event="replayed", **asdict(found), same=found.same)
    if found.replayed < found.step and not found.different:
        screen.say(f"stopped after {found.replayed:,} of {found.step:,} steps: nothing is proved", style="yellow")
        return stopping.code
    _report(screen, found)
    if found.different:
        raise IntegrityError(
            f"the run in {short(folder.location)} was not computed again to the same bytes",
            expected=f"those of its checkpoint at step {found.step:,}",
            got="; ".join(found.different[:SHOWN]),
        )
    screen.say(f"{found.step:,} steps again: the same bytes", style="bold")
    return 0


def _report(screen: Screen, found: Replay) -> None:
    screen.say()
    if found.staleness:
        screen.facts(("staleness", behind(found.staleness)))
