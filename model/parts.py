"""The parts of a network: each goes forward, and back by hand. They hold no weights and no arrays of their own."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from millrace.model import normalization
from millrace.model.activations import Activation
from millrace.model.layout import Floats, Layer, Norm
from millrace.model.noise import Draws, add_noise, drop, drop_back


@dataclass
class Memory:
    """What a part keeps between forward and backward, for up to a number of rows; one per thread.

    main: the output, float32 (rows, units). sums: what an activation keeps beside it. behind: the gradient by the
    input. extra: flat arrays. kept: which units dropout kept; by: its factor. parts: memories of parts within; trace:
    their inputs.
    """

    main: Floats = field(default_factory=lambda: np.empty((0, 0), np.float32))
    sums: Floats = field(default_factory=lambda: np.empty((0, 0), np.float32))
    behind: Floats = field(default_factory=lambda: np.empty((0, 0), np.float32))
    extra: tuple[Floats, ...] = ()
    lanes: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(normalization.LANES))
    kept: npt.NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, 0), np.uint8))
    by: np.float32 | None = None
    parts: "list[Memory]" = field(default_factory=list)
    trace: list[Floats] = field(default_factory=list)


class Part(ABC):
    """x ↦ y on float32 (m, units). `forward` may write to x unless it is the network's input (see each part);
    `backward` may write to delta, and gives the gradient by x, or delta itself where nobody asks for it."""

    @abstractmethod
    def memory(self, rows: int) -> Memory:
        """Arrays for passes of up to `rows` rows."""

    @abstractmethod
    def forward(self, flat: Floats, x: Floats, memory: Memory, draws: Draws | None) -> Floats:
        """The output; float32 (m, units), valid until the next pass."""

    @abstractmethod
    def backward(self, flat: Floats, x: Floats, delta: Floats, memory: Memory, out: Floats) -> Floats:
        """Overwrite the part's blocks of `out` with their gradient; x is what `forward` was given."""


class Dense(Part):
    """g(x W + b). g None: x W alone, as the loss adds the last layer's bias and sums its gradient. first: nobody asks
    for the gradient by x. x is only read."""

    def __init__(self, layer: Layer, activation: Activation | None, *, first: bool) -> None:
        self._layer, self._activation, self._first = layer, activation, first

    def memory(self, rows: int) -> Memory:
        main = np.empty((rows, self._layer.units), np.float32)
        apart = self._activation is not None and not self._activation.in_place
        behind = np.empty((0 if self._first else rows, self._layer.inputs), np.float32)
        return Memory(main=main, sums=np.empty_like(main) if apart else main, behind=behind)

    def forward(self, flat: Floats, x: Floats, memory: Memory, draws: Draws | None) -> Floats:
        sums, main = memory.sums[: len(x)], memory.main[: len(x)]
        np.matmul(x, self._layer.weight.view(flat), out=sums)
        if self._activation is not None:
            self._activation.forward(sums, self._layer.bias.view(flat), main)
        return main

    def backward(self, flat: Floats, x: Floats, delta: Floats, memory: Memory, out: Floats) -> Floats:
        if self._activation is not None:
            sums, main = memory.sums[: len(x)], memory.main[: len(x)]
            self._activation.backward(delta, sums, main, self._layer.bias.view(out))
        np.matmul(x.T, delta, out=self._layer.weight.view(out))
        if self._first:
            return delta
        behind = memory.behind[: len(x)]
        np.matmul(delta, self._layer.weight.view(flat).T, out=behind)
        return behind


class LayerNorm(Part):
    """Layer normalisation; see `model.normalization`. x is only read."""

    def __init__(self, norm: Norm) -> None:
        self._norm, self._units = norm, norm.gain.shape[0]

    def memory(self, rows: int) -> Memory:
        shape = (rows, self._units)
        return Memory(np.empty(shape, np.float32), np.empty(shape, np.float32), extra=(np.empty(rows, np.float32),))

    def forward(self, flat: Floats, x: Floats, memory: Memory, draws: Draws | None) -> Floats:
        main, unit, inverse = memory.main[: len(x)], memory.sums[: len(x)], memory.extra[0][: len(x)]
        gain, shift = self._norm.gain.view(flat), self._norm.shift.view(flat)
        normalization.forward(x, gain, shift, memory.lanes, unit, inverse, main)
        return main

    def backward(self, flat: Floats, x: Floats, delta: Floats, memory: Memory, out: Floats) -> Floats:
        unit, inverse = memory.sums[: len(x)], memory.extra[0][: len(x)]
        gradients = self._norm.gain.view(out), self._norm.shift.view(out)
        normalization.backward(delta, unit, inverse, self._norm.gain.view(flat), memory.lanes, *gradients)
        return delta


class Activate(Part):
    """An activation on its own, without a bias: writes to x, which only a part that forgets its output may give."""

    def __init__(self, activation: Activation, units: int) -> None:
        self._activation, self._units = activation, units

    def memory(self, rows: int) -> Memory:
        apart = 0 if self._activation.in_place else rows
        extra = np.zeros(self._units, np.float32), np.empty(self._units, np.float32)
        return Memory(main=np.empty((apart, self._units), np.float32), extra=extra)

    def forward(self, flat: Floats, x: Floats, memory: Memory, draws: Draws | None) -> Floats:
        main = x if self._activation.in_place else memory.main[: len(x)]
        self._activation.forward(x, memory.extra[0], main)
        return main

    def backward(self, flat: Floats, x: Floats, delta: Floats, memory: Memory, out: Floats) -> Floats:
        main = x if self._activation.in_place else memory.main[: len(x)]
        self._activation.backward(delta, x, main, memory.extra[1])
        return delta


class Dropout(Part):
    """Leaves units out while there are draws, and does nothing without. layer: 0 for the inputs, else its number."""

    def __init__(self, probability: float, layer: int, units: int) -> None:
        self._probability, self._layer, self._units = probability, layer, units

    def memory(self, rows: int) -> Memory:
        shape = (rows, self._units)
        return Memory(main=np.empty(shape, np.float32), kept=np.empty(shape, np.uint8))

    def forward(self, flat: Floats, x: Floats, memory: Memory, draws: Draws | None) -> Floats:
        memory.by = None
        if draws is None:
            return x
        main, kept = memory.main[: len(x)], memory.kept[: len(x)]
        memory.by = drop(x, self._probability, self._layer, draws, kept, main)
        return main

    def backward(self, flat: Floats, x: Floats, delta: Floats, memory: Memory, out: Floats) -> Floats:
        if memory.by is not None:
            drop_back(delta, memory.kept[: len(x)], memory.by)
        return delta


class InputNoise(Part):
    """Adds noise to the network's inputs while there are draws. Nobody asks for the gradient by them."""

    def __init__(self, deviation: float, units: int) -> None:
        self._deviation, self._units = deviation, units

    def memory(self, rows: int) -> Memory:
        return Memory(main=np.empty((rows, self._units), np.float32))

    def forward(self, flat: Floats, x: Floats, memory: Memory, draws: Draws | None) -> Floats:
        if draws is None:
            return x
        add_noise(x, self._deviation, draws, memory.main[: len(x)])
        return memory.main[: len(x)]

    def backward(self, flat: Floats, x: Floats, delta: Floats, memory: Memory, out: Floats) -> Floats:
        return delta


class Chain(Part):
    """Parts one after the other."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = tuple(parts)

    def memory(self, rows: int) -> Memory:
        return Memory(parts=[part.memory(rows) for part in self._parts])

    def forward(self, flat: Floats, x: Floats, memory: Memory, draws: Draws | None) -> Floats:
        memory.trace.clear()
        for part, own in zip(self._parts, memory.parts, strict=True):
            memory.trace.append(x)
            x = part.forward(flat, x, own, draws)
        return x

    def backward(self, flat: Floats, x: Floats, delta: Floats, memory: Memory, out: Floats) -> Floats:
        for part, own, given in zip(reversed(self._parts), reversed(memory.parts), reversed(memory.trace), strict=True):
            delta = part.backward(flat, given, delta, own, out)
        return delta


class Skip(Part):
    """x + inner(x), where the last part within is a dense layer whose output nobody reads again. x is only read."""

    def __init__(self, inner: Part) -> None:
        self._inner = inner

    def memory(self, rows: int) -> Memory:
        return Memory(parts=[self._inner.memory(rows)])

    def forward(self, flat: Floats, x: Floats, memory: Memory, draws: Draws | None) -> Floats:
        y = self._inner.forward(flat, x, memory.parts[0], draws)
        return np.add(y, x, out=y)

    def backward(self, flat: Floats, x: Floats, delta: Floats, memory: Memory, out: Floats) -> Floats:
        behind = self._inner.backward(flat, x, delta, memory.parts[0], out)
        return np.add(behind, delta, out=behind)
