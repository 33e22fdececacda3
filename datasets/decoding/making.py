"""All pictures of a survey as arrays, on all cores; the same whatever their number."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import PIL
from PIL import features

from millrace.datasets.arrays import Arrays, U8Array
from millrace.datasets.decoding.heads import Heads, look
from millrace.datasets.decoding.pixels import BadPicture, Form, decoded, opened
from millrace.datasets.importers.inventory import TEST, TRAIN, VALIDATION, Picture, Survey
from millrace.datasets.importers.options import Reading
from millrace.datasets.splits import rows_to_test
from millrace.errors import FormatError
from millrace.labels import Labels

CODECS = ("jpg", "libjpeg_turbo", "zlib", "libtiff", "webp")
NAMED = 20  # bad pictures named in a message


def versions() -> list[str]:
    """Of the libraries that decode: they are part of a table's fingerprint."""
    return [f"Pillow {PIL.__version__}", *(f"{name} {features.version(name) or 'none'}" for name in CODECS)]


def cores() -> int:
    """The threads to decode on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def arrays_of(survey: Survey, threads: int = 0) -> Arrays:
    """Images and labels of both splits. Errors: FormatError, which names the pictures that cannot be taken."""
    train, test = _arranged(survey)
    pictures = [*train, *test]
    heads = look(pictures, survey.reading, threads or cores())
    form = form_of(heads, survey.reading)
    parts: list[Any] = []
    for split in (train, test):
        images, labels = _decoded(split, form, heads.bad, threads or cores())
        parts += [images, labels]
    if heads.bad:
        raise _refused(heads.bad, len(pictures))
    return Arrays(*parts)


def _arranged(survey: Survey) -> tuple[list[Picture], list[Picture]]:
    """The pictures to train on and to test on."""
    counts = survey.inventory.counts
    train, test = list(survey.pictures(TRAIN)), TEST if TEST in counts else VALIDATION
    if test in counts:
        held = list(survey.pictures(VALIDATION)) if test == TEST and VALIDATION in counts else []
        return sorted([*train, *held], key=lambda one: os.fsencode(one.name)), list(survey.pictures(test))
    apart = rows_to_test(np.array([one.label for one in train], np.int64), survey.reading.test_share)
    taken = np.zeros(len(train), bool)
    taken[apart] = True
    return (
        [one for one, is_test in zip(train, taken, strict=True) if not is_test],
        [train[row] for row in apart],
    )


def form_of(heads: Heads, reading: Reading) -> Form:
    """What every picture is brought to. FormatError where no size is asked for and the pictures have several."""
    channels = reading.channels or (1 if heads.grey else 3)
    if channels not in (1, 3):
        raise FormatError("pictures have 1 or 3 channels", got=channels)
    if reading.size is not None:
        return Form(reading.size, channels, reading)
    if len(heads.sizes) != 1:
        raise no_common_size(heads)
    return Form(next(iter(heads.sizes)), channels, reading)


def no_common_size(heads: Heads) -> FormatError:
    """The error for pictures of several sizes, with those that occur."""
    if not heads.sizes:
        return _refused(heads.bad, len(heads.bad))
    shown = ", ".join(f"{h} × {w} ({count:,} times)" for (h, w), count in heads.sizes.most_common(6))
    more = f", and {len(heads.sizes) - 6:,} others" if len(heads.sizes) > 6 else ""
    return FormatError(
        "the pictures differ in size",
        expected="one size (height × width), or a `size` to bring them to",
        got=f"{shown}{more}",
        do="add `size=64 64`, or another; `fit` (pad, crop or stretch) says how",
    )


def _decoded(pictures: Sequence[Picture], form: Form, bad: dict[str, str], threads: int) -> tuple[U8Array, Labels]:
    """Images and labels of these pictures; `bad` gets the cause of each that cannot be taken."""
    images = np.zeros((len(pictures), *form.shape), np.uint8)
    labels = np.array([one.label for one in pictures], np.uint16)  # the table narrows them

    def decode(row: int) -> None:
        one = pictures[row]
        if one.name in bad:
            return
        try:
            images[row] = decoded(opened(one.read(), form.reading.first_frame), form)
        except BadPicture as error:
            bad[one.name] = error.cause

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(decode, range(len(pictures))):
            pass
    return images, labels


def _refused(bad: dict[str, str], total: int) -> FormatError:
    """The error that names the bad pictures, the first twenty of them."""
    names = sorted(bad, key=os.fsencode)
    lines = [f"{name}: {bad[name]}" for name in names[:NAMED]]
    if len(names) > NAMED:
        lines.append(f"and {len(names) - NAMED:,} more")
    return FormatError(
        f"{len(names):,} of {total:,} pictures cannot be taken",
        got="\n            ".join(lines),
        do="mend or remove them, or leave them out with `skip_bad=True`",
    )
