"""Fields: ranges in words and in force, names, and errors that carry the key."""

import pickle
from dataclasses import dataclass

import pytest

from millrace.errors import OptionError
from millrace.fields import Range, check, option


@dataclass(frozen=True)
class Options:
    count: int = option(3, "a count", least=1, most=9)
    part: float = option(0.5, "a part", least=0, below=1)
    rate: float | None = option(None, "a rate", above=0)
    pair: tuple[float, float] = option((1.0, 2.0), "a range", least=0.5)
    name: str | int = option("a", "a name, or a number", choices=("a", "bcd"), least=0)

    def __post_init__(self) -> None:
        check(self)


@pytest.mark.parametrize(
    ("bounds", "words", "inside", "outside"),
    [
        (Range(), "", (-1e9, 0, 1e9), ()),
        (Range(least=0), "from 0", (0, 1), (-0.1,)),
        (Range(least=0, most=1), "from 0 to 1", (0, 1), (-0.1, 1.1)),
        (Range(least=0, below=1), "from 0, below 1", (0, 0.99), (1,)),
        (Range(above=0), "above 0", (1e-300,), (0,)),
        (Range(above=0, most=1), "above 0, at most 1", (1,), (0, 1.5)),
        (Range(most=1024), "at most 1024", (-5, 1024), (1025,)),
    ],
)
def test_a_range_says_what_it_holds(
    bounds: Range, words: str, inside: tuple[float, ...], outside: tuple[float, ...]
) -> None:
    assert str(bounds) == words
    assert all(number in bounds for number in inside)
    assert not any(number in bounds for number in outside)


def test_what_fits_gets_the_type_of_its_field() -> None:
    made = Options(part=0, pair=[1, 3], name=7)  # type: ignore[arg-type]
    assert (made.part, made.pair, made.name) == (0.0, (1.0, 3.0), 7)
    assert type(made.part) is float


@pytest.mark.parametrize(
    ("values", "key", "expected"),
    [
        ({"count": 0}, "count", "a whole number from 1 to 9"),
        ({"count": 2.0}, "count", "a whole number"),
        ({"count": True}, "count", "a whole number"),
        ({"part": 1}, "part", "a number from 0, below 1"),
        ({"rate": 0.0}, "rate", "a number above 0"),
        ({"pair": (0.1, 2.0)}, "pair", "a number from 0.5"),
        ({"pair": (1.0,)}, "pair", "a list of 2 numbers"),
        ({"name": "bc"}, "name", "a, bcd"),
        ({"name": -1}, "name", "a whole number from 0"),
    ],
)
def test_what_does_not_is_refused_with_its_key(values: dict[str, object], key: str, expected: str) -> None:
    with pytest.raises(OptionError) as caught:
        Options(**values)  # type: ignore[arg-type]
    assert (caught.value.key, caught.value.expected) == (key, expected)


def test_an_error_keeps_its_key_on_its_way() -> None:
    error = OptionError("rate", "is out of range", expected="above 0", got=0).inside("optimizer")
    error = error.set_by("--optimizer.rate").within("a.yaml:3")
    assert error.key == "optimizer.rate"
    assert error.what == "a.yaml:3: optimizer.rate is out of range (set by --optimizer.rate)"
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 as Ray carries it
    assert (str(again), again.key, again.expected) == (str(error), error.key, error.expected)
