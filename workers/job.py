"""What a run is (its job), and where and how fast it runs (its place)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from errors import UsageError, unknown_name
from model.options import NetworkOptions, OptimizerOptions, ScheduleOptions
from pipeline.policy import Policy

NORMALIZATIONS = ("standard", "unit")


def _whole(what: str, value: object, low: int, high: float = float("inf")) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        limit = "" if high == float("inf") else f" to {high:.0f}"
        raise UsageError(f"{what} is out of range", expected=f"a whole number from {low}{limit}", got=repr(value))


@dataclass(frozen=True)
class Job:
    """All that decides the bits of a run, and nothing else.

    dataset: name or file, as given. batch, slot_size: samples of a step and of a slot (None: see `pipeline.order`).
    subset: rows kept of the training table (None: all); validation: rows of these held out. normalize: "standard"
    (mean and deviation of the training pixels) or "unit" (0 to 1). recipe: the resolved configuration as plain
    values, kept in checkpoints and compared when a run goes on.
    """

    dataset: str
    epochs: int
    batch: int
    seed: int
    policy: Policy
    network: NetworkOptions
    optimizer: OptimizerOptions
    schedule: ScheduleOptions
    slot_size: int | None = None
    subset: int | None = None
    validation: int = 0
    normalize: str = "standard"
    recipe: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _whole("the number of epochs", self.epochs, 1)
        _whole("the batch", self.batch, 1)
        _whole("the seed", self.seed, 0, 2**32 - 1)
        _whole("the validation split", self.validation, 0)
        if self.slot_size is not None:
            _whole("the slot size", self.slot_size, 1, self.batch)
        if self.subset is not None:
            _whole("the subset", self.subset, 1)
        if self.normalize not in NORMALIZATIONS:
            raise unknown_name("normalization", self.normalize, NORMALIZATIONS)


@dataclass(frozen=True)
class Place:
    """Where a run is computed; no field changes a bit.

    workers: gradient workers, 0 for one per core. augmenters: threads that only make batches; with 0 the workers make
    them while they wait for weights. read_ahead: MiB of batches made ahead of need. checkpoint_every: seconds.
    """

    workers: int = 0
    augmenters: int = 0
    read_ahead: int = 16
    checkpoint_every: float = 60.0

    def __post_init__(self) -> None:
        _whole("the number of workers", self.workers, 0, 1024)
        _whole("the number of augmenters", self.augmenters, 0, 1024)
        _whole("read-ahead in MiB", self.read_ahead, 0, 1 << 20)
        if not self.checkpoint_every > 0:
            raise UsageError(
                "the time between checkpoints is out of range", expected="seconds above 0", got=self.checkpoint_every
            )
