"""`millrace predict`: what a network takes pictures for."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from millrace.commands.screen import Screen, table
from millrace.library.networks import Predictions, TrainedNetwork, find_network
from millrace.reports.words import percent, short
from millrace.settings import flags

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
    paths = [Path(os.path.expanduser(text)) for text in options.images]
    _report(screen, found, paths, found.predict(paths))
    return 0


def _report(screen: Screen, found: TrainedNetwork, paths: Sequence[Path], predictions: Predictions) -> None:
    shown = table("picture", "class", "", "next", "", "then", "", right=())
    for path, top in zip(paths, predictions.top(TOP), strict=True):
        screen.record(
            image=str(path),
            prediction=top[0][0],
            top=[{"class": name, "probability": probability} for name, probability in top],
        )
        cells = [cell for name, probability in top for cell in (name, percent(probability))]
        shown.add_row(short(path), *cells, *[""] * (2 * TOP - len(cells)))
    screen.facts(("network", f"{short(found.location)}, {found.portable.network.text}"))
    screen.say()
    screen.show(shown)
