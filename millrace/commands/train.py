"""`millrace train`: a run from a configuration."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from millrace import config
from millrace.commands import flags, layers, runs, yaml_text
from millrace.commands.screen import Screen
from millrace.commands.training import already_done, carry_out, kept
from millrace.config import Config
from millrace.errors import UsageError
from millrace.reports.words import short
from millrace.runs.folder import RunFolder
from millrace.runs.working_copy import is_address


@dataclass(frozen=True)
class TrainOptions:
    """Train a network on augmented images. The same configuration and seed give the same weights, bit for bit.

    Flags go before MILLRACE_* variables, those before the file, the file before defaults."""

    file: str | None = flags.positional("FILE.yaml", "configuration to start from")
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Train to the end; exit code 130 or 143 after a signal, once the checkpoint is written."""
    options, given = flags.parse("train", TrainOptions, arguments, list(config.known_keys()))
    screen = Screen(as_json=options.json)
    settings = layers.resolve(options.file, given).config.resolved()
    settings.job()  # what the workers refuse is refused before a folder is made
    where = _where(settings)
    if not RunFolder.is_run(where):
        text = yaml_text.write(kept(settings))
        return carry_out(screen, settings, lambda: RunFolder.create(where, text))
    folder = RunFolder.open(where)
    _same_recipe(folder, settings)
    if folder.finished:
        return already_done(screen, settings, folder)
    screen.note(f"going on with the run in {short(folder.location)}")
    return carry_out(screen, settings, lambda: folder)


def _where(settings: Config) -> Path | str:
    """The address or the path of the run."""
    if settings.out is None:
        return runs.new_folder(settings.dataset, datetime.now())
    return settings.out if is_address(settings.out) else Path(settings.out).expanduser()


def _same_recipe(folder: RunFolder, settings: Config) -> None:
    """Refuse to mix two recipes in one folder."""
    different = runs.changes(runs.config_of(folder), settings)
    if different:
        raise UsageError(
            f"{short(folder.location)} holds a run of another recipe",
            expected="the same recipe",
            got="; ".join(different[:5]) + (" …" if len(different) > 5 else ""),
            do="choose another --out, or `millrace resume` to go on with that run",
        )
