"""What `millrace serve` refuses before it serves; tests/service has the rest."""

import sys
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
        (["--address", "auto"], "add --runtime ray"),
        (["--runtime", "ray", "--unix", "socket"], "a Unix socket is of one machine"),
        (["--runtime", "ray", "--host", "0.0.0.0"], "needs a token and TLS"),
    ],
)
def test_what_cannot_be_served_is_said_before_the_start(door: Any, flags: list[str], said: str) -> None:
    assert door("serve digits --port 0", *flags) in (1, 2)
    assert said in door.err


def test_without_ray_the_extra_is_named(door: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("millrace.workers.ray_runtime.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert door("serve digits --runtime ray --port 0") == 2
    assert "pip install 'millrace[ray]'" in door.err
