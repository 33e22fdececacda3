"""`millrace compare`: which of several configurations is better, on the validation split."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from millrace import datasets
from millrace.commands.downloads import Downloads
from millrace.commands.screen import Screen, table
from millrace.commands.stopping import Stopping
from millrace.commands.variants import Variant, variants
from millrace.datasets import Dataset
from millrace.errors import UsageError
from millrace.library import finding
from millrace.library.outcomes import Outcome, outcome
from millrace.reports.overlay import Curve, overlay
from millrace.reports.words import counted, duration, percent, short
from millrace.runs.folder import RunFolder
from millrace.settings import config_file, flags
from millrace.settings.keys import known_keys
from millrace.storage.files import write_whole
from millrace.workers.job import Job
from millrace.workers.series import Trial, one_by_one
from millrace.workers.setup import Setup

KEYS = tuple(key for key in known_keys() if key not in ("out", "test"))
PICTURE, RESULTS = "compare.png", "compare.json"


@dataclass(frozen=True)
class CompareOptions:
    """Train every variant with several seeds and compare them on the validation split: a table of mean ± standard
    deviation, the curves in one picture. The test set is never read.

    Variants are files, the variants of a study, or the values of --sweep; other flags hold for all. A comparison that
    was stopped goes on where it stands when it is called again with the same --out."""

    files: tuple[str, ...] = flags.positional("FILE.yaml", "configurations or studies", many=True)
    sweep: tuple[str, ...] = flags.option((), "KEY=V1,V2", "values of a key to compare; several keys: all combinations")
    seeds: int = flags.option(3, "N", "runs of each variant, with seeds from --seed on")
    out: str | None = flags.option(None, "DIR", "folder of the comparison; by default a new one in your data folder")
    json: bool = flags.as_json()

    def __post_init__(self) -> None:
        if not 1 <= self.seeds <= 100:
            raise UsageError("--seeds is out of range", expected="1 to 100", got=self.seeds)


def run(arguments: Sequence[str]) -> int:
    """Train what is not trained yet, print the table, write the picture."""
    options, given = flags.parse("compare", CompareOptions, arguments, KEYS)
    screen = Screen(as_json=options.json)
    sides = variants(options.files, options.sweep, given)
    new = finding.runs_folder() / f"compare-{datetime.now():%Y%m%d-%H%M%S}"
    folder = finding.here(options.out) if options.out else new
    trials = {side.name: [_trial(side, folder, k) for k in range(options.seeds)] for side in sides}
    everything = [trial for own in trials.values() for trial in own]
    screen.say(f"{counted(len(sides), 'variant')}, {counted(options.seeds, 'seed')} each, in {short(folder)}")
    with Stopping() as stopping, Downloads(screen) as progress:

        def load(trial: Trial) -> Dataset:
            spec, place = datasets.find(trial.job.dataset), trial.place
            return datasets.load(spec, mirror=place.mirror, offline=place.offline, progress=progress)

        for trial in {trial.job.dataset: trial for trial in everything}.values():
            dataset = load(trial)
            for one in everything:
                if one.job.dataset == trial.job.dataset:
                    Setup(one.job, dataset).check()
        for number, trial in enumerate(_trained(everything, stopping, load), start=1):
            screen.say(f"{number:>4} of {len(everything)}: {trial.name}", style="dim")
        if stopping.event.is_set():
            screen.say("stopped; the same command with the same --out goes on")
            return stopping.code
    _report(screen, folder, {name: outcome(own) for name, own in trials.items()})
    return 0


def _trial(side: Variant, folder: Path, number: int) -> Trial:
    """One seed of a variant; what lies in its folder must be the same recipe."""
    job = replace(side.job, seed=side.job.seed + number)
    place = replace(side.place, out=None, test=False)
    if not job.validation:
        raise UsageError("comparing goes by the validation split, and there is none", do="add --validation N")
    path = folder / side.folder / f"seed-{job.seed}"
    if RunFolder.is_run(path):
        _same(path, job)
    name = f"{side.name}, seed {job.seed}"
    return Trial(name, job, place, path, config_file.write(job, place))


def _same(path: Path, job: Job) -> None:
    different = finding.changes(finding.settings_of(RunFolder.open(path)).job, job)
    if different:
        raise UsageError(
            f"{short(path)} holds a run of another recipe", got="; ".join(different[:5]), do="choose another --out"
        )


def _trained(trials: Sequence[Trial], stopping: Stopping, load: Callable[[Trial], Dataset]) -> Iterator[Trial]:
    place = trials[0].place
    if place.runtime == "ray":
        from millrace.workers.ray_runtime.series import in_parallel  # Ray takes its time to import

        yield from in_parallel(trials, stopping.event, place.address, place.most_workers)
    else:
        yield from one_by_one(trials, stopping.event, load)


def _report(screen: Screen, folder: Path, outcomes: Mapping[str, Outcome]) -> None:
    """The table, best first, the picture, and the numbers as JSON."""
    ranked = sorted(outcomes.items(), key=lambda item: -item[1].accuracy.mean if item[1].accuracy else 1.0)
    made = table("variant", "validation", "±", "loss", "±", "time", "", right=("validation", "±", "loss", "time"))
    for name, found in ranked:
        made.add_row(name, *_cells(found))
        screen.record(variant=name, **asdict(found))
    screen.say()
    screen.show(made)
    curves = [Curve(name, found.losses, found.errors) for name, found in outcomes.items() if found.losses]
    document = {name: asdict(found) for name, found in outcomes.items()}
    write_whole(folder / RESULTS, (json.dumps(document, indent=1) + "\n").encode())
    screen.say()
    if curves:
        write_whole(folder / PICTURE, overlay(curves))
        screen.facts(("picture", short(folder / PICTURE)))
    screen.facts(("numbers", short(folder / RESULTS)))


def _cells(found: Outcome) -> tuple[str, ...]:
    """A variant's row in the table."""
    note = f"{found.broken} broke down" if found.broken else ""
    if found.accuracy is None or found.loss is None:
        return "–", "–", "–", "–", "–", note
    spread = f"{100 * found.accuracy.deviation:.2f}", f"{found.loss.deviation:.4f}"
    accuracy, loss = percent(found.accuracy.mean, 2), f"{found.loss.mean:.4f}"
    return accuracy, spread[0], loss, spread[1], duration(found.seconds), note
