"""A network on its own: weights and all that using them takes, as one file. Its bytes are safetensors or npz."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as decode_tensors
from safetensors.numpy import save as encode_tensors

from millrace.errors import CheckpointError, MillraceError, UsageError
from millrace.model.fast.network import Network
from millrace.model.inputs import Inputs
from millrace.model.layout import Floats
from millrace.model.options import NetworkOptions

FORMAT = 1
PRECISIONS = {"float32": np.float32, "float16": np.float16}
KEY = "millrace"  # the metadata entry that holds the description, as JSON


@dataclass(frozen=True, eq=False)
class Portable:
    """shape: (C, H, W) of the images. weights: float32 (parameters,), those to use. about: where it comes from,
    JSON-able: dataset, dataset_digest, step, config, prepare and what else is worth knowing."""

    options: NetworkOptions
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    inputs: Inputs
    weights: Floats
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def network(self) -> Network:
        """The network that the weights belong to."""
        return Network(self.options, int(np.prod(self.shape)), len(self.classes))

    def arrays(self) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
        """The weights by block: `0.weight` (inputs, units), `0.bias` (units,), …"""
        return {block.name.replace(" ", "."): block.view(self.weights) for block in self.network.layout.blocks}

    def describe(self, precision: str) -> dict[str, Any]:
        """All but the weights, JSON-able."""
        return {
            "format": FORMAT,
            "network": asdict(self.options),
            "model": self.network.text,
            "shape": list(self.shape),
            "classes": list(self.classes),
            "inputs": {"mean": list(self.inputs.mean), "std": list(self.inputs.std)},
            "precision": precision,
            "about": self.about,
        }


def rounded(portable: Portable, precision: str) -> Portable:
    """The network with its weights as they are after a round trip through this precision.

    UsageError where a weight does not fit into it."""
    if precision not in PRECISIONS:
        raise UsageError("unknown precision", expected=", ".join(PRECISIONS), got=repr(precision))
    with np.errstate(over="ignore"):
        weights = portable.weights.astype(PRECISIONS[precision]).astype(np.float32)
    if not np.isfinite(weights).all():
        raise UsageError(f"the weights do not fit into {precision}", do="use float32")
    return Portable(portable.options, portable.shape, portable.classes, portable.inputs, weights, portable.about)


def to_safetensors(portable: Portable, precision: str = "float32") -> bytes:
    """The network as a safetensors file: a tensor for each block, the description and a digest in the metadata."""
    kind = PRECISIONS[precision]
    tensors = {name: np.ascontiguousarray(array.astype(kind)) for name, array in portable.arrays().items()}
    described = portable.describe(precision)
    described["digest"] = _digest(described, tensors)
    return encode_tensors(tensors, metadata={KEY: json.dumps(described, sort_keys=True)})


def from_safetensors(data: bytes, name: str = "the file") -> Portable:
    """The network in these bytes; CheckpointError says what is wrong with them."""
    try:
        size = int.from_bytes(data[:8], "little")
        described = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][KEY])
        tensors = decode_tensors(data)
        digest = described.pop("digest")
    except (SafetensorError, KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise CheckpointError(
            f"{name} is no network of Millrace",
            expected="a file that `save` or `millrace export-model` wrote",
            got=repr(error),
        ) from error
    if _digest(described, tensors) != digest:
        raise CheckpointError(f"{name} is damaged", expected=f"digest {digest}", got="another digest")
    if described["format"] != FORMAT:
        raise CheckpointError(f"{name} has another format", expected=FORMAT, got=described["format"])
    try:
        return _portable(described, tensors)
    except (KeyError, TypeError, ValueError, MillraceError) as error:
        raise CheckpointError(f"{name} does not fit together", got=repr(error)) from error


def to_npz(portable: Portable, precision: str = "float32") -> bytes:
    """The network for NumPy alone: np.load(file) gives the blocks by name, `mean` and `std` per channel of full
    brightness, and `description`, JSON. Nothing in it is pickled."""
    kind = PRECISIONS[precision]
    arrays: dict[str, Any] = {name: array.astype(kind) for name, array in portable.arrays().items()}
    arrays |= {"mean": np.array(portable.inputs.mean), "std": np.array(portable.inputs.std)}
    arrays["description"] = np.array(json.dumps(portable.describe(precision), sort_keys=True))
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def _digest(described: Mapping[str, Any], tensors: Mapping[str, Any]) -> str:
    total = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for name in sorted(tensors):
        total.update(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode())
        total.update(np.ascontiguousarray(tensors[name]).tobytes())
    return total.hexdigest()


def _portable(described: Mapping[str, Any], tensors: Mapping[str, Any]) -> Portable:
    options: dict[str, Any] = {**described["network"], "hidden": tuple(described["network"]["hidden"])}
    inputs = Inputs(tuple(described["inputs"]["mean"]), tuple(described["inputs"]["std"]))
    channels, height, width = described["shape"]
    empty = np.empty(0, np.float32)
    shape, classes = (channels, height, width), tuple(described["classes"])
    made = Portable(NetworkOptions(**options), shape, classes, inputs, empty, described["about"])
    layout = made.network.layout
    weights = np.empty(layout.parameters, np.float32)
    for block in layout.blocks:
        block.view(weights)[...] = tensors[block.name.replace(" ", ".")].reshape(block.shape)
    return Portable(made.options, shape, classes, inputs, weights, made.about)
