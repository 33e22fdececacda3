"""A dataset of the user's own, described by a YAML file.

    name: shapes                       # letters, digits, . - _
    format: npz                        # idx, cifar-binary or npz
    classes: [circle, square]          # the label is the index
    files:
      - name: shapes.npz               # the file's name, at mirrors too
        urls: [../data/shapes.npz]     # http, https, file: or a path relative to this file
        sha256: 64 hex digits          # of the content, that is after gunzip if the name ends in .gz

Further keys, all optional: title, policy (default augmentation, `none`), licence, homepage, mirrors
(addresses to which a file's name is appended), folder (at a --mirror; default: the name), shape
([channels, height, width]; needed by cifar-binary), layout (npz: `chw` or `hwc`), prepare (what `predict` does with
a picture: `digits` cuts out and centres the ink, `photos` takes the middle square; default: digits with policy
digits, else photos). Further keys of a file: part, size (bytes of the content), md5 instead of sha256,
sent_sha256 or sent_md5 (of the file as sent, where nothing is known of the content), members.

- idx: four files with part train_images, train_labels, test_images, test_labels.
- cifar-binary: files with part train or test, or an archive (.tar, .tar.gz) with members, each with
  name, part, size and sha256 (or md5).
- npz: one file with the arrays train_images, train_labels, test_images, test_labels; images uint8
  (n, H, W), (n, C, H, W) or, with layout hwc, (n, H, W, C).

Without urls and mirrors a file lies beside the YAML file. What comes over the network must have digests;
a local file may do without, it then counts as another dataset whenever it changes.
Unknown keys are refused, with the nearest known one.
"""

from collections.abc import Mapping
from pathlib import Path
from reprlib import repr as short
from typing import Any

import yaml

from millrace.datasets.mirrors import as_url, path_url, shown
from millrace.datasets.spec import DatasetSpec, FileSpec, MemberSpec
from millrace.errors import UsageError, unknown_name

MAX_YAML_BYTES = 1 << 20
_FORMATS = ("idx", "cifar-binary", "npz")
_TOP = (
    "name",
    "format",
    "classes",
    "files",
    "title",
    "policy",
    "licence",
    "homepage",
    "mirrors",
    "folder",
    "shape",
    "layout",
    "prepare",
)
_DIGESTS = ("sha256", "md5")
_FILE = ("name", "part", "urls", "size", "sent_sha256", "sent_md5", "members", *_DIGESTS)
_MEMBER = ("name", "part", "size", *_DIGESTS)


def read_dataset_file(path: Path) -> DatasetSpec:
    """The dataset that a YAML file describes; UsageError naming the file and what is wrong in it."""
    top = _mapping(_parse(path), _TOP, f"{path}")
    where = f"{path}"
    fmt = _text(top, "format", where)
    if fmt not in _FORMATS:
        raise unknown_name(f"format in {path}", fmt, _FORMATS)
    mirrors = tuple(_address(url, path, f"{where}: mirrors") for url in _texts(top, "mirrors", where))
    files = _list(top, "files", where)
    try:
        return DatasetSpec(
            name=_text(top, "name", where),
            title=_text(top, "title", where, _text(top, "name", where)),
            format=fmt,
            classes=_texts(top, "classes", where),
            files=tuple(_file(entry, path, bool(mirrors)) for entry in files),
            policy=_text(top, "policy", where, "none"),
            licence=_text(top, "licence", where, ""),
            homepage=_text(top, "homepage", where, ""),
            mirrors=mirrors,
            folder=_text(top, "folder", where, ""),
            shape=_shape(top, where),
            layout=_text(top, "layout", where, "chw"),
            prepare=_text(top, "prepare", where, ""),
        )
    except UsageError as error:
        if str(path) in error.what:
            raise
        raise UsageError(f"{path}: {error.what}", expected=error.expected, got=error.got, do=error.do) from None


class _Strict(yaml.SafeLoader):
    """YAML without tags, and without keys given twice, of which the last would win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"given twice: {', '.join(twice)}", node.start_mark)
        return super().construct_mapping(node, deep)


def _parse(path: Path) -> object:
    try:
        with open(path, "rb") as file:
            text = file.read(MAX_YAML_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"the dataset file cannot be read: {path}",
            got=error.strerror,
            do="give the name of a dataset (see `millrace datasets`) or the path of a dataset file",
        ) from None
    if len(text) > MAX_YAML_BYTES:
        raise UsageError(f"{path} is too large for a dataset file", expected=f"at most {MAX_YAML_BYTES} bytes")
    try:
        return yaml.load(text, _Strict)  # _Strict is a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not YAML", got=str(error)[:500] or type(error).__name__) from None


def _file(entry: object, path: Path, mirrored: bool) -> FileSpec:
    where = f"{path}: files"
    top = _mapping(entry, _FILE, where)
    name = _text(top, "name", where)
    where = f"{path}: {name}"
    urls = tuple(_address(url, path, where) for url in _texts(top, "urls", where))
    if not urls and not mirrored:
        urls = (path_url(path.parent / name),)
    file = FileSpec(
        name=name,
        part=_text(top, "part", where, ""),
        size=_whole(top, "size", where),
        digest=_digest(top, "", where),
        sent_digest=_digest(top, "sent_", where),
        members=tuple(_member(member, where) for member in _list(top, "members", where, [])),
        urls=urls,
    )
    remote = mirrored or any(not url.startswith("file:") for url in urls)
    if remote and not file.pinned:
        raise UsageError(
            f"{where} comes over the network and has no digest",
            expected="sha256 (of the file or of every member)",
            do=f"add sha256 to {name}: of its content, which is after gunzip if it is compressed",
        )
    return file


def _member(entry: object, where: str) -> MemberSpec:
    top = _mapping(entry, _MEMBER, f"{where}: members")
    size = _whole(top, "size", f"{where}: members")
    if size is None:
        raise UsageError(f"{where}: a member has no size", expected="bytes, exactly")
    name = _text(top, "name", f"{where}: members")
    return MemberSpec(name, _text(top, "part", f"{where}: {name}"), size, _digest(top, "", f"{where}: {name}"))


def _address(address: str, path: Path, where: str) -> str:
    url = as_url(address, path.parent)
    if url is None or not address:
        raise UsageError(f"{where}: not an address", expected="http, https, file: or a path", got=shown(address))
    return url


def _mapping(value: object, known: tuple[str, ...], where: str) -> Mapping[str, object]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise UsageError(f"{where}: not a table of keys", expected=", ".join(known), got=type(value).__name__)
    for key in value:
        if key not in known:
            raise unknown_name(f"key in {where}:", key, known)
    return value


def _text(top: Mapping[str, object], key: str, where: str, default: str | None = None) -> str:
    value = top.get(key, default)
    if not isinstance(value, str):
        got = "nothing" if value is None else short(value)
        raise UsageError(f"{where}: {key} is not text", expected="text (in quotes if it is a number)", got=got)
    return value


def _list(top: Mapping[str, object], key: str, where: str, default: list[object] | None = None) -> list[object]:
    value = top.get(key, default)
    if not isinstance(value, list):
        raise UsageError(f"{where}: {key} is not a list", expected="[…]", got=type(value).__name__)
    return value


def _texts(top: Mapping[str, object], key: str, where: str) -> tuple[str, ...]:
    # Class names are often digits: whole numbers are taken as they are written.
    values = _list(top, key, where, None if key == "classes" else [])
    for value in values:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise UsageError(f"{where}: {key} holds something that is not text", got=short(value))
    return tuple(str(value) for value in values)


def _whole(top: Mapping[str, object], key: str, where: str) -> int | None:
    value = top.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise UsageError(f"{where}: {key} is not a whole number", got=short(value))
    return value


def _digest(top: Mapping[str, object], prefix: str, where: str) -> str | None:
    for algorithm in _DIGESTS:
        if prefix + algorithm in top:
            value = _text(top, prefix + algorithm, where).lower()
            return value if value.startswith(f"{algorithm}:") else f"{algorithm}:{value}"
    return None


def _shape(top: Mapping[str, object], where: str) -> tuple[int, int, int] | None:
    if "shape" not in top:
        return None
    match _list(top, "shape", where):
        case [int() as channels, int() as height, int() as width]:
            return channels, height, width
        case other:
            raise UsageError(f"{where}: not a shape", expected="[channels, height, width]", got=short(other))
