"""What is learned: small convolutional networks in PyTorch on our stream, beside our perceptrons on the same.

    python -m benchmarks.convolution --out FOLDER [--dataset mnist] [--epochs 20] [--seeds 1] [--mirror URL]

Needs PyTorch (.venv-bench). All see the same augmented pixels in the same order, batches of 256, Adam at 0.001 with a
cosine to a hundredth; the test set is read once, at the end. Of each: test accuracy, parameters, seconds of training,
and multiply-adds of one image forward. They stand in FOLDER/convolution-DATASET.json, and their picture beside it.

  convolutional  two times (3×3 convolution, ReLU, 2×2 maximum), of w and 2w channels, then a layer of 16w units
  perceptron     `millrace.train` with hidden layers as given

For the record: MNIST with 20 epochs and 3 seeds, cifar10-jpeg75 with 40 and 1; by arithmetic, about an hour each on two
idle cores.
"""

import argparse
import itertools
import json
import tempfile
import time
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import millrace

BATCH, RATE, FINAL = 256, 0.001, 0.01
CHANNELS = (4, 8, 16, 32)
HIDDEN = ((32,), (128,), (300, 100), (999, 299))
Found = dict[str, Any]


def perceptron(dataset: str, hidden: tuple[int, ...], epochs: int, seed: int, mirror: str | None) -> Found:
    """Trained by us."""
    shape = millrace.stream(dataset, batch=BATCH, mirror=mirror).shape
    inputs = shape[0] * shape[1] * shape[2]
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = millrace.train(
            dataset,
            epochs=epochs,
            batch=BATCH,
            network={"hidden": hidden},
            seed=seed,
            out=f"{folder}/run",
            mirror=mirror,
        )
        accuracy = (run.result or {})["test_accuracy"]
    seconds = time.perf_counter() - begun
    pairs = list(itertools.pairwise((inputs, *hidden, 10)))
    products = sum(a * b for a, b in pairs)
    name = "-".join(map(str, hidden))
    return _found("perceptron", name, accuracy, products + sum(b for _, b in pairs), products, seconds)


def convolutional(dataset: str, channels: int, epochs: int, seed: int, mirror: str | None) -> Found:
    """Trained by PyTorch on `millrace.stream(…).torch()`."""
    torch = import_module("torch")
    torch.manual_seed(seed)
    stream = millrace.stream(dataset, batch=BATCH, seed=seed, mirror=mirror)
    network, products = _network(torch, stream.shape, channels)
    optimizer = torch.optim.Adam(network.parameters(), RATE, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(stream), FINAL * RATE)
    begun = time.perf_counter()
    for images, labels in stream.torch(epochs):
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(network(images), labels.long()).backward()
        optimizer.step()
        schedule.step()
    seconds = time.perf_counter() - begun
    network.eval()
    right = count = 0
    with torch.inference_mode():
        for images, labels in millrace.stream(dataset, batch=BATCH, split="test", policy="none", mirror=mirror).torch(
            1
        ):
            right += int((network(images).argmax(1) == labels).sum())
            count += len(labels)
    parameters = sum(values.numel() for values in network.parameters())
    return _found("convolutional", f"{channels} channels", right / count, parameters, products, seconds)


def _network(torch: Any, shape: tuple[int, int, int], channels: int) -> tuple[Any, int]:
    """The network, and its multiply-adds for an image."""
    nn, (depth, height, width), products = torch.nn, shape, 0
    layers: list[Any] = []
    for wide in (channels, 2 * channels):
        layers += [nn.Conv2d(depth, wide, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        products += 9 * depth * wide * height * width
        depth, height, width = wide, height // 2, width // 2
    flat, units = depth * height * width, 16 * channels
    layers += [nn.Flatten(), nn.Linear(flat, units), nn.ReLU(), nn.Linear(units, 10)]
    return nn.Sequential(*layers), products + flat * units + 10 * units


def _found(kind: str, name: str, accuracy: float, parameters: int, products: int, seconds: float) -> Found:
    one = {"kind": kind, "name": name, "accuracy": accuracy, "parameters": parameters}
    return {**one, "multiply_adds": products, "seconds": seconds}


def draw(found: list[Found], title: str, path: Path) -> None:
    """Accuracy against parameters, multiply-adds and seconds, one panel each; seeds are points of the same colour."""
    matplotlib = import_module("matplotlib")
    matplotlib.use("agg")
    pyplot = import_module("matplotlib.pyplot")
    figure, panels = pyplot.subplots(1, 3, figsize=(11, 3.6), sharey=True, layout="constrained")
    titles = {
        "parameters": "parameters",
        "multiply_adds": "multiply-adds of an image",
        "seconds": "seconds of training",
    }
    for panel, (key, label) in zip(panels, titles.items(), strict=True):
        for kind, colour, mark in (("convolutional", "#0f766e", "o"), ("perceptron", "#b45309", "s")):
            some = sorted((one for one in found if one["kind"] == kind), key=lambda one: float(one[key]))
            xs, ys = [one[key] for one in some], [100 * (1 - one["accuracy"]) for one in some]
            panel.plot(xs, ys, mark, color=colour, label=kind, markersize=5)
        panel.set(xscale="log", yscale="log", xlabel=label)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("test error, %")
    panels[0].legend(frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--channels", type=int, nargs="+", default=CHANNELS)
    parser.add_argument("--mirror")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    found: list[Found] = []
    for seed in range(given.seeds):
        how: tuple[Any, ...] = (given.epochs, seed, given.mirror)
        works = [partial(perceptron, given.dataset, hidden, *how) for hidden in HIDDEN]
        works += [partial(convolutional, given.dataset, channels, *how) for channels in given.channels]
        for work in works:
            found.append(work() | {"seed": seed})
            print(json.dumps(found[-1]), flush=True)
    path = given.out / f"convolution-{given.dataset}"
    path.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    draw(found, f"{given.dataset}, {given.epochs} epochs", path.with_suffix(".png"))


if __name__ == "__main__":
    main()
