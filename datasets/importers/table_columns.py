"""Which columns of a Parquet or Arrow file hold the pictures and the labels.

Hugging Face's `datasets` writes what its columns are into the schema's metadata, under `huggingface`: pictures are an
`Image`, stored as struct<bytes, path>, labels a `ClassLabel` with names. Elsewhere types and usual names decide, and
where they leave a choice it is the user's.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from millrace.errors import FormatError, UsageError

KEY = b"huggingface"
LARGEST = 16 << 20  # bytes of the metadata that are read
PICTURES = ("image", "img", "picture", "photo", "jpg", "jpeg", "png", "webp", "bytes")
LABELS = ("label", "labels", "class", "classes", "cls", "target", "category", "y")


@dataclass(frozen=True)
class Columns:
    """image: the column of encoded pictures, `nested` in the field `bytes` of a struct or not; label: the column of
    labels, `names` those of its ClassLabel, None where it has none."""

    image: str
    nested: bool
    label: str
    names: tuple[str, ...] | None


def columns(schema: pa.Schema, asked: str, what: str, features: Mapping[str, Any] | None = None) -> Columns:
    """The columns of this schema. asked: the column of labels that the user named, or nothing; features: those that
    lie beside the file. FormatError where there are no pictures or labels, UsageError where several columns could hold
    them."""
    described = features if features is not None else features_of(schema, what)
    image = _image(schema, described, what)
    label = _label(schema, described, image, asked, what)
    return Columns(image, pa.types.is_struct(schema.field(image).type), label, _names(described.get(label), what))


def features_of(schema: pa.Schema, what: str) -> Mapping[str, Any]:
    """What `datasets` wrote about the columns into the schema; nothing where it did not."""
    text = (schema.metadata or {}).get(KEY, b"{}")
    if len(text) > LARGEST:
        raise FormatError(f"{what}: the description of its columns is too large", expected=LARGEST, got=len(text))
    try:
        found = json.loads(text)["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _image(schema: pa.Schema, features: Mapping[str, Any], what: str) -> str:
    ways = (
        [name for name in schema.names if _kind(features.get(name)) == "Image"],
        [field.name for field in schema if pa.types.is_struct(field.type) and _is_picture(field.type)],
        [field.name for field in schema if is_bytes(field.type)],
    )
    for found in ways:
        chosen = found if len(found) < 2 else [name for name in PICTURES if name in found][:1]
        if found and not chosen:
            raise UsageError(
                f"{what}: several columns hold pictures",
                expected="one, or one of them called image",
                got=", ".join(found),
            )
        if chosen:
            kind = schema.field(chosen[0]).type
            if is_bytes(kind) or (pa.types.is_struct(kind) and _is_picture(kind)):
                return chosen[0]
            raise FormatError(
                f"{what}: column {chosen[0]} does not hold its pictures", expected="struct<bytes, path>", got=kind
            )
    raise FormatError(
        f"{what} holds no pictures",
        expected="a column struct<bytes: binary, path: string>, or of bytes, with PNG, JPEG or WebP",
        got=", ".join(f"{field.name}: {field.type}" for field in schema)[:500] or "no columns",
    )


def _label(schema: pa.Schema, features: Mapping[str, Any], image: str, asked: str, what: str) -> str:
    fit = [field.name for field in schema if field.name != image and is_label(field.type)]
    if asked:
        return chosen_label(fit, asked, what)
    described = [name for name in fit if _kind(features.get(name)) == "ClassLabel"]
    return likely_label(described or fit, what)


def likely_label(fit: Sequence[str], what: str) -> str:
    """The one of these columns or fields that holds the labels: the only one, or the only one of a usual name.
    FormatError where there is none, UsageError where there are several."""
    usual = [name for name in fit if name.casefold() in LABELS]
    for found in (fit, usual):
        if len(found) == 1:
            return found[0]
    if not fit:
        raise FormatError(f"{what} holds no labels", expected="a column of whole numbers or names", got="none")
    raise UsageError(
        f"{what}: several columns could hold the labels",
        expected="one, or one of them called label",
        got=listed(fit),
        do="say which: `labels=NAME`",
    )


def chosen_label(fit: Sequence[str], asked: str, what: str) -> str:
    """The column that was asked for. UsageError where it is none of `fit`."""
    if asked not in fit:
        raise UsageError(f"{what} has no labels {asked!r}", expected=listed(fit) or "none could be", got=asked)
    return asked


def listed(names: Iterable[str], most: int = 20) -> str:
    """Names for a message, not more than it can hold."""
    known = list(names)
    return ", ".join(known[:most]) + (f" and {len(known) - most} more" if len(known) > most else "")


def _names(feature: Any, what: str) -> tuple[str, ...] | None:
    """The names of a ClassLabel, its numbers where it has none."""
    if _kind(feature) != "ClassLabel":
        return None
    names, number = feature.get("names"), feature.get("num_classes")
    if names is None and isinstance(number, int) and 0 < number <= 1 << 16:
        return tuple(map(str, range(number)))
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise FormatError(f"{what}: the ClassLabel has no names", expected="a list of names", got=repr(names)[:100])
    return tuple(names)


def _kind(feature: Any) -> Any:
    return feature.get("_type") if isinstance(feature, dict) else None


def _is_picture(kind: pa.StructType) -> bool:
    return any(field.name == "bytes" and is_bytes(field.type) for field in kind)


def is_bytes(kind: pa.DataType) -> bool:
    """Whether a column of this type holds bytes."""
    kind = _plain(kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def is_label(kind: pa.DataType) -> bool:
    """Whether a column of this type could hold labels: whole numbers or text."""
    return bool(pa.types.is_integer(_plain(kind)) or is_text(kind))


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text."""
    kind = _plain(kind)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
