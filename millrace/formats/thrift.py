"""Thrift's compact protocol, as much of it as Parquet's headers need. Written, never read.

Source: the Apache Thrift specification, "Thrift Compact protocol encoding".
"""

from collections.abc import Sequence
from typing import NamedTuple

TRUE, FALSE, BYTE, I16, I32, I64, BINARY, LIST, STRUCT = 1, 2, 3, 4, 5, 6, 8, 9, 12


class Field(NamedTuple):
    """One field of a struct: its number, its type, its value, and for a list the type of its elements."""

    number: int
    kind: int
    value: object
    of: int = 0


Struct = Sequence[Field]


def boolean(number: int, value: bool) -> Field:
    """A field that is true or false; its type says which."""
    return Field(number, TRUE if value else FALSE, None)


def struct(fields: Struct) -> bytes:
    """The bytes of a struct; fields in ascending order of their numbers."""
    out, last = bytearray(), 0
    for field in fields:
        # All structs here are small enough that numbers go up by less than 16.
        out.append((field.number - last) << 4 | field.kind)
        last = field.number
        out += _value(field.kind, field.value, field.of)
    out.append(0)
    return bytes(out)


def varint(value: int) -> bytes:
    """A whole number of at least 0: seven bits a byte, lowest first, the highest bit says that more follow."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _value(kind: int, value: object, of: int) -> bytes:
    match value:
        case None:
            return b""
        case int() if kind == BYTE:
            return value.to_bytes(1, "little", signed=True)
        case int():
            return varint(value << 1 if value >= 0 else (-value << 1) - 1)
        case bytes():
            return varint(len(value)) + value
        case list() if kind == LIST:
            head = bytes([len(value) << 4 | of]) if len(value) < 15 else bytes([0xF0 | of]) + varint(len(value))
            return head + b"".join(_value(of, one, 0) for one in value)
        case tuple():
            return struct(value)
    raise TypeError(f"not a value of Thrift: {value!r}")
