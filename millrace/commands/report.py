"""`millrace report`: the report of a run, written anew."""

from collections.abc import Sequence
from dataclasses import dataclass

from millrace import datasets
from millrace.commands import flags, runs
from millrace.commands.downloads import Downloads
from millrace.commands.reporting import write_report
from millrace.commands.screen import Screen
from millrace.reports.words import short

KEYS = ("mirror", "offline")


@dataclass(frozen=True)
class ReportOptions:
    """Write report.html of a run, finished or not: curves, confusion, mistakes, weights, configuration, as one page."""

    run: str = flags.positional(
        "RUN", "folder or address of the run, its name in the data folder, or latest", required=True
    )
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Write the page and say where it lies."""
    options, given = flags.parse("report", ReportOptions, arguments, KEYS)
    screen = Screen(as_json=options.json)
    folder = runs.open_run(options.run)
    settings = runs.config_of(folder)
    with Downloads(screen) as progress:
        mirror, offline = given.get("mirror", settings.mirror), given.get("offline", settings.offline)
        where = str(mirror) if mirror else None
        dataset = datasets.load(datasets.find(settings.dataset), mirror=where, offline=bool(offline), progress=progress)
    path = write_report(folder, settings, dataset)
    screen.record(file=path)
    screen.say(short(path))
    return 0
