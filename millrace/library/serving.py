"""A dataset as a service: what is offered, from settings, and the file that says where it is."""

import os
from pathlib import Path

from millrace.datasets import Progress
from millrace.errors import MillraceError, unknown_name
from millrace.formats.rows import SPLITS
from millrace.library import resolving
from millrace.loading.data import AUTO
from millrace.loading.source import Choice, StreamSource
from millrace.service.offer import Offer
from millrace.settings.keys import known_keys
from millrace.settings.layers import Settings
from millrace.storage import write_whole

KEYS = (
    "seed",
    *(key for key in known_keys() if key.startswith("policy")),
    *("subset", "validation", "sampling", "mirror", "offline"),
)


def offer_of(
    settings: Settings,
    *,
    batch: int = 128,
    split: str = "train",
    epochs: int | None = None,
    drop_last: bool = False,
    progress: Progress | None = None,
) -> Offer:
    """The stream of the settings' dataset, fetched, verified and decoded if need be: that of `millrace.stream` with the
    same arguments, so the same bits. Errors: UsageError, DataError."""
    if split not in SPLITS:
        raise unknown_name("split", split, SPLITS)
    dataset, job = resolving.dataset_of(settings, progress), settings.job
    augmented = any(key.startswith("policy") for key in settings.chosen)
    choice = Choice(
        batch=batch,
        seed=job.seed,
        policy=job.policy if augmented else AUTO,
        split=split,
        subset=job.subset,
        validation=job.validation,
        drop_last=drop_last,
        sampling=job.sampling,
    )
    return Offer(StreamSource(dataset, choice), epochs)


def say_where(file: str | os.PathLike[str], address: str) -> None:
    """Write the address into a file, aside and renamed. Errors: MillraceError."""
    try:
        write_whole(Path(file).expanduser(), f"{address}\n".encode())
    except OSError as error:
        raise MillraceError(f"cannot write {file}", got=error.strerror, do="choose another --ready-file") from error
