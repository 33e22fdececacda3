"""What arrays are called: which holds images and which labels, and of which split.

Understood are Keras' `x_train, y_train, x_test, y_test`, `train_images, train_labels …`, MedMNIST's `val_images`,
`images` and `labels` alone, and such names with something before or after them, in any case: `X`, `mnist-x-train`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from millrace.datasets.importers.inventory import SPLITS, TEST, TRAIN, split_of
from millrace.errors import FormatError, UsageError

IMAGES, LABELS = "images", "labels"
_KINDS = {
    **dict.fromkeys(("x", "image", "images", "img", "imgs", "data", "pixels", "features"), IMAGES),
    **dict.fromkeys(("y", "label", "labels", "target", "targets"), LABELS),
}
_RUN_TOGETHER = re.compile(r"(x|y|images|labels)(train|test|val|valid)|(train|test|val|valid)(x|y|images|labels)")


@dataclass(frozen=True)
class Role:
    """What an array is: `images` or `labels`, of which split (None: its name does not say), and what else is said."""

    kind: str
    split: str | None
    group: str = ""


def role_of(name: str) -> Role | None:
    """What an array of this name is; None where the name does not say it, or says two things."""
    words = [part for word in re.split(r"[\W_]+", name.lower()) if word for part in _apart(word)]
    kinds = [word for word in words if word in _KINDS]
    splits = [split for word in words if (split := _split(word)) is not None]
    if len(kinds) != 1 or len(splits) > 1:
        return None
    group = "-".join(word for word in words if word not in kinds and _split(word) is None)
    return Role(_KINDS[kinds[0]], splits[0] if splits else None, group)


def pairs(names: Iterable[str], what: str, labels: str = "") -> dict[str, tuple[str, str]]:
    """For each split the names of its images and its labels; what is called neither is left aside.

    labels: the name, or the group, of the labels that are meant where several could be. A single pair that names no
    split is the training split. Errors: FormatError where there is no pair to train on, UsageError where there are
    several.
    """
    roles = {name: role for name in sorted(names) if (role := role_of(name)) is not None}
    images = _one_set({name: role for name, role in roles.items() if role.kind == IMAGES}, what)
    found = {}
    for split, name in images.items():
        fitting = [n for n, role in roles.items() if role.kind == LABELS and (role.split or TRAIN) == split]
        if chosen := _labels(fitting, roles, labels, split, what):
            found[split] = name, chosen
    if TRAIN not in found:
        raise FormatError(
            f"{what} holds no images with labels to train on",
            expected="x_train and y_train, train_images and train_labels, or images and labels",
            got=", ".join(sorted(names)[:20]) or "no arrays",
            do="give the arrays such names",
        )
    return {split: found[split] for split in SPLITS if split in found}


def begins(name: str, start: str) -> bool:
    """Whether a name begins with this and then goes on with a dash, dot or underscore; everything begins with ""."""
    return not start or re.match(rf"{re.escape(start)}[-_.]", name) is not None


def _one_set(images: Mapping[str, Role], what: str) -> dict[str, str]:
    """The name of each split's images; UsageError where a split has several."""
    taken: dict[str, str] = {}
    for name, role in images.items():
        split = role.split or TRAIN
        if split in taken or len({role.group for role in images.values()}) > 1:
            raise UsageError(
                f"{what} holds several sets of images",
                expected="one array of images for each split",
                got=", ".join(images),
                do="keep one set in a file or folder of its own, or give the beginning of its names as the path",
            )
        taken[split] = name
    return taken


def _labels(fitting: list[str], roles: Mapping[str, Role], wanted: str, split: str, what: str) -> str | None:
    if wanted:
        fitting = [name for name in fitting if name == wanted or wanted.lower() in roles[name].group.split("-")]
    if len(fitting) > 1:
        raise UsageError(
            f"{what} holds several arrays of labels for {split}",
            expected="one, or the name of the one that is meant",
            got=", ".join(fitting),
            do=f"say which: `labels={roles[fitting[0]].group or fitting[0]}`",
        )
    return fitting[0] if fitting else None


def _apart(word: str) -> list[str]:
    match = _RUN_TOGETHER.fullmatch(word)
    return [part for part in match.groups() if part] if match else [word]


def _split(word: str) -> str | None:
    return TEST if word == "t10k" else split_of(word)
