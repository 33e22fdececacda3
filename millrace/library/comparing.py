"""Several variants of a configuration, each trained with several seeds, compared on the validation split."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from millrace import datasets
from millrace.datasets import Dataset, Progress, Reading
from millrace.errors import UsageError
from millrace.library import finding
from millrace.library.outcomes import Outcome
from millrace.library.variants import Variant
from millrace.reports.overlay import Curve, overlay
from millrace.reports.words import short
from millrace.runs import RunFolder
from millrace.settings import config_file
from millrace.storage import write_whole
from millrace.workers import Job, Setup, Trial, one_by_one

PICTURE, RESULTS = "compare.png", "compare.json"


def trials_of(sides: Sequence[Variant], folder: Path, seeds: int) -> dict[str, list[Trial]]:
    """The runs of each variant by its name: `seeds` seeds from its own on, each in a folder below `folder`.

    Errors: UsageError where there is no validation split, or a folder holds a run of another recipe."""
    return {side.name: [_trial(side, folder, number) for number in range(seeds)] for side in sides}


def trained(trials: Sequence[Trial], stop: threading.Event, progress: Progress | None = None) -> Iterator[Trial]:
    """Each trial once it is trained; those that are already, at once. It ends early where `stop` is set. All are
    checked before the first is trained. The test set is never read.

    Errors: UsageError for what cannot be trained, those of the data and of training."""

    def load(trial: Trial) -> Dataset:
        spec, place = datasets.find(trial.job.dataset, trial.job.reading), trial.place
        return datasets.load(spec, mirror=place.mirror, offline=place.offline, progress=progress)

    def source(trial: Trial) -> tuple[str, Reading]:
        return trial.job.dataset, trial.job.reading

    for first in {source(trial): trial for trial in trials}.values():
        dataset = load(first)
        for trial in trials:
            if source(trial) == source(first):
                Setup(trial.job, dataset).check()
    place = trials[0].place
    if place.runtime == "ray":
        from millrace.workers.ray_runtime.series import in_parallel  # Ray takes its time to import

        yield from in_parallel(trials, stop, place.address, place.most_workers)
    else:
        yield from one_by_one(trials, stop, load)


def write_results(folder: Path, outcomes: Mapping[str, Outcome]) -> Path | None:
    """The numbers by variant as compare.json; the curves as compare.png, whose path is given, None where all runs
    broke down."""
    document = {name: asdict(found) for name, found in outcomes.items()}
    write_whole(folder / RESULTS, (json.dumps(document, indent=1) + "\n").encode())
    curves = [Curve(name, found.losses, found.errors) for name, found in outcomes.items() if found.losses]
    if not curves:
        return None
    write_whole(folder / PICTURE, overlay(curves))
    return folder / PICTURE


def _trial(side: Variant, folder: Path, number: int) -> Trial:
    """One seed of a variant; what lies in its folder must be the same recipe."""
    job = replace(side.job, seed=side.job.seed + number)
    place = replace(side.place, out=None, trace=None, test=False)
    if not job.validation:
        raise UsageError("comparing goes by the validation split, and there is none", do="add `validation=N`")
    path = folder / side.folder / f"seed-{job.seed}"
    if RunFolder.is_run(path):
        _same(path, job)
    return Trial(f"{side.name}, seed {job.seed}", job, place, path, config_file.write(job, place))


def _same(path: Path, job: Job) -> None:
    different = finding.changes(finding.settings_of(RunFolder.open(path)).job, job)
    if different:
        raise UsageError(
            f"{short(path)} holds a run of another recipe", got="; ".join(different[:5]), do="choose another `out`"
        )
