"""What is understood of files of one's own, before anything is decoded."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from millrace.cores import cores
from millrace.datasets import PathSpec, rows_to_test
from millrace.datasets.decoding import WIDE, Heads, arranged, form_of, look, ordered
from millrace.datasets.importers import Survey, shown_name, worth_knowing
from millrace.errors import MillraceError


@dataclass(frozen=True)
class Understood:
    """kind: as people call it. counts: per split of the files, how many of each class. rows: of the tables that will be
    made. sizes: ((H, W), how often), the most frequent first; modes: Pillow's, how often each. shape: (C, H, W) of the
    images that will be made; None where `missing` says what has to be given first. bad: why each picture whose head
    cannot be read cannot be taken. notes: what was passed over."""

    kind: str
    classes: tuple[str, ...]
    counts: Mapping[str, tuple[int, ...]]
    rows: Mapping[str, int]
    drawn: bool
    sizes: tuple[tuple[tuple[int, int], int], ...]
    modes: Mapping[str, int]
    shape: tuple[int, int, int] | None
    missing: str
    bad: Mapping[str, str]
    notes: tuple[str, ...]


def understood(spec: PathSpec) -> Understood:
    """Look at the heads of all pictures below a path. Errors: DataError where it cannot be read."""
    inventory, heads = spec.inventory, Heads()
    heads.sizes, heads.modes = inventory.sizes, inventory.modes
    drawn = "test" not in inventory.counts and "validation" not in inventory.counts
    rows: dict[str, int] = {}
    shape, missing, notes = None, "", [*inventory.notes, *worth_knowing(inventory)]
    if spec.surveyed.encoded:
        parts = arranged(spec.surveyed)
        heads = Heads()
        for pictures in parts:
            heads.add(look(pictures, spec.reading, cores()))
        rows = dict(zip(("train", "test"), map(len, parts), strict=True))
        if spec.reading.range is not None and not any(mode in WIDE for mode in heads.modes):
            notes.append("`range` changes nothing: no picture has pixels of 16 or 32 bits or floats")
        try:
            shape = form_of(heads, spec.reading).shape
        except MillraceError as error:
            missing = error.do or error.what
    else:
        shape, rows = inventory.shape, _rows_of_arrays(spec.surveyed)
    return Understood(
        kind=inventory.kind,
        classes=inventory.classes,
        counts=inventory.counts,
        rows=rows,
        drawn=drawn,
        sizes=tuple(ordered(heads)),
        modes=dict(heads.modes.most_common()),
        shape=shape,
        missing=missing,
        bad={shown_name(name): heads.bad[name] for name in sorted(heads.bad, key=os.fsencode)},
        notes=tuple(notes),
    )


def _rows_of_arrays(survey: Survey) -> dict[str, int]:
    """How many rows the tables of arrays will have: validation trains too, and where no test split is, one is drawn."""
    train, test = len(survey.labels("train")), len(survey.labels("test"))
    if not test:
        test = len(rows_to_test(survey.labels("train"), survey.reading.test_share))
        train -= test
    return {"train": train, "test": test}
