"""`millrace train`: a run from a configuration."""

from collections.abc import Sequence
from dataclasses import dataclass

from millrace.commands.screen import Screen
from millrace.commands.training import show
from millrace.library.training import start
from millrace.settings import flags, layers
from millrace.settings.keys import known_keys


@dataclass(frozen=True)
class TrainOptions:
    """Train a network on augmented images. The same configuration and seed give the same weights, bit for bit.

    Flags go before MILLRACE_* variables, those before the file, the file before defaults."""

    file: str | None = flags.positional("FILE.yaml", "configuration to start from")
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Train to the end; exit code 130 or 143 after a signal, once the checkpoint is written."""
    options, given = flags.parse("train", TrainOptions, arguments, list(known_keys()))
    settings = layers.resolve(options.file, given)
    return show(Screen(as_json=options.json), settings, lambda watched: start(settings, watched))
