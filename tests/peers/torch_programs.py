"""What `.torch()` promises, checked where PyTorch is installed: `python torch_programs.py CHECK FOLDER`."""

import json
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as distributed
import torch.nn.functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

import millrace
from millrace.errors import UsageError
from millrace.loading.datastream import DataStream
from millrace.loading.delivery import Scaling
from millrace.loading.tensors import normalised
from millrace.pipeline import channels_last, floats, samples_of

COLUMNS = ("image", "label", "sample", "weight", "angle")


def small(count: int = 37, **options: Any) -> DataStream:
    pixels = (np.arange(1, count * 126 + 1, dtype=np.uint64) * 2654435761 % 65521 % 256).astype(np.uint8)
    chosen: dict[str, Any] = {"batch": 8, "seed": 3, "policy": {"rotate": 20}, "threads": 2, **options}
    return millrace.stream((pixels.reshape(count, 3, 6, 7), np.arange(count) % 5), **chosen)


def refused(what: str, call: Any) -> None:
    try:
        call()
    except UsageError as error:
        said = str(error)
    else:
        said = "nothing"
    assert what in said, said


def keep_what_is_made(loader: Any, made: dict[int, Any]) -> None:
    make = loader._make
    loader._make = lambda step, rows: made.setdefault(step, make(step, rows))


def tensors(folder: Path) -> None:
    """The arrays of `numpy` without a copy of them, labels int64, every dtype and layout; what is refused."""
    for options in ({}, {"dtype": "uint8"}, {"layout": "NHWC"}, {"normalize": "unit"}, {"mean": 0.5, "std": 0.1}):
        stream = small()
        loader = stream.torch(2, columns=COLUMNS, **options)
        made: dict[int, Any] = {}
        keep_what_is_made(loader, made)
        batches = list(loader)
        for step, (batch, expected) in enumerate(
            zip(batches, small().numpy(2, columns=COLUMNS, **options), strict=True)
        ):
            assert [t.dtype for t in batch[1:]] == [torch.int64, torch.int64, torch.float32, torch.float32]
            for tensor, array, own in zip(batch, expected, made[step], strict=True):
                assert np.array_equal(tensor.numpy(), array)
                assert tensor.data_ptr() == own.__array_interface__["data"][0]
                tensor.zero_()  # memory of its own
        assert stream[3].equals(small()[3])
    (half,) = next(iter(small().torch(columns="image", dtype=torch.bfloat16)))
    (full,) = next(iter(small().torch(columns="image")))
    assert torch.equal(half, full.to(torch.bfloat16))
    refused("unknown dtype", lambda: small().torch(dtype="int8"))
    refused("no such device", lambda: small().torch(device="cpux"))
    if not torch.cuda.is_available():
        refused("no CUDA device", lambda: small().torch(device="cuda"))
    assert np.array_equal(samples_of(small()[0]), next(iter(small().torch(columns=["sample"])))[0])


def device(folder: Path) -> None:
    """What is normalised on a device has the bits of what is normalised here."""
    images = np.random.default_rng(0).integers(0, 256, (16, 3, 6, 7), np.uint8)
    scaling = Scaling.of((0.13, 0.5, 0.25), (0.31, 0.1, 1.0))
    for layout in ("NCHW", "NHWC"):
        pixels = images if layout == "NCHW" else channels_last(images)
        expected = floats.normalised(images, scaling.shift, scaling.factor, interleaved=layout == "NHWC")
        assert np.array_equal(normalised(torch.from_numpy(pixels), scaling, layout).numpy(), expected)
    meta = small().torch(device="meta", dtype="float16")
    images, labels = next(iter(meta))
    assert (images.device.type, images.dtype, labels.dtype) == ("meta", torch.float16, torch.int64)


def saved(folder: Path) -> None:
    """Three interruptions in one epoch, at its first and its last batch, through `torch.save`."""
    whole = [images.sum().item() for images, _ in small().torch(3)]
    for stops in ((1, 2, 3), (1, 4, 5), (4, 5, 6), (5, 5, 5), (5, 10, 10)):
        found: list[float] = []
        path = folder / "state.pt"
        for stop in (*stops, 15):
            loader = small().torch(3)
            if path.exists():
                loader.load_state_dict(torch.load(path, weights_only=True))
            for images, _ in loader if stop > len(found) else ():
                found.append(images.sum().item())
                if len(found) == stop:
                    break
            torch.save(loader.state_dict(), path)
        assert found == whole, stops
        path.unlink()


def workers(folder: Path) -> None:
    """Inside of a DataLoader: order kept, nothing repeated, every pass the next epoch, also after a resume."""
    stream = small()
    expected = [torch.from_numpy(samples_of(stream[step]).copy()) for step in range(20)]

    def same(got: list[Any], begin: int) -> None:
        assert len(got) == len(expected[begin : begin + len(got)])
        assert all(torch.equal(one, other) for (one,), other in zip(got, expected[begin:], strict=False)), begin

    for count, persistent in ((0, False), (2, False), (2, True), (7, False)):
        loader = small().torch(columns=["sample"])
        wrapped: Any = DataLoader(loader, batch_size=None, num_workers=count, persistent_workers=persistent)
        assert len(wrapped) == 5
        for epoch in range(3):
            got = list(wrapped)
            assert len(got) == 5
            same(got, epoch * 5)
        if count:
            refused("count the steps", loader.state_dict)
            refused("count the steps", loader._stream.state)
        for at in (4, 5, 1):
            loader.load_state_dict(stream.at(at).state())
            first, second = list(wrapped), list(wrapped)
            assert (len(first), len(second)) == (5 - at % 5, 5)
            same([*first, *second], at)
        loader.load_state_dict(stream.at(0).state())
        for _ in wrapped:
            break
        same(list(wrapped), 5)
        stream = small()
        torch.manual_seed(0)
        same(list(DataLoader(stream.torch(columns=["sample"]), batch_size=None, num_workers=count)), 0)
        if count:
            refused("count the steps", stream.state)
        torch.manual_seed(0)
        same(list(DataLoader(stream.torch(columns=["sample"]), batch_size=None, num_workers=count)), 5)
        next(iter(stream.torch()))
        same(list(DataLoader(stream.torch(columns=["sample"]), batch_size=None, num_workers=count)), 15)
        whole = DataLoader(small().torch(3, columns=["sample"]), batch_size=None, num_workers=count)
        for _ in range(2):
            same(list(whole), 0)
    spawned: Any = DataLoader(
        small().torch(columns=["sample"]), batch_size=None, num_workers=2, multiprocessing_context="spawn"
    )
    same([*spawned, *spawned], 0)


def train(rank: int, world: int) -> tuple[list[float], torch.Tensor, torch.Tensor]:
    """Losses, weights and counts of a test; the last step of an epoch has one row."""
    torch.manual_seed(0)
    stream = small(count=33)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(126, 16), torch.nn.Tanh(), torch.nn.Linear(16, 5))
    model: Any = DistributedDataParallel(network) if world > 1 else network
    optimizer, losses = torch.optim.SGD(network.parameters(), 0.1), []
    for images, labels, weight in stream.shard(rank, world).torch(3, columns=("image", "label", "weight")):
        loss = (weight * F.cross_entropy(model(images), labels, reduction="none")).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        mean = loss.detach() / world
        if world > 1:
            distributed.all_reduce(mean)
        losses.append(mean.item())
    counts = torch.zeros(33)
    test = small(count=33, split="test", policy="none").shard(rank, world)
    for _, samples in test.torch(1, columns=("image", "sample"), mean=stream.mean, std=stream.std):
        counts[samples] += 1
    if world > 1:
        distributed.all_reduce(counts)
    return losses, torch.cat([p.detach().flatten() for p in network.parameters()]), counts


def rank(folder: Path, number: int, world: int) -> None:
    """One process of `processes`."""
    torch.set_num_threads(1)
    if world > 1:
        distributed.init_process_group(
            "gloo", init_method=f"file://{folder}/meet-{world}", rank=number, world_size=world
        )
    losses, weights, counts = train(number, world)
    if number == 0:
        result = {"losses": losses, "weights": weights.tolist(), "counts": counts.tolist()}
        (folder / f"world-{world}.json").write_text(json.dumps(result))
    if world > 1:
        distributed.destroy_process_group()


def lightning(folder: Path) -> None:
    """Stopped in the middle of an epoch and gone on with from Lightning's own checkpoint: the same weights."""
    pl: Any = import_module("lightning")
    keep: Any = import_module("lightning.pytorch.callbacks").ModelCheckpoint

    class Module(pl.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(126, 5))
            self.seen: list[int] = []

        def training_step(self, batch: Any, index: int) -> Any:
            self.seen += batch[2].tolist()
            return F.cross_entropy(self.layers(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), 1e-2)

    def fit(steps: int, path: Path | None = None) -> Any:
        pl.seed_everything(0, verbose=False)
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=3,
            max_steps=steps,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[keep(folder / f"to-{steps}", save_last=True, every_n_train_steps=1, save_top_k=1)],
        )
        module = Module()
        trainer.fit(module, small().torch(columns=COLUMNS[:3]), ckpt_path=path)
        return module

    whole = fit(-1)
    for stop in (3, 4, 5, 7, 10, 14):
        first, second = fit(stop), fit(-1, folder / f"to-{stop}" / "last.ckpt")
        assert first.seen + second.seen == whole.seen, stop
        for one, other in zip(whole.parameters(), second.parameters(), strict=True):
            assert torch.equal(one, other)


def accelerated(folder: Path) -> None:
    """Accelerate keeps the loader's place in its own checkpoint, as that of any registered object."""
    Accelerator: Any = import_module("accelerate").Accelerator

    whole = [samples.tolist() for (samples,) in small().torch(2, columns=["sample"])]
    for stop in (1, 4, 5, 6):
        accelerator, loader = Accelerator(cpu=True), small().torch(2, columns=["sample"])
        accelerator.register_for_checkpointing(loader)
        running = iter(accelerator.prepare(loader))
        found = [next(running)[0].tolist() for _ in range(stop)]
        accelerator.save_state(str(folder / f"at-{stop}"))
        again, other = Accelerator(cpu=True), small().torch(2, columns=["sample"])
        again.register_for_checkpointing(other)
        again.load_state(str(folder / f"at-{stop}"))
        assert found + [samples.tolist() for (samples,) in other] == whole


if __name__ == "__main__":
    name, folder = sys.argv[1], Path(sys.argv[2])
    if name in ("tensors", "device", "saved"):
        warnings.simplefilter("error")
    if name == "rank":
        rank(folder, int(sys.argv[3]), int(sys.argv[4]))
    else:
        {check.__name__: check for check in (tensors, device, saved, workers, lightning, accelerated)}[name](folder)
    sys.stdout.write("good\n")
