"""The library's messages, as a command says them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from millrace.commands.wording import in_flags, parts, program, typed
from millrace.errors import OptionError, UsageError


@pytest.mark.parametrize(
    ("said", "worded"),
    [
        ("choose a smaller `subset`", "choose a smaller --subset"),
        ("add `validation=N`, or leave out `optimizer.rate`", "add --validation N, or leave out --optimizer.rate"),
        ("pass `mixed_cpus=True` or `test=False`", "pass --mixed-cpus or --no-test"),
        ("add `size=(64, 64)`, or another", "add --size 64 64, or another"),
        ("leave out `views`", "leave out --tta"),
        ("choose another `out`, or `millrace.resume`", "choose another --out, or `millrace resume`"),
        ("`millrace.resume('/data/a b')` trains it", "`millrace resume '/data/a b'` trains it"),
        ("then `millrace.open_run('s3://b/run').report()`", "then `millrace report s3://b/run`"),
        ("see `millrace.resume(run, workers=2)`", "see `millrace.resume(run, workers=2)`"),
        ("`millrace.export('a', 'b')`, `millrace.report(3)`", "`millrace.export('a', 'b')`, `millrace.report(3)`"),
        ("`millrace.network('a').predict(x)`", "`millrace.network('a').predict(x)`"),
        ("`millrace.resume('open)`", "`millrace.resume('open)`"),
        ("as `millrace.stream` makes them", "as `millrace.stream` makes them"),
        ("a name, or `latest`; run `ray start --head`", "a name, or `latest`; run `ray start --head`"),
    ],
)
def test_arguments_become_flags_and_calls_commands(said: str, worded: str) -> None:
    assert in_flags(said) == worded


def test_every_part_of_an_error_is_worded() -> None:
    error = UsageError("no `policy`", expected="neither `subset` nor `validation`", got=3, do="leave out `epochs`")
    assert parts(error) == {
        "what": "no --policy",
        "expected": "neither --subset nor --validation",
        "got": 3,
        "do": "leave out --epochs",
    }
    assert parts(OptionError("address", "is for Ray alone", do="add `runtime=ray`"))["do"] == "add --runtime ray"


@pytest.fixture
def prompt() -> Iterator[None]:
    """How the program was started is asked once; the test's own start is forgotten afterwards."""
    program.cache_clear()
    yield
    program.cache_clear()


@pytest.mark.parametrize(
    ("started", "on_path", "shown"),
    [
        (".venv/bin/millrace", None, ".venv/bin/millrace"),
        (".venv/bin/millrace", "other/bin", ".venv/bin/millrace"),
        (".venv/bin/millrace", ".venv/bin", "millrace"),
        ("/a/millrace/__main__.py", None, ".venv/bin/python -m millrace"),
        ("/a/millrace/__main__.py", ".venv/bin", "millrace"),
        ("/usr/bin/pytest", None, "millrace"),
    ],
)
@pytest.mark.usefixtures("prompt")
def test_commands_are_shown_as_they_are_typed_here(
    started: str, on_path: str | None, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (".venv/bin", "other/bin"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "millrace").write_text("#!/bin/sh")
        (tmp_path / folder / "millrace").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [started])
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / on_path) if on_path else str(tmp_path))
    assert typed("millrace resume runs/a, then `millrace report runs/a`") == (
        f"{shown} resume runs/a, then `{shown} report runs/a`"
    )
    assert typed("/data/millrace train is a path, millrace.train a function") == (
        "/data/millrace train is a path, millrace.train a function"
    )
