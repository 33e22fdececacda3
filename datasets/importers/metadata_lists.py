"""Lists of pictures and labels as Hugging Face's ImageFolder reads them: metadata.csv or metadata.jsonl.

Each row names a picture in `file_name`, relative to the folder that the list lies in.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from millrace.datasets.importers.label_values import NONE, I64Array
from millrace.errors import FormatError

FILE = "file_name"
LISTS = ("metadata.csv", "metadata.jsonl")
LARGEST = 128 << 20  # bytes of a list
Value = str | int | None
Row = dict[str, Value]
_NUMBER = re.compile(r"[+-]?\d{1,18}")


def read_list(path: Path) -> list[Row]:
    """The rows of a list: text and whole numbers by column; None where a row has neither. FormatError where it is no
    list of pictures, or names one outside of its folder."""
    if (size := path.stat().st_size) > LARGEST:
        raise FormatError(f"{path} is too large", expected=f"at most {LARGEST:,} bytes", got=f"{size:,}")
    try:
        text = path.read_bytes().decode("utf-8-sig")
        rows = list(_jsonl(text) if path.suffix == ".jsonl" else _csv(text))
    except (ValueError, RecursionError, csv.Error) as error:
        raise FormatError(f"{path} cannot be read", expected=f"UTF-8, {path.suffix[1:].upper()}", got=error) from error
    for number, row in enumerate(rows, 1):
        name = row.get(FILE)
        if not isinstance(name, str) or not _inside(name):
            raise FormatError(
                f"{path}: row {number} names no picture",
                expected=f"{FILE}, a path within the list's folder",
                got=ascii(name)[:200],
            )
    if not rows:
        raise FormatError(f"{path} is empty", expected=f"rows with {FILE} and a label")
    return rows


def label_columns(rows: Sequence[Row]) -> list[str]:
    """The columns that could hold labels: those with text or whole numbers in some row."""
    found: dict[str, None] = {}
    for row in rows:
        found.update((name, None) for name, value in row.items() if value is not None and name != FILE)
    return list(found)


def label_values(rows: Sequence[Row], column: str) -> I64Array | list[str | None]:
    """The labels of the rows: numbers where all are, else names."""
    values = [None if row.get(column) in (None, "") else row[column] for row in rows]
    if all(value is None or isinstance(value, int) or _NUMBER.fullmatch(value) for value in values):
        return np.array([NONE if value is None else int(value) for value in values], np.int64)
    return [None if value is None else str(value) for value in values]


def _csv(text: str) -> Iterator[Row]:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    heading = [name.strip() for name in next(lines, [])]
    if FILE not in heading or len(set(heading)) != len(heading):
        raise ValueError(f"the first line is {', '.join(heading)[:200]}; it has to name the columns, one {FILE}")
    for line in lines:
        if not line:
            continue
        if len(line) != len(heading):
            raise ValueError(f"line {lines.line_num} has {len(line)} fields of {len(heading)}")
        yield dict(zip(heading, line, strict=True))


def _jsonl(text: str) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        if not isinstance(found, dict):
            raise ValueError(f"line {number} is no object")
        yield {name: value if _taken(value) else None for name, value in found.items()}


def _taken(value: object) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 62
    return whole or isinstance(value, str)


def _inside(name: str) -> bool:
    """Whether a path stays in the folder that it is relative to."""
    parts = PurePosixPath(name).parts
    written = not any("\ud800" <= c <= "\udfff" for c in name)  # JSON can hold halves of characters
    return bool(parts) and name[0] != "/" and ".." not in parts and not {"\0", "\\"} & set(name) and written
