"""The manifest of an export: written last, the only thing that readers trust.

Its records say of each shard which rows it holds, its size, and the sha256 of its bytes and of its pixels.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from millrace.errors import FormatError
from millrace.formats.shards import ShardInfo

MANIFEST = "manifest.json"
VERSION = 1
LARGEST = 256 << 20  # bytes; a million shards fit


@dataclass(frozen=True)
class SplitSize:
    """rows: all rows of a split; per_epoch: those of one epoch; epochs: how often the split is passed over."""

    rows: int
    per_epoch: int
    epochs: int


@dataclass(frozen=True)
class Record:
    """One shard. It holds rows [first, first + rows) of its split.

    file, offset, bytes: where its bytes lie; sha256 is theirs, hexadecimal. pixels: sha256 over the pixels in C order,
    the same for every format; originals: the same of the untouched images, empty where they were not asked for.
    """

    split: str
    first: int
    rows: int
    file: str
    offset: int
    bytes: int
    sha256: str
    pixels: str
    originals: str = ""


@dataclass(frozen=True)
class Manifest:
    """An export: what was asked for (configuration), of what (dataset), and what lies there (splits, shards).

    key: sha256 over everything that decides the bytes; millrace: the version that wrote it. configuration: format,
    epochs, seed, policy and so on. dataset: name, source, digest, classes, shape, mean and deviation of the untouched
    training pixels per channel.
    """

    millrace: str
    key: str
    configuration: Mapping[str, Any]
    dataset: Mapping[str, Any]
    splits: Mapping[str, SplitSize]
    shards: tuple[Record, ...]

    @property
    def format(self) -> str:
        """The name of the format that the shards are in."""
        return str(self.configuration["format"])

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; a label is an index into them."""
        return tuple(self.dataset["classes"])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        channels, height, width = self.dataset["shape"]
        return channels, height, width

    @property
    def prepare(self) -> str:
        """How pictures are made inputs, see `DatasetSpec`; earlier manifests do not say, there the classes decide."""
        digits = self.shape[0] == 1 and self.classes == tuple("0123456789")
        default = "points" if self.shape[1:] == (1, 1) else "digits" if digits else "photos"
        return str(self.dataset.get("prepare", default))

    @property
    def digest(self) -> str:
        """Hexadecimal sha256 over the key and all records: tells one export's content from another's."""
        parts = [self.key, *([r.split, r.first, r.rows, r.sha256, r.pixels] for r in self.shards)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def info(self, split: str, first: int, rows: int) -> ShardInfo:
        """What is known of the shard with rows [first, first + rows) of a split."""
        about = {
            "dataset": self.dataset["name"],
            "digest": self.dataset["digest"],
            "classes": self.classes,
            "split": split,
            "first": first,
            "key": self.key,
            "configuration": self.configuration,
        }
        originals = bool(self.configuration.get("originals"))
        return ShardInfo(self.shape, self.classes, split, first, rows, originals, about, self.millrace)

    def of(self, split: str) -> list[Record]:
        """The records of one split, in the order of the rows."""
        return [record for record in self.shards if record.split == split]

    def to_json(self) -> bytes:
        """The manifest as it is written: UTF-8, a line per shard."""
        head = {"millrace_export": VERSION, **{k: v for k, v in asdict(self).items() if k != "shards"}}
        head["digest"] = self.digest
        text = json.dumps(head, indent=1, ensure_ascii=False)
        lines = ",\n  ".join(json.dumps(asdict(record), ensure_ascii=False) for record in self.shards)
        return f'{text[:-2]},\n "shards": [\n  {lines}\n ]\n}}\n'.encode()

    @classmethod
    def from_json(cls, data: bytes, path: str) -> "Manifest":
        """The manifest of these bytes. Errors: FormatError naming `path`."""
        try:
            found = json.loads(data)
            if found["millrace_export"] != VERSION:
                raise FormatError(
                    f"{path} was written by another version of Millrace",
                    expected=f"manifest version {VERSION}",
                    got=found["millrace_export"],
                )
            manifest = cls(
                millrace=found["millrace"],
                key=found["key"],
                configuration=found["configuration"],
                dataset=found["dataset"],
                splits={name: SplitSize(**size) for name, size in found["splits"].items()},
                shards=tuple(Record(**record) for record in found["shards"]),
            )
            manifest.check(path)
            if found["digest"] != manifest.digest:
                raise FormatError(f"{path} is damaged", expected=f"digest {manifest.digest}", got=found["digest"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise FormatError(f"{path} is no manifest of an export", got=f"{type(error).__name__}: {error}") from None
        return manifest

    def check(self, path: str) -> None:
        """Raise a FormatError unless the records cover every split's rows, each once and in order."""
        for name, size in self.splits.items():
            end = 0
            for record in self.of(name):
                if record.first != end or record.rows < 1 or record.bytes < 0 or record.offset < 0:
                    raise FormatError(f"{path}: shards do not follow each other", expected=end, got=record.first)
                end += record.rows
            if end != size.rows or size.rows != size.per_epoch * size.epochs:
                raise FormatError(f"{path}: rows of split {name} are missing", expected=size.rows, got=end)
        if unknown := {record.split for record in self.shards} - set(self.splits):
            raise FormatError(f"{path}: shards of an unknown split", got=", ".join(sorted(unknown)))
