"""The library's messages, as a command says them."""

import pytest

from millrace.commands.wording import in_flags, parts
from millrace.errors import OptionError, UsageError


@pytest.mark.parametrize(
    ("said", "worded"),
    [
        ("choose a smaller `subset`", "choose a smaller --subset"),
        ("add `validation=N`, or leave out `optimizer.rate`", "add --validation N, or leave out --optimizer.rate"),
        ("pass `mixed_cpus=True` or `test=False`", "pass --mixed-cpus or --no-test"),
        ("leave out `views`", "leave out --tta"),
        ("choose another `out`, or `millrace.resume`", "choose another --out, or `millrace resume`"),
        ("`millrace.resume('/data/a b')` trains it", "`millrace resume '/data/a b'` trains it"),
        ("then `millrace.open_run('s3://b/run').report()`", "then `millrace report s3://b/run`"),
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
