"""`millrace export-model`: a trained network as one file, to use elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass

from millrace.commands.screen import Screen
from millrace.library.model_files import FORMATS, check_format, save_network
from millrace.library.networks import find_network
from millrace.model import PRECISIONS
from millrace.reports.words import argument, short, size
from millrace.settings import flags


@dataclass(frozen=True)
class ExportModelOptions:
    """Write a network as one file. safetensors: for evaluate and predict, all in it. onnx: for other programs, uint8
    images in, probabilities out, checked with onnxruntime. npz: plain NumPy arrays."""

    run: str = flags.positional(
        "RUN", "run, checkpoint, file of export-model, name or address of a run, or latest", required=True
    )
    format: str = flags.option("safetensors", "NAME", "safetensors, onnx or npz", choices=FORMATS)
    precision: str = flags.option(
        "float32", "NAME", "of the weights: float32, or float16 for half the size", choices=PRECISIONS
    )
    out: str | None = flags.option(None, "FILE", "the file to write; by default network.FORMAT here")
    json: bool = flags.as_json()

    def __post_init__(self) -> None:
        check_format(self.format, self.precision)


def run(arguments: Sequence[str]) -> int:
    """Write the file, whole or not at all."""
    options, _ = flags.parse("export-model", ExportModelOptions, arguments)
    screen = Screen(as_json=options.json)
    found = find_network(options.run)
    path = options.out or f"network{FORMATS[options.format]}"
    written = save_network(found.portable, path, options.format, options.precision)
    screen.record(
        file=written.path,
        bytes=written.bytes,
        format=options.format,
        precision=options.precision,
        difference=written.difference,
    )
    screen.facts(
        ("network", f"{short(found.location)}, {found.portable.network.text}"),
        ("file", f"{short(written.path)}, {size(written.bytes)}"),
    )
    if written.difference is not None:
        screen.facts(("checked", f"onnxruntime agrees to {written.difference:.1e}"))
    if options.format == "safetensors":
        screen.facts(
            ("next", f"millrace evaluate {argument(written.path)}"),
            ("", f"millrace predict {argument(written.path)} IMAGE"),
        )
    return 0
