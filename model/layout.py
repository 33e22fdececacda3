"""Where each layer's weights and biases lie in the one flat vector of the network."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from errors import UsageError
from model.options import check_size

Floats = npt.NDArray[np.float32]

LARGEST = 1 << 31  # parameters: 8 GiB of float32


@dataclass(frozen=True)
class Block:
    """One array of parameters inside the flat vector: elements [begin, end), row-major.

    decays: whether the L2 penalty applies (weights: yes, biases: no).
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
    weight: Block
    bias: Block


@dataclass(frozen=True)
class Layout:
    """The layers of a network in order; `blocks` tile the flat vector without gaps."""

    layers: tuple[Layer, ...]

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(block for layer in self.layers for block in (layer.weight, layer.bias))

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


def dense(sizes: tuple[int, ...]) -> Layout:
    """The layout of a perceptron with these numbers of inputs, hidden units and outputs.

    (784, 999, 299, 10) has 1,086,215 parameters. UsageError where a size does not fit.
    """
    for size in sizes:
        check_size("a layer", size)
    layers, at = [], 0
    for number, (inputs, units) in enumerate(pairwise(sizes)):
        weight = Block(f"{number}.weight", at, (inputs, units), decays=True)
        bias = Block(f"{number}.bias", weight.end, (units,), decays=False)
        layers.append(Layer(inputs, units, weight, bias))
        at = bias.end
    if at > LARGEST:
        raise UsageError(
            "the network is too large",
            expected=f"at most {LARGEST} parameters",
            got=at,
            do="make the hidden layers smaller",
        )
    return Layout(tuple(layers))
