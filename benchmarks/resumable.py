"""Readers that are killed in mid-epoch and begin again; each reads one epoch of augmented minibatches in random order.

    python -m benchmarks.resumable NAME IMAGES.npy LABELS.npy FOLDER KILL

As a training does, it writes a checkpoint after every tenth batch: which samples the weights have seen, and the
reader's place as its library gives it. With KILL it ends itself with SIGKILL some batches after a checkpoint in
mid-epoch; without, it goes on from the checkpoint to the epoch's end. Nothing is imported here that no reader needs,
since processes that they start import this file again.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import processes
from benchmarks.loaders import BATCH, CORES, OURS, RANGES, ByImage, Grain, numpy_table, ray_warp

EVERY, AFTER, PACE = 10, 3, 0.005  # batches, batches, seconds that a step of the training takes
Reader = tuple[Iterator[Any], Callable[[], None]]  # the ids of each batch, and what writes the reader's place


class Rows(ByImage):
    """Images with their rows in the place of labels."""

    def __getitem__(self, row: int) -> Any:
        return self.change(self.images[row]), row


class GrainRows(Grain):
    """Likewise."""

    def __getitem__(self, row: int) -> Any:
        return self.images[row], row


def ours(images: Any, labels: Any, place: Path) -> Reader:
    """`state_dict` of a loader: a number."""
    millrace = import_module("millrace")
    stream = millrace.stream((images, labels), batch=BATCH, policy=RANGES, threads=CORES)
    loader = stream.numpy(1, columns=("image", "sample"), dtype="uint8")
    if place.exists():
        loader.load_state_dict(json.loads(place.read_text()))
    return (ids for _, ids in loader), lambda: write(place, json.dumps(loader.state_dict()).encode())


def dataloader(images: Any, labels: Any, place: Path) -> Reader:
    """PyTorch's DataLoader has no place: the epoch begins anew."""
    torch = import_module("torch")
    torch.set_num_threads(1)
    loader = torch.utils.data.DataLoader(Rows(images, labels), batch_size=BATCH, shuffle=True, num_workers=CORES)
    return (ids.numpy() for _, ids in loader), lambda: None


def stateful(images: Any, labels: Any, place: Path) -> Reader:
    """torchdata's StatefulDataLoader, as in its README ("Saving and loading state", github.com/meta-pytorch/data)."""
    torch, loaders = import_module("torch"), import_module("torchdata.stateful_dataloader")
    torch.set_num_threads(1)
    loader = loaders.StatefulDataLoader(Rows(images, labels), batch_size=BATCH, shuffle=True, num_workers=CORES)
    if place.exists():
        loader.load_state_dict(torch.load(place, weights_only=False))

    return (ids.numpy() for _, ids in loader), partial(save_by_torch, loader, place)


def save_by_torch(loader: Any, place: Path) -> None:
    """A loader's state, aside and renamed."""
    aside = place.with_suffix(".aside")
    import_module("torch").save(loader.state_dict(), aside)
    aside.replace(place)


def skipping(images: Any, labels: Any, place: Path) -> Reader:
    """Accelerate's `skip_first_batches` over the same seeded order, which Hugging Face's Trainer calls where it goes
    on from a checkpoint (huggingface.co/docs/accelerate, "Checkpointing", "Resuming"). The Trainer's own start is left
    out, in its favour."""
    torch, accelerate = import_module("torch"), import_module("accelerate")
    torch.set_num_threads(1)
    order = torch.Generator().manual_seed(0)
    rows = Rows(images, labels)
    loader = torch.utils.data.DataLoader(rows, batch_size=BATCH, shuffle=True, num_workers=CORES, generator=order)
    done = int(place.read_text()) if place.exists() else 0
    count = done

    def read() -> Iterator[Any]:
        nonlocal count
        for _, ids in accelerate.skip_first_batches(loader, done) if done else loader:
            count += 1
            yield ids.numpy()

    return read(), lambda: write(place, str(count).encode())


def grain(images: Any, labels: Any, place: Path) -> Reader:
    """`get_state` and `set_state` of a Grain iterator, as in its "Checkpointing" (google-grain.readthedocs.io)."""
    grain, source = import_module("grain"), GrainRows(images, labels)
    import_module("absl.flags").FLAGS.mark_as_parsed()
    made = grain.MapDataset.source(source).seed(0).shuffle().random_map(source.one).batch(BATCH)
    processes = grain.MultiprocessingOptions(num_workers=CORES, per_worker_buffer_size=2)
    reading = iter(made.to_iter_dataset(grain.ReadOptions(1, 2)).mp_prefetch(processes))
    if place.exists():
        reading.set_state(json.loads(place.read_text()))
    return (ids for _, ids in reading), lambda: write(place, json.dumps(reading.get_state()).encode())


def ray_data(images: Any, labels: Any, place: Path) -> Reader:
    """Ray Data has no place within an epoch, and what Ray Train keeps ("Saving and Loading Checkpoints") is the epoch:
    it begins anew, after Ray has. Ray Train's own start is left out, in its favour."""
    import_module("benchmarks.turn").start_ray()
    parts = np.array_split(np.arange(len(images)), 8)
    table = import_module("ray.data").from_arrow([numpy_table(images[part], part) for part in parts])
    made = table.randomize_block_order().map_batches(ray_warp, batch_size=4096, batch_format="numpy")
    batches = made.iter_batches(batch_size=BATCH, batch_format="numpy", prefetch_batches=4)
    return (batch["label"] for batch in batches), lambda: None


class LitRow:
    """What LitData writes of a row; it is sent to processes."""

    def __init__(self, images: Any) -> None:
        self.images = images

    def __call__(self, row: int) -> Any:
        return {"image": self.images[row], "row": row}


class LitChange:
    """What LitData makes of it again."""

    def __init__(self) -> None:
        self.change = ByImage(np.empty((0, 1, 28, 28), np.uint8), np.empty(0, np.uint8)).change

    def __call__(self, sample: Any) -> Any:
        return self.change(import_module("torch").from_numpy(sample["image"])), sample["row"]


def lightning(images: Any, labels: Any, place: Path) -> Reader:
    """LitData's StreamingDataset, written by `optimize` before, in its StreamingDataLoader, as in its README ("Pause &
    resume data streaming", github.com/Lightning-AI/litData)."""
    torch, litdata = import_module("torch"), import_module("litdata")
    torch.set_num_threads(1)
    data = place.with_name("litdata")
    if not data.exists():
        written = LitRow(images)
        litdata.optimize(written, list(range(len(images))), str(data), chunk_bytes="4MB", num_workers=1)
    dataset = litdata.StreamingDataset(str(data), shuffle=True, transform=LitChange())
    loader = litdata.StreamingDataLoader(dataset, batch_size=BATCH, num_workers=CORES)
    if place.exists():
        loader.load_state_dict(torch.load(place, weights_only=False))

    return (ids.numpy() for _, ids in loader), partial(save_by_torch, loader, place)


RAY = "Ray Data"
READERS: dict[str, Callable[[Any, Any, Path], Reader]] = {
    OURS: ours,
    "StatefulDataLoader": stateful,
    "Accelerate, skip_first_batches": skipping,
    "Grain": grain,
    "LitData": lightning,
    "DataLoader": dataloader,
    RAY: ray_data,
}


def write(path: Path, content: bytes) -> None:
    """Aside, and renamed."""
    aside = path.with_suffix(".aside")
    aside.write_bytes(content)
    aside.replace(path)


def read(name: str, images: Any, labels: Any, folder: Path, kill: bool) -> dict[str, Any]:
    """An epoch, or what is left of it: when the first new sample came, how many were repeated, how many are lost."""
    checkpoint = folder / "seen.npy"
    seen = np.load(checkpoint) if checkpoint.exists() else np.empty(0, np.int64)
    new, before = 0.0, np.unique(seen)
    batches, save = READERS[name](images, labels, folder / "place")
    middle = len(images) // BATCH // 2 // EVERY * EVERY
    for count, ids in enumerate(batches, 1):
        if not new and not np.isin(ids, before).all():
            new = time.monotonic()
        seen = np.concatenate([seen, np.asarray(ids, np.int64)])
        time.sleep(PACE)
        if count % EVERY == 0 and kill:
            save()
            np.save(folder / "aside.npy", seen)
            (folder / "aside.npy").replace(checkpoint)
        if kill and count == middle + AFTER:
            print(json.dumps({"killed": time.monotonic()}), flush=True)
            for process in processes.below(os.getpid()):  # what a reader started, such as Ray, would go on
                os.kill(process, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
    distinct = len(np.unique(seen))
    return {"new": new, "repeated": len(seen) - distinct, "lost": len(images) - distinct}


if __name__ == "__main__":
    name, pictures, marks, place, kill = sys.argv[1:]
    try:
        found = read(name, np.load(pictures), np.load(marks), Path(place), kill == "kill")
    except ImportError as error:
        found = {"missing": str(error)}
    print(json.dumps(found), flush=True)
    for process in processes.below(os.getpid()):
        os.kill(process, signal.SIGKILL)
    os._exit(0)
