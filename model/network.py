"""The multilayer perceptron: forward, loss and backpropagation by hand, on one flat vector of weights."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from errors import UsageError
from model.activations import ACTIVATIONS
from model.initializers import initial
from model.layout import Floats, Layer, dense
from model.losses import softmax_cross_entropy
from model.options import NetworkOptions

Labels = npt.NDArray[np.uint8]


class SlotResult(NamedTuple):
    """loss: the float64 sum over the rows, in row order; correct: how many rows were classified right."""

    loss: float
    correct: int


@dataclass(frozen=True)
class Draws:
    """What the random layers of a network draw from: the seed, the epoch and the sample id of each row.

    samples: int64 (m,). With these in a counter, a row's draws do not depend on the slot it lies in.
    """

    seed: int
    epoch: int
    samples: npt.NDArray[np.int64]


class Workspace:
    """The arrays that forward and backward passes of up to `rows` rows write to; one per thread."""

    def __init__(self, widths: tuple[int, ...], rows: int, *, in_place: bool) -> None:
        self.rows = rows
        self.outputs = [np.empty((rows, units), np.float32) for units in widths]
        # Activations whose slope needs their argument keep it in arrays of its own.
        self.sums = self.outputs if in_place else [np.empty_like(output) for output in self.outputs]
        self.deltas = [np.empty((rows, units), np.float32) for units in widths[:-1]]
        self.scratch = np.empty(widths[-1])
        self.measures = np.empty(2)


class Network:
    """A perceptron of any depth with softmax output: x → g(x W₁ + b₁) → … → x W + b.

    options: hidden layers, activation, first weights. inputs, classes: the width of x and of the output
    (classes at most 256, as labels are uint8). UsageError where a size does not fit.

    The weights live outside, in one flat float32 vector: per layer W (inputs, units) row-major, then b.
    All methods may run in several threads at once, each with its own workspace and `out`.
    """

    def __init__(self, options: NetworkOptions, inputs: int, classes: int) -> None:
        if classes > 256:
            raise UsageError("too many classes", expected="at most 256", got=classes)
        self.options, self.inputs, self.classes = options, inputs, classes
        self.layout = dense((inputs, *options.hidden, classes))
        self.activation = ACTIVATIONS[options.activation]

    @property
    def parameters(self) -> int:
        """The length of the flat vector."""
        return self.layout.parameters

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Offsets and shapes of the layers in the flat vector."""
        return self.layout.layers

    @property
    def text(self) -> str:
        """The model in words, as checkpoints compare it: sizes and activation, "784-999-299-10 relu"."""
        sizes = [self.inputs, *(layer.units for layer in self.layers)]
        return "-".join(map(str, sizes)) + f" {self.options.activation}"

    def views(self, flat: Floats) -> list[tuple[Floats, Floats]]:
        """(W, b) of each layer as views of the flat vector."""
        self._check_flat("the weights", flat)
        return self.layout.views(flat)

    def initial(self, seed: int) -> Floats:
        """The first weights: flat float32, a function of options and seed."""
        return initial(self.options.initializer, self.layout, seed)

    def workspace(self, rows: int) -> Workspace:
        """Arrays for passes of up to `rows` rows."""
        widths = tuple(layer.units for layer in self.layers)
        return Workspace(widths, rows, in_place=self.activation.in_place)

    def gradient(
        self, flat: Floats, x: Floats, y: Labels, out: Floats, workspace: Workspace, draws: Draws | None = None
    ) -> SlotResult:
        """The summed gradient of the rows' losses with respect to every parameter.

        flat: float32 (parameters,), only read. x: float32 (m, inputs), C-contiguous, m up to the workspace's rows.
        y: uint8 (m,), below classes. out: float32 (parameters,), overwritten with the *sum* over the rows of
        ∂loss/∂parameter, laid out as the weights are. draws: for random layers; this network has none.

        Back-propagation as in Deep Learning, algorithm 6.4. The bits depend on flat, x, y, the build
        of BLAS and on its number of threads: run it under one BLAS thread.
        """
        self._check_flat("the gradient", out)
        rows = self._check_rows(x, y, workspace)
        weights, gradients = self.views(flat), self.layout.views(out)
        inputs = self._forward(weights, x, workspace)
        delta = workspace.outputs[-1][:rows]
        result = self._loss(delta, weights[-1][1], y, workspace, gradients[-1][1])
        for number in reversed(range(len(weights))):
            np.matmul(inputs[number].T, delta, out=gradients[number][0])
            if number:
                below = number - 1
                behind = workspace.deltas[below][:rows]
                np.matmul(delta, weights[number][0].T, out=behind)
                sums, outputs = workspace.sums[below][:rows], workspace.outputs[below][:rows]
                self.activation.backward(behind, sums, outputs, gradients[below][1])
                delta = behind
        return result

    def measure(self, flat: Floats, x: Floats, y: Labels, workspace: Workspace) -> SlotResult:
        """Loss and right answers of the rows, without a gradient; arguments as for `gradient`."""
        rows = self._check_rows(x, y, workspace)
        weights = self.views(flat)
        self._forward(weights, x, workspace)
        return self._loss(workspace.outputs[-1][:rows], weights[-1][1], y, workspace, None)

    def logits(self, flat: Floats, x: Floats, workspace: Workspace | None = None) -> Floats:
        """The network's outputs before the softmax: float32 (m, classes), an array of the caller's own."""
        workspace = workspace or self.workspace(len(x))
        rows = self._check_rows(x, None, workspace)
        weights = self.views(flat)
        self._forward(weights, x, workspace)
        return workspace.outputs[-1][:rows] + weights[-1][1]

    def _forward(self, weights: list[tuple[Floats, Floats]], x: Floats, workspace: Workspace) -> list[Floats]:
        """The inputs of each layer; the last layer's product, without bias, is left in the workspace."""
        rows, inputs = len(x), [x]
        for (matrix, bias), sums, outputs in zip(weights[:-1], workspace.sums, workspace.outputs, strict=False):
            np.matmul(inputs[-1], matrix, out=sums[:rows])
            self.activation.forward(sums[:rows], bias, outputs[:rows])
            inputs.append(outputs[:rows])
        np.matmul(inputs[-1], weights[-1][0], out=workspace.outputs[-1][:rows])
        return inputs

    def _loss(
        self, product: Floats, bias: Floats, y: Labels, workspace: Workspace, gradient: Floats | None
    ) -> SlotResult:
        """Loss of the last layer's product, which is overwritten with its delta where a gradient is wanted."""
        backward = gradient is not None
        target = gradient if gradient is not None else product[0]
        measures = workspace.measures
        softmax_cross_entropy(product, bias, y, backward, target, workspace.scratch, measures)
        return SlotResult(float(measures[0]), int(measures[1]))

    def _check_flat(self, what: str, flat: Floats) -> None:
        if flat.shape != (self.parameters,) or flat.dtype != np.float32 or not flat.flags.c_contiguous:
            raise UsageError(
                f"{what} do not fit the network {self.text}",
                expected=f"contiguous float32 of shape ({self.parameters},)",
                got=f"{flat.dtype} of shape {flat.shape}",
            )

    def _check_rows(self, x: Floats, y: Labels | None, workspace: Workspace) -> int:
        rows = len(x)
        # Other orders and types would be computed without BLAS, with other bits.
        if x.shape != (rows, self.inputs) or x.dtype != np.float32 or not x.flags.c_contiguous:
            raise UsageError(
                f"the inputs do not fit the network {self.text}",
                expected=f"C-contiguous float32 of shape (rows, {self.inputs})",
                got=f"{x.dtype} of shape {x.shape}",
            )
        if not 1 <= rows <= workspace.rows:
            raise UsageError("the workspace does not fit", expected=f"1 to {workspace.rows} rows", got=rows)
        if y is not None and (y.shape != (rows,) or y.dtype != np.uint8 or y.max() >= self.classes):
            raise UsageError(
                "the labels do not fit",
                expected=f"uint8 of shape ({rows},), below {self.classes}",
                got=f"{y.dtype} of shape {y.shape}, up to {y.max(initial=0)}",
            )
        return rows
