"""What an error says, and that it survives a border between processes."""

import copy
import pickle

import pytest

from millrace import errors
from millrace.errors import DataError, MillraceError, UsageError, unknown_name


def all_kinds(kind: type[MillraceError] = MillraceError) -> list[type[MillraceError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in all_kinds(child))]


def test_a_message_says_what_expected_got_and_what_to_do() -> None:
    error = MillraceError("the file is short", expected="10 bytes", got=7, do="fetch it again")
    assert str(error).splitlines() == [
        "the file is short",
        "  expected: 10 bytes",
        "  got:      7",
        "  do:       fetch it again",
    ]
    assert (error.what, error.expected, error.got, error.do) == (
        "the file is short",
        "10 bytes",
        7,
        "fetch it again",
    )


def test_what_is_not_known_is_not_said() -> None:
    assert str(MillraceError("broken")) == "broken"
    assert str(MillraceError("broken", got=0)).splitlines() == ["broken", "  got:      0"]
    assert "expected" in str(MillraceError("broken", expected=""))


@pytest.mark.parametrize("kind", all_kinds())
def test_every_kind_crosses_a_border_whole(kind: type[MillraceError]) -> None:
    error = kind("a", expected=(1, 2), got=None, do="b")
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301  (our own bytes)
        assert type(other) is kind
        assert str(other) == str(error)
        assert (other.what, other.expected, other.got, other.do) == ("a", (1, 2), None, "b")


def test_only_usage_ends_with_two() -> None:
    assert {kind.exit_code for kind in all_kinds() if issubclass(kind, UsageError)} == {2}
    assert {kind.exit_code for kind in all_kinds() if not issubclass(kind, UsageError)} == {1}


def test_the_tree() -> None:
    below = {errors.DownloadError, errors.IntegrityError, errors.FormatError}
    assert below < {kind for kind in all_kinds() if issubclass(kind, errors.DataError)}
    assert all(issubclass(kind, MillraceError) for kind in all_kinds())


def test_an_unknown_name_gets_the_nearest() -> None:
    error = unknown_name("optimizer", "adm", ["sgd", "adam"], do="see the README")
    assert isinstance(error, UsageError)
    assert error.what == "unknown optimizer 'adm'"
    assert error.expected == "adam, sgd"
    assert error.do == "did you mean 'adam'?"


def test_a_name_near_nothing_gets_the_advice() -> None:
    assert unknown_name("optimizer", "zzz", ["sgd", "adam"], do="see the README").do == "see the README"
    assert unknown_name("optimizer", "zzz", []).do is None


def test_within_says_where_and_keeps_the_rest() -> None:
    error = DataError("file missing", expected="a.npz", got="nothing", do="fetch it").within("own.yaml")
    assert type(error) is DataError
    assert (error.what, error.expected, error.got, error.do) == (
        "own.yaml: file missing",
        "a.npz",
        "nothing",
        "fetch it",
    )
