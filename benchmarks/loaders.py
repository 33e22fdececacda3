"""The ways to stream augmented minibatches: each an endless iterator of uint8 images, shuffled anew in every epoch.

A way is a generator of (images, labels): uint8 (n, C, H, W) or (n, H, W, C), made on two cores in the best form that
its authors describe; the same ranges, bilinear, fill 0. What a way imports is imported when it is called: some start
processes, which import this file again.
"""

import random
from collections.abc import Callable, Generator
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

OURS, TORCH, RAY = "millrace", "millrace, .torch()", "Ray Data, our warp"
SERVED, ON_RAY = "millrace, served by loopback", "millrace, served on Ray"
RANGES: dict[str, Any] = {"translate": 0.1, "rotate": 15, "scale": (0.9, 1.1), "shear": 0.1}
DEGREES = 5.7  # of the shear: its tangent is 0.1
BATCH, CORES = 256, 2
EPOCHS = 1_000_000  # nobody reads so many
BLOCKS = 8  # of Ray Data's table
U8 = npt.NDArray[np.uint8]
Batches = Generator[Any, None, None]
Way = Callable[[U8, U8], Batches]
_tables: list[Any] = []


def torch_on(threads: int) -> Any:
    torch = import_module("torch")
    torch.set_num_threads(threads)
    return torch


class ByImage:
    """Images one by one, as torchvision transforms them; labels come along."""

    def __init__(self, images: U8, labels: U8) -> None:
        v2 = import_module("torchvision.transforms.v2")
        torch = import_module("torch")
        self.images, self.labels = torch.from_numpy(images), torch.from_numpy(labels)
        self.change = v2.RandomAffine(15, (0.1, 0.1), (0.9, 1.1), DEGREES, v2.InterpolationMode.BILINEAR)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> Any:
        return self.change(self.images[row]), self.labels[row]


def dataloader(images: U8, labels: U8) -> Batches:
    """DataLoader with torchvision's RandomAffine, two processes that stay, as in PyTorch's "Performance Tuning Guide"
    (docs.pytorch.org/tutorials/recipes/recipes/tuning_guide.html, "Enable async data loading and augmentation")."""
    torch = torch_on(1)
    loader = torch.utils.data.DataLoader(
        ByImage(images, labels), batch_size=BATCH, shuffle=True, num_workers=CORES, persistent_workers=True
    )
    while True:
        yield from loader


class ByBatch:
    """Whole batches by `grid_sample`, which `__getitems__` gives the rows of; matrices drawn for all at once."""

    def __init__(self, images: U8, labels: U8) -> None:
        torch = import_module("torch")
        self.images, self.labels = torch.from_numpy(images), torch.from_numpy(labels)

    def __len__(self) -> int:
        return len(self.images)

    def __getitems__(self, rows: list[int]) -> Any:
        torch = import_module("torch")
        source = self.images[rows].to(torch.float32)
        grid = torch.nn.functional.affine_grid(self.thetas(torch, len(rows)), list(source.shape), align_corners=True)
        made = torch.nn.functional.grid_sample(source, grid, align_corners=True)
        return made.round_().to(torch.uint8), self.labels[rows]

    @staticmethod
    def thetas(torch: Any, count: int) -> Any:
        """Matrices (count, 2, 3) in the units of `affine_grid`: a turn, a scale of each axis, a shear and a shift."""
        low = torch.tensor([-0.2618, 0.9, 0.9, -0.1, -0.2, -0.2])
        high = torch.tensor([0.2618, 1.1, 1.1, 0.1, 0.2, 0.2])
        turn, across, down, shear, dx, dy = (low + (high - low) * torch.rand(count, 6)).T
        cos, sin = turn.cos(), turn.sin()
        rows = [cos / across, (shear * cos - sin) / across, dx, sin / down, (shear * sin + cos) / down, dy]
        return torch.stack(rows, 1).reshape(-1, 2, 3)


def batched_dataloader(images: U8, labels: U8) -> Batches:
    """DataLoader that fetches whole batches (`__getitems__`, docs.pytorch.org/docs/stable/data.html, "speedup batched
    samples loading"), each through one `grid_sample`, in two processes that stay, one thread each."""
    torch = torch_on(1)
    loader = torch.utils.data.DataLoader(
        ByBatch(images, labels),
        batch_size=BATCH,
        shuffle=True,
        num_workers=CORES,
        persistent_workers=True,
        collate_fn=_as_it_is,
    )
    while True:
        yield from loader


def _as_it_is(batch: Any) -> Any:
    return batch


def batched_in_process(images: U8, labels: U8) -> Batches:
    """The same batches without DataLoader, by PyTorch's own two threads."""
    torch = torch_on(CORES)
    batches = ByBatch(images, labels)
    while True:
        order = torch.randperm(len(images))
        for first in range(0, len(order), BATCH):
            yield batches.__getitems__(order[first : first + BATCH])


LEAST = np.array([-15.0, 0.9, 0.9, -0.1, -0.1, -0.1])  # turn in degrees, scale across and down, shear, shift x and y
SPAN = np.array([30.0, 0.2, 0.2, 0.2, 0.2, 0.2])


def by_opencv(image: U8, rng: np.random.Generator) -> U8:
    """One image (H, W, C) through `warpAffine`, its matrix drawn as for `getRotationMatrix2D`. `random` and a sum take
    1.5 µs, where `uniform` with six bounds takes 11."""
    cv2 = import_module("cv2")
    height, width = image.shape[:2]
    turn, across, down, shear, dx, dy = (LEAST + SPAN * rng.random(6)).tolist()
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, across)
    matrix[1] *= down / across
    matrix[0, 1] += shear
    matrix[0, 2] += dx * width
    matrix[1, 2] += dy * height
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR))


def all_by_opencv(images: U8, rng: np.random.Generator) -> U8:
    """A batch (n, H, W, C) through `warpAffine` in a loop, the same matrices drawn and computed for all at once."""
    cv2 = import_module("cv2")
    height, width = images.shape[1:3]
    turn, across, down, shear, dx, dy = (LEAST + SPAN * rng.random((len(images), 6))).T
    cos, sin = np.cos(np.deg2rad(turn)) * across, np.sin(np.deg2rad(turn)) * across
    half_x, half_y = (width - 1) / 2, (height - 1) / 2
    first = [cos, sin + shear, (1 - cos) * half_x - sin * half_y + dx * width]
    second = [-sin, cos, sin * half_x + (1 - cos) * half_y]
    second = [part * down / across for part in second]
    second[2] += dy * height
    made = np.empty_like(images)
    for image, matrix, into in zip(images, np.stack(first + second, 1).reshape(-1, 2, 3), made, strict=True):
        cv2.warpAffine(image, matrix, (width, height), into, cv2.INTER_LINEAR)
    return made


class Grain:
    """What Grain maps over samples and over batches; it is sent to processes."""

    def __init__(self, images: U8, labels: U8) -> None:
        self.images, self.labels = np.ascontiguousarray(images.transpose(0, 2, 3, 1)), labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> Any:
        return self.images[row], self.labels[row]

    @staticmethod
    def one(sample: Any, rng: np.random.Generator) -> Any:
        """A sample."""
        import_module("cv2").setNumThreads(1)
        return by_opencv(sample[0], rng).reshape(sample[0].shape), sample[1]

    @staticmethod
    def all(batch: Any, rng: np.random.Generator) -> Any:
        """A batch: Grain's own work is done once for it, and so are the draws."""
        import_module("cv2").setNumThreads(1)
        return all_by_opencv(batch[0], rng), batch[1]


def grain(images: U8, labels: U8) -> Batches:
    """Grain with OpenCV for every sample, two processes, as in its "Dataset basics" and "Performance"
    (google-grain.readthedocs.io: `MapDataset … shuffle … random_map … batch … to_iter_dataset … mp_prefetch`)."""
    grain, source = import_module("grain"), Grain(images, labels)
    made = grain.MapDataset.source(source).seed(0).shuffle().repeat().random_map(source.one).batch(BATCH)
    yield from _grain(grain, made)


def grain_by_batch(images: U8, labels: U8) -> Batches:
    """The same with draws and OpenCV's loop for a whole batch, so that Grain's share is small."""
    grain, source = import_module("grain"), Grain(images, labels)
    made = grain.MapDataset.source(source).seed(0).shuffle().repeat().batch(BATCH).random_map(source.all)
    yield from _grain(grain, made)


def _grain(grain: Any, made: Any) -> Batches:
    import_module("absl.flags").FLAGS.mark_as_parsed()  # its processes ask for flags, which a script does not have
    # Two processes warp; threads within them would only wait for the interpreter's lock.
    reading = grain.ReadOptions(num_threads=1, prefetch_buffer_size=2)
    processes = grain.MultiprocessingOptions(num_workers=CORES, per_worker_buffer_size=2)
    yield from made.to_iter_dataset(reading).mp_prefetch(processes)


def tensorflow(images: U8, labels: U8) -> Batches:
    """tf.data, mapped over whole batches in parallel and fetched ahead, as in "Better performance with the tf.data API"
    (tensorflow.org/guide/data_performance, "Vectorizing mapping"), by the operator of Keras's `RandomRotation`."""
    tf = import_module("tensorflow")
    last = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    side = last.shape[1]

    def change(batch: Any, marks: Any) -> Any:
        turn, across, down, shear, dx, dy = [
            tf.random.uniform([tf.shape(batch)[0]], low, high)
            for low, high in [(-0.2618, 0.2618), (0.9, 1.1), (0.9, 1.1), (-0.1, 0.1), (-0.1, 0.1), (-0.1, 0.1)]
        ]
        a, b = tf.cos(turn) / across, (shear * tf.cos(turn) - tf.sin(turn)) / across
        d, e = tf.sin(turn) / down, (shear * tf.sin(turn) + tf.cos(turn)) / down
        half, zero = (side - 1) / 2, tf.zeros_like(turn)
        c, f = half - (a + b) * half + dx * side, half - (d + e) * half + dy * side
        matrices = tf.stack([a, b, c, d, e, f, zero, zero], 1)
        made = tf.raw_ops.ImageProjectiveTransformV3(
            images=batch, transforms=matrices, output_shape=[side, side], interpolation="BILINEAR",
            fill_mode="CONSTANT", fill_value=0.0,
        )  # fmt: skip
        return made, marks

    table = tf.data.Dataset.from_tensor_slices((last, labels)).shuffle(len(last)).repeat().batch(BATCH)
    yield from table.map(change, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE).as_numpy_iterator()


def jax(images: U8, labels: U8) -> Batches:
    """JAX with dm_pix: `affine_transform` of a batch under `jit` and `vmap`, as dm_pix's README has it
    (github.com/google-deepmind/dm_pix), dispatched ahead of what is read."""
    jax, pix = import_module("jax"), import_module("dm_pix")
    jnp = jax.numpy
    last, side = np.ascontiguousarray(images.transpose(0, 2, 3, 1)), images.shape[2]
    low, high = jnp.array([-0.2618, 0.9, 0.9, -0.1, -0.1, -0.1]), jnp.array([0.2618, 1.1, 1.1, 0.1, 0.1, 0.1])

    def one(image: Any, drawn: Any) -> Any:
        turn, across, down, shear, dx, dy = drawn
        cos, sin = jnp.cos(turn), jnp.sin(turn)
        # Rows first, and channels are left alone.
        square = jnp.array([[(shear * sin + cos) / down, sin / down], [(shear * cos - sin) / across, cos / across]])
        half = (side - 1) / 2
        shift = half - square @ jnp.array([half, half]) + jnp.stack([dy, dx]) * side
        matrix = jnp.eye(3).at[:2, :2].set(square)
        offset = jnp.array([0.0, 0.0, 0.0]).at[:2].set(shift)
        return pix.affine_transform(image, matrix, offset=offset, order=1, mode="constant")

    @jax.jit  # type: ignore[untyped-decorator]
    def change(batch: Any, key: Any) -> Any:
        drawn = jax.random.uniform(key, (len(batch), 6), minval=low, maxval=high)
        return jnp.round(jax.vmap(one)(batch.astype(jnp.float32), drawn)).astype(jnp.uint8)

    rng, key, ahead = np.random.default_rng(0), jax.random.key(0), list[Any]()
    while True:
        order = rng.permutation(len(last))
        for first in range(0, len(order) - BATCH + 1, BATCH):  # another shape would be compiled anew
            rows = order[first : first + BATCH]
            key, now = jax.random.split(key)
            ahead.append((change(last[rows], now), labels[rows]))
            if len(ahead) > CORES:
                made, marks = ahead.pop(0)
                yield np.asarray(made), marks


def ray_warp(batch: Any) -> Any:
    """Our own draws and warp, on a batch of Ray Data's."""
    pipeline, draw, warp = (import_module(f"millrace.pipeline{name}") for name in ("", ".draw", ".warp"))
    images, seed = batch["image"], random.SystemRandom().randrange(2**32)
    rows, (height, width) = np.arange(len(images)), images.shape[2:]
    drawn = draw.draw(pipeline.Policy(**RANGES), rows, height=height, width=width, seed=seed, epoch=0)
    return {"image": warp.warp(images, rows, drawn.matrices), "label": batch["label"]}


def ray_data(images: U8, labels: U8) -> Batches:
    """Ray Data: `map_batches` with our own warp and `iter_batches`, read ahead, the order of blocks drawn in every
    epoch, as in "Iterating over Data" and "Shuffling Data" (docs.ray.io/en/latest/data/shuffling-data.html)."""
    table = ray_table(images, labels)
    while True:
        made = table.randomize_block_order().map_batches(ray_warp, batch_size=4096, batch_format="numpy")
        for batch in made.iter_batches(batch_size=BATCH, batch_format="numpy", prefetch_batches=4):
            yield batch["image"], batch["label"]


def ray_table(images: U8, labels: U8) -> Any:
    """The images in Ray's object store; they are put there once in a process."""
    if not _tables:
        parts = zip(np.array_split(images, BLOCKS), np.array_split(labels, BLOCKS), strict=True)
        tables = [numpy_table(part, marks) for part, marks in parts]
        _tables.append(import_module("ray.data").from_arrow(tables).materialize())
    return _tables[0]


def numpy_table(images: U8, labels: Any) -> Any:
    """A block of Ray Data's."""
    arrow = import_module("pyarrow")
    tensors = import_module("ray.data.extensions").ArrowTensorArray.from_numpy(images)
    return arrow.table({"image": tensors, "label": labels})
