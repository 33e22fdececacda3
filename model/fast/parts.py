"""The parts of a network: each goes forward, and back by hand, in arrays of its own."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from millrace.model.fast import normalization
from millrace.model.fast.activations import Activation
from millrace.model.fast.noise import RowKeys, add_noise, drop, drop_back
from millrace.model.layout import Floats, Layer, Norm


class Part(ABC):
    """x ↦ y on float32 (m, units), m up to the `rows` that it was made for; holds no weights, and serves one thread.

    `forward` and `backward` may write to what they are given, but never to the network's input: see each part.
    """

    @abstractmethod
    def forward(self, flat: Floats, x: Floats, keys: RowKeys | None) -> Floats:
        """The output; float32 (m, units), valid until the next pass."""

    @abstractmethod
    def backward(self, flat: Floats, delta: Floats, out: Floats) -> Floats:
        """After `forward`: overwrite the part's blocks of `out` with their gradient; returns the gradient by x."""


class Dense(Part):
    """g(x W + b). g None: x W alone, as the loss adds the last layer's bias and sums its gradient. first: the gradient
    by x is not needed, and delta is returned. x is only read."""

    def __init__(self, layer: Layer, activation: Activation | None, rows: int, *, first: bool) -> None:
        self._layer, self._activation, self._first = layer, activation, first
        self._outputs = np.empty((rows, layer.units), np.float32)
        apart = activation is not None and not activation.in_place
        self._sums = np.empty_like(self._outputs) if apart else self._outputs
        self._input_gradient = np.empty((0 if first else rows, layer.inputs), np.float32)
        self._x = self._input_gradient

    def forward(self, flat: Floats, x: Floats, keys: RowKeys | None) -> Floats:
        self._x = x
        sums, outputs = self._sums[: len(x)], self._outputs[: len(x)]
        np.matmul(x, self._layer.weight.view(flat), out=sums)
        if self._activation is not None:
            self._activation.forward(sums, self._layer.bias.view(flat), outputs)
        return outputs

    def backward(self, flat: Floats, delta: Floats, out: Floats) -> Floats:
        x = self._x
        if self._activation is not None:
            sums, outputs = self._sums[: len(x)], self._outputs[: len(x)]
            self._activation.backward(delta, sums, outputs, self._layer.bias.view(out))
        np.matmul(x.T, delta, out=self._layer.weight.view(out))
        if self._first:
            return delta
        return np.matmul(delta, self._layer.weight.view(flat).T, out=self._input_gradient[: len(x)])


class LayerNorm(Part):
    """Layer normalisation; see `model.fast.normalization`. x is only read."""

    def __init__(self, norm: Norm, rows: int) -> None:
        self._norm = norm
        shape = (rows, norm.gain.shape[0])
        self._outputs, self._unit = np.empty(shape, np.float32), np.empty(shape, np.float32)
        self._inverse, self._lanes = np.empty(rows, np.float32), np.empty(normalization.LANES)

    def forward(self, flat: Floats, x: Floats, keys: RowKeys | None) -> Floats:
        outputs, unit, inverse = self._outputs[: len(x)], self._unit[: len(x)], self._inverse[: len(x)]
        gain, shift = self._norm.gain.view(flat), self._norm.shift.view(flat)
        normalization.forward(x, gain, shift, self._lanes, unit, inverse, outputs)
        return outputs

    def backward(self, flat: Floats, delta: Floats, out: Floats) -> Floats:
        unit, inverse = self._unit[: len(delta)], self._inverse[: len(delta)]
        gradients = self._norm.gain.view(out), self._norm.shift.view(out)
        normalization.backward(delta, unit, inverse, self._norm.gain.view(flat), self._lanes, *gradients)
        return delta


class Activate(Part):
    """An activation on its own, without a bias: writes to x, which only a part that forgets its output may give."""

    def __init__(self, activation: Activation, units: int, rows: int) -> None:
        self._activation = activation
        self._apart = np.empty((0 if activation.in_place else rows, units), np.float32)
        self._no_bias, self._unused = np.zeros(units, np.float32), np.empty(units, np.float32)
        self._sums = self._outputs = self._apart

    def forward(self, flat: Floats, x: Floats, keys: RowKeys | None) -> Floats:
        self._sums, self._outputs = x, x if self._activation.in_place else self._apart[: len(x)]
        self._activation.forward(self._sums, self._no_bias, self._outputs)
        return self._outputs

    def backward(self, flat: Floats, delta: Floats, out: Floats) -> Floats:
        self._activation.backward(delta, self._sums, self._outputs, self._unused)
        return delta


class Dropout(Part):
    """Leaves units out while there are keys, else does nothing. layer: 0 for the inputs, else its number. x is only
    read."""

    def __init__(self, probability: float, layer: int, units: int, rows: int) -> None:
        self._probability, self._layer = probability, layer
        self._outputs, self._kept = np.empty((rows, units), np.float32), np.empty((rows, units), np.uint8)
        self._factor: np.float32 | None = None  # None: nothing was left out

    def forward(self, flat: Floats, x: Floats, keys: RowKeys | None) -> Floats:
        self._factor = None
        if keys is None:
            return x
        outputs, kept = self._outputs[: len(x)], self._kept[: len(x)]
        self._factor = drop(x, self._probability, self._layer, keys, kept, outputs)
        return outputs

    def backward(self, flat: Floats, delta: Floats, out: Floats) -> Floats:
        if self._factor is not None:
            drop_back(delta, self._kept[: len(delta)], self._factor)
        return delta


class InputNoise(Part):
    """Adds noise to the network's inputs while there are keys; their gradient is not needed. x is only read."""

    def __init__(self, deviation: float, units: int, rows: int) -> None:
        self._deviation, self._outputs = deviation, np.empty((rows, units), np.float32)

    def forward(self, flat: Floats, x: Floats, keys: RowKeys | None) -> Floats:
        if keys is None:
            return x
        add_noise(x, self._deviation, keys, self._outputs[: len(x)])
        return self._outputs[: len(x)]

    def backward(self, flat: Floats, delta: Floats, out: Floats) -> Floats:
        return delta


class Chain(Part):
    """Parts one after the other."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = tuple(parts)

    def forward(self, flat: Floats, x: Floats, keys: RowKeys | None) -> Floats:
        for part in self._parts:
            x = part.forward(flat, x, keys)
        return x

    def backward(self, flat: Floats, delta: Floats, out: Floats) -> Floats:
        for part in reversed(self._parts):
            delta = part.backward(flat, delta, out)
        return delta


class Skip(Part):
    """x + inner(x), where the last part within is a dense layer whose output is not read again. x is only read."""

    def __init__(self, inner: Part) -> None:
        self._inner = inner

    def forward(self, flat: Floats, x: Floats, keys: RowKeys | None) -> Floats:
        y = self._inner.forward(flat, x, keys)
        return np.add(y, x, out=y)

    def backward(self, flat: Floats, delta: Floats, out: Floats) -> Floats:
        inner = self._inner.backward(flat, delta, out)
        return np.add(inner, delta, out=inner)
