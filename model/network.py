"""The perceptron as a textbook writes it: every method forward and back, in plain NumPy. This is the page to read.

Training runs `model.fast.network`, whose kernels do the same in fewer passes over memory; tests hold the two equal bit
for bit, so what stands here is what happens. Each function names its kernel.

A *method* takes x, float32 (m, units), a row for each sample, to its output y and to its way back. The way back takes
∂loss/∂y, which is called delta, to ∂loss/∂x, and writes the gradient of the method's own parameters into `out`. Chained
forward and then back in reverse, methods are back-propagation (Goodfellow, Bengio, Courville: Deep Learning, algorithms
6.3 and 6.4). `flat` and `out` are float32 (parameters,): all weights in one vector, and their gradient laid out alike;
`layout` knows which part of them is which array.

Floating-point sums depend on their order, so orders are written out here wherever a kernel has to keep them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from millrace.counters import Purpose, each, lane, words
from millrace.elementary import exp, log, normals
from millrace.labels import Labels
from millrace.model.fast.curves import erf, exp_below
from millrace.model.fast.curves import tanh as tanh_of
from millrace.model.fast.noise import RowKeys
from millrace.model.fast.settling import FLOOR, SLOPE_FLOOR, settled
from millrace.model.layout import Layer, Layout, Norm
from millrace.model.options import NetworkOptions, RegularizationOptions

Array = npt.NDArray[Any]
Back = Callable[[Array], Array]
Method = Callable[[Array], tuple[Array, Back]]
F32 = np.float32


def in_order(terms: Array) -> Array:
    """The sum over the first axis, one term after the other."""
    total: Array = np.zeros_like(terms[0])
    for term in terms:
        total += term
    return total


def in_lanes(x: Array) -> Array:
    """The sum of each row: float64 (m,). Every eighth element in one lane, so that machines can add eight at a time."""
    lanes = np.zeros((8, len(x)))
    for at, column in enumerate(x.T.astype(np.float64)):
        lanes[at % 8] += column
    a, b, c, d, e, f, g, h = lanes
    return np.asarray(((a + e) + (c + g)) + ((b + f) + (d + h)))


def dense(layer: Layer, flat: Array, out: Array) -> Method:
    """y = x W + b. Fast: `parts.Dense`, where the activation's kernel adds the bias and sums its gradient."""
    weight, bias = layer.weight.view(flat), layer.bias.view(flat)

    def forward(x: Array) -> tuple[Array, Back]:
        def back(delta: Array) -> Array:
            layer.weight.view(out)[:] = x.T @ delta
            layer.bias.view(out)[:] = in_order(delta)
            return np.asarray(delta @ weight.T)

        return x @ weight + bias, back

    return forward


def relu(x: Array) -> tuple[Array, Back]:
    """y = max(x, 0). Fast: `activations._relu_forward` and `_relu_backward`."""
    y = np.where(x < 0, F32(0), x)
    return y, lambda delta: np.where(y > 0, delta, F32(0))


def leaky_relu(x: Array) -> tuple[Array, Back]:
    """y = x above 0, 0.01 x below. Fast: `activations._leaky_forward` and `_leaky_backward`."""
    y = np.where(x < 0, x * F32(0.01), x)
    return y, lambda delta: np.where(y > 0, delta, delta * F32(0.01))


def tanh(x: Array) -> tuple[Array, Back]:
    """y = tanh x, y′ = 1 − y². Fast: `activations._tanh_forward` and `_tanh_backward`."""
    y = tanh_of(x)
    return y, lambda delta: settled(delta * (F32(1) - y * y), FLOOR)


def gelu(x: Array) -> tuple[Array, Back]:
    """y = x Φ(x), y′ = Φ(x) + x φ(x), with the normal distribution's Φ and its density φ (Hendrycks and Gimpel 2016).
    Fast: `activations._gelu_forward`, which keeps the slopes, and `_times_slope`."""
    below = F32(0.5) + F32(0.5) * erf(x * F32(0.70710678))  # Φ(x) = (1 + erf(x/√2)) / 2
    density = F32(0.39894228) * settled(exp_below(F32(-0.5) * (x * x)), FLOOR)  # φ(x) = exp(−x²/2) / √(2π)
    slope = settled(below + x * density, SLOPE_FLOOR)
    return x * below, lambda delta: settled(delta * slope, FLOOR)


ACTIVATIONS: dict[str, Method] = {"relu": relu, "leaky-relu": leaky_relu, "tanh": tanh, "gelu": gelu}


def layer_norm(norm: Norm, flat: Array, out: Array) -> Method:
    """y = gain · u + shift, u = (x − mean) / √(variance + 1e-5) over each row (Ba, Kiros, Hinton 2016).

    With d = delta · gain: ∂loss/∂x = (d − mean(d) − u · mean(d · u)) / √(variance + 1e-5).
    Fast: `normalization.forward` and `backward`.
    """
    gain, shift = norm.gain.view(flat), norm.shift.view(flat)

    def mean(x: Array) -> Array:
        return np.asarray(in_lanes(x) / x.shape[1])[:, None]

    def forward(x: Array) -> tuple[Array, Back]:
        off = x.astype(np.float64) - mean(x)
        inverse = (1.0 / np.sqrt(mean(off * off) + 1e-5)).astype(F32)
        u = (x - mean(x).astype(F32)) * inverse

        def back(delta: Array) -> Array:
            norm.gain.view(out)[:] = in_order(delta * u)
            norm.shift.view(out)[:] = in_order(delta)
            d = delta * gain
            slope = mean(d.astype(np.float64) * u).astype(F32)
            return np.asarray((d - mean(d).astype(F32) - u * slope) * inverse)

        return u * gain + shift, back

    return forward


def chain(methods: list[Method]) -> Method:
    """Methods one after the other, and back in reverse: the chain rule. Fast: `parts.Chain`."""

    def forward(x: Array) -> tuple[Array, Back]:
        ways: list[Back] = []
        for method in methods:
            x, way = method(x)
            ways.append(way)

        def back(delta: Array) -> Array:
            for way in reversed(ways):
                delta = way(delta)
            return delta

        return x, back

    return forward


def skip(inner: Method) -> Method:
    """y = x + inner(x). Fast: `parts.Skip`."""

    def forward(x: Array) -> tuple[Array, Back]:
        y, back = inner(x)
        return y + x, lambda delta: back(delta) + delta

    return forward


def _drawn(keys: RowKeys, purpose: Purpose, units: int, layer: int = 0) -> Array:
    """Random words for each unit of each row: uint32 (m · blocks, 4), unit u being word u % 4 of block u // 4. They are
    counted, not remembered: a function of seed, purpose, sample, epoch, layer and unit alone."""
    blocks = -(-units // 4)
    samples, places = np.repeat(keys.samples, blocks), np.tile(np.arange(blocks), len(keys.samples))
    epochs = np.repeat(each(keys.epoch, len(keys.samples)), blocks)
    return words(keys.seed, purpose, samples, epochs, places, lane(layer=layer))


def dropout(probability: float, layer: int, keys: RowKeys) -> Method:
    """Units are left out, the others divided by 1 − p (Srivastava et al. 2014; Deep Learning, 7.12). layer: 0 for the
    inputs, k for hidden layer k. Fast: `noise.drop` and `drop_back`."""
    factor, threshold = F32(1.0 / (1.0 - probability)), np.uint32(probability * 2.0**32)

    def forward(x: Array) -> tuple[Array, Back]:
        kept = _drawn(keys, Purpose.DROPOUT, x.shape[1], layer).reshape(len(x), -1)[:, : x.shape[1]] >= threshold
        return np.where(kept, x * factor, F32(0)), lambda delta: np.where(kept, delta * factor, F32(0))

    return forward


def input_noise(deviation: float, keys: RowKeys) -> Method:
    """y = x + noise, normal, of this standard deviation (Deep Learning, 7.5). Fast: `noise.add_noise`."""

    def forward(x: Array) -> tuple[Array, Back]:
        noise = normals(_drawn(keys, Purpose.INPUT_NOISE, x.shape[1])).reshape(len(x), -1)[:, : x.shape[1]]
        return x + F32(deviation) * noise.astype(F32), lambda delta: delta

    return forward


def weight_noise(layout: Layout, flat: Array, deviation: float, seed: int, step: int) -> Array:
    """The weights at which the gradients of a step are taken: θ plus normal noise, biases spared; drawn once per step
    (Deep Learning, 7.5). Fast: `noise.add_weight_noise`."""
    places = np.arange(-(-len(flat) // 4))
    noise = normals(words(seed, Purpose.WEIGHT_NOISE, places, step)).reshape(-1).astype(F32)
    shaken = flat.copy()
    for block in layout.blocks:
        if block.decays:
            shaken[block.begin : block.end] += F32(deviation) * noise[block.begin : block.end]
    return shaken


class Target(NamedTuple):
    """What the network is to answer: `shares` (m,), in [1/2, 1], of `labels`, the rest of `others`."""

    labels: Labels
    others: Labels
    shares: Array


def mixup(x: Array, y: Labels, probability: float, keys: RowKeys) -> tuple[Array, Target]:
    """With this probability a row becomes a share of itself plus the rest of the next row, and its label alike (Zhang,
    Cissé, Dauphin, Lopez-Paz 2018, with α = 1); after the last row comes the first. Fast: `mixup.mix`."""
    partner = (np.arange(len(x)) + 1) % len(x)
    whether, much, _, _ = words(keys.seed, Purpose.MIXUP, keys.samples, keys.epoch).T
    blended = (whether < int(probability * 2.0**32)) & (len(x) > 1)
    shares = np.where(blended, 1.0 - much * 2.0**-33, 1.0).astype(F32)
    share = shares[:, None]
    mixed = np.where(share < 1, x * share + x[partner] * (F32(1) - share), x)
    return mixed, Target(y, y[partner], shares)


def cross_entropy(logits: Array, target: Target, smoothing: float) -> tuple[float, int, Array]:
    """−Σ t log softmax(logits), summed over the rows; how many rows are right; and delta = softmax − t.

    t is 1 at the label, with mixup in two parts; label smoothing takes ε of it and spreads that over all classes
    (Szegedy et al. 2016; Deep Learning, 6.2.2.3 and 7.5.1). The largest logit is taken off before exp, so that nothing
    overflows. In float64. Fast: `losses.softmax_cross_entropy`.
    """
    rows, classes = np.arange(len(logits)), logits.shape[1]
    z = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    powers = exp(z)
    total = in_order(powers.T)
    share = target.shares.astype(np.float64)
    hit, rest, spread = (1.0 - smoothing) * share, (1.0 - smoothing) * (1.0 - share), smoothing / classes
    losses = log(total) - hit * z[rows, target.labels] - rest * z[rows, target.others]
    for unit in range(classes):
        losses -= spread * z[:, unit]
    label, other = (numbers[:, None] == np.arange(classes) for numbers in (target.labels, target.others))
    t = spread + hit[:, None] * label + rest[:, None] * other
    delta = settled((powers / total[:, None] - t).astype(F32), FLOOR)
    return float(in_order(losses)), int(np.sum(logits.argmax(axis=1) == target.labels)), delta


def average(layout: Layout, flat: Array, total: Array, samples: int, decay: float) -> Array:
    """What an optimizer follows: g = total / samples + λθ, the mean gradient with that of the L2 penalty ½ λ ‖θ‖²; it
    spares biases (Deep Learning, 7.1.1). Fast: `optimizers._average`."""
    g = total / F32(samples)
    for block in layout.blocks:
        if block.decays:
            g[block.begin : block.end] += F32(decay) * flat[block.begin : block.end]
    return np.asarray(g)


class Perceptron(NamedTuple):
    """options: layers and activation. regularization: what training draws and smooths. layout: of the weights."""

    options: NetworkOptions
    regularization: RegularizationOptions
    layout: Layout


def network(net: Perceptron, flat: Array, out: Array, keys: RowKeys | None) -> Method:
    """x ↦ logits: … → g(norm(x W + b)) → … → x W + b; with skip, hidden layers after the first are blocks
    x + W₂ g(W₁ norm(x) + b₁) + b₂. Without keys nothing is random. Fast: `architecture.build`."""
    options, r, layout = net
    layers, norms = iter(layout.layers), iter(layout.norms)
    g = ACTIVATIONS[options.activation]

    def affine() -> Method:
        return dense(next(layers), flat, out)

    def norm() -> list[Method]:
        return [layer_norm(next(norms), flat, out)] if options.norm == "layer" else []

    def drop(probability: float, layer: int) -> list[Method]:
        return [dropout(probability, layer, keys)] if keys and probability else []

    methods = [input_noise(r.input_noise, keys)] if keys and r.input_noise else []
    methods += drop(r.input_dropout, 0)
    for number in range(1, len(options.hidden) + 1):
        if not options.skip:
            methods += [affine(), *norm(), g, *drop(r.dropout, number)]
        elif number == 1:
            methods += [affine()]
        else:
            methods += [skip(chain([*norm(), affine(), g, *drop(r.dropout, number), affine()]))]
    return chain([*methods, affine()])


def gradient(
    net: Perceptron, flat: Array, x: Array, y: Labels, keys: RowKeys | None = None
) -> tuple[Array, float, int]:
    """∂loss/∂parameter summed over the rows of x (m, inputs) with labels y (m,), laid out as `flat`; the summed loss;
    how many rows are right. Fast: `fast.network.Network.gradient`. Both run with one BLAS thread: more give other bits.
    """
    out, r, target = np.empty_like(flat), net.regularization, Target(y, y, np.ones(len(x)))
    if keys and r.mixup:
        x, target = mixup(x, y, r.mixup, keys)
    logits, back = network(net, flat, out, keys)(x)
    loss, correct, delta = cross_entropy(logits, target, r.label_smoothing)
    back(delta)
    return out, loss, correct
