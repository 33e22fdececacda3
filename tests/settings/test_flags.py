"""Flags: what argparse reads for us, and how every slip is answered."""

from dataclasses import dataclass

import pytest

from millrace.errors import OptionError, UsageError
from millrace.settings import flags
from millrace.settings.keys import known_keys


@dataclass(frozen=True)
class Options:
    """Try things.

    In a second paragraph."""

    names: tuple[str, ...] = flags.positional("NAME", "names", many=True)
    rows: int = flags.option(10, "N", "rows", least=1)
    json: bool = flags.as_json()


@dataclass(frozen=True)
class Needy:
    """Need a run."""

    run: str = flags.positional("RUN", "a run", required=True)


@dataclass(frozen=True)
class Sweeping:
    """Sweep."""

    names: tuple[str, ...] = flags.positional("NAME", "names", many=True)
    sweep: tuple[str, ...] = flags.option((), "KEY=V1,V2", "values")


ALL = tuple(known_keys())


def test_defaults_without_arguments() -> None:
    assert flags.parse("try", Options, [], ALL) == (Options((), 10, False), {})


def test_own_options_and_keys_are_read() -> None:
    words = "b a --rows 3 --json --epochs=7 --slot-size 5 --optimizer.rate 1e-3 --policy none"
    options, given = flags.parse("try", Options, f"{words} --policy.scale 0.9 1.1 --offline".split(), ALL)
    assert options == Options(("b", "a"), 3, True)
    assert given == {
        "epochs": 7,
        "slot_size": 5,
        "optimizer.rate": 0.001,
        "policy": "none",
        "policy.scale": (0.9, 1.1),
        "offline": True,
    }


def test_lists_and_none() -> None:
    words = "--network.hidden 9 8 --subset none --slot_size 3"
    assert flags.parse("try", Options, words.split(), ALL)[1] == {
        "network.hidden": (9, 8),
        "subset": None,
        "slot_size": 3,
    }
    assert flags.parse("try", Options, ["--network.hidden"], ALL)[1] == {"network.hidden": ()}


def test_what_follows_a_list_is_an_argument() -> None:
    for words, names, given in (
        ("--size 32 32 photos", ("photos",), {"size": (32, 32)}),
        ("--size 32 32 5", ("5",), {"size": (32, 32)}),
        ("--size=none a --policy.scale .9 1.1 b", ("a", "b"), {"size": None, "policy.scale": (0.9, 1.1)}),
        ("--network.hidden 9 8 photos --seed 1", ("photos",), {"network.hidden": (9, 8), "seed": 1}),
        ("--network.hidden [64, 32] photos", ("photos",), {"network.hidden": (64, 32)}),
        ("--network.hidden --seed 1 photos", ("photos",), {"network.hidden": (), "seed": 1}),
    ):
        options, found = flags.parse("try", Options, words.split(), ALL)
        assert (options.names, found) == (names, given)
    for words in (
        "--sweep a=1,2 b.c=[3 4] x.yaml",
        "x.yaml --sweep a=1,2 --sweep b.c=[3 4]",
        "--sweep=a=1,2 x.yaml --sweep b.c=[3 4]",
    ):
        read = flags.parse("sweep", Sweeping, words.replace("[3 4]", "[3_4]").split())[0]
        assert read == Sweeping(("x.yaml",), ("a=1,2", "b.c=[3_4]"))


def test_every_key_has_a_flag_with_help() -> None:
    for key, known in known_keys().items():
        if known.kind is bool:
            name = key.replace("_", "-")
            assert flags.parse("try", Options, [f"--{name}"], ALL)[1] == {key: True}
            assert flags.parse("try", Options, [f"--no-{name}"], ALL)[1] == {key: False}
        else:
            kind = str(known.kind)
            text = "3 4" if "tuple" in kind else "3"
            words = [f"--{key.replace('_', '-')}", *text.split()]
            assert list(flags.parse("try", Options, words, ALL)[1]) == [key]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--epoch 3", "unknown flag --epoch\n  do:       did you mean '--epochs'?"),
        ("--optimizer.rat=3", "did you mean '--optimizer.rate'?"),
        ("--zzzzzz", "see millrace help try"),
        ("--epochs many", "--epochs has the wrong type\n  expected: a whole number"),
        ("--rows many", "--rows has the wrong type"),
        ("--network.hidden x 3", "--network.hidden has the wrong type"),
        ("--size FOLDER", "--size has the wrong type"),
        ("--size 32 FOLDER", "--size takes 2 numbers"),
        ("--size 64", "--size takes 2 numbers\n  expected: a list of 2 whole numbers or none\n  got:      64\n"),
        ("--size 64", "--size 64 64 gives all of them this value"),
        ("--epochs", "argument --epochs: expected 1 argument"),
    ],
)
def test_slips_are_usage_errors_that_help(words: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        flags.parse("try", Options, words.split(), ALL)
    assert said in str(caught.value)


def test_a_key_that_a_command_does_not_take_says_why() -> None:
    for word in ("--epochs", "--no-test=1"):
        with pytest.raises(UsageError, match=f"{word.partition('=')[0]} is not possible here: it is fixed"):
            flags.parse("try", Options, [word, "3"], ["seed"], {"epochs": "it is fixed", "test": "it is fixed"})


def test_superfluous_and_missing_arguments() -> None:
    with pytest.raises(UsageError, match="unrecognized arguments: b"):
        flags.parse("try", Needy, ["a", "b"])
    with pytest.raises(UsageError, match="millrace try needs RUN"):
        flags.parse("try", Needy, [])


def test_help_names_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        flags.parse("try", Options, ["--help"], ALL)
    assert not leaving.value.code
    page = capsys.readouterr().out
    assert "usage: millrace try" in page
    assert "In a second paragraph." in page
    for key in ALL:
        assert f"--{key.replace('_', '-')}" in page
    assert "--network.skip, --no-network.skip" in page
    assert max(map(len, page.splitlines())) <= 100


def test_a_page_fits_80_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        flags.parse("try", Options, ["--help"], ALL)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_arguments_and_flags_may_stand_in_any_order() -> None:
    for words in ("--rows 3 a b", "a --rows 3 b", "a b --rows=3"):
        assert flags.parse("try", Options, words.split())[0] == Options(("a", "b"), 3)
    assert flags.parse("try", Options, ["--rows", "3", "--", "--odd.png"])[0] == Options(("--odd.png",), 3)


def test_own_options_are_held_to_their_range() -> None:
    with pytest.raises(OptionError, match="--rows is out of range"):
        flags.parse("try", Options, ["--rows", "0"])
