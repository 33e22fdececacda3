"""`millrace leaderboard`: the runs of a folder, the best on the validation split first."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from millrace.commands.screen import Screen, table
from millrace.errors import UsageError
from millrace.library import finding
from millrace.library.leaderboard import ranked
from millrace.reports.words import duration, percent, short
from millrace.settings import flags


@dataclass(frozen=True)
class LeaderboardOptions:
    """Rank runs by their accuracy on the validation split; those without one come last. Also shown: test accuracy where
    the run has looked, parameters, time."""

    folder: str | None = flags.positional("DIR", "folder with runs in it, at any depth; by default your data folder")
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Print the table, or a JSON line for each run."""
    options, _ = flags.parse("leaderboard", LeaderboardOptions, arguments)
    screen = Screen(as_json=options.json)
    base = finding.here(options.folder) if options.folder else finding.runs_folder()
    if options.folder and not base.is_dir():
        raise UsageError(f"there is no folder {short(base)}", do="name a folder with runs in it")
    rows = ranked(base)
    if not rows:
        raise UsageError(f"no runs in {short(base)}", do="millrace train makes one")
    shown = table(
        "run", "data", "model", "validation", "test", "size", "time", right=("validation", "test", "size", "time")
    )
    for row in rows:
        screen.record(**asdict(row))
        size = f"{row.parameters:,}" if row.parameters is not None else "–"
        time = duration(row.seconds) if row.seconds is not None else f"at epoch {row.epochs}"
        shown.add_row(row.run, row.dataset, row.model, _percent(row.validation), _percent(row.test), size, time)
    screen.show(shown)
    return 0


def _percent(fraction: float | None) -> str:
    return "–" if fraction is None else percent(fraction, 2)
