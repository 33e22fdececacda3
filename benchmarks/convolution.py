"""What is learned: small convolutional networks in PyTorch on our stream, beside our perceptrons on the same.

    python -m benchmarks.convolution --dataset mnist --epochs 5 [--seeds 1] [--mirror URL]
    python -m benchmarks.convolution --dataset mnist --seconds      # measures an epoch of each anew, nothing else
    python -m benchmarks.convolution --draw docs/studies/convolution.png

The first two need PyTorch (.venv-bench). All see the same augmented pixels in the same order, batches of 256, Adam at
0.001 with a cosine to a hundredth; the test set is read once, at the end. Of each: test accuracy, parameters,
multiply-adds of one image forward, seconds of an epoch. They stand in benchmarks/convolution-DATASET.json (--out has
another folder), and the third command draws what is there.

  convolutional  two times (3×3 convolution, ReLU, 2×2 maximum), of w and 2w channels, then a layer of 16w units
  perceptron     `millrace.train` with hidden layers as given

With 5 epochs of MNIST and 6 of CIFAR-10 (datasets/examples/cifar10-jpeg75.yaml, which needs --mirror) a seed of all
networks takes about 3 and 5 minutes on two idle cores.
"""

import argparse
import itertools
import json
import os
import tempfile
import time
from collections.abc import Callable
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
        seconds = sum(epoch["seconds"] for epoch in run.epochs) / epochs
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
    seconds = (time.perf_counter() - begun) / epochs
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
    return {**one, "multiply_adds": products, "seconds": round(seconds, 2)}


def measure(given: argparse.Namespace, path: Path) -> None:
    """All networks with each seed; what is found is kept after each."""
    found: list[Found] = []
    for seed in range(given.seeds):
        for work in works(given, seed, given.epochs):
            found.append(work() | {"epochs": given.epochs, "seed": seed})
            print(json.dumps(found[-1]), flush=True)
            write(path, found)


def measure_seconds(given: argparse.Namespace, path: Path) -> None:
    """The seconds of an epoch anew, in the place of those that are there."""
    found: list[Found] = json.loads(path.read_text())
    for work in works(given, 0, 1):
        once = work()
        for one in found:
            if one["name"] == once["name"]:
                one["seconds"] = once["seconds"]
                print(one["name"], one["seconds"], flush=True)
    write(path, found)


def works(given: argparse.Namespace, seed: int, epochs: int) -> list[Callable[[], Found]]:
    """The networks, smallest first."""
    how: tuple[Any, ...] = (epochs, seed, given.mirror)
    return [
        *(partial(perceptron, given.dataset, hidden, *how) for hidden in HIDDEN),
        *(partial(convolutional, given.dataset, channels, *how) for channels in given.channels),
    ]


def write(path: Path, found: list[Found]) -> None:
    """Aside, and renamed."""
    aside = path.with_suffix(".aside")
    aside.write_text(json.dumps(found, indent=1) + "\n")
    aside.replace(path)


def draw(folder: Path, path: Path) -> None:
    """Test error against parameters, multiply-adds and seconds, a row of panels for each data set that was measured;
    seeds are points of the same colour."""
    files = sorted(folder.glob("convolution-*.json"), reverse=True)
    matplotlib = import_module("matplotlib")
    matplotlib.use("agg")
    pyplot = import_module("matplotlib.pyplot")
    figure, panels = pyplot.subplots(
        len(files), 3, figsize=(11, 3.2 * len(files)), sharey="row", squeeze=False, layout="constrained"
    )
    labels = {"parameters": "parameters", "multiply_adds": "multiply-adds of an image", "seconds": "seconds an epoch"}
    for file, row in zip(files, panels, strict=True):
        found = json.loads(file.read_text())
        for panel, (key, label) in zip(row, labels.items(), strict=True):
            for kind, colour, mark in (("convolutional", "#0f766e", "o"), ("perceptron", "#b45309", "s")):
                some = [one for one in found if one["kind"] == kind]
                xs, ys = [one[key] for one in some], [100 * (1 - one["accuracy"]) for one in some]
                panel.plot(xs, ys, f"{mark}-", color=colour, label=kind, markersize=5, linewidth=0.8)
                for one, x, y in zip(some, xs, ys, strict=True):
                    panel.annotate(one["name"], (x, y), (5, 4), textcoords="offset points", fontsize=7, color=colour)
            panel.set(xscale="log", yscale="log", xlabel=label)
            panel.margins(0.16)
            panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            panel.yaxis.set_minor_formatter(lambda value, _: f"{value:g}")
            panel.tick_params(labelsize=7, which="both")
            panel.spines[["top", "right"]].set_visible(False)
        dataset = file.stem.partition("-")[2]
        row[0].set_ylabel(f"{dataset}: test error, %")
        row[0].legend(frameon=False, fontsize=8, title=f"{found[0]['epochs']} epochs", title_fontsize=8)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--channels", type=int, nargs="+", default=CHANNELS)
    parser.add_argument("--seconds", action="store_true", help="only measure the seconds of an epoch anew")
    parser.add_argument("--draw", type=Path, help="only draw what was measured into this file")
    parser.add_argument("--mirror")
    given = parser.parse_args()
    if given.draw:
        draw(given.out, given.draw)
        return
    # PyTorch's threads would wait for each other by spinning, on the cores that the stream's want.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    path = given.out / f"convolution-{Path(given.dataset).stem}.json"
    given.out.mkdir(parents=True, exist_ok=True)
    if given.seconds:
        measure_seconds(given, path)
    else:
        measure(given, path)


if __name__ == "__main__":
    main()
