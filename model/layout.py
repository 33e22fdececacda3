"""Where each layer's weights and biases lie in the one flat vector of the network."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from millrace.errors import UsageError
from millrace.model.options import check_size

Floats = npt.NDArray[np.float32]

LARGEST = 1 << 31  # parameters: 8 GiB of float32


@dataclass(frozen=True)
class ParameterBlock:
    """One array of parameters inside the flat vector: elements [begin, end), row-major.

    decays: whether the L2 penalty applies (weights: yes; biases, gains, shifts: no).
    """

    name: str
    begin: int
    shape: tuple[int, ...]
    decays: bool

    @property
    def end(self) -> int:
        size = 1
        for length in self.shape:
            size *= length
        return self.begin + size

    def view(self, flat: Floats) -> Floats:
        """The block as an array of its shape that shares the memory of `flat`."""
        return flat[self.begin : self.end].reshape(self.shape)


@dataclass(frozen=True)
class Layer:
    """A dense layer: `weight` of shape (inputs, units), then `bias` of shape (units,)."""

    inputs: int
    units: int
    weight: ParameterBlock
    bias: ParameterBlock


@dataclass(frozen=True)
class Norm:
    """A layer normalisation: `gain` and `shift`, both of shape (units,)."""

    gain: ParameterBlock
    shift: ParameterBlock


@dataclass(frozen=True)
class Layout:
    """The dense layers of a network in order, and its normalisations; `blocks` tile the flat vector without gaps."""

    layers: tuple[Layer, ...]
    norms: tuple[Norm, ...] = ()

    @cached_property
    def blocks(self) -> tuple[ParameterBlock, ...]:
        dense = [block for layer in self.layers for block in (layer.weight, layer.bias)]
        norms = [block for norm in self.norms for block in (norm.gain, norm.shift)]
        return tuple(sorted([*dense, *norms], key=lambda block: block.begin))

    @property
    def parameters(self) -> int:
        """The length of the flat vector."""
        return self.blocks[-1].end

    def views(self, flat: Floats) -> list[tuple[Floats, Floats]]:
        """(W, b) of each layer as views of the flat vector: shapes (inputs, units) and (units,)."""
        return [(layer.weight.view(flat), layer.bias.view(flat)) for layer in self.layers]

    def runs(self, begin: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """The elements [begin, end) in pieces (begin, end, decays) that each lie in one block."""
        for block in self.blocks:
            low, high = max(begin, block.begin), min(end, block.end)
            if low < high:
                yield low, high, block.decays


class LayoutBuilder:
    """Lays a network out, block after block."""

    def __init__(self) -> None:
        self._layers: list[Layer] = []
        self._norms: list[Norm] = []
        self._at = 0

    def _block(self, name: str, *shape: int, decays: bool = False) -> ParameterBlock:
        block = ParameterBlock(name, self._at, shape, decays)
        self._at = block.end
        return block

    def dense(self, inputs: int, units: int) -> Layer:
        """The next dense layer."""
        for size in (inputs, units):
            check_size("a layer", size)
        number = len(self._layers)
        weight = self._block(f"{number}.weight", inputs, units, decays=True)
        self._layers.append(Layer(inputs, units, weight, self._block(f"{number}.bias", units)))
        return self._layers[-1]

    def norm(self, units: int) -> Norm:
        """The next layer normalisation."""
        number = len(self._norms)
        gain = self._block(f"norm {number}.gain", units)
        self._norms.append(Norm(gain, self._block(f"norm {number}.shift", units)))
        return self._norms[-1]

    def layout(self) -> Layout:
        """What was laid out; UsageError where it is too large."""
        if self._at > LARGEST:
            raise UsageError(
                "the network is too large",
                expected=f"at most {LARGEST} parameters",
                got=self._at,
                do="make the hidden layers smaller",
            )
        return Layout(tuple(self._layers), tuple(self._norms))


def dense(sizes: tuple[int, ...]) -> Layout:
    """The layout of a perceptron with these numbers of inputs, hidden units and outputs.

    (784, 999, 299, 10) has 1,086,215 parameters. UsageError where a size does not fit.
    """
    builder = LayoutBuilder()
    for inputs, units in pairwise(sizes):
        builder.dense(inputs, units)
    return builder.layout()
