"""The perceptron as a textbook would write it: plain NumPy, any float type. The fast path is tested against it."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import erf

from millrace.model.layout import Layout, Norm
from millrace.model.options import NetworkOptions

Array = npt.NDArray[np.floating[Any]]
FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda z: np.maximum(z, 0),
    "leaky-relu": lambda z: np.where(z < 0, 0.01 * z, z),
    "gelu": lambda z: z * (0.5 + 0.5 * erf(z / np.sqrt(2))),
    "tanh": np.tanh,
}


def forward(layout: Layout, flat: Array, x: Array) -> list[Array]:
    """The input, the output of each hidden layer, and the logits: arrays of shape (m, units)."""
    activations = [x]
    for number, layer in enumerate(layout.layers):
        weight, bias = layer.weight.view(flat), layer.bias.view(flat)
        z = activations[-1] @ weight + bias
        activations.append(z if number == len(layout.layers) - 1 else np.maximum(z, 0))
    return activations


def softmax(logits: Array) -> Array:
    """Probabilities (m, classes): positive, rows of sum 1."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def loss(layout: Layout, flat: Array, x: Array, y: npt.NDArray[Any]) -> float:
    """The cross-entropy −log p(label), summed over the rows."""
    logits = forward(layout, flat, x)[-1]
    logits = logits - logits.max(axis=1, keepdims=True)
    picked = logits[np.arange(len(y)), y]
    return float(np.sum(np.log(np.exp(logits).sum(axis=1)) - picked))


def gradient(layout: Layout, flat: Array, x: Array, y: npt.NDArray[Any]) -> Array:
    """∂loss/∂parameter, summed over the rows, laid out as `flat`: Deep Learning, algorithm 6.4, for ReLU."""
    activations = forward(layout, flat, x)
    out = np.empty_like(flat)
    delta = softmax(activations[-1])
    delta[np.arange(len(y)), y] -= 1
    for number in reversed(range(len(layout.layers))):
        layer = layout.layers[number]
        out[layer.weight.begin : layer.weight.end] = (activations[number].T @ delta).reshape(-1)
        out[layer.bias.begin : layer.bias.end] = delta.sum(axis=0)
        if number:
            delta = (delta @ layer.weight.view(flat).T) * (activations[number] > 0)
    return out


def normalised(norm: Norm, flat: Array, x: Array) -> Array:
    """Layer normalisation (Ba, Kiros, Hinton 2016): rows of mean 0 and deviation 1, then gain and shift."""
    off = x - x.mean(axis=1, keepdims=True)
    unit = off / np.sqrt((off * off).mean(axis=1, keepdims=True) + 1e-5)
    gain, shift = flat[norm.gain.begin : norm.gain.end], flat[norm.shift.begin : norm.shift.end]
    return np.asarray(unit * gain + shift)


def logits(options: NetworkOptions, layout: Layout, flat: Array, x: Array, factors: Mapping[int, Array]) -> Array:
    """The logits (m, classes) of any network. factors: what dropout multiplies hidden layer k by; none: absent."""
    g, layers, norms = FUNCTIONS[options.activation], iter(layout.layers), iter(layout.norms)

    def affine(z: Array) -> Array:
        layer = next(layers)
        return z @ layer.weight.view(flat) + layer.bias.view(flat)

    def norm(z: Array) -> Array:
        return normalised(next(norms), flat, z) if options.norm == "layer" else z

    for number in range(1, len(options.hidden) + 1):
        if options.skip and number == 1:
            x = affine(x)
        elif options.skip:
            x = x + affine(g(affine(norm(x))) * factors.get(number, 1.0))
        else:
            x = g(norm(affine(x))) * factors.get(number, 1.0)
    return affine(x)


def smoothed_loss(logits: Array, target: Array, smoothing: float) -> float:
    """The cross-entropy with 1 − ε of the target (m, classes; rows of sum 1) plus ε/classes, summed over the rows."""
    target = target * (1 - smoothing) + smoothing / logits.shape[1]
    return float(-np.sum(target * np.log(softmax(logits))))
