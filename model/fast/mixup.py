"""Mixup: a sample and its label, blended with the next one of its slot, drawn by counter from (sample, epoch).

Zhang, Cissé, Dauphin, Lopez-Paz 2018: mixup, Beyond Empirical Risk Minimization, with α = 1. The network learns to be
as undecided between two classes as its input is.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from millrace.compiled import F32, I64, U16, U32, In, In2, Out, Out2, kernel
from millrace.counters import Purpose, each, philox
from millrace.labels import Labels
from millrace.model.fast.noise import RowKeys
from millrace.model.layout import Floats


class Mixed(NamedTuple):
    """What the loss has to know of blended rows. others: uint16 (m,), the label of each row's partner. shares: float32
    (m,), the part of the row that is its own, in [1/2, 1]. Both of length 0: no row is blended."""

    others: npt.NDArray[np.uint16]
    shares: Floats

    @classmethod
    def empty(cls, rows: int) -> "Mixed":
        """Arrays for up to `rows` rows."""
        return cls(np.empty(rows, np.uint16), np.empty(rows, np.float32))

    def first(self, rows: int) -> "Mixed":
        """Those of the first rows, as views."""
        return Mixed(self.others[:rows], self.shares[:rows])


UNMIXED = Mixed.empty(0)


@kernel
def _mix(
    seed: U32,
    purpose: U32,
    samples: In[I64],
    epochs: In[U32],
    threshold: int,
    x: In2[F32],
    y: In[U16],
    others: Out[U16],
    shares: Out[F32],
    out: Out2[F32],
) -> None:
    rows, one, zero = x.shape[0], np.float32(1.0), np.uint32(0)
    for row in range(rows):
        partner = row + 1 if row + 1 < rows else 0
        a, b, _, _ = philox(seed, purpose, np.uint32(samples[row]), epochs[row], zero, zero)
        share = one
        if np.int64(a) < threshold and partner != row:
            share = np.float32(1.0 - np.float64(b) * 2.0**-33)
        others[row], shares[row] = y[partner], share
        if share == one:
            for at in range(x.shape[1]):
                out[row, at] = x[row, at]
        else:
            rest = np.float32(one - share)
            for at in range(x.shape[1]):
                out[row, at] = x[row, at] * share + x[partner, at] * rest


def mix(x: Floats, y: Labels, probability: float, keys: RowKeys, mixed: Mixed, out: Floats) -> None:
    """With this probability, a row's share of itself plus the rest of the next row; after the last comes the first.

    x, out: float32 (m, n), apart. y: uint8 or uint16 (m,). mixed: overwritten, of m rows. The share is uniform
    in [1/2, 1], as a partner who had more would be the same as the two in the other order. A row on its own is left as
    it is. Word 0 of a sample's draws says whether, word 1 how much.
    """
    key = np.uint32(keys.seed), np.uint32(Purpose.MIXUP)
    threshold = int(probability * 2.0**32)
    epochs, wide = each(keys.epoch, len(x)), y.astype(np.uint16, copy=False)
    _mix(*key, keys.samples, epochs, threshold, x, wide, mixed.others, mixed.shares, out)
