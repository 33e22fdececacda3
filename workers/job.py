"""What a run is (its job), and where and how fast it runs (its place)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from millrace.errors import UsageError, unknown_name
from millrace.model.options import NetworkOptions, OptimizerOptions, RegularizationOptions, ScheduleOptions
from millrace.pipeline.policy import Policy

NORMALIZATIONS = ("standard", "unit")

# The batch by name, as Deep Learning, 8.1.3, has it: one sample, a few, all training samples (None).
BATCHES: dict[str, int | None] = {"stochastic": 1, "minibatch": 128, "full": None}


def _whole(what: str, value: object, low: int, high: float = float("inf")) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        limit = "" if high == float("inf") else f" to {high:.0f}"
        raise UsageError(f"{what} is out of range", expected=f"a whole number from {low}{limit}", got=repr(value))


@dataclass(frozen=True)
class Job:
    """All that decides the bits of a run, and nothing else.

    dataset: name or file, as given. batch, slot_size: samples of a step and of a slot (None: see `pipeline.order`).
    subset: rows kept of the training table (None: all); validation: rows of these held out. normalize: "standard"
    (mean and deviation of the training pixels) or "unit" (0 to 1). batch may be a name of BATCHES. recipe: the resolved
    configuration as plain
    values, kept in checkpoints and compared when a run goes on.
    """

    dataset: str
    epochs: int
    batch: int | str
    seed: int
    policy: Policy
    network: NetworkOptions
    optimizer: OptimizerOptions
    schedule: ScheduleOptions
    regularization: RegularizationOptions = field(default_factory=RegularizationOptions)
    slot_size: int | None = None
    subset: int | None = None
    validation: int = 0
    normalize: str = "standard"
    recipe: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _whole("the number of epochs", self.epochs, 1)
        if isinstance(self.batch, str) and self.batch not in BATCHES:
            raise unknown_name("batch", self.batch, BATCHES)
        size = BATCHES[self.batch] if isinstance(self.batch, str) else self.batch
        if not isinstance(self.batch, str):
            _whole("the batch", self.batch, 1)
        _whole("the seed", self.seed, 0, 2**32 - 1)
        _whole("the validation split", self.validation, 0)
        if self.slot_size is not None:
            _whole("the slot size", self.slot_size, 1, size or float("inf"))
        if self.subset is not None:
            _whole("the subset", self.subset, 1)
        if self.normalize not in NORMALIZATIONS:
            raise unknown_name("normalization", self.normalize, NORMALIZATIONS)


RUNTIMES = ("local", "ray")


@dataclass(frozen=True)
class Place:
    """Where a run is computed; no field changes a bit.

    runtime: "local" (threads of this process) or "ray" (actors). address: of a Ray cluster that runs ("auto",
    HOST:PORT), None for an own Ray on this machine. workers: gradient workers, a number (0: one per core) or "MIN:MAX",
    of which the most are there as long as the cluster has CPUs for them. augmenters: threads or actors that only make
    batches; 0: the workers make them while they wait for weights; None: 0 locally, one per node on Ray. read_ahead: MiB
    of batches made ahead of need (on Ray: for each worker). checkpoint_every: seconds. mixed_cpus: admit workers whose
    environment gives other bits. mirror, offline: how a fetcher gets the data. no_test: never look at the test set.
    """

    runtime: str = "local"
    address: str | None = None
    workers: int | str = 0
    augmenters: int | None = None
    read_ahead: int = 16
    checkpoint_every: float = 60.0
    mixed_cpus: bool = False
    mirror: str | None = None
    offline: bool = False
    no_test: bool = False

    def __post_init__(self) -> None:
        if self.runtime not in RUNTIMES:
            raise unknown_name("runtime", self.runtime, RUNTIMES)
        if self.address is not None and self.runtime != "ray":
            raise UsageError("an address is for Ray alone", got=self.address, do="add --runtime ray")
        least, most = worker_range(self.workers)
        _whole("the number of workers", least, 0, 1024)
        _whole("the greatest number of workers", most, max(least, 0), 1024)
        if self.augmenters is not None:
            _whole("the number of augmenters", self.augmenters, 0, 1024)
        _whole("read-ahead in MiB", self.read_ahead, 0, 1 << 20)
        if not self.checkpoint_every > 0:
            raise UsageError(
                "the time between checkpoints is out of range", expected="seconds above 0", got=self.checkpoint_every
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
    """(least, most) of a number of workers or of "MIN:MAX"; UsageError for anything else."""
    if isinstance(workers, int) and not isinstance(workers, bool):
        return workers, workers
    match = re.fullmatch(r"(\d{1,4})(?::(\d{1,4}))?", workers) if isinstance(workers, str) else None
    if match is None:
        raise UsageError("the number of workers is no number", expected="N or MIN:MAX", got=repr(workers))
    least = int(match[1])
    return least, int(match[2]) if match[2] is not None else least
