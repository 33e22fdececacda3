"""Arrays of one's own written into the files of a dataset's tables, in pieces: they may be larger than memory.

npy files are mapped, so of those neither source nor table is ever the process's own memory; npz and IDX are read first.
"""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from millrace.datasets.importers.array_survey import ArraySurvey, StoredSplit
from millrace.datasets.importers.inventory import TEST, TRAIN
from millrace.datasets.pixel_arrays import Pixels, pieces
from millrace.datasets.spec import DatasetSpec
from millrace.datasets.table_images import FilledArrays, TableImages

Report = Callable[[str, int, int | None], None]


def filled(survey: ArraySurvey, spec: DatasetSpec, folder: Path, report: Report | None = None) -> FilledArrays:
    """The arrays of both splits, their images in the files of tables in `folder`; where there is no test split, it is
    drawn. report(what, bytes of pixels done, of all). Errors: FormatError for pixels that do not fit their range, after
    which no file is left; OSError where the disk is full."""
    from millrace.datasets.splits import rows_to_test  # compiles kernels, which surveys can do without

    stored, labels = {split: survey.stored(split) for split in (TRAIN, TEST)}, survey.labels(TRAIN)
    if stored[TEST]:
        rows = {split: np.arange(len(survey.labels(split))) for split in stored}
        marks = {split: survey.labels(split) for split in stored}
    else:
        test = rows_to_test(labels, survey.reading.test_share)
        rows = {TRAIN: np.setdiff1d(np.arange(len(labels)), test), TEST: test}
        marks = {split: labels[chosen] for split, chosen in rows.items()}
    parts = [(split, stored[split] or stored[TRAIN], rows[split]) for split in (TRAIN, TEST)]
    with contextlib.ExitStack() as undone:
        made = _tables(survey, spec, folder, parts, report, undone)
        undone.pop_all()
    return FilledArrays(made[0].images, marks[TRAIN], made[1].images, marks[TEST], (made[0], made[1]))


def _tables(
    survey: ArraySurvey,
    spec: DatasetSpec,
    folder: Path,
    parts: Sequence[tuple[str, Sequence[StoredSplit], npt.NDArray[np.int64]]],
    report: Report | None,
    undone: contextlib.ExitStack,
) -> list[TableImages]:
    """The images of both tables in their files. undone: what takes the files away again."""
    shape, done, total = parts[0][1][0].form, 0, sum(len(rows) for _, _, rows in parts)
    size, made = int(np.prod(shape)), []
    for split, sources, rows in parts:
        room = TableImages(folder, split, spec, shape, len(rows))
        undone.callback(room.path.unlink, missing_ok=True)
        at, first = 0, 0
        for source in sources:
            within = rows[(rows >= first) & (rows < first + source.shape[0])] - first
            first += source.shape[0]
            if not len(within):
                continue
            pixels = Pixels(source.read(), source.what, bounds=survey.reading.bounds)
            for piece in pieces((len(within), *shape)):
                chosen = within[piece]
                room.images[at : at + len(chosen)] = pixels[chosen]
                at += len(chosen)
                if report is not None:
                    report(f"reading {spec.name}", (done + at) * size, total * size)
        done += at
        made.append(room)
    return made
