"""Confusion: which classes were taken for which, counted pair by pair, so that any number of classes has room."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from millrace.errors import UsageError

LARGEST = 1 << 10  # classes whose whole matrix is made: 8 MiB; that of 65,536 would take 32 GiB
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Confusion:
    """cells: int64 (pairs, 3), the true class, the answer and how often that was, in this order; each pair that occurs,
    once."""

    classes: int
    cells: Counts

    @classmethod
    def of(cls, labels: npt.NDArray[np.integer], answers: npt.NDArray[np.integer], classes: int) -> "Confusion":
        """The pairs of labels and answers, (n,) each, all below `classes`."""
        return cls._counted(classes, labels.astype(np.int64) * classes + answers, np.ones(len(labels), np.int64))

    @classmethod
    def joined(cls, parts: Sequence["Confusion"]) -> "Confusion":
        """The counts of all parts, at least one, together."""
        classes, cells = parts[0].classes, np.concatenate([part.cells for part in parts])
        return cls._counted(classes, cells[:, 0] * classes + cells[:, 1], cells[:, 2])

    @classmethod
    def _counted(cls, classes: int, codes: Counts, counts: Counts) -> "Confusion":
        found, where = np.unique(codes, return_inverse=True)
        sums = np.zeros(len(found), np.int64)
        np.add.at(sums, where, counts)
        return cls(classes, np.stack([found // classes, found % classes, sums], axis=1))

    @property
    def count(self) -> int:
        """All answers."""
        return int(self.cells[:, 2].sum())

    @property
    def correct(self) -> int:
        """The right answers."""
        return int(self.right.sum())

    @property
    def images(self) -> Counts:
        """How many were of each class: int64 (classes,)."""
        return self._summed(self.cells[:, 0], self.cells[:, 2])

    @property
    def answered(self) -> Counts:
        """How many were taken for each class: int64 (classes,)."""
        return self._summed(self.cells[:, 1], self.cells[:, 2])

    @property
    def right(self) -> Counts:
        """How many of each class were found: int64 (classes,)."""
        hits = self.cells[self.cells[:, 0] == self.cells[:, 1]]
        return self._summed(hits[:, 0], hits[:, 2])

    @property
    def wrong(self) -> Counts:
        """The cells of wrong answers, the most frequent first, then in the order of the classes: int64 (pairs, 3)."""
        missed = self.cells[self.cells[:, 0] != self.cells[:, 1]]
        ordered: Counts = missed[np.argsort(-missed[:, 2], kind="stable")]
        return ordered

    def matrix(self) -> Counts:
        """The whole matrix: int64 (classes, classes), rows true, columns answers. UsageError above LARGEST classes."""
        if self.classes > LARGEST:
            raise UsageError(
                "the confusion matrix of so many classes is not made",
                expected=f"at most {LARGEST} classes",
                got=self.classes,
                do="use its cells, the pairs that occur",
            )
        whole = np.zeros((self.classes, self.classes), np.int64)
        whole[self.cells[:, 0], self.cells[:, 1]] = self.cells[:, 2]
        return whole

    def _summed(self, classes: Counts, counts: Counts) -> Counts:
        sums = np.zeros(self.classes, np.int64)
        np.add.at(sums, classes, counts)
        return sums
