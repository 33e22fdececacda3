"""Evaluation: loss, accuracy and confusion of weights on images, in fixed slots."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from millrace.elementary import exp, log
from millrace.model import UNMIXED, Inputs, Network, Workspace, softmax_cross_entropy
from millrace.workers.blas import one_blas_thread
from millrace.workers.tree import tree_sum

SMALLEST = 1e-300  # a probability of 0 costs as much as this
SLOT = 500  # rows of a slot; part of the contract, since the loss is summed along the tree over slots


@dataclass(frozen=True)
class Evaluation:
    """loss: the mean over the rows, in nats. confusion: int64 (classes, classes), rows true, columns predicted."""

    loss: float
    correct: int
    count: int
    confusion: npt.NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """The fraction of right answers."""
        return self.correct / self.count


def evaluate(
    network: Network,
    inputs: Inputs,
    weights: npt.NDArray[np.float32],
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint8],
    *,
    threads: int = 1,
) -> Evaluation:
    """Measure weights, float32 (parameters,), on images, uint8 (n, C, H, W), with labels, uint8 (n,), n ≥ 1.

    Nothing is drawn and nothing augmented; the number of threads changes no bit.
    """
    begins = range(0, len(images), SLOT)

    def measure(own: range) -> list[tuple[int, float, npt.NDArray[np.int64]]]:
        part = _Part(network, inputs, weights)
        return [(begin, *part.measure(images[begin : begin + SLOT], labels[begin : begin + SLOT])) for begin in own]

    threads = max(1, min(threads, len(begins)))
    with one_blas_thread(), ThreadPoolExecutor(threads) as pool:
        results = sorted(_flat(pool.map(measure, [begins[k::threads] for k in range(threads)])), key=lambda r: r[0])
    confusion = np.sum([counts for _, _, counts in results], axis=0)
    loss = tree_sum([loss for _, loss, _ in results]) / len(images)
    return Evaluation(loss, int(np.trace(confusion)), len(images), confusion)


def probabilities(
    network: Network,
    inputs: Inputs,
    weights: npt.NDArray[np.float32],
    images: npt.NDArray[np.uint8],
    *,
    threads: int = 1,
) -> npt.NDArray[np.float64]:
    """The softmax of each image: float64 (n, classes), computed in fixed slots; arguments as for `evaluate`."""
    chances = np.empty((len(images), network.classes))
    begins = range(0, len(images), SLOT)

    def measure(own: range) -> None:
        workspace, x = network.workspace(SLOT), np.empty((SLOT, network.inputs), np.float32)
        for begin in own:
            some = images[begin : begin + SLOT]
            logits = network.logits(weights, inputs.into(some, x[: len(some)]), workspace).astype(np.float64)
            powers = exp(logits - logits.max(axis=1, keepdims=True))
            chances[begin : begin + SLOT] = powers / powers.sum(axis=1, keepdims=True)

    threads = max(1, min(threads, len(begins)))
    with one_blas_thread(), ThreadPoolExecutor(threads) as pool:
        list(pool.map(measure, [begins[k::threads] for k in range(threads)]))
    return chances


def judged(chances: npt.NDArray[np.float64], labels: npt.NDArray[np.uint8]) -> Evaluation:
    """How good probabilities, float64 (n, classes), are for these labels, uint8 (n,)."""
    count, classes = chances.shape
    predicted = chances.argmax(axis=1)
    pairs = np.bincount(labels.astype(np.int64) * classes + predicted, minlength=classes * classes)
    right = np.maximum(chances[np.arange(count), labels], SMALLEST)
    loss = -tree_sum(log(right).tolist()) / count
    confusion = pairs.reshape(classes, classes)
    return Evaluation(loss, int(np.trace(confusion)), count, confusion)


def _flat(
    parts: Iterator[list[tuple[int, float, npt.NDArray[np.int64]]]],
) -> Iterator[tuple[int, float, npt.NDArray[np.int64]]]:
    for part in parts:
        yield from part


class _Part:
    """One thread's arrays."""

    def __init__(self, network: Network, inputs: Inputs, weights: npt.NDArray[np.float32]) -> None:
        self._network, self._inputs, self._weights = network, inputs, weights
        self._workspace: Workspace = network.workspace(SLOT)
        self._x = np.empty((SLOT, network.inputs), np.float32)
        self._none = np.zeros(network.classes, np.float32)
        self._scratch, self._measures = np.empty(network.classes), np.empty(2)

    def measure(
        self, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]
    ) -> tuple[float, npt.NDArray[np.int64]]:
        """Summed loss and confusion of one slot."""
        x = self._inputs.into(images, self._x[: len(images)])
        logits = self._network.logits(self._weights, x, self._workspace)
        predicted = logits.argmax(axis=1)
        softmax_cross_entropy(
            logits, self._none, labels, False, self._none, self._scratch, self._measures, 0.0, *UNMIXED
        )
        classes = self._network.classes
        pairs = np.bincount(labels.astype(np.int64) * classes + predicted, minlength=classes * classes)
        return float(self._measures[0]), pairs.reshape(classes, classes)
