"""`millrace config`: the resolved configuration as YAML, and who set what."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from millrace.commands.screen import Screen
from millrace.settings import config_file, flags, layers
from millrace.settings.keys import GROUPS, flat, known_keys


@dataclass(frozen=True)
class ConfigOptions:
    """Show the resolved configuration as YAML; `millrace train FILE.yaml` takes it back.

    Flags go before MILLRACE_* variables, those before the file, the file before defaults."""

    file: str | None = flags.positional("FILE.yaml", "configuration to start from")
    sources: bool = flags.switch("say behind each line where its value came from")
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Print the configuration that `train` with the same arguments would use."""
    options, given = flags.parse("config", ConfigOptions, arguments, list(known_keys()))
    settings = layers.resolve(options.file, given)
    sources = settings.sources
    screen = Screen(as_json=options.json)
    if options.json:
        for key, value in {**flat(settings.job), **flat(settings.place)}.items():
            screen.record(key=key, value=value, source=_source(key, sources))
    elif options.sources:
        lines = config_file.lines(settings.job, settings.place)
        width = min(48, max(len(text) for _, text in lines))
        for key, text in lines:
            source = "" if key in GROUPS else f"  # {_source(key, sources)}"
            screen.say(f"{text:<{width}}{source}".rstrip())
    else:
        screen.say(config_file.write(settings.job, settings.place).rstrip("\n"))
    return 0


def _source(key: str, sources: Any) -> str:
    """Where the value of a key came from; the ranges of a preset come from whoever named the preset."""
    own, named = str(sources[key]), str(sources.get("policy"))
    if own == layers.DEFAULT and key.startswith("policy."):
        return "the dataset's own" if named == layers.DEFAULT else f"preset of {named}"
    return own
