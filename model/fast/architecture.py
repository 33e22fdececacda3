"""From options to a network's parts and the layout of its weights."""

from typing import NamedTuple

from millrace.model.fast.activations import ACTIVATIONS, LINEAR
from millrace.model.fast.parts import Activate, Chain, Dense, Dropout, InputNoise, LayerNorm, Part, Skip
from millrace.model.layout import Layer, Layout, LayoutBuilder
from millrace.model.options import NetworkOptions, RegularizationOptions


class Architecture(NamedTuple):
    """chain: all parts, the last of them the output layer without its bias; output: that layer."""

    layout: Layout
    chain: Chain
    output: Layer


def build(
    options: NetworkOptions, regularization: RegularizationOptions, inputs: int, classes: int, rows: int
) -> Architecture:
    """The parts of a perceptron in order, for passes of up to `rows` rows. UsageError where a size does not fit."""
    layout = LayoutBuilder()
    parts: list[Part] = []
    if regularization.input_noise:
        parts.append(InputNoise(regularization.input_noise, inputs, rows))
    if regularization.input_dropout:
        parts.append(Dropout(regularization.input_dropout, 0, inputs, rows))
    units = inputs
    for number, width in enumerate(options.hidden, start=1):
        if not options.skip:
            parts += _hidden(layout, options, units, width, rows, first=number == 1)
            parts += _dropout(regularization, number, width, rows)
        elif number == 1:
            parts.append(Dense(layout.dense(inputs, width), LINEAR, rows, first=True))
        else:
            parts.append(_block(layout, options, regularization, number, width, rows))
        units = width
    output = layout.dense(units, classes)
    parts.append(Dense(output, None, rows, first=not options.hidden))
    return Architecture(layout.layout(), Chain(parts), output)


def text(options: NetworkOptions, inputs: int, classes: int) -> str:
    """The model in words, as checkpoints compare it: "784-999-299-10 relu"."""
    sizes = [str(inputs), *map(str, options.hidden), str(classes)]
    if options.skip:
        width, blocks = options.hidden[0], len(options.hidden) - 1
        sizes[1:-1] = [str(width), f"({width * options.expansion}-{width})×{blocks}"]
    norm = "" if options.norm == "none" else f" {options.norm}-norm"
    return f"{'-'.join(sizes)} {options.activation}{norm}"


def _hidden(
    layout: LayoutBuilder, options: NetworkOptions, inputs: int, units: int, rows: int, *, first: bool
) -> list[Part]:
    """One hidden layer: g(x W + b), or with layer normalisation g(norm(x W + b))."""
    activation = ACTIVATIONS[options.activation]
    layer = layout.dense(inputs, units)
    if options.norm == "none":
        return [Dense(layer, activation, rows, first=first)]
    return [
        Dense(layer, LINEAR, rows, first=first),
        LayerNorm(layout.norm(units), rows),
        Activate(activation, units, rows),
    ]


def _block(
    layout: LayoutBuilder,
    options: NetworkOptions,
    regularization: RegularizationOptions,
    number: int,
    width: int,
    rows: int,
) -> Part:
    """x + W₂ g(W₁ norm(x) + b₁) + b₂ with an inverted bottleneck: Bachmann, Anagnostidis, Hofmann 2023, Scaling MLPs.

    Dropout, where asked for, is between the two layers.
    """
    wide = width * options.expansion
    norm = [LayerNorm(layout.norm(width), rows)] if options.norm == "layer" else []
    inner = Dense(layout.dense(width, wide), ACTIVATIONS[options.activation], rows, first=False)
    dropped = _dropout(regularization, number, wide, rows)
    return Skip(Chain([*norm, inner, *dropped, Dense(layout.dense(wide, width), LINEAR, rows, first=False)]))


def _dropout(regularization: RegularizationOptions, number: int, units: int, rows: int) -> list[Part]:
    return [Dropout(regularization.dropout, number, units, rows)] if regularization.dropout else []
