"""`millrace predict`: what a network takes pictures for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from millrace.commands import flags
from millrace.commands.networks import Found, find_network
from millrace.commands.screen import Screen, table
from millrace.datasets.pictures import prepared, read_picture
from millrace.errors import UsageError
from millrace.reports.words import percent, short
from millrace.workers.evaluation import probabilities

TOP = 3


@dataclass(frozen=True)
class PredictOptions:
    """Say what a network takes pictures for: the three likeliest classes of each, with their probabilities.

    Pictures may have any size. Digits are cut out, centred and scaled as those of MNIST were, dark ink on light paper
    is inverted; of photographs the middle square is taken."""

    network: str = flags.positional(
        "MODEL", "run, checkpoint, file of export-model, name or address of a run, or latest", required=True
    )
    images: tuple[str, ...] = flags.positional("IMAGE", "PNG or JPEG files", many=True, required=True)
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Print a line for each picture."""
    options, _ = flags.parse("predict", PredictOptions, arguments)
    screen = Screen(as_json=options.json)
    found = find_network(options.network)
    if found.network.about.get("prepare") == "points":
        raise UsageError("this network was trained on points in the plane", expected="a network for pictures")
    paths = [Path(text).expanduser() for text in options.images]
    way = str(found.network.about.get("prepare", "photos"))
    pixels = np.stack([prepared(read_picture(path), found.network.shape, way) for path in paths])
    _report(
        screen, found, paths, probabilities(found.network.network, found.network.inputs, found.network.weights, pixels)
    )
    return 0


def _report(screen: Screen, found: Found, paths: Sequence[Path], chances: npt.NDArray[np.float64]) -> None:
    classes = found.network.classes
    made = table("picture", "class", "", "next", "", "then", "", right=())
    for path, row in zip(paths, chances, strict=True):
        order = np.argsort(-row, kind="stable")[:TOP]
        screen.record(
            image=str(path),
            prediction=classes[order[0]],
            top=[{"class": classes[k], "probability": float(row[k])} for k in order],
        )
        cells = [cell for k in order for cell in (classes[k], percent(row[k]))]
        made.add_row(short(path), *cells, *[""] * (2 * TOP - len(cells)))
    screen.facts(("network", f"{short(found.location)}, {found.network.network.text}"))
    screen.say()
    screen.show(made)
