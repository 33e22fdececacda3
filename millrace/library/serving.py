"""A dataset as a service: what is offered, from settings, and the file that says where it is."""

import contextlib
import os
from collections.abc import Iterator, Sequence
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
from millrace.workers import READING_KEYS

KEYS = (
    "seed",
    *(key for key in known_keys() if key.startswith("policy")),
    *("subset", "validation", "sampling", *READING_KEYS, "mirror", "offline"),
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
        seed=job.seed if "seed" in settings.chosen else None,  # 0, or that of an export
        policy=job.policy if augmented else AUTO,
        split=split,
        subset=job.subset,
        validation=job.validation,
        drop_last=drop_last,
        sampling=job.sampling,
    )
    return Offer(StreamSource(dataset, choice), epochs)


class ReadyFile:
    """The file that says where a server is, and is there as long as that is so: not before, where a killed server left
    one, nor after. file: None for none. Errors: MillraceError where it cannot be had."""

    def __init__(self, file: str | os.PathLike[str] | None) -> None:
        self._path, self._said = None if file is None else Path(os.path.expanduser(file)), b""

    def __enter__(self) -> "ReadyFile":
        if self._path is not None:
            with self._faults():
                os.stat(self._path.parent)  # now, not when all has been prepared
                self._path.unlink(missing_ok=True)
        return self

    def say(self, address: str) -> None:
        """Write the address, aside and renamed."""
        if self._path is not None:
            with self._faults():
                self._said = f"{address}\n".encode()
                write_whole(self._path, self._said)

    def follow(self, addresses: Sequence[str]) -> None:
        """Hold one of these addresses, the same one as long as it is among them; where there is none, no file."""
        if not addresses:
            if self._said:
                self.take_back()
                self._said = b""
        elif self._said.decode().rstrip() not in addresses:
            self.say(addresses[0])

    def __exit__(self, *_: object) -> None:
        self.take_back()

    def take_back(self) -> None:
        """Have the file not be there any more."""
        with contextlib.suppress(OSError):
            if self._path is not None and self._path.read_bytes() == self._said:  # else it is another server's
                self._path.unlink()

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = f"cannot write {self._path}"
            raise MillraceError(what, got=error.strerror, do="choose another --ready-file") from error
