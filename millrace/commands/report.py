"""`millrace report`: the report of a run, written again."""

from collections.abc import Sequence
from dataclasses import dataclass

from millrace.commands.downloads import Downloads
from millrace.commands.screen import Screen
from millrace.library import resolving
from millrace.library.run import open_run
from millrace.reports.words import short
from millrace.settings import flags, layers
from millrace.settings.keys import DATA_KEYS


@dataclass(frozen=True)
class ReportOptions:
    """Write report.html of a run, finished or not: curves, confusion, mistakes, weights, configuration, as one page."""

    run: str = flags.positional(
        "RUN", "folder or address of the run, its name in the data folder, or latest", required=True
    )
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Write the page and say where it lies."""
    options, given = flags.parse("report", ReportOptions, arguments, DATA_KEYS)
    screen = Screen(as_json=options.json)
    opened = open_run(options.run)
    with Downloads(screen) as progress:
        path = opened.write_report(resolving.for_run(opened.path, layers.from_flags(given)), progress)
    screen.record(file=path)
    screen.say(short(path))
    return 0
