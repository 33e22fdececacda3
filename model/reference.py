"""The perceptron as a textbook would write it: plain NumPy, any float type. The fast path is tested against it."""

from typing import Any

import numpy as np
import numpy.typing as npt

from model.layout import Layout

Array = npt.NDArray[np.floating[Any]]


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
