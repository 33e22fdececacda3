"""A dataset file that names a path: what `millrace datasets PATH` understands, and what that cannot know.

    path: ../flowers          # a folder or file, relative to this one
    name: flowers             # by default the name of the path
    classes: [daisy, rose]    # names for the classes, in the order of their labels
    size: [64, 64]            # these and the other keys of a `Reading`: how the files are read
    fit: crop

Further keys: title, policy (default photos), licence, homepage, prepare; test (`none`: the files have no test split,
and none is wanted).
"""

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millrace.datasets.importers.options import POLICY, Reading, untested
from millrace.datasets.importers.path_spec import PathSpec, find_path
from millrace.errors import UsageError, unknown_name
from millrace.values import convert, hints


@dataclass(frozen=True)
class _Named:
    """The keys beside those of a reading."""

    path: str
    name: str = ""
    title: str = ""
    classes: tuple[str | int, ...] = ()
    policy: str = POLICY
    licence: str = ""
    homepage: str = ""
    prepare: str = ""
    test: str = ""


def read_path_file(document: Any, file: Path) -> PathSpec:
    """The dataset of a file that names a path. Errors: UsageError naming the file and what is wrong in it; those of
    `find_path`."""
    readings = {f.name for f in dataclasses.fields(Reading)}
    for key in document:
        if key not in readings and key not in hints(_Named):
            raise unknown_name(f"key of {file}:", str(key), [*hints(_Named), *readings])
    named: _Named = convert(_Named, {key: document[key] for key in document if key not in readings}, str(file))
    asked = {key: document[key] for key in document if key in readings}
    try:
        if named.test:
            asked["test_share"] = untested(named.test, asked.get("test_share"))
        reading = Reading(**asked)
    except UsageError as error:
        raise error.within(str(file)) from error
    known = {
        f.name: getattr(named, f.name) for f in dataclasses.fields(named) if f.name not in ("path", "classes", "test")
    }
    spec = find_path(
        file.parent / Path(os.path.expanduser(named.path)),
        reading,
        **{key: value for key, value in known.items() if value},
    )
    if not named.classes:
        return spec
    if len(named.classes) != len(spec.classes):
        raise UsageError(
            f"{file}: the names of the classes do not fit",
            expected=f"{len(spec.classes)}, for {', '.join(spec.classes[:8])}",
            got=len(named.classes),
        )
    return dataclasses.replace(spec, classes=tuple(map(str, named.classes)))
