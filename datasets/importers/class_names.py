"""Names of classes: `classes.txt` beside a file or in a folder, one name a line; else the labels themselves."""

from collections import Counter
from pathlib import Path

from millrace.datasets.spec import MAX_CLASSES
from millrace.errors import FormatError

FILE = "classes.txt"
MAX_BYTES = 16 << 20


def class_names(folder: Path, count: int) -> tuple[tuple[str, ...], Path | None]:
    """The names of at least `count` classes, and the file that gives them, if one does.

    Empty lines at the end count for nothing. FormatError where there are too few names, or one stands twice.
    """
    path = folder / FILE
    if not path.is_file():
        return tuple(map(str, range(count))), None
    with open(path, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    try:
        names = tuple(line.strip() for line in data.decode("utf-8-sig").rstrip().splitlines())
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not text", expected="UTF-8, one name a line", got=error) from None
    if len(data) > MAX_BYTES or not count <= len(names) <= MAX_CLASSES:
        raise FormatError(
            f"{path} names another number of classes",
            expected=f"{count} names or more, one a line, as labels go up to {count - 1}",
            got=f"{len(names)} names",
            do="if the lowest label is 1, say `labels_from=1`",
        )
    if twice := [name for name, times in Counter(names).items() if times > 1 or not name]:
        raise FormatError(f"{path} names a class twice or not at all", got=", ".join(map(repr, twice[:5])))
    return names, path
