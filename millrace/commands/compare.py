"""`millrace compare`: which of several configurations is better, on the validation split."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from millrace.commands.downloads import Downloads
from millrace.commands.screen import Screen, table
from millrace.commands.stopping import Stopping
from millrace.library import finding
from millrace.library.comparing import RESULTS, trained, trials_of, write_results
from millrace.library.outcomes import Outcome, outcome
from millrace.library.variants import variants
from millrace.reports.words import counted, duration, percent, short
from millrace.settings import flags
from millrace.settings.keys import known_keys

# What variants are not trained from or by, and why.
_SERVICE = "variants are trained on a dataset, not from a service"
REFUSED = {
    **dict.fromkeys(("stream", "token_file", "tls_roots", "patience"), _SERVICE),
    "mixed_cpus": "each run is trained on one machine",
    "test": "variants are chosen by validation, so the test set is never read",
}
KEYS = tuple(key for key in known_keys() if key not in ("out", *REFUSED))


@dataclass(frozen=True)
class CompareOptions:
    """Train every variant with several seeds and compare them on the validation split: a table of mean ± standard
    deviation, the curves in one picture. The test set is never read.

    Variants are files, the variants of a study, or the values of --sweep; other flags hold for all. A comparison that
    was stopped goes on where it stands when it is called again with the same --out."""

    files: tuple[str, ...] = flags.positional("FILE.yaml", "configurations or studies", many=True)
    sweep: tuple[str, ...] = flags.option((), "KEY=V1,V2", "values of a key to compare; several keys: all combinations")
    seeds: int = flags.option(3, "N", "runs of each variant, with seeds from --seed on", least=1, most=100)
    out: str | None = flags.option(None, "DIR", "folder of the comparison; by default a new one in your data folder")
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Train what is not trained yet, print the table, write the picture."""
    options, given = flags.parse("compare", CompareOptions, arguments, KEYS, REFUSED)
    screen = Screen(as_json=options.json)
    sides = variants(options.files, options.sweep, given)
    new = finding.runs_folder() / f"compare-{datetime.now():%Y%m%d-%H%M%S}"
    folder = finding.here(options.out) if options.out else new
    trials = trials_of(sides, folder, options.seeds)
    everything = [trial for own in trials.values() for trial in own]
    screen.say(f"{counted(len(sides), 'variant')}, {counted(options.seeds, 'seed')} each, in {short(folder)}")
    with Stopping() as stopping, Downloads(screen) as progress:
        for number, trial in enumerate(trained(everything, stopping.event, progress), start=1):
            screen.say(f"{number:>4} of {len(everything)}: {trial.name}", style="dim")
        if stopping.event.is_set():
            screen.say("stopped; the same command with the same --out goes on")
            return stopping.code
    _report(screen, folder, {name: outcome(own) for name, own in trials.items()})
    return 0


def _report(screen: Screen, folder: Path, outcomes: Mapping[str, Outcome]) -> None:
    """The table, best first, and where picture and numbers lie."""
    ranked = sorted(outcomes.items(), key=lambda item: -item[1].accuracy.mean if item[1].accuracy else 1.0)
    shown = table("variant", "validation", "±", "loss", "±", "time", "", right=("validation", "±", "loss", "time"))
    for name, found in ranked:
        shown.add_row(name, *_cells(found))
        screen.record(variant=name, **asdict(found))
    screen.say()
    screen.show(shown)
    picture = write_results(folder, outcomes)
    screen.say()
    if picture is not None:
        screen.facts(("picture", short(picture)))
    screen.facts(("numbers", short(folder / RESULTS)))


def _cells(found: Outcome) -> tuple[str, ...]:
    """A variant's row in the table."""
    note = f"{found.broken} broke down" if found.broken else ""
    if found.accuracy is None or found.loss is None:
        return "–", "–", "–", "–", "–", note
    spread = f"{100 * found.accuracy.deviation:.2f}", f"{found.loss.deviation:.4f}"
    accuracy, loss = percent(found.accuracy.mean, 2), f"{found.loss.mean:.4f}"
    return accuracy, spread[0], loss, spread[1], duration(found.seconds), note
