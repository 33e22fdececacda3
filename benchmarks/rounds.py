"""What the benchmarks share: contenders that take turns, medians, and where the data comes from."""

import argparse
import dataclasses
import os
import statistics
import time
from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from millrace import datasets
from millrace.datasets import Dataset
from millrace.formats.tables import image_array


def take_turns(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each contender measures, by name, in every round; the order turns so that none always comes first."""
    names, found = list(contenders), {name: list[float]() for name in contenders}
    for number in range(rounds):
        for place in range(len(names)):
            name = names[(number + place) % len(names)]
            found[name].append(contenders[name]())
    return found


def timed(work: Callable[[], object], warm: int = 3) -> Callable[[], float]:
    """A contender: microseconds of one call, its arrays as warm as they are in a row of calls."""

    def measure() -> float:
        for _ in range(warm):
            work()
        begun = time.perf_counter()
        work()
        return 1e6 * (time.perf_counter() - begun)

    return measure


def ratio(found: Mapping[str, list[float]], name: str, other: str) -> float:
    """The median over the rounds of one contender's value over another's in the same round."""
    return statistics.median(a / b for a, b in zip(found[name], found[other], strict=True))


def table(found: Mapping[str, list[float]], unit: str) -> str:
    """Median, least and greatest value of every contender."""
    head = f"{'':<44}{'median':>10}{'least':>10}{'greatest':>10}   {unit}"
    rows = [
        f"{name:<44}{statistics.median(values):>10,.5g}{min(values):>10,.5g}{max(values):>10,.5g}"
        for name, values in found.items()
    ]
    return "\n".join([head, *rows])


def arguments(text: str) -> argparse.ArgumentParser:
    """A parser with what all benchmarks understand."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--mirror", default=os.environ.get("MILLRACE_TEST_MIRROR"), help="where MNIST lies")
    return parser


def mnist(mirror: str | None) -> Dataset:
    """MNIST from the mirror, or from the cache; pictures of noise in its shape where it is in neither."""
    spec = datasets.find("mnist")
    if mirror or datasets.is_cached(spec):
        return datasets.load(spec, mirror=mirror)
    print("no MNIST here (see --mirror): noise of the same shape instead")
    rng = np.random.default_rng(0)
    digits = datasets.load(datasets.find("digits"))
    return dataclasses.replace(digits, spec=spec, train=_noise(rng, 60_000), test=_noise(rng, 10_000), digest="noise")


def _noise(rng: np.random.Generator, rows: int) -> pa.Table:
    """A fifth of the pixels lit, as in MNIST."""
    images = rng.integers(0, 256, (rows, 1, 28, 28), np.uint8) * (rng.random((rows, 1, 28, 28)) < 0.2)
    marks = pa.array(rng.integers(0, 10, rows, np.uint8))
    return pa.table({"image": image_array(images.astype(np.uint8)), "label": marks})
