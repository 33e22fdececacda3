"""All pictures of a survey decoded into the files of a dataset's tables, on all cores; the same for any number."""

import contextlib
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL
from PIL import features

from millrace.cores import cores
from millrace.datasets.arrays import U8Array
from millrace.datasets.decoding.arranging import arranged, labels_of
from millrace.datasets.decoding.contents import content_of, digests, note
from millrace.datasets.decoding.heads import Heads, all_grey, look
from millrace.datasets.decoding.pixels import BadPicture, Form, decoded, opened
from millrace.datasets.decoding.work import over_rows
from millrace.datasets.importers.inventory import Picture, shown_name
from millrace.datasets.importers.options import LARGEST, SMALLEST, Reading
from millrace.datasets.importers.path_spec import PathSpec
from millrace.datasets.table_images import FilledArrays, TableImages
from millrace.errors import DataError, FormatError, OptionError
from millrace.labels import narrowed

OWN = "sizes 2"  # counts on where the same files become other pixels by a change of ours
CODECS = ("jpg", "libjpeg_turbo", "zlib", "libtiff", "webp")
NAMED, SIZES = 20, 8  # bad pictures, and sizes, named in a message
Report = Callable[[str, int, int | None], None]


def versions() -> list[str]:
    """Of what decodes, ours and the libraries: they are part of a table's fingerprint."""
    return [OWN, f"Pillow {PIL.__version__}", *(f"{name} {features.version(name) or 'none'}" for name in CODECS)]


@dataclass(frozen=True)
class Made:
    """The tables' arrays, their images in place. left_out: why each picture that is not in them could not be taken."""

    arrays: FilledArrays
    left_out: Mapping[str, str]


def make_tables(spec: PathSpec, folder: Path, threads: int = 0, report: Report | None = None) -> Made:
    """Decode all pictures of a dataset into files in `folder`. threads: 0 for one per core.

    report(what, bytes of pixels done, of all). Errors: FormatError, which names the pictures that cannot be taken or
    the sizes that occur; OSError where the disk is full."""
    survey, threads = spec.surveyed, threads or cores()
    parts = arranged(survey)
    total = sum(map(len, parts))
    heads = _heads(parts, survey.reading, threads)
    form = form_of(heads, survey.reading)
    noted = [digests(pictures) for pictures in parts]
    with contextlib.ExitStack() as undone:
        made = _filled(spec, folder, parts, form, heads.bad, noted, threads, report, undone)
        if heads.bad and (not survey.reading.skip_bad or not len(made[0][1])):
            raise refused(heads.bad, total)
        undone.pop_all()
    (train, train_labels), (test, test_labels) = made
    labels = (narrowed(values, len(spec.classes), spec.name) for values in (train_labels, test_labels))
    content = content_of([(rows, labels_of(pictures)) for rows, pictures in zip(noted, parts, strict=True)])
    arrays = FilledArrays(train.images, next(labels), test.images, next(labels), (train, test), content)
    return Made(arrays, {shown_name(name): heads.bad[name] for name in sorted(heads.bad, key=os.fsencode)})


def _filled(
    spec: PathSpec,
    folder: Path,
    parts: Sequence[Sequence[Picture]],
    form: Form,
    bad: dict[str, str],
    noted: Sequence[U8Array],
    threads: int,
    report: Report | None,
    undone: contextlib.ExitStack,
) -> list[tuple[TableImages, npt.NDArray[np.int64]]]:
    """The images of both tables in their files, and their labels, without those that are `bad`. noted: takes down what
    the pictures' bytes are; undone: what takes the files away again."""
    size, done, made, total = form.bytes, 0, [], sum(map(len, parts))
    for split, pictures, rows in zip(("train", "test"), parts, noted, strict=True):
        room = TableImages(folder, split, spec, form.shape, len(pictures))
        undone.callback(room.path.unlink, missing_ok=True)

        def say(rows: int, done: int = done) -> None:
            if report is not None:
                report(f"decoding {spec.name}", (done + rows) * size, total * size)

        kept = _fill(room.images, pictures, form, bad, rows, threads, say)
        if form.reading.skip_bad:
            room.keep(kept)
        made.append((room, labels_of(pictures)[kept]))
        done += len(pictures)
    if report is not None:
        report(f"decoding {spec.name}", total * size, total * size)
    return made


def _heads(parts: Sequence[Sequence[Picture]], reading: Reading, threads: int) -> Heads:
    """The heads of all pictures, or as many as say what is not given: of size and channels."""
    heads = Heads()
    if reading.size is not None:
        if reading.channels is None:
            heads.grey = all(all_grey(pictures, reading, threads) for pictures in parts)
        return heads
    for pictures in parts:
        heads.add(look(pictures, reading, threads))
    return heads


def form_of(heads: Heads, reading: Reading) -> Form:
    """What every picture is brought to. FormatError where no size is asked for and the pictures have several, or one
    that is out of range."""
    channels = reading.channels or (1 if heads.grey else 3)
    if channels not in (1, 3):
        raise OptionError("channels", "is out of range for pictures", expected="1 or 3", got=channels)
    if reading.size is not None:
        return Form(reading.size, channels, reading)
    if not heads.sizes:
        raise refused(heads.bad, len(heads.bad))
    if len(heads.sizes) > 1:
        shown = ", ".join(f"{h} × {w} ({count:,} times)" for (h, w), count in ordered(heads)[:SIZES])
        more = f", and {len(heads.sizes) - SIZES:,} other sizes" if len(heads.sizes) > SIZES else ""
        raise FormatError(
            "the pictures differ in size",
            expected="one size (height × width), or a `size` to bring them to",
            got=f"{shown}{more}",
            do="add `size=(64, 64)`, or another; `fit` (pad, crop or stretch) says how",
        )
    size = next(iter(heads.sizes))
    if not SMALLEST <= min(size) <= max(size) <= LARGEST:
        raise FormatError(
            f"the pictures are {size[0]} × {size[1]}, and no size was asked for",
            expected=f"sides of {SMALLEST} to {LARGEST} pixels, or a `size` to bring them to",
            got=f"{size[0]} × {size[1]} ({heads.sizes[size]:,} times)",
            do="add `size=(64, 64)`, or another; `fit` (pad, crop or stretch) says how",
        )
    return Form(size, channels, reading)


def ordered(heads: Heads) -> list[tuple[tuple[int, int], int]]:
    """The sizes, the most frequent first; of those as frequent the smaller."""
    return sorted(heads.sizes.items(), key=lambda one: (-one[1], one[0]))


def _fill(
    images: U8Array,
    pictures: Sequence[Picture],
    form: Form,
    bad: dict[str, str],
    noted: U8Array,
    threads: int,
    report: Callable[[int], None],
) -> npt.NDArray[np.bool_]:
    """Decode the pictures into the images' rows; `bad` gets the cause of each that cannot be taken. Which rows hold
    one."""
    kept, known = np.zeros(len(pictures), bool), frozenset(bad)

    def decode(row: int) -> None:
        one = pictures[row]
        try:
            data = one.read()
            note(noted, row, data)
            if one.name in known:
                return
            images[row] = decoded(opened(data, form.reading.first_frame), form)
            kept[row] = True
        except BadPicture as error:
            bad[one.name] = error.what
        except OSError as error:
            bad[one.name] = f"unreadable: {error.strerror or error}"
        except DataError as error:
            bad[one.name] = f"unreadable: {error.what}"

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, about metadata that is not used
        over_rows(len(pictures), decode, threads, report)
    return kept


def refused(bad: Mapping[str, str], total: int) -> FormatError:
    """The error that names the bad pictures, the first twenty of them."""
    names = sorted(bad, key=os.fsencode)
    lines = [f"{shown_name(name)}: {bad[name]}" for name in names[:NAMED]]
    if len(names) > NAMED:
        lines.append(f"and {len(names) - NAMED:,} more")
    return FormatError(
        f"{len(names):,} of {total:,} pictures cannot be taken",
        got="\n            ".join(lines),
        do="mend or remove them, or leave them out: `skip_bad=True`",
    )
