"""What the benchmarks share: contenders that take turns, medians, and where the data comes from."""

import argparse
import contextlib
import dataclasses
import os
import statistics
import time
from collections.abc import Callable, Collection, Mapping
from typing import Protocol, TypeVar

import numpy as np
import pyarrow as pa

from benchmarks.loaders import OURS
from millrace import datasets
from millrace.datasets import Dataset
from millrace.formats.tables import image_array

Measured = TypeVar("Measured")
Given = TypeVar("Given", covariant=True)


class Peer(Protocol[Given]):
    """A contender that holds something, mostly a process, until it is closed."""

    def __call__(self) -> Given: ...

    def close(self) -> None: ...


@dataclasses.dataclass(frozen=True)
class Effort:
    """How much is measured. quick: whether benchmarks run at all, with small sizes, once, without starting Ray."""

    quick: bool = False
    mirror: str | None = None

    def rounds(self, full: int) -> int:
        """The rounds of a part that has so many."""
        return 1 if self.quick else full


@dataclasses.dataclass(frozen=True)
class Bounds:
    """How far turns go. seconds: no turn of a peer begins later, and no round that would probably end later. rare:
    contenders that take long to start, and in how many rounds they take part. cold: each turn is a process of its own,
    which nothing warms, or was warmed before, so that trying a contender is its first round. always: those without whom
    there is nothing to compare: no turn of theirs is too late, and their fault ends all."""

    seconds: float = float("inf")
    rare: Mapping[str, int] = dataclasses.field(default_factory=dict)
    cold: bool = False
    always: Collection[str] = (OURS,)


def in_turns(
    contenders: Mapping[str, Callable[[], Measured]],
    rounds: int,
    peers: Mapping[str, Callable[[], Peer[Measured]]] | None = None,
    bounds: Bounds = Bounds(),
) -> tuple[dict[str, list[Measured]], dict[str, str]]:
    """What those measure that can be measured, taking turns, and why the others cannot. Peers are contenders too, whose
    processes run meanwhile and no longer, whatever happens. Who fails in a later round keeps what it measured."""
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        started = {name: stack.enter_context(contextlib.closing(begin())) for name, begin in (peers or {}).items()}
        everybody: dict[str, Callable[[], Measured]] = {**contenders, **started}
        missing, lasted = dict[str, str](), dict[str, float]()
        found = {name: list[Measured]() for name in everybody}

        def turn(name: str, number: int) -> None:
            at = time.monotonic()
            if name not in bounds.always and at - begun > bounds.seconds:
                missing[name] = f"no time was left within {bounds.seconds:.3g} s, others took it"
                return
            try:
                value = everybody[name]()
            except Exception as error:  # a peer's fault must not end what is measured of the others
                missing[name] = ("" if number < 1 else f"in round {number + 1}: ") + _reason(error)
                if name in bounds.always:
                    raise RuntimeError(missing[name]) from error
                return
            lasted[name] = time.monotonic() - at
            if number >= 0:
                found[name].append(value)

        for name in everybody:
            turn(name, 0 if bounds.cold else -1)
        names = [name for name in everybody if name not in missing]
        for number in range(1 if bounds.cold else 0, rounds):
            able = [one for one in names if one not in missing and number < bounds.rare.get(one, rounds)]
            if number and time.monotonic() - begun + sum(lasted[one] for one in able) > bounds.seconds:
                break
            for place in range(len(able)):  # the order turns so that none always comes first
                turn(able[(number + place) % len(able)], number)
    return {name: values for name, values in found.items() if values}, missing


def take_turns(contenders: Mapping[str, Callable[[], Measured]], rounds: int) -> dict[str, list[Measured]]:
    """What each contender measures, by name, in every round; the order turns so that none always comes first."""
    names, found = list(contenders), {name: list[Measured]() for name in contenders}
    for number in range(rounds):
        for place in range(len(names)):
            name = names[(number + place) % len(names)]
            found[name].append(contenders[name]())
    return found


def _reason(error: Exception) -> str:
    if isinstance(error, ImportError):
        return f"not installed ({error})"
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]


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


def has_mnist(mirror: str | None) -> bool:
    """Whether MNIST can be had."""
    return bool(mirror) or datasets.is_cached(datasets.find("mnist"))


def mnist(mirror: str | None) -> Dataset:
    """MNIST from the mirror, or from the cache; pictures of noise in its shape where it is in neither."""
    spec = datasets.find("mnist")
    if has_mnist(mirror):
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
