"""What `millrace serve` refuses before it serves; tests/service has the rest."""

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--host", "0.0.0.0"], "needs a token and TLS"),
        (["--token-file", "missing"], "the token cannot be read"),
        (["--tls-cert", "missing", "--tls-key", "missing"], "the certificate cannot be read"),
        (["--split", "tests"], "unknown split 'tests'"),
        (["--batch", "2000"], "the batch does not fit"),
    ],
)
def test_what_cannot_be_served_is_said_before_the_start(door: Any, flags: list[str], said: str) -> None:
    assert door("serve digits --port 0", *flags) in (1, 2)
    assert said in door.err
