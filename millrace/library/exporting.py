"""The stream as files that other tools read: planned, written, and what came of it."""

import dataclasses
import importlib
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from millrace import datasets
from millrace.arguments import event, path_text, wrong_type
from millrace.datasets import Dataset, Progress
from millrace.datasets.exported import ExportedDataset, Manifest
from millrace.errors import UsageError, unknown_name
from millrace.fields import check, option
from millrace.formats import PICTURES
from millrace.library import resolving
from millrace.pipeline import pixel_statistics
from millrace.pipeline.export import Done, ExportOptions, ExportPlan, ExportSession, ShardWriter, make_plan
from millrace.reports.dataset_card import CARD, SHEET, card, sheet
from millrace.reports.words import in_words
from millrace.settings.keys import known_keys
from millrace.settings.layers import Settings
from millrace.storage import Folder
from millrace.version import __version__
from millrace.workers import READING_KEYS, Job

LOG = logging.getLogger("millrace")
# Where shards are written: modules with `executor(writer, workers, address)`.
RUNTIMES = {"local": "millrace.workers.export_local", "ray": "millrace.workers.ray_runtime.export"}
# The keys of the configuration that an export uses, beside its dataset.
KEYS = (
    "seed",
    *(key for key in known_keys() if key.startswith("policy")),
    *("subset", "validation", "sampling", *READING_KEYS, "mirror", "offline"),
)


@dataclass(frozen=True)
class ExportPlace:
    """Where shards are written; no field changes a byte."""

    workers: int = option(0, "shards in work at once (0: as fits the cores); any number gives the same bytes", least=0)
    runtime: str = option("local", "where to work: local (threads) or ray", choices=RUNTIMES)
    address: str | None = option(
        None, "Ray cluster to work on: auto or HOST:PORT; by default an own Ray", metavar="ADDRESS"
    )

    def __post_init__(self) -> None:
        check(self)
        if self.address is not None and self.runtime != "ray":
            raise UsageError("an address is for Ray alone", got=self.address, do="add `runtime=ray`")


@dataclass(frozen=True)
class Exported:
    """An export and what a call did for it. location: its folder or address; done: the shards that are whole;
    manifest: None where it was stopped before the end, and the same call goes on."""

    location: str
    plan: ExportPlan
    done: tuple[Done, ...]
    manifest: Manifest | None


def export(
    dataset: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    format: str = "parquet",
    epochs: int = 1,
    originals: bool = False,
    augment_test: bool = False,
    shard_rows: int | None = None,
    place: ExportPlace = ExportPlace(),
    stop: threading.Event | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Exported:
    """Write what training would see, byte for byte, as files that other tools read: as `millrace export`.

    dataset: a name or the YAML file of one's own. out: a folder or an address (s3://, gs://). format: parquet, arrow,
    huggingface, webdataset, npz or imagefolder. epochs: passes over the training samples. originals: also the untouched
    images. augment_test: the test split too. shard_rows: rows of a shard (None: some 16 MiB of pixels). settings: seed,
    policy, subset, validation, mirror, offline, as for `train`. Where `out` holds the beginning of the same export,
    that goes on. stop: set it from anywhere; the shards begun are finished first. The rows, in the order of training,
    and their bytes are the same for any place.

    Errors: UsageError for what cannot be exported, or a folder that holds something else; DataError where the data
    cannot be had."""
    folder = Folder(path_text("out", out, "a folder or an address"))
    stopping = threading.Event() if stop is None else event("stop", stop)
    if not isinstance(place, ExportPlace):
        raise wrong_type(
            "place", place, "an ExportPlace of millrace.library.exporting", f"ExportPlace(runtime={place!r})"
        )
    given = resolving.keys_of(settings)
    for key in given:
        if key not in KEYS:
            raise unknown_name("key of an export", key, KEYS)
    chosen = resolving.for_call(None, {"dataset": dataset, **settings})
    job = chosen.job
    asked = asked_of(
        job,
        format=format,
        epochs=epochs,
        originals=originals,
        augment_test=augment_test,
        shard_rows=shard_rows,
    )
    loaded = source_of(chosen, progress)
    return write(plan_of(asked, loaded, job.dataset), loaded, folder, place, stopping)


def asked_of(job: Job, **own: Any) -> ExportOptions:
    """The options of an export: what is drawn as the job says, the others as given. Errors: OptionError."""
    drawn = {name: getattr(job, name) for name in ("policy", "seed", "subset", "validation", "sampling")}
    return ExportOptions(**drawn, **own)


def source_of(settings: Settings, progress: Progress | None = None) -> Dataset:
    """The dataset to export. Errors: UsageError where it is an export already."""
    dataset = resolving.dataset_of(settings, progress)
    if isinstance(dataset, ExportedDataset):
        source = dataset.manifest.dataset["source"]
        raise UsageError(
            f"{settings.job.dataset} is an export already",
            expected="the dataset itself",
            do=f"`millrace.export({source!r})` makes another export",
        )
    return dataset


def plan_of(asked: ExportOptions, dataset: Dataset, source: str) -> ExportPlan:
    """The plan of an export: its splits, shards and key. source: name or file of the dataset, as it was given."""
    if dataset.shape[0] not in (1, 3) and asked.format in PICTURES:
        raise UsageError(
            f"{asked.format} holds pictures",
            expected="1 or 3 channels",
            got=dataset.shape[0],
            do="choose `format=parquet`",
        )
    images, labels = datasets.images(dataset.train), datasets.labels(dataset.train)
    chosen = datasets.split(labels, subset=asked.subset, validation=asked.validation, seed=asked.seed).train
    means, deviations = pixel_statistics(images, np.ascontiguousarray(chosen))
    return make_plan(asked, dataset, source=source, statistics=(means, deviations), millrace=__version__)


def write(
    plan: ExportPlan,
    dataset: Dataset,
    folder: Folder,
    place: ExportPlace,
    stop: threading.Event,
    each: Callable[[Done], None] = lambda done: None,
    note: Callable[[str], None] = LOG.warning,
) -> Exported:
    """Write the export that is planned into the folder, from where it stands; `each` is called with each shard as it is
    whole, `note` with what is worth a word. Errors: UsageError where the folder holds something else, or another
    process exports into it."""
    try:
        runtime = importlib.import_module(RUNTIMES[place.runtime])
    except ModuleNotFoundError as error:
        raise UsageError(
            f"`runtime={place.runtime}` cannot be used here", got=str(error), do="choose `runtime=local`"
        ) from error
    with ExportSession.open(plan, folder) as session:
        writer = ShardWriter(plan, dataset, folder, session.known)
        done: dict[int, Done] = {}
        executor = runtime.executor(writer, place.workers, place.address, note)
        for one in executor.run(range(len(plan.shards)), stop.is_set):
            done[one.index] = one
            each(one)
        whole = tuple(done[index] for index in sorted(done))
        written = Exported(folder.location, plan, whole, None)
        if len(done) < len(plan.shards):
            return written
        words = in_words(plan.options.policy)
        beside = ((CARD, card(plan, words).encode()), (SHEET, sheet(plan, dataset, words)))
        return dataclasses.replace(written, manifest=session.finish([one.record for one in whole], beside))
