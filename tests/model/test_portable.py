"""Networks as files: every kind comes back, damage is seen, and other readers see the same numbers."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from millrace.errors import CheckpointError, UsageError
from millrace.model.fast.network import Network
from millrace.model.inputs import Inputs
from millrace.model.options import NetworkOptions
from millrace.model.portable import Portable, from_safetensors, rounded, to_npz, to_safetensors
from tests.model import reference

KINDS = {
    "plain": NetworkOptions(hidden=(7, 5)),
    "none": NetworkOptions(hidden=()),
    "norm": NetworkOptions(hidden=(7, 5), activation="tanh", norm="layer"),
    "leaky": NetworkOptions(hidden=(4,), activation="leaky-relu"),
    "skip": NetworkOptions(hidden=(6, 6, 6), activation="gelu", norm="layer", skip=True, expansion=2),
}


def network(kind: str) -> Portable:
    made = Network(KINDS[kind], 2 * 3 * 4, 3)
    weights = made.initial(5) + np.random.default_rng(1).normal(0, 0.1, made.parameters).astype(np.float32)
    inputs = Inputs((0.3, 0.4), (0.2, 0.5))
    return Portable(KINDS[kind], (2, 3, 4), ("a", "b", "c"), inputs, weights, {"dataset": "x", "step": 4})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_every_kind_comes_back(kind: str, precision: str) -> None:
    one = rounded(network(kind), precision)
    data = to_safetensors(one, precision)
    again = from_safetensors(data)
    assert np.array_equal(again.weights, one.weights)
    assert (again.options, again.shape, again.classes, again.inputs) == (
        one.options,
        one.shape,
        one.classes,
        one.inputs,
    )
    assert again.about == one.about
    assert to_safetensors(again, precision) == data


def test_other_readers_see_the_blocks() -> None:
    one = network("norm")
    tensors = safetensors.numpy.load(to_safetensors(one))
    assert np.array_equal(tensors["0.weight"], one.network.views(one.weights)[0][0])
    assert tensors["norm.1.gain"].shape == (5,)
    file = np.load(io.BytesIO(to_npz(one)), allow_pickle=False)
    assert np.array_equal(file["2.bias"], one.network.views(one.weights)[2][1])
    assert file["mean"].tolist() == [0.3, 0.4]
    assert json.loads(str(file["description"]))["model"] == "24-7-5-3 tanh layer-norm"


def test_half_precision_is_refused_where_it_cannot_hold_the_weights() -> None:
    one = network("plain")
    one.weights[0] = 1e6
    with pytest.raises(UsageError, match="do not fit into float16"):
        rounded(one, "float16")
    with pytest.raises(UsageError, match="unknown precision"):
        rounded(one, "float8")


def test_damage_is_seen_anywhere() -> None:
    data = to_safetensors(network("plain"))
    for at in range(0, len(data), 37):
        changed = bytearray(data)
        changed[at] ^= 1
        with pytest.raises(CheckpointError):
            from_safetensors(bytes(changed))
    for size in (0, 7, 8, 100, len(data) - 1):
        with pytest.raises(CheckpointError):
            from_safetensors(data[:size])


def test_other_files_are_refused(tmp_path: Path) -> None:
    for data in (b"hello", safetensors.numpy.save({"a": np.zeros(3)}), safetensors.numpy.save({}, {"millrace": "{}"})):
        with pytest.raises(CheckpointError, match="no network of Millrace"):
            from_safetensors(data)


@pytest.mark.parametrize("kind", KINDS)
def test_onnx_gives_the_same_probabilities(kind: str) -> None:
    pytest.importorskip("onnx", reason="an extra: make onnx")
    runtime: Any = pytest.importorskip("onnxruntime", reason="an extra: make onnx")
    from millrace.model.onnx_graph import largest_difference, to_onnx

    one = network(kind)
    data = to_onnx(one)
    assert largest_difference(data, one) < 1e-5
    session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
    pixels = np.random.default_rng(0).integers(0, 256, (9, 2, 3, 4), np.uint8)
    (logits,) = session.run(["logits"], {"image": pixels})
    x = one.inputs.into(pixels, np.empty((9, 24), np.float32)).astype(np.float64)
    expected = reference.logits(one.options, one.network.layout, one.weights.astype(np.float64), x, {})
    assert logits == pytest.approx(expected, abs=1e-4)
