"""Values: from YAML and from text to the type of an annotation."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from millrace import values
from millrace.errors import UsageError


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (int, 3, 3),
        (float, 3, 3.0),
        (float, np.float32(3), 3.0),
        (int | None, np.int64(3), 3),
        (float, 0.5, 0.5),
        (bool, True, True),
        (str, "x", "x"),
        (int | None, None, None),
        (int | None, 3, 3),
        (tuple[int, ...], [3, 4], (3, 4)),
        (tuple[int, ...], [], ()),
        (tuple[float, float], [1, 2.5], (1.0, 2.5)),
    ],
)
def test_convert_takes_what_fits(kind: Any, value: object, expected: object) -> None:
    found = values.convert(kind, value, "key")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (int, True, "a whole number"),
        (int, 3.0, "a whole number"),
        (int, "3", "a whole number"),
        (float, "fast", "a number"),
        (float, True, "a number"),
        (float, float("nan"), "a number"),
        (float, float("inf"), "a number"),
        (bool, 1, "true or false"),
        (str, 3, "a text"),
        (int | None, "x", "a whole number or none"),
        (tuple[int, ...], 3, "a list of whole numbers"),
        (tuple[int, ...], [3, "x"], "a list of whole numbers"),
        (tuple[float, float], [1.0], "a list of 2 numbers"),
    ],
)
def test_convert_refuses_what_does_not(kind: Any, value: object, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"expected: {said}\n")) as caught:
        values.convert(kind, value, "some.key")
    assert caught.value.what == "some.key has the wrong type"


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (int, "60_000", 60000),
        (float, "1e-3", 0.001),
        (float, "1", 1.0),
        (bool, "yes", True),
        (bool, "False", False),
        (int | None, "none", None),
        (int | None, "", None),
        (int | None, "7", 7),
        (tuple[int, ...], "999 299", (999, 299)),
        (tuple[int, ...], "[999, 299]", (999, 299)),
        (tuple[int, ...], "", ()),
        (tuple[float, float], "0.9,1.1", (0.9, 1.1)),
        (str, "12", "12"),
    ],
)
def test_from_text_reads_flags_and_variables(kind: Any, text: str, expected: object) -> None:
    assert values.from_text(kind, text, "key") == expected


@pytest.mark.parametrize(
    ("kind", "text"), [(int, "1.5"), (int, "x"), (float, "nan"), (bool, "maybe"), (tuple[int, ...], "3 x")]
)
def test_from_text_refuses_other_text(kind: Any, text: str) -> None:
    with pytest.raises(UsageError, match="--flag has the wrong type"):
        values.from_text(kind, text, "--flag")


@dataclass(frozen=True)
class Part:
    name: str
    size: int | None = None


@dataclass(frozen=True)
class Whole:
    parts: tuple[Part, ...]
    labels: tuple[str | int, ...] = ()


def test_mappings_become_dataclasses() -> None:
    found = values.convert(Whole, {"parts": [{"name": "a"}, {"name": "b", "size": 3}], "labels": ["x", 1]}, "f")
    assert found == Whole((Part("a"), Part("b", 3)), ("x", 1))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"part": []}, "did you mean 'parts'"),
        ({}, "f: parts is missing"),
        ({"parts": {}}, "f: parts has the wrong type\n  expected: a list of groups of keys"),
        ({"parts": ["a"]}, "f: parts 1 has the wrong type\n  expected: a group of keys: name, size"),
        ({"parts": [{"name": "a"}, {"name": "b", "size": "3"}]}, "f: parts 2: size has the wrong type"),
        ({"parts": [], "labels": [True]}, "expected: a list of texts or whole numbers"),
        ([], "f has the wrong type\n  expected: a group of keys: parts, labels"),
    ],
)
def test_mappings_that_do_not_fit_are_refused_where_they_do_not(value: object, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        values.convert(Whole, value, "f")
