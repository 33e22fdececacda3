"""`millrace.stream`: any step of a dataset's augmented batches, by number."""

import os
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from millrace.counters import check_seed
from millrace.errors import UsageError
from millrace.loading.data import SPLITS, opened, whole
from millrace.loading.delivery import LAYOUTS, Delivery, columns_of, one_of, scaling
from millrace.loading.loader import Loader
from millrace.loading.source import Choice, Source
from millrace.loading.state import state_of, step_of
from millrace.pipeline.batch import size as arrow_bytes
from millrace.pipeline.stream import Visited

MIB = 1 << 20
MOST_STEPS = 1 << 62
EPOCHS = 1 << 32  # the epoch is a word of the counter that draws are made from
Numbers = float | Sequence[float] | None
Made = TypeVar("Made")


class DataStream:
    """The addressable sequence of a dataset's augmented batches: made by `millrace.stream`.

    `len(stream)` is the number of steps of an epoch; `stream[step]` the batch of any step from 0 on, without a
    history; iterating gives the record batches of one epoch. `step` is the one after the batch handed out last, or
    where `at` put the stream.
    """

    def __init__(
        self, source: Source, *, threads: int, read_ahead: int, step: int = 0, rank: int = 0, world: int = 1
    ) -> None:
        self._source, self.threads, self.read_ahead = source, threads, read_ahead
        self.step, self.placed, self.rank, self.world, self._closed = step, True, rank, world, False
        self._loaders: weakref.WeakSet[Loader[Any]] = weakref.WeakSet()

    def __len__(self) -> int:
        return self._source.stream.order.steps_per_epoch

    def __getitem__(self, step: int) -> pa.RecordBatch:
        """The step as one record batch: `image` (fixed_shape_tensor uint8, C×H×W), `label` (uint8), `sample` (int64)
        and the drawn parameters (`dx`, `dy` in pixels, `angle` in degrees, `scale_x`, `scale_y`, `shear`, `flip`).
        Of a shard: this rank's rows. UsageError below 0."""
        self.check_open()
        return self._record(self._checked(step))

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return iter(self.arrow())

    def __repr__(self) -> str:
        shown = f"{self._source.dataset.spec.name!r}, {self._source.choice.split}, {len(self)} steps an epoch"
        shard = f", rank {self.rank} of {self.world}" if self.world > 1 else ""
        return f"<millrace stream {shown}{shard}, at step {self.step}>"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; a label is an index into them."""
        return self._source.dataset.classes

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        return self._source.dataset.shape

    @property
    def samples(self) -> int:
        """The number of samples of an epoch, of all ranks together."""
        order = self._source.stream.order
        return min(order.samples, order.steps_per_epoch * order.batch)

    @property
    def mean(self) -> tuple[float, ...]:
        """The mean of each channel of the training pixels, untouched, in units of full brightness (0 to 1)."""
        return self._source.statistics[0]

    @property
    def std(self) -> tuple[float, ...]:
        """Their standard deviation, likewise."""
        return self._source.statistics[1]

    def state(self) -> dict[str, Any]:
        """Where the stream stands: {"step": …} and what it is known by, as plain values for JSON or `torch.save`.
        It holds for every rank, world, number of threads and way of delivery."""
        return state_of(self.step, self._source.identity)

    def step_of(self, state: Any) -> int:
        """The step of a state of this stream, or of a step number. UsageError for another stream's."""
        return self._checked(step_of(state, self._source.identity))

    def at(self, state: Any) -> "DataStream":
        """The same stream standing at a step: a state (of this stream, else a UsageError) or a step number."""
        return self._moved(step=self.step_of(state))

    def shard(self, rank: int, world: int) -> "DataStream":
        """This rank's rows of every step: consecutive, none twice, all ranks' rows together are the step.

        Every rank has the same number of steps. The numbers of rows of two ranks differ by at most one; where a step
        has fewer rows than there are ranks, some batches are empty, of shape (0, C, H, W). With the column `weight`
        (world / rows of the whole step) the mean over ranks of Σ weight · loss is the mean loss of the step.
        """
        self.check_open()
        if self.world > 1:
            got = f"rank {self.rank} of {self.world} already"
            raise UsageError("a shard cannot be cut again", expected="the whole stream", got=got)
        world = whole("world", world, 1)
        return self._moved(rank=whole("rank", rank, 0, world - 1), world=world)

    def numpy(
        self,
        epochs: int | None = None,
        *,
        columns: Sequence[str] = ("image", "label"),
        layout: str = "NCHW",
        dtype: str = "float32",
        normalize: str = "standard",
        mean: Numbers = None,
        std: Numbers = None,
    ) -> Loader[tuple[npt.NDArray[Any], ...]]:
        """Batches as tuples of NumPy arrays, by default (images, labels): for JAX, Keras and everything else.

        columns: any of image, label (int32), sample (int64), weight (float32, see `shard`) and the drawn parameters.
        layout: NCHW or NHWC. dtype: float32 or uint8. normalize: standard (mean 0, deviation 1 over the training
        pixels), unit (0 to 1) or none (0 to 255). mean, std: a number or one for each channel, in units of full
        brightness, in place of these. epochs: see `Loader`.
        """
        delivery = self._delivery(columns, layout, dtype, normalize, mean, std, labels=np.int32)
        return self._keep(
            Loader(
                self, lambda step: self._arrays(step, delivery), **self._size(epochs, delivery.row_bytes(self.shape))
            )
        )

    def arrow(self, epochs: int | None = None) -> Loader[pa.RecordBatch]:
        """Batches as Arrow record batches, as `stream[step]` gives them."""
        return self._keep(Loader(self, self._record, **self._size(epochs, arrow_bytes(1, self.shape))))

    def close(self) -> None:
        """End all threads; the stream and its loaders cannot be used any more."""
        self._closed = True
        for loader in list(self._loaders):
            loader.close()

    def check_open(self) -> None:
        """Raise a UsageError if the stream is closed."""
        if self._closed:
            raise UsageError("the stream is closed", do="make a new one with millrace.stream")

    def __enter__(self) -> "DataStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loaders": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _loaders=weakref.WeakSet())

    def _moved(self, **changes: int) -> "DataStream":
        self.check_open()
        kept = {"step": self.step, "rank": self.rank, "world": self.world, **changes}
        return DataStream(self._source, threads=self.threads, read_ahead=self.read_ahead, **kept)

    def _checked(self, step: int) -> int:
        return whole("the step", step, 0, EPOCHS * len(self) - 1)

    def _delivery(
        self,
        columns: Sequence[str],
        layout: str,
        dtype: str,
        normalize: str,
        mean: Numbers,
        std: Numbers,
        *,
        labels: Any,
    ) -> Delivery:
        names, scales = columns_of(columns), None
        if one_of("dtype", dtype, ("float32", "uint8")) == "float32" and "image" in names:
            scales = scaling(normalize, mean, std, self.shape[0], lambda: self._source.statistics)
        return Delivery(names, one_of("layout", layout, LAYOUTS), scales, labels)

    def _rows(self, step: int) -> Visited:
        order = self._source.stream.order
        return self._source.stream.rows(order.epoch(step), *order.share(step, self.rank, self.world))

    def _record(self, step: int) -> pa.RecordBatch:
        return self._source.stream.record(step, self._rows(step))

    def _arrays(self, step: int, delivery: Delivery) -> tuple[npt.NDArray[Any], ...]:
        return delivery.arrays(self._rows(step), self.world / self._source.stream.order.size(step))

    def _size(self, epochs: int | None, row_bytes: int) -> dict[str, Any]:
        self.check_open()
        rows = -(-self._source.choice.batch // self.world)
        checked = None if epochs is None else whole("epochs", epochs, 1, EPOCHS)
        return {"epochs": checked, "batch_bytes": rows * row_bytes}

    def _keep(self, loader: Loader[Made]) -> Loader[Made]:
        self._loaders.add(loader)
        return loader


def stream(
    data: Any,
    *,
    batch: int = 128,
    seed: int = 0,
    policy: Any = "auto",
    split: str = "train",
    subset: int | None = None,
    validation: int = 0,
    drop_last: bool = False,
    threads: int | None = None,
    read_ahead: float = 64,
    mirror: str | None = None,
    offline: bool = False,
    cache: str | Path | None = None,
) -> DataStream:
    """Stream augmented batches: the same bits for the same (data, batch, seed, policy, split, subset, validation).

    data: the name of a dataset, the path of a dataset file (YAML) or an export, a pair (images, labels) of arrays, or a
        Dataset. images: uint8 (n, C, H, W) or (n, H, W); labels: whole numbers (n,), 0 to 255; they are not copied
        and must not be written to afterwards.
    batch: samples of a step; the last step of an epoch has what is left, or is left out with `drop_last`.
    seed: 0 to 2³² − 1; decides the order, the draws, the subset and the validation split.
    policy: auto (the dataset's own for training, none for the other splits), a name, a `millrace.Policy`, or a mapping.
    split: train (shuffled anew in every epoch), validation or test (as stored).
    subset, validation: train on that many samples, of which so many are set apart: class-balanced, as `millrace.train`.
    threads: that make batches ahead, by default one for each core that this process may use, at most 8; 0: none.
    read_ahead: MiB of batches at most that are made ahead of need; one is always allowed. 0: none.
    mirror, offline, cache: where the dataset comes from and is kept, as in `millrace fetch`.

    Errors: UsageError for arguments that do not fit; DownloadError, IntegrityError and others of `millrace.errors`
    where the dataset cannot be had.
    """
    split = one_of("split", split, SPLITS)
    if not isinstance(read_ahead, (int, float)) or not 0 <= read_ahead < MOST_STEPS:
        raise UsageError("read_ahead is out of range", expected="MiB of at least 0", got=repr(read_ahead))
    chosen = Choice(
        batch=whole("the batch", batch, 1),
        seed=check_seed(whole("the seed", seed, 0, 2**32 - 1)),
        policy=policy,
        split=split,
        subset=None if subset is None else whole("subset", subset, 1),
        validation=whole("validation", validation, 0),
        drop_last=bool(drop_last),
    )
    if threads is None:
        threads = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 8)
    dataset = opened(data, split, mirror=mirror, offline=offline, cache=cache)
    ahead = int(read_ahead * MIB)
    return DataStream(Source(dataset, chosen), threads=whole("threads", threads, 0, 1024), read_ahead=ahead)
