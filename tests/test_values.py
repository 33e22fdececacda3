"""Values: from YAML and from text to the type of an annotation."""

import re
from typing import Any

import pytest

from millrace import values
from millrace.errors import UsageError


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (int, 3, 3),
        (float, 3, 3.0),
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
