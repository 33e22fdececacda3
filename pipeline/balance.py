"""Balanced sampling: every class equally often, computed for any position of any epoch, remembered for none.

Of n training samples let K classes have any, class c (numbered 0 … K−1) m_c of them; an epoch has n positions as ever.

1. Position p of epoch e has turn g = e·n + π(p), π the keyed bijection (seed, ORDER, e) of [0, n).
2. Turn g is class c = g mod K's, and its t-th one, t = ⌊g/K⌋. An epoch has n turns in a row: two classes come at most
   one time apart, in an epoch and in all of them together.
3. Its row is σ(t mod m_c), σ the keyed bijection (seed, SAMPLING, round ⌊t/m_c⌋, class c) of the class's rows in the
   order of the table. A class goes through all its rows before any comes again: at the end of an epoch two rows of a
   class were shown at most one time apart, in all epochs together.
4. That row was shown ⌊t/m_c⌋ times before. This number is what its draws are made from in the place of the epoch
   (which is that number where each sample comes once an epoch): no two showings have the same, be they in one batch.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from millrace.counters import Purpose, permute_each
from millrace.labels import Labels

I64Array = npt.NDArray[np.int64]


class Turns(NamedTuple):
    """Of some turns, int64 (n,) each: the class, 0 to K−1; which row of the class; how often it was shown before."""

    classes: I64Array
    rows: I64Array
    before: I64Array


class Balance:
    """The turns of classes that have so many rows each, `counts` int64 (K,), all above 0."""

    def __init__(self, counts: I64Array, seed: int) -> None:
        self.counts, self.seed = counts, seed

    def before(self, turns: I64Array) -> I64Array:
        """How often the rows of these turns, int64 (n,), were shown before them: int64 (n,)."""
        classes, showings = turns % len(self.counts), turns // len(self.counts)
        return np.asarray(showings // self.counts[classes])

    def turns(self, turns: I64Array) -> Turns:
        """What these turns, int64 (n,), show."""
        classes, showings = turns % len(self.counts), turns // len(self.counts)
        sizes = self.counts[classes]
        before, places = np.divmod(showings, sizes)
        rows = permute_each(places, sizes, before, classes, seed=self.seed, purpose=Purpose.SAMPLING)
        return Turns(classes, rows, before)


class BalancedRows(Balance):
    """The same of samples with these labels, (n,): it knows which they are."""

    def __init__(self, labels: Labels, seed: int) -> None:
        super().__init__(class_counts(labels), seed)
        small = np.uint32 if len(labels) <= 1 << 32 else np.int64
        self._grouped = np.argsort(labels, kind="stable").astype(small)
        self._firsts = np.cumsum(self.counts) - self.counts

    def shown(self, turns: I64Array) -> tuple[I64Array, I64Array]:
        """Which of the n samples the turns show, int64, values in [0, n), and how often each was shown before them."""
        found = self.turns(turns)
        samples: I64Array = self._grouped[self._firsts[found.classes] + found.rows].astype(np.int64)
        return samples, found.before


def class_counts(labels: Labels) -> I64Array:
    """The rows of each class that has any, in the order of the classes: int64 (K,)."""
    counts = np.bincount(labels)
    return counts[counts > 0].astype(np.int64)
