"""Softmax and cross-entropy in one kernel: loss, right answers and the output's delta y − t.

The largest logit is taken off before exp, so nothing overflows. Inside, numbers are float64, and exp and log are the
project's own, so only the matrix products depend on the machine.
"""

import numpy as np

from millrace.compiled import F32, F64, U16, In, Out, Out2, device, kernel
from millrace.elementary import exp, log
from millrace.model.fast.settling import FLOOR, settled


@device
def _powers(z: Out[F32], bias: In[F32], powers: Out[F64]) -> tuple[int, float]:
    """z ← z + bias, powers ← exp(z − max z): the first unit that has the largest z, and the sum of the powers."""
    best = 0
    for unit in range(z.shape[0]):
        z[unit] += bias[unit]
        if z[unit] > z[best]:
            best = unit
    top, total = np.float64(z[best]), 0.0
    for unit in range(z.shape[0]):
        powers[unit] = exp(np.float64(z[unit]) - top)
        total += powers[unit]
    return best, total


@kernel
def softmax_cross_entropy(
    logits: Out2[F32],
    bias: In[F32],
    labels: In[U16],
    backward: bool,
    bias_gradient: Out[F32],
    scratch: Out[F64],
    measures: Out[F64],
    smoothing: float,
    others: In[U16],
    shares: In[F32],
) -> None:
    """The loss −log softmax(logits + bias)[label], summed over the rows (Deep Learning, 6.2.2.3).

    logits: float32 (rows, classes), overwritten: with logits + bias, and with `backward` then with the
    delta softmax − one-hot. bias_gradient: the sum of the deltas over the rows, in row order (untouched
    without `backward`). scratch: float64 (classes,). measures: float64 (2,): the summed loss, and how many rows have
    their largest logit (the first of equals) at the label. smoothing: ε; the target is 1 − ε at the label plus
    ε/classes everywhere (Szegedy et al. 2016; Deep Learning, 7.5.1), and the loss that target's cross-entropy.
    others, shares: see `model.fast.mixup.Mixed`; of the 1 − ε, a row's share is at its label and the rest at the other.
    """
    classes = logits.shape[1]
    spread, mixed = smoothing / classes, shares.shape[0] > 0
    if backward:
        bias_gradient[:] = np.float32(0.0)
    loss, right = 0.0, 0.0
    for row in range(logits.shape[0]):
        best, total = _powers(logits[row], bias, scratch)
        top = np.float64(logits[row, best])
        label, other, hit, rest = labels[row], labels[row], 1.0 - smoothing, 0.0
        if mixed:
            other, rest, hit = others[row], hit * (1.0 - np.float64(shares[row])), hit * np.float64(shares[row])
        miss = log(total) - hit * (np.float64(logits[row, label]) - top)
        if rest > 0.0:
            miss -= rest * (np.float64(logits[row, other]) - top)
        if smoothing > 0.0:
            for unit in range(classes):
                miss -= spread * (np.float64(logits[row, unit]) - top)
        loss += miss
        right += 1.0 if best == label else 0.0
        if backward:
            for unit in range(classes):
                target = spread + (hit if unit == label else 0.0) + (rest if unit == other else 0.0)
                logits[row, unit] = settled(np.float32(scratch[unit] / total - target), FLOOR)
                bias_gradient[unit] += logits[row, unit]
    measures[0], measures[1] = loss, right
