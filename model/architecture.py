"""From options to a network's parts and the layout of its weights."""

from typing import NamedTuple

from millrace.model.activations import ACTIVATIONS, LINEAR
from millrace.model.layout import Layer, Layout, Plan
from millrace.model.options import NetworkOptions, RegularizationOptions
from millrace.model.parts import Activate, Chain, Dense, Dropout, InputNoise, LayerNorm, Part, Skip


class Architecture(NamedTuple):
    """chain: all parts, the last of them the output layer without its bias; output: that layer."""

    layout: Layout
    chain: Chain
    output: Layer


def build(options: NetworkOptions, regularization: RegularizationOptions, inputs: int, classes: int) -> Architecture:
    """The parts of a perceptron in order. UsageError where a size does not fit."""
    plan = Plan()
    parts: list[Part] = []
    if regularization.input_noise:
        parts.append(InputNoise(regularization.input_noise, inputs))
    if regularization.input_dropout:
        parts.append(Dropout(regularization.input_dropout, 0, inputs))
    units = inputs
    for number, width in enumerate(options.hidden, start=1):
        if not options.skip:
            parts += _hidden(plan, options, units, width, first=number == 1)
            parts += _dropout(regularization, number, width)
        elif number == 1:
            parts.append(Dense(plan.dense(inputs, width), LINEAR, first=True))
        else:
            parts.append(_block(plan, options, regularization, number, width))
        units = width
    output = plan.dense(units, classes)
    parts.append(Dense(output, None, first=not options.hidden))
    return Architecture(plan.layout(), Chain(parts), output)


def text(options: NetworkOptions, inputs: int, classes: int) -> str:
    """The model in words, as checkpoints compare it: "784-999-299-10 relu"."""
    sizes = [str(inputs), *map(str, options.hidden), str(classes)]
    if options.skip:
        width, blocks = options.hidden[0], len(options.hidden) - 1
        sizes[1:-1] = [str(width), f"({width * options.expansion}-{width})×{blocks}"]
    norm = "" if options.norm == "none" else f" {options.norm}-norm"
    return f"{'-'.join(sizes)} {options.activation}{norm}"


def _hidden(plan: Plan, options: NetworkOptions, inputs: int, units: int, *, first: bool) -> list[Part]:
    """One hidden layer: g(x W + b), or with layer normalisation g(norm(x W + b))."""
    activation = ACTIVATIONS[options.activation]
    layer = plan.dense(inputs, units)
    if options.norm == "none":
        return [Dense(layer, activation, first=first)]
    return [Dense(layer, LINEAR, first=first), LayerNorm(plan.norm(units)), Activate(activation, units)]


def _block(plan: Plan, options: NetworkOptions, regularization: RegularizationOptions, number: int, width: int) -> Part:
    """x + W₂ g(W₁ norm(x) + b₁) + b₂ with an inverted bottleneck: Bachmann, Anagnostidis, Hofmann 2023, Scaling MLPs.

    Dropout, where asked for, is between the two layers.
    """
    wide = width * options.expansion
    norm = [LayerNorm(plan.norm(width))] if options.norm == "layer" else []
    inner = Dense(plan.dense(width, wide), ACTIVATIONS[options.activation], first=False)
    dropped = _dropout(regularization, number, wide)
    return Skip(Chain([*norm, inner, *dropped, Dense(plan.dense(wide, width), LINEAR, first=False)]))


def _dropout(regularization: RegularizationOptions, number: int, units: int) -> list[Part]:
    return [Dropout(regularization.dropout, number, units)] if regularization.dropout else []
