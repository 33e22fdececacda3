"""What a run is (its job), and where and how fast it runs (its place). Together they are the configuration."""

import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from millrace import datasets
from millrace.datasets import Reading
from millrace.errors import OptionError, unknown_option
from millrace.fields import check, option
from millrace.model import FLOAT32, WIRES, NetworkOptions, OptimizerOptions, RegularizationOptions, ScheduleOptions
from millrace.pipeline import PRESETS, SAMPLING_HELP, SAMPLINGS, UNIFORM, Policy

AUTO = "auto"  # the policy that a dataset has of its own
NORMALIZATIONS = ("standard", "unit")
RUNTIMES = ("local", "ray")
MOST_WORKERS = 1024
READING_KEYS = tuple(Reading.__dataclass_fields__)

# The batch by name, as Deep Learning, 8.1.3, has it: one sample, a few, all training samples (None).
BATCHES: Mapping[str, int | None] = MappingProxyType({"stochastic": 1, "minibatch": 128, "full": None})
UNBOUNDED = "unbounded"


def _reading(name: str) -> Any:
    """The field of a job that a `Reading` has by this name."""
    own = Reading.__dataclass_fields__[name]
    return field(default=own.default, metadata=own.metadata)


@dataclass(frozen=True)
class Job:
    """All that decides the bits of a run, and nothing else.

    A relative path of a dataset becomes absolute and the name of a policy the policy itself, so that a job means the
    same wherever it is carried. Errors: OptionError; those of `datasets.find` where the policy is the dataset's own.
    """

    dataset: str = option(
        "digits", "name of a dataset, or the path of your own pictures, arrays or dataset file", metavar="NAME|PATH"
    )
    epochs: int = option(30, "passes over the training samples", least=1)
    batch: int | str = option(
        128,
        "samples in one update: N, stochastic (1), minibatch (128) or full (all)",
        metavar="N|NAME",
        choices=BATCHES,
        least=1,
    )
    slot_size: int | None = option(
        None, "samples in one unit of gradient work; by default min(128, half a batch)", metavar="R", least=1
    )
    staleness: int | str = option(
        0,
        "versions that weights may be ahead of those that a gradient is taken at: 0 (synchronous), N, or unbounded; "
        "above 0 the bits depend on timing too, and `millrace replay` has them again",
        metavar="N|unbounded",
        choices=(UNBOUNDED,),
        least=0,
    )
    wire: str = option(
        FLOAT32,
        "how sums of gradients are rounded, so that fewer bytes of them travel between machines: float32 (not at all), "
        "bfloat16 (half the bytes), int8 (a quarter)",
        choices=WIRES,
    )
    seed: int = option(0, "number that every random draw depends on, 0 to 4294967295", least=0, most=2**32 - 1)
    policy: Policy = option(AUTO, "augmentation: none, digits, photos, or auto (the dataset's own)", metavar="NAME")  # noqa: RUF009
    normalize: str = option(
        "standard", "inputs: standard (mean 0, deviation 1) or unit (0 to 1)", choices=NORMALIZATIONS
    )
    size: tuple[int, int] | None = _reading("size")
    fit: str = _reading("fit")
    channels: int | None = _reading("channels")
    background: str = _reading("background")
    range: str | None = _reading("range")
    labels_from: int = _reading("labels_from")
    test_share: float | None = _reading("test_share")
    skip_bad: bool = _reading("skip_bad")
    first_frame: bool = _reading("first_frame")
    labels: str = _reading("labels")
    subset: int | None = option(
        None, "train on this many samples, the same share of each class; by default all", least=1
    )
    validation: int = option(0, "training samples set aside to validate on after each epoch", least=0)
    sampling: str = option(UNIFORM, SAMPLING_HELP, choices=SAMPLINGS)
    network: NetworkOptions = field(default_factory=NetworkOptions)
    optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    schedule: ScheduleOptions = field(default_factory=ScheduleOptions)
    regularization: RegularizationOptions = field(default_factory=RegularizationOptions)

    def __post_init__(self) -> None:
        if isinstance(self.policy, str) and isinstance(self.dataset, str):
            object.__setattr__(self, "policy", named_policy(self.policy, self.dataset))
        check(self)
        _ = self.reading  # refuses what does not fit
        object.__setattr__(self, "dataset", _absolute(self.dataset))
        size = BATCHES[self.batch] if isinstance(self.batch, str) else self.batch
        if self.slot_size is not None and size is not None and self.slot_size > size:
            raise OptionError("slot_size", "is out of range", expected=f"at most a batch, {size}", got=self.slot_size)

    @property
    def reading(self) -> Reading:
        """How files of one's own are read."""
        return Reading(**{name: getattr(self, name) for name in READING_KEYS})

    @property
    def stale(self) -> bool:
        """Whether each worker takes steps of its own, whose gradients may be of older weights."""
        return self.staleness != 0

    @property
    def bound(self) -> int | None:
        """How many versions a gradient may be behind the weights; None: any number."""
        return self.staleness if isinstance(self.staleness, int) else None

    @property
    def recipe(self) -> dict[str, object]:
        """The job as nested JSON values: what checkpoints keep. How files are read, staleness and rounding are kept
        where they are not plain, so the checkpoints of other runs stay as they were."""
        plain = {name for name in READING_KEYS if getattr(self, name) == Reading.__dataclass_fields__[name].default}
        plain |= set() if self.stale else {"staleness"}
        plain |= {"wire"} if self.wire == FLOAT32 else set()
        return {name: _plain(value) for name, value in asdict(self).items() if name not in plain}


@dataclass(frozen=True)
class Place:
    """Where a run is computed and kept, and how its data comes; no field changes a bit."""

    runtime: str = option("local", "where it runs: local (threads) or ray (actors)", choices=RUNTIMES)
    address: str | None = option(None, "Ray cluster to run on: auto or HOST:PORT; by default an own Ray")
    workers: int | str = option(
        0, "workers that compute gradients: N (0: one per core) or, on Ray, MIN:MAX", metavar="N", most=MOST_WORKERS
    )
    augmenters: int | None = option(
        None,
        "threads or actors that only make batches; 0: workers make theirs; by default 0, one per node on a Ray "
        "cluster, one on an own Ray with more cores than workers",
        least=0,
        most=MOST_WORKERS,
    )
    servers: int = option(
        1, "parameter servers that the weights lie on, each a part, on different nodes of Ray", metavar="K", least=1
    )
    mixed_cpus: bool = option(False, "admit Ray workers whose environment gives other bits")
    read_ahead: int = option(
        16,
        "MiB of batches made ahead of need (on Ray: for each worker, at least 1)",
        metavar="MIB",
        least=0,
        most=1 << 20,
    )
    checkpoint_every: float = option(60.0, "seconds between checkpoints", metavar="SECONDS", above=0)
    out: str | None = option(
        None,
        "folder of the run, or an address (s3://, gs://); by default a new one in your data folder",
        metavar="DIR|ADDRESS",
    )
    stream: str | None = option(
        None,
        "train from the batches of `millrace serve` there, which states the recipe; several addresses with commas",
        metavar="grpc://HOST:PORT",
    )
    token_file: str | None = option(None, "file of the token that the service asks for; or MILLRACE_TOKEN")
    tls_roots: str | None = option(None, "PEM file that the service's certificate is checked by")
    patience: float = option(60.0, "seconds to wait for a service that is gone", metavar="SECONDS", least=0)
    mirror: str | None = option(None, "download from this http, https or file URL instead", metavar="URL")
    offline: bool = option(False, "use the cache alone, never the network")
    trace: str | None = option(
        None, "file for a trace of the run's threads or actors, to open in Perfetto or chrome://tracing", metavar="FILE"
    )
    test: bool = option(True, "measure on the test set at the end; not while something is still being chosen")

    def __post_init__(self) -> None:
        check(self)
        if self.address is not None and self.runtime != "ray":
            raise OptionError("address", "is for Ray alone", got=self.address, do="add `runtime=ray`")
        if self.servers > 1 and self.runtime != "ray":
            raise OptionError(
                "servers", "above 1 are for Ray alone", expected=1, got=self.servers, do="add `runtime=ray`"
            )
        least, most = worker_range(self.workers)
        if not 0 <= least <= most <= MOST_WORKERS:
            raise OptionError(
                "workers", "is out of range", expected=f"0 ≤ MIN ≤ MAX ≤ {MOST_WORKERS}", got=self.workers
            )

    @property
    def least_workers(self) -> int:
        """The workers that a run begins with; 0: one per core."""
        return worker_range(self.workers)[0]

    @property
    def most_workers(self) -> int:
        """The workers that a run grows to; 0: one per core."""
        return worker_range(self.workers)[1]


def worker_range(workers: int | str) -> tuple[int, int]:
    """(least, most) of a number of workers or of "MIN:MAX"; OptionError for anything else."""
    if isinstance(workers, int):
        return workers, workers
    match = re.fullmatch(r"(\d{1,4})(?::(\d{1,4}))?", workers)
    if match is None:
        raise OptionError("workers", "is no number", expected="N or MIN:MAX", got=repr(workers))
    least = int(match[1])
    return least, int(match[2]) if match[2] is not None else least


def named_policy(name: str, dataset: str) -> Policy:
    """The preset of this name, or (`auto`) the policy that the dataset has of its own. OptionError for another name."""
    if name not in (AUTO, *PRESETS):
        raise unknown_option("policy", name, [AUTO, *PRESETS])
    return PRESETS[datasets.policy_of(dataset) if name == AUTO else name]


def _absolute(dataset: str) -> str:
    """A name or an address as it is; a path to a file or folder made absolute, so a run goes on from anywhere."""
    if "://" in dataset or dataset in datasets.registry():
        return dataset
    if os.path.isdir(dataset):
        return str(Path(dataset).resolve())
    if dataset.endswith((".yaml", ".yml")) or os.sep in dataset or datasets.is_path(dataset):
        return os.path.realpath(os.path.expanduser(dataset))
    return dataset


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
