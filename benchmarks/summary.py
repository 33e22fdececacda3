"""The few rows that the README shows, written between two marks in it."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.results import Part
from benchmarks.table import times

BEGIN, END = "<!-- results: made by benchmarks.run -->\n", "<!-- end of results -->\n"
HEAD = "| what | against | ours is | promised |\n|---|---|---|---|\n"
# part, how the row's name begins, what it is called there, contenders
SHOWN: list[tuple[str, str, str, list[str]]] = [
    ("warp", "28×28", "draws and pixels of 28×28, one thread", ["OpenCV", "torchvision v2"]),
    ("warp", "3×224×224", "draws and pixels of 3×224×224, one thread", ["OpenCV"]),
    (
        "stream",
        "28×28, steady",
        "a stream of augmented minibatches, two cores",
        ["DataLoader, RandomAffine", "DataLoader, grid_sample", "Grain, OpenCV", "Grain, OpenCV by batch", "tf.data"],
    ),
    (
        "stream",
        "28×28, a whole epoch, on Ray",
        "a whole epoch of such a stream",
        ["Ray Data, our warp"],
    ),
    ("loop", "28×28", "a PyTorch loop that sums augmented minibatches", ["DataLoader, RandomAffine"]),
    (
        "training",
        "batch 256",
        "a training step without augmentation, batch 256",
        ["PyTorch", "PyTorch, compiled", "scikit-learn"],
    ),
    ("training", "batch 1024, slots of 128", "a training step, batch 1024", ["PyTorch", "PyTorch, compiled"]),
    (
        "training",
        "batch 1024, slots of 512",
        "a training step, batch 1024 in slots of 512",
        ["PyTorch", "PyTorch, compiled", "bare products"],
    ),
    ("accuracy", "99.2", "seconds to 99.2 % on MNIST", ["PyTorch, DataLoader, RandomAffine"]),
    (
        "ray",
        "batch 1024",
        "two workers on Ray, batch 1024",
        ["local mode", "documentation's parameter server", "Ray Train, DDP (gloo)"],
    ),
    ("resume", "from kill -9", "from `kill -9` to the next new sample", ["StatefulDataLoader", "Grain"]),
    ("export", "3 epochs to parquet", "an export to Parquet", ["Ray Data, OpenCV", "Hugging Face, OpenCV"]),
]


def text(parts: Mapping[str, Part]) -> str:
    """The table, and where and when it was measured."""
    lines = []
    for name, begins, called, contenders in SHOWN:
        found = [row for row in parts[name].rows if row.name.startswith(begins)] if name in parts else []
        for row in found[:1]:
            called += f"; {row.note}" if row.note else ""
            for contender in (one for one in contenders if one in row.values):
                bar = f"{row.at_least[contender]:g}" if contender in row.at_least else ""
                bar += " (missed)" if row.holds(contender) is False else ""
                lines.append(f"| {called} | {contender} | {times(row, contender)} | {bar} |\n")
    machines = sorted({part.machine for part in parts.values()})
    dates = sorted({part.date for part in parts.values()})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    most = max((part.runs for part in parts.values()), default=1)
    when += f", up to {most} runs" if most > 1 else ""
    images = "".join(f" {told}" for told in sorted({part.images for part in parts.values() if part.images}))
    return f"Measured on {' and '.join(machines)}; {when}.{images}\n\n{HEAD}{''.join(lines)}" if lines else ""


def insert(path: Path, parts: Mapping[str, Part]) -> None:
    """Put it in the place of what stands between the marks."""
    page = path.read_text(encoding="utf-8")
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"{path}: expected the marks {BEGIN.strip()} and {END.strip()} once; put them in")
    before, rest = page.split(BEGIN)
    path.write_text(before + BEGIN + "\n" + text(parts) + "\n" + END + rest.split(END)[1], encoding="utf-8")
