"""The options of an export: everything that decides its bytes, besides the dataset."""

from dataclasses import dataclass

from millrace.errors import UsageError, unknown_name
from millrace.formats import FORMATS
from millrace.pipeline.policy import Policy


@dataclass(frozen=True)
class ExportOptions:
    """epochs: passes over the training samples. subset: rows kept of the training table (None: all), of which
    `validation` are a split of their own; both are chosen as in training. originals: also the untouched images.
    augment_test: the test split drawn from the policy too. shard_rows: rows of a shard (None: some 16 MiB of pixels).
    """

    format: str
    policy: Policy
    epochs: int = 1
    seed: int = 0
    subset: int | None = None
    validation: int = 0
    originals: bool = False
    augment_test: bool = False
    shard_rows: int | None = None

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise unknown_name("format", self.format, FORMATS)
        if not 1 <= self.epochs < 1 << 32:
            raise UsageError(
                "the number of epochs is out of range", expected="at least 1", got=self.epochs, do="give --epochs K"
            )
        if self.shard_rows is not None and self.shard_rows < 1:
            raise UsageError("the rows of a shard are out of range", expected="at least 1", got=self.shard_rows)
