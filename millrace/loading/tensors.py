"""Batches as PyTorch tensors. The only file that imports PyTorch."""

from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import IterableDataset, get_worker_info

from millrace.errors import UsageError, unknown_name
from millrace.loading.delivery import Delivery, Scaling
from millrace.loading.loader import Loader, Pass
from millrace.loading.workerpasses import WorkerPasses

Tensors = tuple[torch.Tensor, ...]
DTYPES = {"uint8": torch.uint8, "float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Placement:
    """Where tensors are wanted, and the type of the images."""

    device: torch.device
    dtype: torch.dtype

    @classmethod
    def of(cls, device: Any, dtype: Any) -> "Placement":
        """From what a user gives: a device or its name (None: the CPU), a dtype or its name. UsageError otherwise."""
        if dtype not in DTYPES.values() and str(dtype) not in DTYPES:
            raise unknown_name("dtype", str(dtype), DTYPES)
        try:
            place = torch.device("cpu" if device is None else device)
        except (RuntimeError, TypeError) as error:
            raise UsageError("there is no such device", expected="a device of PyTorch", got=repr(device)) from error
        if place.type == "cuda" and not torch.cuda.is_available():
            raise UsageError(
                "PyTorch finds no CUDA device here", expected="device='cpu', or a CUDA device", got=str(place)
            )
        return cls(place, DTYPES.get(str(dtype), dtype))

    @property
    def on_cpu(self) -> bool:
        """Whether tensors stay in the memory that batches are made in."""
        return bool(self.device.type == "cpu")

    @property
    def made(self) -> str:
        """The type of the images that is made: uint8, or float32 whatever it is rounded to afterwards."""
        return "uint8" if self.dtype == torch.uint8 else "float32"


def normalised(images: torch.Tensor, scaling: Scaling, layout: str) -> torch.Tensor:
    """uint8 images as float32 on their device: (x − shift) · factor, two rounded operations, bit for bit what
    `pipeline.floats.normalised` gives."""
    shape = (1, -1, 1, 1) if layout == "NCHW" else (1, 1, 1, -1)
    shift = torch.tensor(scaling.shift, device=images.device).reshape(shape)
    factor = torch.tensor(scaling.factor, device=images.device).reshape(shape)
    return images.to(torch.float32).sub_(shift).mul_(factor)


class TorchLoader(Loader[Tensors], IterableDataset[Tensors]):  # type: ignore[misc]
    """A loader whose batches are tensors; also a dataset for `torch.utils.data.DataLoader(loader, batch_size=None)`.

    On the CPU tensors lie over the memory that the batch was made in, which is theirs alone. For another device the
    bytes cross as uint8 and become floats there.
    """

    def deliver(self, target: Placement, delivery: Delivery) -> None:
        """What is done with a batch when it is handed out."""
        self._target, self._delivery = target, delivery
        # A pass that was left early is not gone on with: see `Loader.__iter__`.
        first = self._step if self._placed else self._following(self._step - 1)
        self.workers, self._count = WorkerPasses(first), 0

    def __iter__(self) -> Pass[Tensors]:
        info = get_worker_info()
        if info is None:
            running = super().__iter__()
            self.workers.place(self._following(self._step))
            return running
        self._check_open()
        # Workers of one pass have seeds that differ by their numbers; those that persist count their passes.
        key, self._count = [info.seed - info.id, self._count], self._count + 1
        first = self.workers.first(key, info.id, self._following)
        return Pass(self, range(first + info.id, self._end(first), info.num_workers), threads=0)

    def state_dict(self) -> dict[str, Any]:
        """Where the iteration stands. UsageError while the worker processes of a DataLoader iterate."""
        self.check_state()
        return super().state_dict()

    def load_state_dict(self, state: Any) -> None:
        """Go on where the state was taken: see `Loader`. Workers that persist follow with their next pass."""
        super().load_state_dict(state)
        self.workers.place(self._step)

    def check_state(self) -> None:
        """Raise a UsageError where only the consumer of a DataLoader knows how many batches it has had."""
        self.workers.check_state()

    def _finish(self, batch: Any) -> Tensors:
        target, delivery = self._target, self._delivery
        tensors = [torch.from_numpy(array) for array in batch]
        if not target.on_cpu:
            tensors = [tensor.to(target.device) for tensor in tensors]
        for index, name in enumerate(delivery.columns):
            if name == "image" and delivery.scaling is not None:
                scale = delivery.as_bytes
                images = normalised(tensors[index], delivery.scaling, delivery.layout) if scale else tensors[index]
                tensors[index] = images.to(target.dtype)
        return tuple(tensors)
