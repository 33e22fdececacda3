"""What a dataset is, before a byte of it is fetched: format, files, mirrors, digests, classes."""

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from millrace.datasets.importers.options import Reading
from millrace.errors import UsageError, unknown_name

FORMATS = ("embedded", "points", "idx", "cifar-binary", "npz", "svhn", "export", "path")
BUILT_IN = ("embedded", "points")  # formats that need no file
LAYOUTS = ("chw", "hwc", "cwh")  # the last: images lie transposed, column by column
PREPARATIONS = ("digits", "photos", "points")  # ways in which a picture is made an input; see `datasets.pictures`
IDX_PARTS = ("train_images", "train_labels", "test_images", "test_labels")
SPLIT_PARTS = ("train", "test")
MAX_CLASSES = 1 << 16  # see `millrace.labels`, which this module, of the standard library alone, does not import
# Deflate adds at most about 0.03 % to what it cannot compress; archives also carry headers and further members.
SLACK = 16 << 20
# No file and no content above this is read, whatever a header or a server says.
MAX_BYTES = 4 << 30
# Where no size is stated, content above this may be at most so many times the compressed bytes: images
# compress 2 to 20 times, a bomb 1,000 times.
FREE_BYTES, MAX_RATIO = 256 << 20, 100

_DIGEST_LENGTHS = {"sha256": 64, "md5": 32}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_digest(digest: str) -> str:
    """The digest itself if it reads `sha256:` or `md5:` and the right number of lower-case hex digits."""
    algorithm, _, value = digest.partition(":")
    length = _DIGEST_LENGTHS.get(algorithm, 0)
    if not length or not re.fullmatch(rf"[0-9a-f]{{{length}}}", value):
        raise UsageError(
            "not a digest", expected="sha256: and 64 hex digits, or md5: and 32 hex digits", got=repr(digest)
        )
    return digest


def check_name(name: str, kind: str) -> str:
    """The name itself if it is safe as the name of a file or folder on any system."""
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise UsageError(
            f"not a name for a {kind}",
            expected="up to 64 letters, digits, dots, dashes and underscores, a letter or digit first",
            got=repr(name),
        )
    return name


def plausible(sent: int) -> int:
    """The most bytes of content that `sent` bytes of a compressed file may become."""
    return min(MAX_BYTES, max(FREE_BYTES, MAX_RATIO * sent))


@dataclass(frozen=True)
class MemberSpec:
    """One member of an archive: exact name, part, size in bytes, digest; in a zip, of what gzip holds."""

    name: str
    part: str
    size: int
    digest: str | None = None

    def __post_init__(self) -> None:
        if self.digest is not None:
            check_digest(self.digest)
        if not 0 < self.size <= MAX_BYTES:
            raise UsageError(
                f"the size of member {self.name!r} is out of range",
                expected=f"1 to {MAX_BYTES} bytes",
                got=self.size,
            )


@dataclass(frozen=True)
class FileSpec:
    """One file as mirrors send it.

    `size` (bytes) and `digest` are those of the *content*, that is after gunzip where the file is sent
    compressed: gzip bytes differ between mirrors, the content does not. `sent_digest` is that of
    the file as sent, for files of which no content digest is known. Archives have `members` instead.
    `urls` are whole addresses of this file, tried before the dataset's mirrors.
    """

    name: str
    part: str = ""
    size: int | None = None
    digest: str | None = None
    sent_digest: str | None = None
    members: tuple[MemberSpec, ...] = ()
    urls: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name(self.name, "file")
        for digest in (self.digest, self.sent_digest):
            if digest is not None:
                check_digest(digest)
        if self.size is not None and not 0 < self.size <= MAX_BYTES:
            raise UsageError(
                f"the size of {self.name} is out of range", expected=f"1 to {MAX_BYTES} bytes", got=self.size
            )
        if len({member.name for member in self.members}) != len(self.members):
            raise UsageError(f"{self.name} lists a member twice")

    @property
    def gzipped(self) -> bool:
        """Whether the name says that the file is sent compressed. Whether it is, its first bytes decide."""
        return self.name.lower().endswith((".gz", ".tgz"))

    @property
    def pinned(self) -> bool:
        """Whether digests cover everything that is decoded, so that it may come over the network."""
        whole = self.digest is not None or self.sent_digest is not None
        return whole or (bool(self.members) and all(member.digest for member in self.members))

    def content_cap(self, sent: int | None = None) -> int:
        """Bytes after which decompression of a file of `sent` bytes stops."""
        if self.size is not None:
            return self.size
        if self.members:
            return min(MAX_BYTES, sum(member.size for member in self.members) + SLACK)
        return MAX_BYTES if sent is None else plausible(sent)

    @property
    def sent_cap(self) -> int:
        """Bytes after which a download stops."""
        return min(MAX_BYTES, self.content_cap() + SLACK)


@dataclass(frozen=True)
class DatasetSpec:
    """A named dataset. `policy` names its default augmentation, `folder` its folder at a `--mirror`.

    `shape` (channels, height, width) is needed where the format does not carry it (cifar-binary);
    elsewhere it is checked if given. `mirrors` are addresses to which a file's name is appended. `prepare` says how
    a picture of any size is made an input of a network trained on it; by default it follows from format and policy.
    `layout` decides where the shape of arrays leaves the order of their axes open; `reading` says what their pixels
    and labels mean.
    """

    name: str
    title: str
    format: str
    classes: tuple[str, ...]
    files: tuple[FileSpec, ...] = ()
    policy: str = "none"
    licence: str = ""
    homepage: str = ""
    mirrors: tuple[str, ...] = ()
    folder: str = ""
    shape: tuple[int, int, int] | None = None
    layout: str = "chw"
    prepare: str = ""
    reading: Reading = field(default_factory=Reading)

    def __post_init__(self) -> None:
        check_name(self.name, "dataset")
        if not self.prepare:
            default = "points" if self.format == "points" else "digits" if self.policy == "digits" else "photos"
            object.__setattr__(self, "prepare", default)
        if self.prepare not in PREPARATIONS:
            raise unknown_name(f"way to prepare pictures of dataset {self.name}", self.prepare, PREPARATIONS)
        if self.folder:
            check_name(self.folder, "mirror folder")
        if self.format not in FORMATS or self.layout not in LAYOUTS:
            raise UsageError(
                f"dataset {self.name} has an unknown format or layout",
                expected=f"{', '.join(FORMATS)}; {', '.join(LAYOUTS)}",
                got=f"{self.format}; {self.layout}",
            )
        self._check_classes()
        self._check_parts()
        if self.shape is not None and not all(0 < side <= 1 << 15 for side in self.shape):
            raise UsageError(
                f"the shape of dataset {self.name} is out of range",
                expected="channels, height and width of at least 1",
                got=self.shape,
            )

    def _check_classes(self) -> None:
        if not 2 <= len(self.classes) <= MAX_CLASSES or len(set(self.classes)) != len(self.classes):
            raise UsageError(
                f"the classes of dataset {self.name} are impossible",
                expected=f"2 to {MAX_CLASSES} different names",
                got=f"{len(self.classes)} names, {len(set(self.classes))} different",
            )

    def _check_parts(self) -> None:
        names = [file.name for file in self.files]
        if len(set(names)) != len(names):
            raise UsageError(f"dataset {self.name} lists a file twice", got=", ".join(names))
        parts = sorted(part for file in self.files for part in _parts(file))
        # Where a test split is drawn, or none is wanted, the files have none of their own.
        idx, pieces = IDX_PARTS[: 4 if self.tested else 2], SPLIT_PARTS[: 2 if self.tested else 1]
        expected = {"embedded": [], "points": [], "export": [], "path": [], "npz": [""], "idx": sorted(idx)}.get(
            self.format
        )
        # The others may have any number of pieces of either split, but of each.
        fits = set(parts) == set(pieces) if expected is None else parts == expected
        if not fits:
            raise UsageError(
                f"the files of dataset {self.name} do not fit its format {self.format}",
                expected={
                    "idx": f"one file, or member of a zip, for each part {', '.join(idx)}",
                    "npz": "one file, without part",
                    "cifar-binary": f"files or members with part {' and with part '.join(pieces)}",
                    "svhn": f"files with part {' and with part '.join(pieces)}",
                }.get(self.format, "no files"),
                got=", ".join(part or "(no part)" for part in parts) or "none",
            )
        if self.format == "npz" and self.files[0].gzipped:
            raise UsageError(f"dataset {self.name}: an npz file is not gzipped", got=self.files[0].name)
        if self.format == "cifar-binary":
            self._check_records()
        if self.format == "svhn" and not all(file.digest for file in self.files):
            # scipy's reader of MATLAB files can end the process over damaged ones: it gets verified bytes alone.
            raise UsageError(f"dataset {self.name} must have digests", expected="a digest of each file's content")

    def _check_records(self) -> None:
        if self.shape is None:
            raise UsageError(
                f"dataset {self.name} needs a shape",
                expected="channels, height, width, such as 3, 32, 32",
                do="add shape: [3, 32, 32]",
            )
        if self.reading.range is not None or self.reading.labels not in ("", "coarse", "fine"):
            raise UsageError(
                f"dataset {self.name}: cifar-binary holds uint8, and one or two labels",
                expected="no range; labels coarse or fine for CIFAR-100's records",
                got=", ".join(f"{name} {value}" for name, value in self.reading.given.items()),
            )

    @property
    def tested(self) -> bool:
        """Whether the files must bring a test split of their own."""
        return self.reading.test_share is None

    @property
    def touched(self) -> str:
        """A digest of when the files were last touched, where that says whether a table is still theirs; else empty."""
        return ""

    @property
    def mirror_folder(self) -> str:
        """The folder of this dataset's files at a `--mirror`."""
        return self.folder or self.name

    def described(self, shape: tuple[int, int, int]) -> dict[str, Any]:
        """What a network needs to know of the data it was trained on, JSON-able. shape: of its images."""
        return {"name": self.name, "shape": list(shape), "classes": list(self.classes), "prepare": self.prepare}

    def key(self, extra: object = None) -> str:
        """Hexadecimal digest of all that decides the content: names the dataset's folder in the cache."""
        files = [
            [f.name, f.part, f.size, f.digest, f.sent_digest] + [[m.name, m.part, m.size, m.digest] for m in f.members]
            for f in self.files
        ]
        what = [self.name, self.format, self.classes, self.shape, self.layout, files, extra]
        if self.reading.given:  # else the key is what it was before there were readings
            what.append(self.reading.given)
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def _parts(file: FileSpec) -> list[str]:
    return [member.part for member in file.members] if file.members else [file.part]
