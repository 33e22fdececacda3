"""A network as an ONNX model: uint8 images in, logits and probabilities out. Needs the package onnx, an extra."""

import json
from importlib import import_module
from typing import Any

import numpy as np

from millrace.extras import extras_named
from millrace.model.fast.normalization import EPSILON
from millrace.model.layout import Floats, Layer, Norm
from millrace.model.portable import Portable

OPSET = 17


def extra(name: str) -> Any:
    """The module of this name. Errors: MissingExtra where it is not installed."""
    with extras_named():
        return import_module(name)


class _Graph:
    """Nodes and constants as they are added; values are known by name."""

    def __init__(self, weights: Floats) -> None:
        self.helper, self.numpy = extra("onnx.helper"), extra("onnx.numpy_helper")
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, value: Any) -> str:
        self.constants.append(self.numpy.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        name = name or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def dense(self, x: str, layer: Layer, name: str = "") -> str:
        weight = self.constant(layer.weight.name, layer.weight.view(self.weights))
        return self.node("Gemm", x, weight, self.constant(layer.bias.name, layer.bias.view(self.weights)), name=name)

    def norm(self, x: str, norm: Norm) -> str:
        gain = self.constant(norm.gain.name, norm.gain.view(self.weights))
        shift = self.constant(norm.shift.name, norm.shift.view(self.weights))
        return self.node("LayerNormalization", x, gain, shift, axis=-1, epsilon=EPSILON)

    def activation(self, x: str, name: str) -> str:
        if name == "gelu":
            below = self.node("Erf", self.node("Mul", x, "root_half"))
            return self.node("Mul", self.node("Mul", x, "half"), self.node("Add", below, "one"))
        if name == "leaky-relu":
            return self.node("LeakyRelu", x, alpha=0.01)
        return self.node({"relu": "Relu", "tanh": "Tanh"}[name], x)


def to_onnx(portable: Portable) -> bytes:
    """The ONNX file: input `image` uint8 (N, C, H, W), normalised inside; outputs `logits` and `probabilities`, float32
    (N, classes). Classes and the description are in its metadata. MissingExtra where onnx is not installed."""
    graph = _Graph(portable.weights)
    _body(graph, portable)
    helper, tensor = graph.helper, extra("onnx").TensorProto
    classes = len(portable.classes)
    proto = helper.make_graph(
        graph.nodes,
        "millrace",
        [helper.make_tensor_value_info("image", tensor.UINT8, ["N", *portable.shape])],
        [helper.make_tensor_value_info(name, tensor.FLOAT, ["N", classes]) for name in ("logits", "probabilities")],
        graph.constants,
    )
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="millrace")
    model.ir_version = 8
    helper.set_model_props(model, {"millrace": json.dumps(portable.describe("float32"), sort_keys=True)})
    extra("onnx.checker").check_model(model)
    return bytes(model.SerializeToString())


def _body(graph: _Graph, portable: Portable) -> None:
    options, layout = portable.options, portable.network.layout
    layers, norms = iter(layout.layers), iter(layout.norms)
    channels = (1, -1, 1, 1)
    mean, std = np.array(portable.inputs.mean), np.array(portable.inputs.std)
    shift = graph.constant("shift", (255.0 * mean).astype(np.float32).reshape(channels))
    factor = graph.constant("factor", (1.0 / (255.0 * std)).astype(np.float32).reshape(channels))
    for name, value in (("root_half", 0.5**0.5), ("half", 0.5), ("one", 1.0)) if options.activation == "gelu" else ():
        graph.constant(name, np.float32(value).reshape(1))
    x = graph.node("Cast", "image", to=1)
    x = graph.node("Flatten", graph.node("Mul", graph.node("Sub", x, shift), factor))
    for number in range(1, len(options.hidden) + 1):
        if options.skip and number == 1:
            x = graph.dense(x, next(layers))
            continue
        normed = options.norm == "layer"
        if options.skip:
            inner = graph.dense(graph.norm(x, next(norms)) if normed else x, next(layers))
            x = graph.node("Add", x, graph.dense(graph.activation(inner, options.activation), next(layers)))
        else:
            x = graph.dense(x, next(layers))
            x = graph.activation(graph.norm(x, next(norms)) if normed else x, options.activation)
    logits = graph.dense(x, next(layers), name="logits")
    graph.node("Softmax", logits, name="probabilities", axis=-1)


def largest_difference(data: bytes, portable: Portable) -> float:
    """How far onnxruntime's probabilities are from the network's own, at most, on images of noise and on even ones."""
    runtime = extra("onnxruntime")
    session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
    count = 64
    images = np.arange(count * int(np.prod(portable.shape)), dtype=np.uint32) * np.uint32(2654435761) >> np.uint32(24)
    pixels = images.astype(np.uint8).reshape(count, *portable.shape)
    pixels[:2] = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)
    (theirs,) = session.run(["probabilities"], {"image": pixels})
    x = portable.inputs.into(pixels, np.empty((count, int(np.prod(portable.shape))), np.float32))
    logits = portable.network.logits(portable.weights, x).astype(np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return float(np.abs(powers / powers.sum(axis=1, keepdims=True) - theirs).max())
