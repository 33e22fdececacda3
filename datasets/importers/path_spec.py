"""Files of one's own as a dataset: the specification of a path."""

import dataclasses
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from millrace.datasets.importers.inventory import TEST, VALIDATION, Inventory, Survey, shown_name
from millrace.datasets.importers.options import POLICY, Reading
from millrace.datasets.importers.recognising import survey
from millrace.datasets.spec import DatasetSpec
from millrace.errors import DataError, FormatError, UsageError

FORMAT = "path"


@dataclass(frozen=True)
class PathSpec(DatasetSpec):
    """The specification of a path. location: absolute. encoded: whether pictures are decoded by us, so that `reading`
    says how others are made inputs of the same kind. survey: what lies there; it stays in the process that looked."""

    location: str = ""
    reading: Reading = field(default_factory=Reading)
    encoded: bool = True
    survey: Survey | None = field(default=None, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "survey": None}

    @property
    def surveyed(self) -> Survey:
        """What lies there. DataError in another process than the one that looked."""
        if self.survey is None:
            raise DataError(f"{self.location} was looked at by another process", do="datasets.find looks again")
        return self.survey

    @property
    def inventory(self) -> Inventory:
        """What is known before anything is decoded."""
        return self.surveyed.inventory

    def without(self, left_out: int) -> "PathSpec":
        """The same where so many pictures could not be read: a title that counts does not count them. A title that
        somebody chose stays."""
        if self.title != _title(self.location, self.inventory):
            return self
        return dataclasses.replace(self, title=_title(self.location, self.inventory, left_out))

    @property
    def touched(self) -> str:
        return "" if self.survey is None else self.inventory.touched

    def described(self, shape: tuple[int, int, int]) -> dict[str, Any]:
        """As `DatasetSpec.described`; `reading` says how pictures were made of this shape."""
        found = super().described(shape)
        as_read = self.encoded and self.prepare == "photos"
        return {**found, "reading": self.reading.as_dict()} if as_read else found


def find_path(path: Path, reading: Reading, **known: Any) -> PathSpec:
    """The dataset that lies at this path; nothing is decoded. known: fields of the specification that a dataset file
    gives. Errors: FormatError where it is not understood, UsageError where it is ambiguous."""
    path = Path(os.path.realpath(os.path.expanduser(path)))
    found = survey(path, reading)
    inventory = found.inventory
    if len(inventory.classes) < 2:
        raise FormatError(
            f"{path} has too few classes",
            expected="at least 2 classes with pictures",
            got=", ".join(inventory.classes) or "none",
            do="give the path of the folder in which those of the classes lie" if inventory.shape is None else None,
        )
    _check_test_share(path, inventory, reading)
    named = {"name": name_of(path), "title": _title(str(path), inventory), "policy": POLICY}
    if found.encoded:  # whatever the augmentation: others are prepared as these were
        named["prepare"] = "photos"
    return PathSpec(
        **{**named, "classes": inventory.classes, **known},
        format=FORMAT,
        location=str(path),
        reading=reading,
        encoded=found.encoded,
        survey=found,
    )


def _title(location: str, inventory: Inventory, left_out: int = 0) -> str:
    rows = sum(inventory.rows.values()) - left_out
    return f"{shown_name(Path(location).name)}: {rows:,} images ({inventory.kind})"


def _check_test_share(path: Path, inventory: Inventory, reading: Reading) -> None:
    """Raise a UsageError where a share is asked for that would be passed over."""
    held = [split for split in (TEST, VALIDATION) if split in inventory.counts]
    if reading.test_share is not None and held:
        raise UsageError(
            f"{path} has a split to test on",
            expected="test_share where there is none",
            got=f"test_share {reading.test_share:g}, and {inventory.rows[held[0]]:,} images in its split {held[0]}",
            do="leave out `test_share`",
        )


def name_of(path: Path) -> str:
    """A name for the dataset at this path, safe as the name of a folder."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", path.name).strip("-._")[:48].rstrip("-.")
    return safe or "files"


def reading_kept(given: Any) -> Reading:
    """The reading that a checkpoint, a network's file or a manifest keeps; the plain one where it keeps none."""
    if not isinstance(given, dict):
        return Reading()
    known = {f.name for f in dataclasses.fields(Reading)}
    values = {name: value for name, value in given.items() if name in known}
    return Reading(**{**values, "size": None if values.get("size") is None else tuple(values["size"])})
