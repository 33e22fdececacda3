"""What is known of files of one's own before any picture in them is decoded."""

import dataclasses
import hashlib
import json
import unicodedata
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from millrace.datasets.arrays import Arrays
from millrace.datasets.importers.options import Reading
from millrace.errors import UsageError
from millrace.labels import Labels

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)
_SPELLINGS = {
    "train": TRAIN, "training": TRAIN, "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION,
    "dev": VALIDATION, "test": TEST, "testing": TEST,
}  # fmt: skip

_UNSEEN = ("Cc", "Cs", "Zl", "Zp")  # controls, surrogates, separators of lines and paragraphs


Stamp = tuple[str, int, int, int]  # a file's name, bytes, time of change and (ctime) of its entry's, in ns


def split_of(word: str) -> str | None:
    """The split that a folder, a file or a column calls so: train, validation or test; None: it is no split's name."""
    return _SPELLINGS.get(word.lower())


def shown_name(name: str) -> str:
    """A name as text that can be written anywhere, on one line: bytes that are no UTF-8, ends of lines and the like are
    escaped."""
    return name if name.isascii() and name.isprintable() else "".join(map(_escaped, name))


def _escaped(c: str) -> str:
    if "\udc80" <= c <= "\udcff":  # how Python keeps a byte that is no UTF-8
        return f"\\x{ord(c) - 0xDC00:02x}"
    return c.encode("unicode_escape").decode() if unicodedata.category(c) in _UNSEEN else c


@dataclass(frozen=True)
class Picture:
    """One encoded picture. name: POSIX path within the dataset, unique; rows stand in the order of the names. label:
    index into the classes. read: its bytes, bounded; OSError or DataError where it cannot. path: the file that holds
    it alone, if one does."""

    name: str
    label: int
    read: Callable[[], bytes]
    path: str | None = None


@dataclass(frozen=True)
class Inventory:
    """What lies there. kind: as people call it. counts: for each split (train, validation, test) how many of each
    class. sizes: how often each (H, W) occurs; modes: each kind of pixels; both empty where nobody looked yet. notes:
    what was passed over or is worth knowing, in words. stamps: of each file; as long as they hold, so does a table that
    was made. shape: (C, H, W) of arrays; None of pictures, which are made one.
    """

    kind: str
    classes: tuple[str, ...]
    counts: Mapping[str, tuple[int, ...]]
    notes: tuple[str, ...] = ()
    stamps: tuple[Stamp, ...] = field(default=(), repr=False)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    shape: tuple[int, int, int] | None = None

    @property
    def rows(self) -> dict[str, int]:
        """How many there are in each split."""
        return {split: sum(counts) for split, counts in self.counts.items()}

    @cached_property
    def digest(self) -> str:
        """Hexadecimal sha256 over all that is known from names, sizes and times of the files."""
        what = [self.kind, self.classes, self.counts, [stamp[:3] for stamp in self.stamps]]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()

    @cached_property
    def touched(self) -> str:
        """Hexadecimal sha256 over when the system last noted a change of each file. Unlike sizes and times this tells a
        file whose time was set back; but it also moves where a file was linked or has other permissions."""
        return hashlib.sha256(array("q", [stamp[3] for stamp in self.stamps])).hexdigest()


class Survey:
    """A path that an importer has looked at. Importers derive from it and answer `pictures` or `arrays`.

    encoded: whether it holds encoded pictures, which are decoded by us; else arrays, which the importer reads.
    """

    encoded = True

    def __init__(self, inventory: Inventory, reading: Reading) -> None:
        self.inventory, self.reading = inventory, reading

    def pictures(self, split: str) -> Sequence[Picture]:
        """The pictures of a split (train, validation, test), sorted by name."""
        raise UsageError(f"{self.inventory.kind} holds no encoded pictures", got=split)

    def arrays(self) -> Arrays:
        """Images uint8 (n, C, H, W) and labels of both splits; a test split of no rows where the files have none."""
        raise UsageError(f"{self.inventory.kind} holds no arrays")

    def labels(self, split: str) -> Labels:
        """The labels of `train` or `test` of arrays, (n,): those that train are validation's too."""
        raise UsageError(f"{self.inventory.kind} holds no arrays", got=split)

    def noted(self, *notes: str) -> None:
        """Add to what is worth knowing."""
        self.inventory = dataclasses.replace(self.inventory, notes=(*self.inventory.notes, *notes))
