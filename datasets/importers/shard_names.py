"""What the names of files say: of which split they are, and whether all shards of it are there."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from millrace.datasets.importers.inventory import TRAIN, split_of
from millrace.errors import DataError, UsageError

LISTED = 20
_WORDS = re.compile(r"[a-z]+")
_SHARD = re.compile(r"(?P<front>.*?)-(?P<number>\d{1,9})-of-(?P<count>\d{1,9})(?P<back>\D.*)?")
_BRACES = re.compile(r"\{(\d{1,9})\.\.(\d{1,9})\}")


def split_in(name: str, what: str) -> str | None:
    """The split that a path names: train, validation or test; the file's own name first, then its folders'.

    None where it names none, UsageError where one name says two.
    """
    for part in reversed(PurePosixPath(name.lower()).parts):
        found = sorted({split for word in _WORDS.findall(part) if (split := split_of(word)) is not None})
        if len(found) > 1:
            raise UsageError(f"{what}: {part} names several splits", expected="one", got=", ".join(found))
        if found:
            return found[0]
    return None


def by_split(names: Iterable[str], what: str) -> dict[str, list[str]]:
    """The names of files by split, each sorted; all are for training where none says a split.

    UsageError where some say a split and others do not, DataError where shards are missing.
    """
    found: dict[str | None, list[str]] = defaultdict(list)
    for name in sorted(names):
        found[split_in(name, what)].append(name)
    nameless = found.pop(None, [])
    if nameless and found:
        raise UsageError(
            f"{what}: it is not clear of which split a file is",
            expected="names with train, validation or test for all files, or for none",
            got=", ".join(nameless[:LISTED]),
        )
    made = {str(split): files for split, files in found.items()} or {TRAIN: nameless}
    for files in made.values():
        check_shards(files, what)
    return made


def check_shards(names: Sequence[str], what: str) -> None:
    """Raise a DataError where of `train-00000-of-00003.parquet` and its like some are missing."""
    sets: dict[tuple[str, int, str], set[int]] = defaultdict(set)
    for name in names:
        path = PurePosixPath(name)
        if (match := _SHARD.fullmatch(path.name)) is not None:
            front = f"{path.parent}/{match['front']}"
            sets[front, int(match["count"]), match["back"] or ""].add(int(match["number"]))
    for (front, count, back), numbers in sets.items():
        if len(numbers) != count or max(numbers) >= count:
            missing = [number for number in range(min(count, 10_000)) if number not in numbers]
            first = f"{front}-{missing[0] if missing else count:05d}-of-{count:05d}{back}".removeprefix("./")
            raise DataError(
                f"{what}: shards are missing",
                expected=f"{count} of them",
                got=f"{len(numbers)}; {first} is not there",
                do="fetch the others, or give one file's path to read it alone",
            )


def expanded(pattern: str) -> list[str]:
    """The names that `train-{000000..000009}.tar` stands for, in order; the pattern alone without braces.

    UsageError where a range runs backwards or is longer than 100,000."""
    names = [pattern]
    while (match := _BRACES.search(names[0])) is not None:
        low, high, width = int(match[1]), int(match[2]), len(match[1])
        if not 0 <= high - low < 100_000 or len(names) * (high - low + 1) > 100_000:
            raise UsageError(f"{pattern}: not a range of shards", expected="{000000..000009}", got=match[0])
        numbers = [f"{number:0{width}d}" for number in range(low, high + 1)]
        names = [_BRACES.sub(number, name, count=1) for name in names for number in numbers]
    return names
