"""A dataset of the user's own, described by a YAML file.

    name: shapes                       # letters, digits, . - _
    format: npz                        # idx, cifar-binary or npz
    classes: [circle, square]          # the label is the index
    files:
      - name: shapes.npz               # the file's name, at mirrors too
        urls: [../data/shapes.npz]     # http, https, file: or a path relative to this file
        sha256: 64 hex digits          # of the content, that is after gunzip if it is gzip

Further keys, all optional: title, policy (default augmentation, `none`), licence, homepage, mirrors (addresses to
which a file's name is appended), folder (at a --mirror; default: the name), shape ([channels, height, width]; needed
by cifar-binary), layout (`chw` or `hwc`, where the shape of images leaves it open, default chw; of idx also `cwh`:
transposed, as EMNIST's are), range (LOW..HIGH: the pixels that become 0 and 255, needed by all but uint8),
labels_from (the lowest label; default 0), labels (`coarse` or `fine`: cifar-binary with CIFAR-100's two labels), test
(`none`: the files have no test split, and none is wanted), test_share (they have none: this share of each class is
set apart as one, drawn with a constant key), prepare (what `predict` does with a picture: `digits` cuts out and
centres the ink, `photos` takes the middle square; default: digits with policy digits, else photos). Further keys of a
file: part, size (bytes of the content), md5 instead of sha256, sent_sha256 or sent_md5 (of the file as sent, where
nothing is known of the content), members.

- idx: four files with part train_images, train_labels, test_images, test_labels, of any type of IDX; or a zip with
  such members.
- cifar-binary: files with part train or test, or an archive (.tar, .tar.gz) with members, each with
  name, part, size and sha256 (or md5).
- npz: one file with the arrays train_images, train_labels, test_images, test_labels (or x_train, y_train …); images
  (n, H, W), (n, C, H, W) or (n, H, W, C), see `pixel_arrays`; labels (n,), (n, 1) or one-hot, see `label_arrays`.

A file with the key `path` names files as people have them, see `importers/path_file.py`.

Without urls and mirrors a file lies beside the YAML file. What comes over the network must have digests;
a local file may do without, it then counts as another dataset whenever it changes.
Unknown keys are refused, with the nearest known one. Words are read as in configurations (`millrace.yaml_text`).
"""

from dataclasses import dataclass
from pathlib import Path

from millrace.datasets.importers.options import Reading, untested
from millrace.datasets.mirrors import as_url, path_url, shown
from millrace.datasets.spec import DatasetSpec, FileSpec, MemberSpec
from millrace.errors import UsageError, unknown_name
from millrace.values import convert

_FORMATS = ("idx", "cifar-binary", "npz")


@dataclass(frozen=True)
class _Member:
    """The keys of a member of an archive."""

    name: str
    part: str
    size: int
    sha256: str | None = None
    md5: str | None = None


@dataclass(frozen=True)
class _File:
    """The keys of a file."""

    name: str
    part: str = ""
    urls: tuple[str, ...] = ()
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None
    sent_sha256: str | None = None
    sent_md5: str | None = None
    members: tuple[_Member, ...] = ()


@dataclass(frozen=True)
class _Document:
    """The keys of the whole; class names are often digits, so whole numbers are taken too."""

    name: str
    format: str
    classes: tuple[str | int, ...]
    files: tuple[_File, ...]
    title: str | None = None
    policy: str = "none"
    licence: str = ""
    homepage: str = ""
    mirrors: tuple[str, ...] = ()
    folder: str = ""
    shape: tuple[int, int, int] | None = None
    layout: str = "chw"
    range: str | None = None
    labels_from: int = 0
    labels: str = ""
    test: str = ""
    test_share: float | None = None
    prepare: str = ""


def read_dataset_file(path: Path) -> DatasetSpec:
    """The dataset that a YAML file describes; UsageError naming the file and what is wrong in it."""
    from millrace import yaml_text  # PyYAML takes its time to import

    hint = "give the name of a dataset (see `millrace datasets`) or the path of a dataset file"
    content = yaml_text.read(path, "the dataset file", do=hint)
    if isinstance(content, dict) and "path" in content:
        from millrace.datasets.importers.path_file import read_path_file  # arrays take their time to import

        return read_path_file(content, path)
    document: _Document = convert(_Document, content, f"{path}")
    if document.format not in _FORMATS:
        raise unknown_name(f"format in {path}", document.format, _FORMATS)
    mirrors = tuple(_address(url, path, f"{path}: mirrors") for url in document.mirrors)
    try:
        return DatasetSpec(
            name=document.name,
            title=document.name if document.title is None else document.title,
            format=document.format,
            classes=tuple(map(str, document.classes)),
            files=tuple(_file(file, path, bool(mirrors)) for file in document.files),
            policy=document.policy,
            licence=document.licence,
            homepage=document.homepage,
            mirrors=mirrors,
            folder=document.folder,
            shape=document.shape,
            layout=document.layout,
            prepare=document.prepare,
            reading=Reading(
                range=document.range,
                labels_from=document.labels_from,
                labels=document.labels,
                test_share=untested(document.test, document.test_share),
            ),
        )
    except UsageError as error:
        raise error.within(str(path)) from error


def _file(file: _File, path: Path, mirrored: bool) -> FileSpec:
    urls = tuple(_address(url, path, file.name) for url in file.urls)
    if not urls and not mirrored:
        urls = (path_url(path.parent / file.name),)
    made = FileSpec(
        name=file.name,
        part=file.part,
        size=file.size,
        digest=_digest(file.sha256, file.md5),
        sent_digest=_digest(file.sent_sha256, file.sent_md5),
        members=tuple(MemberSpec(m.name, m.part, m.size, _digest(m.sha256, m.md5)) for m in file.members),
        urls=urls,
    )
    remote = mirrored or any(not url.startswith("file:") for url in urls)
    if remote and not made.pinned:
        raise UsageError(
            f"{file.name} comes over the network and has no digest",
            expected="sha256 (of the file or of every member)",
            do=f"add sha256 to {file.name}: of its content, which is after gunzip if it is compressed",
        )
    return made


def _address(address: str, path: Path, what: str) -> str:
    url = as_url(address, path.parent)
    if url is None or not address:
        raise UsageError(f"{what}: not an address", expected="http, https, file: or a path", got=shown(address))
    return url


def _digest(sha256: str | None, md5: str | None) -> str | None:
    for algorithm, value in (("sha256", sha256), ("md5", md5)):
        if value is not None:
            return value.lower() if value.lower().startswith(f"{algorithm}:") else f"{algorithm}:{value.lower()}"
    return None
