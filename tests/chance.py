"""How likely it is that numbers which are as they should be differ from that as much as these, or more. scipy.stats has
this too, but its import takes each process of the tests a second."""

import math

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, chdtrc, kolmogorov


def evenly_spread(values: npt.ArrayLike) -> float:
    """Of many numbers in [0, 1]: Kolmogorov and Smirnov's test that each place is as likely."""
    ordered = np.sort(np.asarray(values, np.float64).ravel())
    count = len(ordered)
    above = (np.arange(1, count + 1) / count - ordered).max()
    below = (ordered - np.arange(count) / count).max()
    return float(kolmogorov(math.sqrt(count) * max(above, below)))


def equally_often(counts: npt.ArrayLike) -> float:
    """Of counts: Pearson's test that what was counted is as likely each time."""
    found = np.asarray(counts, np.float64).ravel()
    mean = found.mean()
    return float(chdtrc(len(found) - 1, ((found - mean) ** 2).sum() / mean))


def as_often_as(share: float, hits: int, count: int) -> float:
    """Of hits among so many: the binomial test, twice the smaller side."""
    return float(min(1.0, 2 * min(bdtr(hits, count, share), 1 - bdtr(hits - 1, count, share))))
