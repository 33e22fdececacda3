"""All ways to stream by their names: those of benchmarks/loaders.py, and ours."""

import os
from importlib import import_module
from typing import Any

from benchmarks.loaders import (
    BATCH,
    CORES,
    EPOCHS,
    ON_RAY,
    OURS,
    RANGES,
    RAY,
    SERVED,
    TORCH,
    U8,
    Batches,
    Way,
    batched_dataloader,
    batched_in_process,
    dataloader,
    grain,
    grain_by_batch,
    jax,
    ray_data,
    tensorflow,
    torch_on,
)

ADDRESS = "BENCHMARK_ADDRESS"  # the variable that says where a service is


def ours(images: U8, labels: U8) -> Batches:
    """`millrace.stream`, on two threads."""
    yield from _stream(images, labels).numpy(EPOCHS, dtype="uint8")


def ours_to_torch(images: U8, labels: U8) -> Batches:
    """The same as tensors."""
    torch_on(1)  # its threads would wait for each other by spinning, beside the stream's
    yield from _stream(images, labels).torch(EPOCHS, dtype="uint8")


def ours_served(images: U8, labels: U8) -> Batches:
    """`millrace.connect` to the service that ADDRESS names, as NumPy's arrays."""
    with import_module("millrace").connect(os.environ[ADDRESS], threads=CORES) as stream:
        yield from stream.numpy(EPOCHS, dtype="uint8")


def ours_served_to_torch(images: U8, labels: U8) -> Batches:
    """The same as tensors."""
    torch_on(1)
    with import_module("millrace").connect(os.environ[ADDRESS], threads=CORES) as stream:
        yield from stream.torch(EPOCHS, dtype="uint8")


def _stream(images: U8, labels: U8) -> Any:
    millrace = import_module("millrace")
    return millrace.stream((images, labels), batch=BATCH, policy=RANGES, threads=CORES)


KERNELS = ("millrace.loading.opening", "millrace.pipeline.draw", "millrace.pipeline.warp")
# name → the way, and what is imported before the clock starts, as a program would have done
WAYS: dict[str, tuple[Way, tuple[str, ...]]] = {
    OURS: (ours, KERNELS),
    TORCH: (ours_to_torch, (*KERNELS, "torch")),
    SERVED: (ours_served_to_torch, ("millrace.service.client.connecting", "torch")),
    "DataLoader, RandomAffine": (dataloader, ("torch", "torchvision.transforms.v2")),
    "DataLoader, grid_sample": (batched_dataloader, ("torch",)),
    "grid_sample, two threads": (batched_in_process, ("torch",)),
    "Grain, OpenCV": (grain, ("grain", "cv2")),
    "Grain, OpenCV by batch": (grain_by_batch, ("grain", "cv2")),
    "tf.data": (tensorflow, ("tensorflow",)),
    "JAX, dm_pix": (jax, ("jax", "dm_pix")),
    ON_RAY: (ours_served, ("millrace.service.client.connecting",)),
    RAY: (ray_data, ("ray.data",)),
}
