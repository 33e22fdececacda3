"""Random layers: dropout and noise, drawn by counter from (sample, epoch): no slot, no worker changes them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from millrace.compiled import F32, F64, I64, U8, U32, In, In2, Out, Out2, device, kernel
from millrace.counters import Purpose, each, lane, philox
from millrace.elementary import fill_normals
from millrace.model.layout import Floats, Layout


@dataclass(frozen=True)
class RowKeys:
    """What the random layers of a network draw from: the seed, the epoch and the sample id of each row.

    samples: int64 (m,). epoch: of all rows, or int64 (m,) where rows come again within an epoch: then how often each
    was shown before (`pipeline.balance`). With these in a counter, a row's draws do not depend on the slot it lies in.
    """

    seed: int
    epoch: int | npt.NDArray[np.int64]
    samples: npt.NDArray[np.int64]


@kernel
def _drop(
    seed: U32,
    purpose: U32,
    samples: In[I64],
    epochs: In[U32],
    lane_word: U32,
    threshold: U32,
    factor: F32,
    x: In2[F32],
    kept: Out2[U8],
    out: Out2[F32],
) -> None:
    n = x.shape[1]
    for row in range(x.shape[0]):
        sample, epoch = np.uint32(samples[row]), epochs[row]
        for block in range(n // 4):
            at = block * 4
            a, b, c, d = philox(seed, purpose, sample, epoch, np.uint32(block), lane_word)
            kept[row, at], kept[row, at + 1] = np.uint8(a >= threshold), np.uint8(b >= threshold)
            kept[row, at + 2], kept[row, at + 3] = np.uint8(c >= threshold), np.uint8(d >= threshold)
        if n % 4:
            at = n // 4 * 4
            a, b, c, _ = philox(seed, purpose, sample, epoch, np.uint32(n // 4), lane_word)
            kept[row, at] = np.uint8(a >= threshold)
            if n % 4 > 1:
                kept[row, at + 1] = np.uint8(b >= threshold)
            if n % 4 > 2:
                kept[row, at + 2] = np.uint8(c >= threshold)
        for at in range(n):
            out[row, at] = x[row, at] * factor if kept[row, at] else np.float32(0.0)


@kernel
def drop_back(deltas: Out2[F32], kept: In2[U8], factor: F32) -> None:
    """deltas ← 0 where a unit was left out, else times the factor; in place."""
    for row in range(deltas.shape[0]):
        for at in range(deltas.shape[1]):
            deltas[row, at] = deltas[row, at] * factor if kept[row, at] else np.float32(0.0)


def drop(
    x: Floats, probability: float, layer: int, keys: RowKeys, kept: npt.NDArray[np.uint8], out: Floats
) -> np.float32:
    """Dropout (Srivastava et al. 2014; Deep Learning, 7.12), inverted: what stays is divided by 1 − p.

    x, out: float32 (m, n). kept: uint8 (m, n), 1 where a unit stays. layer: 0 for the inputs, k for hidden layer k.
    Returns the factor 1/(1 − p). Unit u of a row is drawn from word u % 4 of block u // 4.
    """
    factor = np.float32(1.0 / (1.0 - probability))
    threshold = np.uint32(probability * 2.0**32)
    key = np.uint32(keys.seed), np.uint32(Purpose.DROPOUT)
    epochs, where = each(keys.epoch, len(x)), np.uint32(lane(layer=layer))
    _drop(*key, keys.samples, epochs, where, threshold, factor, x, kept, out)
    return factor


@device
def _interleave(firsts: In[U32], seconds: In[U32], one: Out[F64], two: Out[F64], drawn: Out[F32]) -> None:
    """Normal numbers, float32 (4n,), in the order of n blocks of four words: `firsts` holds word 0 of all blocks, then
    word 2 of all, `seconds` words 1 and 3. So laid out, every loop but the last is vector code."""
    fill_normals(firsts, seconds, one, two)
    blocks = drawn.shape[0] // 4
    for k in range(blocks):
        drawn[4 * k], drawn[4 * k + 1] = np.float32(one[k]), np.float32(two[k])
        drawn[4 * k + 2], drawn[4 * k + 3] = np.float32(one[blocks + k]), np.float32(two[blocks + k])


@kernel
def _add_noise(
    seed: U32, purpose: U32, samples: In[I64], epochs: In[U32], deviation: F32, x: In2[F32], out: Out2[F32]
) -> None:
    n = x.shape[1]
    blocks = (n + 3) // 4
    firsts, seconds = np.empty(2 * blocks, np.uint32), np.empty(2 * blocks, np.uint32)
    one, two, drawn = np.empty(2 * blocks), np.empty(2 * blocks), np.empty(4 * blocks, np.float32)
    for row in range(x.shape[0]):
        sample, epoch = np.uint32(samples[row]), epochs[row]
        for k in range(blocks):
            a, b, c, d = philox(seed, purpose, sample, epoch, np.uint32(k), np.uint32(0))
            firsts[k], seconds[k], firsts[blocks + k], seconds[blocks + k] = a, b, c, d
        _interleave(firsts, seconds, one, two, drawn)
        for at in range(n):
            out[row, at] = x[row, at] + deviation * drawn[at]


def add_noise(x: Floats, deviation: float, keys: RowKeys, out: Floats) -> None:
    """out = x + normal noise of this standard deviation; float32 (m, n). Deep Learning, 7.5."""
    key = np.uint32(keys.seed), np.uint32(Purpose.INPUT_NOISE)
    _add_noise(*key, keys.samples, each(keys.epoch, len(x)), np.float32(deviation), x, out)


STRETCH = 512  # blocks of four draws that are made at a time: their arrays stay in the nearest cache


@kernel
def _add_weight_noise(
    seed: U32, purpose: U32, step: U32, deviation: F32, first: int, view: In[F32], out: Out[F32]
) -> None:
    firsts, seconds = np.empty(2 * STRETCH, np.uint32), np.empty(2 * STRETCH, np.uint32)
    one, two, drawn = np.empty(2 * STRETCH), np.empty(2 * STRETCH), np.empty(4 * STRETCH, np.float32)
    zero, end = np.uint32(0), first + view.shape[0]
    for begin in range(first // 4, (end + 3) // 4, STRETCH):
        for k in range(STRETCH):
            a, b, c, d = philox(seed, purpose, np.uint32(begin + k), step, zero, zero)
            firsts[k], seconds[k], firsts[STRETCH + k], seconds[STRETCH + k] = a, b, c, d
        _interleave(firsts, seconds, one, two, drawn)
        low, high = max(first, 4 * begin), min(end, 4 * (begin + STRETCH))
        noise, before = drawn[low - 4 * begin : high - 4 * begin], view[low - first : high - first]
        after = out[low - first : high - first]
        for k in range(noise.shape[0]):
            after[k] = before[k] + deviation * noise[k]


def add_weight_noise(
    view: Floats, deviation: float, seed: int, step: int, layout: Layout, out: Floats, at: int = 0
) -> Floats:
    """The view plus normal noise on each weight, biases spared, drawn once per step; `out` may be the view. at: the
    index of the first element, where these are a part of the flat vector."""
    key = np.uint32(seed), np.uint32(Purpose.WEIGHT_NOISE)
    for begin, end, decays in layout.runs(at, at + len(view)):
        here = slice(begin - at, end - at)
        if decays:
            _add_weight_noise(*key, np.uint32(step), np.float32(deviation), begin, view[here], out[here])
        elif out is not view:
            out[here] = view[here]
    return out
