"""First weights, drawn by counter: parameter p of the flat vector uses word p of the stream INITIAL."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from millrace.counters import Purpose, uniform, words
from millrace.elementary import normals
from millrace.model.layout import Floats, Layout

Draw = npt.NDArray[np.float64]


def _gaussian(inputs: int, units: int) -> float:
    return math.sqrt(1 / inputs)


def _he(inputs: int, units: int) -> float:
    return math.sqrt(2 / inputs)


def _uniform(inputs: int, units: int) -> float:
    return math.sqrt(1 / inputs)


def _glorot(inputs: int, units: int) -> float:
    return math.sqrt(6 / (inputs + units))


# Per name: whether the draw is normal, and the standard deviation (normal) or the half width (uniform).
INITIALIZERS: dict[str, tuple[bool, Callable[[int, int], float]]] = {
    "gaussian": (True, _gaussian),
    "uniform": (False, _uniform),
    "glorot": (False, _glorot),
    "he": (True, _he),
}


def initial(name: str, layout: Layout, seed: int) -> Floats:
    """The first weights of a network: flat float32; biases and shifts are zero, gains one.

    With m inputs and k units of a layer: gaussian N(0, 1/m); uniform U(−1/√m, 1/√m); glorot
    U(−√(6/(m+k)), √(6/(m+k))) (Deep Learning, equation 8.23); he N(0, 2/m) (He et al. 2015).
    Drawn in float64 from the counters (parameter block, 0, 0, 0), a block being four parameters.
    """
    normal, width = INITIALIZERS[name]
    drawn = words(seed, Purpose.INITIAL, np.arange(-(-layout.parameters // 4)))
    units: Draw = (normals(drawn) if normal else 2.0 * uniform(drawn) - 1.0).reshape(-1)
    flat = np.zeros(layout.parameters, np.float32)
    for layer in layout.layers:
        span = slice(layer.weight.begin, layer.weight.end)
        flat[span] = units[span] * width(layer.inputs, layer.units)
    for norm in layout.norms:
        flat[norm.gain.begin : norm.gain.end] = 1
    return flat
