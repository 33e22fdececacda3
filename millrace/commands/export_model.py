"""`millrace export-model`: a trained network as one file, to use elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from millrace.commands.screen import Screen
from millrace.errors import CheckpointError, MillraceError, UsageError, unknown_name
from millrace.library.networks import find_network
from millrace.model.portable import PRECISIONS, rounded, to_npz, to_safetensors
from millrace.reports.words import argument, short, size
from millrace.settings import flags
from millrace.storage.files import write_whole

FORMATS = {"safetensors": ".safetensors", "onnx": ".onnx", "npz": ".npz"}
CLOSE = 1e-5  # how near onnxruntime's probabilities must be to our own


@dataclass(frozen=True)
class ExportModelOptions:
    """Write a network as one file. safetensors: for evaluate and predict, all in it. onnx: for other programs, uint8
    images in, probabilities out, checked with onnxruntime. npz: plain NumPy arrays."""

    run: str = flags.positional(
        "RUN", "run, checkpoint, file of export-model, name or address of a run, or latest", required=True
    )
    format: str = flags.option("safetensors", "NAME", "safetensors, onnx or npz")
    precision: str = flags.option("float32", "NAME", "of the weights: float32, or float16 for half the size")
    out: str | None = flags.option(None, "FILE", "the file to write; by default network.FORMAT here")
    json: bool = flags.as_json()

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise unknown_name("format", self.format, FORMATS)
        if self.precision not in PRECISIONS:
            raise unknown_name("precision", self.precision, PRECISIONS)
        if self.format == "onnx" and self.precision != "float32":
            raise UsageError("ONNX files have float32 weights", got=self.precision, do="leave out --precision")


def run(arguments: Sequence[str]) -> int:
    """Write the file, whole or not at all."""
    options, _ = flags.parse("export-model", ExportModelOptions, arguments)
    screen = Screen(as_json=options.json)
    found = find_network(options.run)
    target = Path(options.out or f"network{FORMATS[options.format]}").expanduser().absolute()
    if target.is_dir() or not target.parent.is_dir():
        raise UsageError(f"cannot write {short(target)}", expected="a file in a folder that exists")
    network = rounded(found.portable, options.precision)
    difference = None
    if options.format == "onnx":
        from millrace.model.onnx_graph import largest_difference, to_onnx

        data = to_onnx(network)
        difference = largest_difference(data, network)
        if not difference <= CLOSE:
            raise CheckpointError("onnxruntime disagrees with the network", expected=f"at most {CLOSE}", got=difference)
    else:
        write = to_npz if options.format == "npz" else to_safetensors
        data = write(network, options.precision)
    try:
        write_whole(target, data)
    except OSError as error:
        raise MillraceError(f"cannot write {short(target)}: {error.strerror}", do="choose another --out") from error
    screen.record(
        file=target, bytes=len(data), format=options.format, precision=options.precision, difference=difference
    )
    screen.facts(
        ("network", f"{short(found.location)}, {network.network.text}"), ("file", f"{short(target)}, {size(len(data))}")
    )
    if difference is not None:
        screen.facts(("checked", f"onnxruntime agrees to {difference:.1e}"))
    if options.format == "safetensors":
        screen.facts(
            ("next", f"millrace evaluate {argument(target)}"), ("", f"millrace predict {argument(target)} IMAGE")
        )
    return 0
