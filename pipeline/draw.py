"""Draws: the augmentation parameters of each sample, and the matrix that they compose.

A parameter is drawn in float64 and rounded to float32; the matrix is composed in float64 from the rounded
values and rounded to float32. So the parameters that a batch carries decide its pixels entirely, but for elastic
fields and erased rectangles, which are drawn apart (`pipeline.elastic`, `pipeline.erase`).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from millrace.compiled import F32, F64, I64, U32, In, In2, Out2, kernel
from millrace.counters import Purpose, check_seed, each, lane, philox
from millrace.elementary import cos, sin
from millrace.pipeline.policy import Policy
from millrace.pipeline.visited import PARAMETER_NAMES, F32Array

# The columns of a parameter row are PARAMETER_NAMES. Words of the counter blocks: block 0 gives dx, dy, angle, scale_x;
# block 1 gives scale_y, shear, flip and one word to spare. Append only.
RADIANS_PER_DEGREE = 0.017453292519943295


class Draws(NamedTuple):
    """parameters: float32 (n, 7) in the order of PARAMETER_NAMES; dx, dy in pixels (right, down positive), angle in
    degrees (counter-clockwise positive), scale as magnification, shear as shift per row, flip 0 or 1.
    matrices: float32 (n, 6): source x = m0·x + m1·y + m2, source y = m3·x + m4·y + m5."""

    parameters: F32Array
    matrices: F32Array


@kernel
def _draw(
    seed: U32, purpose: U32, samples: In[I64], epochs: In[U32], where: U32, ranges: In[F64], out: Out2[F32]
) -> None:
    cell = 2.0**-32
    for row in range(samples.shape[0]):
        sample, epoch = np.uint32(samples[row]), epochs[row]
        a, b, c, d = philox(seed, purpose, sample, epoch, np.uint32(0), where)
        e, f, g, _ = philox(seed, purpose, sample, epoch, np.uint32(1), where)
        # Adding zero turns the −0 of a range without extent into 0.
        out[row, 0] = ranges[0] * (2.0 * ((np.float64(a) + 0.5) * cell) - 1.0) + 0.0
        out[row, 1] = ranges[1] * (2.0 * ((np.float64(b) + 0.5) * cell) - 1.0) + 0.0
        out[row, 2] = ranges[2] * (2.0 * ((np.float64(c) + 0.5) * cell) - 1.0) + 0.0
        out[row, 3] = ranges[3] + (ranges[4] - ranges[3]) * ((np.float64(d) + 0.5) * cell)
        out[row, 4] = ranges[3] + (ranges[4] - ranges[3]) * ((np.float64(e) + 0.5) * cell)
        out[row, 5] = ranges[5] * (2.0 * ((np.float64(f) + 0.5) * cell) - 1.0) + 0.0
        out[row, 6] = 1.0 if (np.float64(g) + 0.5) * cell < ranges[6] else 0.0


@kernel
def _compose(parameters: In2[F32], center_x: float, center_y: float, out: Out2[F32]) -> None:
    for row in range(parameters.shape[0]):
        turn = np.float64(parameters[row, 2]) * RADIANS_PER_DEGREE
        cosine, sine = cos(turn), sin(turn)
        shear = np.float64(parameters[row, 5])
        # The way back, from output to source: undo the shift, the turn, the shear, the scale, the mirror.
        across = 1.0 / np.float64(parameters[row, 3])
        if parameters[row, 6] != 0.0:
            across = -across
        down = 1.0 / np.float64(parameters[row, 4])
        m0 = across * (cosine - shear * sine)
        m1 = across * (-sine - shear * cosine)
        m3 = down * sine
        m4 = down * cosine
        shift_x = center_x + np.float64(parameters[row, 0])
        shift_y = center_y + np.float64(parameters[row, 1])
        out[row, 0] = m0
        out[row, 1] = m1
        out[row, 2] = center_x - (m0 * shift_x + m1 * shift_y)
        out[row, 3] = m3
        out[row, 4] = m4
        out[row, 5] = center_y - (m3 * shift_x + m4 * shift_y)


def draw(
    policy: Policy,
    samples: npt.NDArray[np.int64],
    *,
    height: int,
    width: int,
    seed: int,
    epoch: npt.ArrayLike,
    split: int = 0,
    replica: int = 0,
) -> Draws:
    """The parameters and matrices of samples (ids, int64, shape (n,)) in an epoch, a pure function of its arguments.
    epoch: one number, or one for each sample, where some come again within an epoch (`pipeline.balance`)."""
    ranges = np.array(
        [
            policy.translate * width,
            policy.translate * height,
            policy.rotate,
            policy.scale[0],
            policy.scale[1],
            policy.shear,
            policy.flip,
        ],
        np.float64,
    )
    parameters = np.empty((len(samples), len(PARAMETER_NAMES)), np.float32)
    key, where = np.uint32(check_seed(seed)), np.uint32(lane(split=split, replica=replica))
    ids = np.ascontiguousarray(samples, np.int64)
    _draw(key, np.uint32(Purpose.AUGMENT), ids, each(epoch, len(ids)), where, ranges, parameters)
    return Draws(parameters, compose(parameters, height=height, width=width))


def compose(parameters: F32Array, *, height: int, width: int) -> F32Array:
    """The 2×3 matrices about the image centre ((W−1)/2, (H−1)/2) that parameter rows stand for: float32 (n, 6).

    The image is mirrored, scaled, sheared, turned and shifted, in this order; the matrix is the inverse of that,
    since the warp asks for the source of each output pixel.
    """
    matrices = np.empty((len(parameters), 6), np.float32)
    _compose(np.ascontiguousarray(parameters), (width - 1) / 2, (height - 1) / 2, matrices)
    return matrices
