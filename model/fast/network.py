"""The multilayer perceptron as training runs it: checks, memory, and the fused kernels in their order.

What it computes is written out in `model.network`, in plain NumPy; both are equal bit for bit."""

from typing import NamedTuple

import numpy as np

from millrace.errors import UsageError
from millrace.labels import Labels, label_type
from millrace.model.fast.architecture import build, text
from millrace.model.fast.losses import softmax_cross_entropy
from millrace.model.fast.mixup import UNMIXED, Mixed, mix
from millrace.model.fast.noise import RowKeys
from millrace.model.fast.parts import Chain
from millrace.model.initializers import initial
from millrace.model.layout import Floats, Layer
from millrace.model.options import NetworkOptions, RegularizationOptions

__all__ = ["Labels", "Network", "RowKeys", "SlotResult", "Workspace"]


class SlotResult(NamedTuple):
    """loss: the float64 sum over the rows, in row order; correct: how many rows were classified right."""

    loss: float
    correct: int


class Workspace:
    """The parts and arrays of forward and backward passes of up to `rows` rows; one per thread."""

    def __init__(self, chain: Chain, classes: int, rows: int, blended: tuple[int, int] = (0, 0)) -> None:
        self.chain, self.rows = chain, rows
        self.blend, self.mixed = np.empty(blended, np.float32), Mixed.empty(blended[0])
        self.scratch = np.empty(classes)
        self.measures = np.empty(2)


class Network:
    """A perceptron of any depth with softmax output: x → g(x W₁ + b₁) → … → x W + b.

    options: hidden layers, activation, first weights. inputs, classes: the width of x and of the output
    (classes at most 65,536, as labels are uint8 or uint16). regularization: what `gradient` draws and smooths; no other
    method does. UsageError where a size does not fit.

    The weights live outside, in one flat float32 vector: per layer W (inputs, units) row-major, then b, and the gains
    and shifts of normalisations where they act. All methods may run in several threads at once, each with its own
    workspace and `out`.
    """

    def __init__(
        self,
        options: NetworkOptions,
        inputs: int,
        classes: int,
        regularization: RegularizationOptions | None = None,
    ) -> None:
        label_type(classes)
        self.options, self.inputs, self.classes = options, inputs, classes
        self.regularization = regularization or RegularizationOptions()
        self.layout, _, self._output = build(options, self.regularization, inputs, classes, rows=0)

    @property
    def parameters(self) -> int:
        """The length of the flat vector."""
        return self.layout.parameters

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Offsets and shapes of the dense layers in the flat vector."""
        return self.layout.layers

    @property
    def text(self) -> str:
        """The model in words, as checkpoints compare it: sizes and activation, "784-999-299-10 relu"."""
        return text(self.options, self.inputs, self.classes)

    @property
    def random(self) -> bool:
        """Whether `gradient` has random layers or mixup, which draw from the keys of the rows."""
        r = self.regularization
        return bool(r.dropout or r.input_dropout or r.input_noise or r.mixup)

    def views(self, flat: Floats) -> list[tuple[Floats, Floats]]:
        """(W, b) of each dense layer as views of the flat vector."""
        self._check_flat("the weights", flat)
        return self.layout.views(flat)

    def initial(self, seed: int) -> Floats:
        """The first weights: flat float32, a function of options and seed."""
        return initial(self.options.initializer, self.layout, seed)

    def workspace(self, rows: int) -> Workspace:
        """Arrays for passes of up to `rows` rows."""
        blended = (rows, self.inputs) if self.regularization.mixup else (0, 0)
        chain = build(self.options, self.regularization, self.inputs, self.classes, rows).chain
        return Workspace(chain, self.classes, rows, blended)

    def gradient(
        self, flat: Floats, x: Floats, y: Labels, out: Floats, workspace: Workspace, keys: RowKeys | None = None
    ) -> SlotResult:
        """The summed gradient of the rows' losses with respect to every parameter.

        flat: float32 (parameters,), only read. x: float32 (m, inputs), C-contiguous, m up to the workspace's rows, only
        read. y: uint8 or uint16 (m,), below classes. out: float32 (parameters,), overwritten with the *sum* over the
        rows of ∂loss/∂parameter, laid out as the weights are. keys: what random layers and mixup draw from; without
        them they do nothing. Label smoothing and mixup count in the loss and its gradient; a blended row is right where
        the label of its larger part is found.

        Back-propagation as in Deep Learning, algorithm 6.4. The bits depend on flat, x, y, keys, the build
        of BLAS and on its number of threads: run it under one BLAS thread.
        """
        self._check_flat("the weights", flat)
        self._check_flat("the gradient", out)
        self._check_rows(x, y, workspace)
        mixed = UNMIXED
        if keys is not None and self.regularization.mixup:
            blend, mixed = workspace.blend[: len(x)], workspace.mixed.first(len(x))
            mix(x, y, self.regularization.mixup, keys, mixed, blend)
            x = blend
        product = workspace.chain.forward(flat, x, keys)
        result = self._loss(product, flat, y, workspace, self._output.bias.view(out), mixed)
        workspace.chain.backward(flat, product, out)
        return result

    def measure(self, flat: Floats, x: Floats, y: Labels, workspace: Workspace) -> SlotResult:
        """Loss and right answers of the rows, without gradient, draws, smoothing, mixup; else as `gradient`."""
        self._check_flat("the weights", flat)
        self._check_rows(x, y, workspace)
        product = workspace.chain.forward(flat, x, None)
        return self._loss(product, flat, y, workspace, None)

    def logits(self, flat: Floats, x: Floats, workspace: Workspace | None = None) -> Floats:
        """The network's outputs before the softmax: float32 (m, classes), an array of the caller's own."""
        workspace = workspace or self.workspace(len(x))
        self._check_flat("the weights", flat)
        self._check_rows(x, None, workspace)
        return workspace.chain.forward(flat, x, None) + self._output.bias.view(flat)

    def _loss(
        self,
        product: Floats,
        flat: Floats,
        y: Labels,
        workspace: Workspace,
        gradient: Floats | None,
        mixed: Mixed = UNMIXED,
    ) -> SlotResult:
        """Loss of the last layer's product, which is overwritten with its delta where a gradient is wanted."""
        backward = gradient is not None
        target = gradient if gradient is not None else product[0]
        smoothing = self.regularization.label_smoothing if backward else 0.0
        bias, measures = self._output.bias.view(flat), workspace.measures
        wide = y.astype(np.uint16, copy=False)
        softmax_cross_entropy(product, bias, wide, backward, target, workspace.scratch, measures, smoothing, *mixed)
        return SlotResult(float(measures[0]), int(measures[1]))

    def _check_flat(self, what: str, flat: Floats) -> None:
        if flat.shape != (self.parameters,) or flat.dtype != np.float32 or not flat.flags.c_contiguous:
            raise UsageError(
                f"{what} do not fit the network {self.text}",
                expected=f"contiguous float32 of shape ({self.parameters},)",
                got=f"{flat.dtype} of shape {flat.shape}",
            )

    def _check_rows(self, x: Floats, y: Labels | None, workspace: Workspace) -> None:
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
        if y is not None and (y.shape != (rows,) or y.dtype not in (np.uint8, np.uint16) or y.max() >= self.classes):
            raise UsageError(
                "the labels do not fit",
                expected=f"uint8 or uint16 of shape ({rows},), below {self.classes}",
                got=f"{y.dtype} of shape {y.shape}, up to {y.max(initial=0)}",
            )
