"""The options of an export: everything that decides its bytes, except the dataset."""

from dataclasses import dataclass

from millrace.fields import check, option
from millrace.formats import FORMATS
from millrace.pipeline.policy import Policy
from millrace.pipeline.sampling import SAMPLING_HELP, SAMPLINGS, UNIFORM


@dataclass(frozen=True)
class ExportOptions:
    """What is written, and as which format: `policy` draws, subset and validation are chosen as in training."""

    policy: Policy
    format: str = option("parquet", ", ".join(FORMATS), choices=FORMATS)
    epochs: int = option(
        1, "passes over the training samples, each with draws of its own", metavar="K", least=1, most=2**32 - 1
    )
    seed: int = option(0, "number that every random draw depends on, 0 to 4294967295", least=0, most=2**32 - 1)
    subset: int | None = option(None, "rows kept of the training table; by default all", least=1)
    validation: int = option(0, "of these, the rows that are a split of their own", least=0)
    sampling: str = option(UNIFORM, SAMPLING_HELP, choices=SAMPLINGS)
    originals: bool = option(False, "also the untouched images")
    augment_test: bool = option(False, "augment the test split too; by default it is untouched")
    shard_rows: int | None = option(None, "rows of a shard; by default some 16 MiB of pixels", least=1)

    def __post_init__(self) -> None:
        check(self)
