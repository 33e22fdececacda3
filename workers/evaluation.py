"""Evaluation: loss, accuracy and confusion of weights on images, in fixed slots."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from millrace.elementary import exp, log
from millrace.labels import Labels
from millrace.model import UNMIXED, Confusion, Inputs, Network, Workspace, softmax_cross_entropy
from millrace.workers.blas import one_blas_thread
from millrace.workers.tree import tree_sum

SMALLEST = 1e-300  # a probability of 0 costs as much as this
SLOT = 500  # rows of a slot; part of the contract, since the loss is summed along the tree over slots
WIDEST = 1 << 20  # answers of a slot at most: where there are more than 2,097 classes it has fewer rows, for memory
Floats = npt.NDArray[np.float64]
U8Array = npt.NDArray[np.uint8]
Weights = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Evaluation:
    """loss: the mean over the rows, in nats. pairs: which classes were taken for which."""

    loss: float
    correct: int
    count: int
    pairs: Confusion

    @property
    def accuracy(self) -> float:
        """The fraction of right answers."""
        return self.correct / self.count

    @property
    def confusion(self) -> npt.NDArray[np.int64]:
        """The whole matrix: int64 (classes, classes), rows true, columns predicted. UsageError of very many classes."""
        return self.pairs.matrix()


def slot_rows(classes: int) -> int:
    """The rows of a slot."""
    return min(SLOT, WIDEST // classes)


def evaluate(
    network: Network, inputs: Inputs, weights: Weights, images: U8Array, labels: Labels, *, threads: int = 1
) -> Evaluation:
    """Measure weights, float32 (parameters,), on images, uint8 (n, C, H, W), with labels (n,), n ≥ 1.

    Nothing is drawn and nothing augmented; the number of threads changes no bit.
    """
    size = slot_rows(network.classes)
    losses, pairs = np.empty(-(-len(images) // size)), [Confusion.of(labels[:0], labels[:0], network.classes)]

    def measure(begins: Iterable[int]) -> None:
        part = _Part(network, inputs, weights)
        for begin in begins:
            losses[begin // size], some = part.measure(images[begin : begin + size], labels[begin : begin + size])
            pairs.append(some)  # in any order: they are whole numbers

    _spread(measure, range(0, len(images), size), threads)
    confusion = Confusion.joined(pairs)
    return Evaluation(tree_sum(losses.tolist()) / len(images), confusion.correct, len(images), confusion)


def probabilities(
    network: Network, inputs: Inputs, weights: Weights, images: U8Array, *, threads: int = 1
) -> npt.NDArray[np.float64]:
    """The softmax of each image: float64 (n, classes), computed in fixed slots; arguments as for `evaluate`."""
    chances = np.empty((len(images), network.classes))

    def keep(begin: int, some: Floats) -> None:
        chances[begin : begin + len(some)] = some

    _each_slot(network, inputs, weights, images, keep, threads)
    return chances


def answers(
    network: Network, inputs: Inputs, weights: Weights, images: U8Array, *, threads: int = 1
) -> tuple[npt.NDArray[np.int64], Floats]:
    """The likeliest class of each image, int64 (n,), and its probability, float64 (n,): those of `probabilities`,
    without room for the others."""
    found, chances = np.empty(len(images), np.int64), np.empty(len(images))

    def keep(begin: int, some: Floats) -> None:
        found[begin : begin + len(some)] = some.argmax(axis=1)
        chances[begin : begin + len(some)] = some.max(axis=1)

    _each_slot(network, inputs, weights, images, keep, threads)
    return found, chances


def judged(parts: Iterable[tuple[Floats, Labels]]) -> Evaluation:
    """How good probabilities, float64 (n, classes), are for their labels, (n,): of all parts together, one after the
    other; at least one."""
    costs: list[float] = []
    pairs: list[Confusion] = []
    for chances, labels in parts:
        right = np.maximum(chances[np.arange(len(labels)), labels], SMALLEST)
        costs += log(right).tolist()
        pairs.append(Confusion.of(labels, chances.argmax(axis=1), chances.shape[1]))
    confusion = Confusion.joined(pairs)
    return Evaluation(-tree_sum(costs) / len(costs), confusion.correct, len(costs), confusion)


def _each_slot(
    network: Network,
    inputs: Inputs,
    weights: Weights,
    images: U8Array,
    keep: Callable[[int, Floats], None],
    threads: int,
) -> None:
    """`keep(first row, probabilities)` for each slot of the images, in any order, by several threads."""
    size = slot_rows(network.classes)

    def measure(begins: Iterable[int]) -> None:
        workspace, x = network.workspace(size), np.empty((size, network.inputs), np.float32)
        for begin in begins:
            some = images[begin : begin + size]
            logits = network.logits(weights, inputs.into(some, x[: len(some)]), workspace).astype(np.float64)
            powers = exp(logits - logits.max(axis=1, keepdims=True))
            keep(begin, powers / powers.sum(axis=1, keepdims=True))

    _spread(measure, range(0, len(images), size), threads)


def _spread(work: Callable[[Iterable[int]], None], begins: range, threads: int) -> None:
    """The slots that begin there, every k-th by one of k threads; an error of any of them is raised."""
    threads = max(1, min(threads, len(begins)))
    with one_blas_thread(), ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, [begins[k::threads] for k in range(threads)]))


class _Part:
    """One thread's arrays."""

    def __init__(self, network: Network, inputs: Inputs, weights: Weights) -> None:
        self._network, self._inputs, self._weights = network, inputs, weights
        rows = slot_rows(network.classes)
        self._workspace: Workspace = network.workspace(rows)
        self._x = np.empty((rows, network.inputs), np.float32)
        self._none = np.zeros(network.classes, np.float32)
        self._scratch, self._measures = np.empty(network.classes), np.empty(2)

    def measure(self, images: U8Array, labels: Labels) -> tuple[float, Confusion]:
        """Summed loss and confusion of one slot."""
        x = self._inputs.into(images, self._x[: len(images)])
        logits = self._network.logits(self._weights, x, self._workspace)
        predicted = logits.argmax(axis=1)
        wide = labels.astype(np.uint16, copy=False)
        softmax_cross_entropy(logits, self._none, wide, False, self._none, self._scratch, self._measures, 0.0, *UNMIXED)
        return float(self._measures[0]), Confusion.of(labels, predicted, self._network.classes)
