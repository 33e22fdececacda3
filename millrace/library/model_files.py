"""A trained network as one file, to use elsewhere."""

import os
from dataclasses import dataclass
from pathlib import Path

from millrace.arguments import path_text
from millrace.errors import CheckpointError, MillraceError, UsageError, unknown_option
from millrace.model import PRECISIONS, Portable, rounded, to_npz, to_safetensors
from millrace.reports.words import short
from millrace.storage import write_whole

FORMATS = {"safetensors": ".safetensors", "onnx": ".onnx", "npz": ".npz"}
CLOSE = 1e-5  # how near onnxruntime's probabilities must be to our own


@dataclass(frozen=True)
class ModelFile:
    """A file that was written. difference: the largest between onnxruntime's probabilities and our own, for ONNX."""

    path: Path
    bytes: int
    difference: float | None


def check_format(format: str, precision: str) -> None:
    """Errors: UsageError for an unknown format or precision, or two that do not go together."""
    if format not in FORMATS:
        raise unknown_option("format", format, FORMATS)
    if precision not in PRECISIONS:
        raise unknown_option("precision", precision, PRECISIONS)
    if format == "onnx" and precision != "float32":
        raise UsageError("ONNX files have float32 weights", got=precision, do="leave out `precision`")


def save_network(
    portable: Portable, path: str | os.PathLike[str], format: str = "safetensors", precision: str = "float32"
) -> ModelFile:
    """Write a network, whole or not at all. safetensors: for `network`, all in it. onnx: for other programs, uint8
    images in, probabilities out, checked with onnxruntime. npz: plain NumPy arrays. precision: of the weights, float32
    or float16.

    Errors: UsageError for what does not go together or a path in no folder; CheckpointError where onnxruntime
    disagrees; MillraceError where the file cannot be written."""
    check_format(format, precision)
    target = Path(os.path.expanduser(path_text("path", path))).absolute()
    if target.is_dir() or not target.parent.is_dir():
        do = "name a file, no folder" if target.is_dir() else f"make the folder {short(target.parent)}"
        raise UsageError(f"cannot write {short(target)}", expected="a file in a folder that exists", do=do)
    network, difference = rounded(portable, precision), None
    if format == "onnx":
        from millrace.model import largest_difference, to_onnx

        data = to_onnx(network)
        difference = largest_difference(data, network)
        if not difference <= CLOSE:
            raise CheckpointError("onnxruntime disagrees with the network", expected=f"at most {CLOSE}", got=difference)
    else:
        data = (to_npz if format == "npz" else to_safetensors)(network, precision)
    try:
        write_whole(target, data)
    except OSError as error:
        raise MillraceError(f"cannot write {short(target)}: {error.strerror}", do="choose another `path`") from error
    return ModelFile(target, len(data), difference)
