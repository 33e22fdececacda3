"""The addressable stream that users hold: any step by number, ranks, state, and loaders that read ahead."""

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from millrace.errors import UsageError
from millrace.extras import extras_named
from millrace.loading.delivery import LAYOUTS, NORMALIZATIONS, Delivery, columns_of, dtype_name, one_of, scaling
from millrace.loading.loader import Loader
from millrace.loading.shares import BatchSource, PassShares, Shares
from millrace.loading.state import state_of, step_of
from millrace.pipeline import arrow_bytes
from millrace.values import whole

if TYPE_CHECKING:
    from millrace.loading.tensors import TorchLoader
    from millrace.loading.workerpasses import WorkerPasses

EPOCHS = 1 << 32  # the epoch is a word of the counter that draws are made from
Numbers = float | Sequence[float] | None
Made = TypeVar("Made")


class DataStream:
    """The addressable sequence of a dataset's augmented batches: made by `millrace.stream` and
    `millrace.connect`.

    `len(stream)` is the number of steps of an epoch; `stream[step]` the batch of any step from 0 on, without a
    history; iterating gives the record batches of one epoch. `step` is the one after the batch handed out last, or
    where `at` put the stream.
    """

    def __init__(
        self, source: BatchSource, *, threads: int, read_ahead: int, step: int = 0, rank: int = 0, world: int = 1
    ) -> None:
        self._source, self.threads, self.read_ahead = source, threads, read_ahead
        self.step, self.placed, self.rank, self.world, self._closed = step, True, rank, world, False
        self._loaders: weakref.WeakSet[Loader[Any]] = weakref.WeakSet()
        self._workers: WorkerPasses | None = None  # of the newest torch loader, also when that is gone

    def __len__(self) -> int:
        return self._source.sizes.steps_per_epoch

    def __getitem__(self, step: int) -> pa.RecordBatch:
        """The step as one record batch: `image` (fixed_shape_tensor uint8, C×H×W), `label` (uint8, or uint16
        of more than 256 classes), `sample` (int64)
        and the drawn parameters (`dx`, `dy` in pixels, `angle` in degrees, `scale_x`, `scale_y`, `shear`, `flip`).
        Of a shard: this rank's rows. UsageError below 0."""
        self.check_open()
        return self._record(self._checked(step), self._source)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return iter(self.arrow())

    def __repr__(self) -> str:
        shown = f"{self._source.name!r}, {self._source.split}, {len(self)} steps an epoch"
        shard = f", rank {self.rank} of {self.world}" if self.world > 1 else ""
        return f"<millrace stream {shown}{shard}, at step {self.step}>"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; a label is an index into them."""
        return self._source.classes

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        return self._source.shape

    @property
    def samples(self) -> int:
        """The number of samples of an epoch, of all ranks together."""
        sizes = self._source.sizes
        return min(sizes.samples, sizes.steps_per_epoch * sizes.batch)

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
        for loader in self._loaders:
            loader.check_state()
        if self._workers is not None:
            self._workers.check_state()
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
        dtype: Any = "float32",
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
        make = partial(self._arrays, delivery=delivery)
        return self._keep(Loader(self, make, **self._size(epochs, delivery.row_bytes(self.shape))))

    def torch(
        self,
        epochs: int | None = None,
        *,
        columns: Sequence[str] = ("image", "label"),
        device: Any = None,
        layout: str = "NCHW",
        dtype: Any = "float32",
        normalize: str = "standard",
        mean: Numbers = None,
        std: Numbers = None,
    ) -> "TorchLoader":
        """Batches as tuples of PyTorch tensors, by default (images, labels), labels int64; otherwise as `numpy`.

        device: where they are wanted; bytes cross as uint8 and are normalised there. dtype: also float16 and bfloat16,
        and torch.dtypes. The loader is an IterableDataset too, for `DataLoader(loader, batch_size=None)`. It needs the
        extra `torch`.
        """
        with extras_named():
            from millrace.loading.tensors import Placement, TorchLoader
        target = Placement.of(device, dtype)
        delivery = self._delivery(columns, layout, target.made, normalize, mean, std, labels=np.int64)
        delivery = replace(delivery, as_bytes=not target.on_cpu)
        make = partial(self._arrays, delivery=delivery)
        loader = TorchLoader(self, make, **self._size(epochs, delivery.row_bytes(self.shape)))
        loader.deliver(target, delivery)
        self._loaders.add(loader)
        self._workers = loader.workers
        return loader

    def arrow(self, epochs: int | None = None) -> Loader[pa.RecordBatch]:
        """Batches as Arrow record batches, as `stream[step]` gives them."""
        return self._keep(Loader(self, self._record, **self._size(epochs, arrow_bytes(1, self.shape, 2))))

    def close(self) -> None:
        """End all threads; the stream and its loaders cannot be used any more."""
        self._closed = True
        for loader in list(self._loaders):
            loader.close()

    def reading(self, steps: range) -> PassShares:
        """What a pass over these steps takes its rows from."""
        return self._source.reading(steps, self.rank, self.world, self.read_ahead)

    def check_open(self) -> None:
        """Raise a UsageError if the stream is closed."""
        if self._closed:
            raise UsageError("the stream is closed", do="make a new one with millrace.stream")

    def __enter__(self) -> "DataStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_loaders": None, "_workers": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _loaders=weakref.WeakSet())

    def _moved(self, **changes: int) -> "DataStream":
        self.check_open()
        kept = {"step": self.step, "rank": self.rank, "world": self.world, **changes}
        moved = DataStream(self._source, threads=self.threads, read_ahead=self.read_ahead, **kept)
        moved.placed = self.placed or "step" in changes
        return moved

    def _checked(self, step: int) -> int:
        return whole("the step", step, 0, EPOCHS * len(self) - 1)

    def _delivery(
        self,
        columns: Sequence[str],
        layout: str,
        dtype: Any,
        normalize: str,
        mean: Numbers,
        std: Numbers,
        *,
        labels: Any,
    ) -> Delivery:
        names, scales = columns_of(columns), None
        one_of("way to normalize", normalize, NORMALIZATIONS)
        if one_of("dtype", dtype_name(dtype), ("float32", "uint8")) == "uint8":
            if mean is not None or std is not None:
                got = f"mean {mean}, std {std}"
                do = "leave out mean and std, or ask for floats"
                raise UsageError("uint8 images are not normalised", expected="neither mean nor std", got=got, do=do)
        elif "image" in names:
            scales = scaling(normalize, mean, std, self.shape[0], lambda: self._source.statistics)
        return Delivery(names, one_of("layout", layout, LAYOUTS), scales, labels)

    def _record(self, step: int, rows: Shares) -> pa.RecordBatch:
        return rows.record(step, self.rank, self.world)

    def _arrays(self, step: int, rows: Shares, delivery: Delivery) -> tuple[npt.NDArray[Any], ...]:
        return delivery.arrays(rows.rows(step, self.rank, self.world), self.world / self._source.sizes.size(step))

    def _size(self, epochs: int | None, row_bytes: int) -> dict[str, Any]:
        self.check_open()
        rows = -(-self._source.sizes.batch // self.world)
        checked = None if epochs is None else whole("epochs", epochs, 1, EPOCHS)
        self._source.sizes.check_epochs(checked or 1)
        first, self._workers = None if self._workers is None else self._workers.last, None
        if first is not None:
            # Worker processes have iterated over another loader: this one begins with the pass after theirs.
            self.step, self.placed = 0 if epochs else (first // len(self) + 1) * len(self), True
        return {"epochs": checked, "batch_bytes": rows * row_bytes}

    def _keep(self, loader: Loader[Made]) -> Loader[Made]:
        self._loaders.add(loader)
        return loader
