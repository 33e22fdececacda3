"""The variants of a comparison: from files, from a study, from `--sweep KEY=V1,V2`."""

import itertools
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from millrace import values
from millrace.errors import UsageError, unknown_name
from millrace.library.study_file import read_study
from millrace.settings import layers
from millrace.settings.keys import known_keys
from millrace.workers import Job, Place


@dataclass(frozen=True)
class Variant:
    """One side of a comparison: its name and its configuration, before seeds."""

    name: str
    job: Job
    place: Place

    @property
    def folder(self) -> str:
        """The name as a folder."""
        return re.sub(r"[^\w.=+-]+", "_", self.name).strip("_.") or "variant"


def variants(files: Sequence[str], sweeps: Sequence[str], flags: Mapping[str, object]) -> list[Variant]:
    """Every file with every combination of the sweeps. Flags go before the environment, that before the files; what is
    swept goes before all of them. UsageError for fewer than two variants, or two of one name."""
    made = []
    for name, layer in _bases(files):
        for label, swept in _combinations(sweeps):
            title = " ".join(part for part in (name, label) if part)
            layer_of_sweep = layers.from_values(swept, "--sweep")
            settings = layers.merge(layer, layers.from_environment(), layers.from_flags(flags), layer_of_sweep)
            if settings.place.stream is not None:
                raise UsageError(
                    "variants are trained on a dataset, not from a service",
                    got=f"stream {settings.place.stream} (set by {settings.chosen['stream'].source})",
                    do="leave it out there, and name the `dataset`",
                )
            made.append(Variant(title, settings.job, settings.place))
    names = [variant.folder for variant in made]
    if len(made) < 2 or len(set(names)) != len(names):
        raise UsageError(
            "there is nothing to compare",
            expected="two or more variants of different names",
            got=", ".join(variant.name for variant in made) or "none",
            do="name several files, a study, or --sweep KEY=V1,V2",
        )
    return made


def _bases(files: Sequence[str]) -> list[tuple[str, layers.Layer]]:
    """Name and layer of each file; a study stands for its variants. Without files there is one base without a name."""
    found: list[tuple[str, layers.Layer]] = []
    for file in files:
        study = read_study(Path(os.path.expanduser(file)))
        if study is None:
            found.append((Path(file).stem, layers.from_file(file)))
        else:
            found += [(name, layers.from_values(keys, file)) for name, keys in study.items()]
    if len(found) == 1:
        found = [("", found[0][1])]
    return found or [("", {})]


def _combinations(sweeps: Sequence[str]) -> list[tuple[str, dict[str, object]]]:
    """Label and values of each combination of the sweeps."""
    choices = [_sweep(text) for text in sweeps]
    made = []
    for chosen in itertools.product(*choices):
        label = " ".join(f"{_short(key)}={text}" for key, text, _ in chosen)
        made.append((label, {key: value for key, _, value in chosen}))
    return made


def _short(key: str) -> str:
    """The last word of a key; the group where that word is `name`."""
    return key.removesuffix(".name").rpartition(".")[2]


def _sweep(text: str) -> list[tuple[str, str, object]]:
    """(key, text, value) for each value of KEY=V1,V2; values that are lists stand in brackets: [64 32],[128]."""
    key, equals, rest = text.partition("=")
    key = key.strip().removeprefix("--").replace("-", "_")
    words = [word.strip() for word in re.findall(r"\[[^\]]*\]|[^,\[\]]+", rest) if word.strip()]
    if not equals or not words:
        raise UsageError("not a sweep", expected="--sweep KEY=V1,V2", got=repr(text))
    known = known_keys()
    if key not in known or known[key].place or key == "seed":
        keys = [name for name, one in known.items() if not one.place and name != "seed"]
        raise unknown_name("key to sweep", key, keys)
    return [(key, word, values.from_text(known[key].kind, word, f"--sweep {key}")) for word in words]
