"""Samples in one tar as WebDataset has them: members that follow each other and are called alike but for their endings.

KEY.jpg (.png, .webp …) is the picture; its label stands in KEY.cls, a number or a name, or in a field of KEY.json.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from millrace.datasets.importers.table_columns import chosen_label, likely_label
from millrace.datasets.importers.tar_index import members
from millrace.errors import FormatError

PICTURES = ("jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "gif")
CLASS, FIELDS = "cls", "json"
LARGEST = 16 << 20  # bytes of a sample's label or fields
_NAME = re.compile(r"((?:.*/)?[^./]+)\.([^/]+)", re.DOTALL)
_META = re.compile(r"(?:.*/)?__[^/]*__(?:/.*)?", re.DOTALL)  # members about the shard, not of a sample
_NUMBER = re.compile(r"[+-]?\d{1,18}")


class Sample(NamedTuple):
    """A picture in a tar: its member's name, offset and size, and its label as it stands there, None without one."""

    name: str
    offset: int
    size: int
    label: int | str | None


class LabelPlace:
    """Where the samples of a dataset have their labels; the first sample decides, where the user did not.

    asked: `cls`, a field of the JSON, or nothing."""

    def __init__(self, asked: str) -> None:
        self._asked, self._field = asked, ""

    def label(self, texts: dict[str, bytes], what: str) -> int | str | None:
        """The label of the sample with these contents of `cls` and `json`. Errors: FormatError for a damaged one,
        UsageError where it could be several fields."""
        fields = _fields(texts[FIELDS], what) if FIELDS in texts else {}
        if not self._field:
            fit = [name for name, value in fields.items() if _is_label(value)]
            if self._asked:
                self._field = chosen_label([*([CLASS] if CLASS in texts else []), *fit], self._asked, what)
            elif CLASS in texts:
                self._field = CLASS
            elif fit:
                self._field = likely_label(fit, what)
        if self._field == CLASS and CLASS in texts:
            return _parsed(texts[CLASS], what)
        value = fields.get(self._field)
        if value is not None and not _is_label(value):
            raise FormatError(
                f"{what}: {self._field} is no label", expected="a whole number or a name", got=repr(value)
            )
        return value


def samples(path: Path, what: str, place: LabelPlace) -> Iterator[Sample]:
    """Each sample with a picture, in order; members that belong to none are passed over. FormatError for a damaged
    archive, and where a sample has two pictures."""
    key, picture, texts = "", None, dict[str, bytes]()
    for member, read in members(path, what):
        match = _NAME.fullmatch(member.name)
        if match is None or _META.fullmatch(member.name):
            continue
        if match[1] != key:
            if picture is not None:
                yield Sample(*picture, place.label(texts, f"{what}: {key}"))
            key, picture, texts = match[1], None, {}
        ending = match[2].lower()
        if ending in PICTURES:
            if picture is not None:
                raise FormatError(f"{what}: {key!a} has two pictures", expected="one", got=ascii(member.name))
            picture = member
        elif ending in (CLASS, FIELDS):
            if member.size > LARGEST:
                raise FormatError(f"{what}: {member.name!a} is too large", expected=LARGEST, got=member.size)
            texts[ending] = bytes(read())
    if picture is not None:
        yield Sample(*picture, place.label(texts, f"{what}: {key}"))


def _fields(data: bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{what}.json is no JSON", got=error) from error
    return found if isinstance(found, dict) else {}


def _is_label(value: object) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 62) or isinstance(value, str)


def _parsed(data: bytes, what: str) -> int | str:
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise FormatError(f"{what}.cls is no text", expected="a number or a name", got=ascii(data[:32])) from error
    if not text:
        raise FormatError(f"{what}.cls is empty", expected="a number or a name")
    return int(text) if _NUMBER.fullmatch(text) else text
