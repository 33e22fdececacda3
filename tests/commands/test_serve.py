"""What `millrace serve` refuses before it serves; tests/service has the rest."""

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from millrace.commands.serve_display import shown_page
from millrace.library.serving import ReadyFile
from millrace.library.serving_on_ray import told_in_clear
from millrace.service.place import ServePlace
from tests.service.test_place import TOKEN, certificate


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
        (["--unix", "missing/socket"], "No such folder"),
        (["--ready-file", "missing/file"], "cannot write"),
        (["--endpoint", "grpc://a"], "no address of a server"),
        (["--client-memory", "600"], "600 MiB"),
        (["--split", "validation"], "add --validation N"),
        (
            ["--host", "host.invalid", "--token-file", "token", "--tls-cert", "own.pem", "--tls-key", "own.key"],
            "--host",
        ),
        (["--tls-cert", "old.pem", "--tls-key", "own.key"], "the certificate has expired"),
        (["--tls-cert", "own.pem", "--tls-key", "locked.key"], "the key without a password"),
        (["--token-file", "own.pem"], "holds no token"),
    ],
)
def test_what_cannot_be_served_is_said_before_the_start(door: Any, home: Path, flags: list[str], said: str) -> None:
    if "own.pem" in flags or "old.pem" in flags:
        certificate(home)
        for words in (
            "req -new -key own.key -subj /CN=localhost -out old.csr",
            "x509 -req -in old.csr -signkey own.key -days -1 -out old.pem",
            "ec -in own.key -out locked.key -aes256 -passout pass:word",
        ):
            subprocess.run(["openssl", *words.split()], cwd=home, check=True, capture_output=True, timeout=30)
        (home / "token").write_text(TOKEN)
    assert door("serve digits --port 0", *flags) in (1, 2)
    assert said in door.err


def test_without_ray_the_extra_is_named(door: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("millrace.workers.ray_runtime.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert door("serve digits --runtime ray --port 0") == 2
    assert "pip install 'millrace[ray]'" in door.err


def test_an_unknown_dataset_and_a_port_in_use_are_said(door: Any) -> None:
    assert door("serve mnits --port 0") == 2
    assert "unknown dataset 'mnits'" in door.err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert door("serve digits --port", str(taken.getsockname()[1])) == 1
    assert "Address already in use" in door.err
    assert "--port" in door.err


def test_the_ready_file_follows_the_servers_that_answer(tmp_path: Path) -> None:
    file = tmp_path / "ready"
    with ReadyFile(file) as ready:
        for addresses, held in (
            ((), None),
            (("a", "b"), "a"),
            (("b", "a"), "a"),
            (("b",), "b"),
            ((), None),
            (("c",), "c"),
        ):
            ready.follow(addresses)
            assert (file.read_text().rstrip() if file.exists() else None) == held
    assert not file.exists()


def test_secrets_that_ray_does_not_encrypt_are_said() -> None:
    place = ServePlace(token=TOKEN)
    assert "carry the token, are not" in str(told_in_clear(place, True, {}))
    assert told_in_clear(place, True, {"RAY_USE_TLS": "0"})
    assert told_in_clear(place, True, {"RAY_USE_TLS": "1"}) is None
    assert told_in_clear(place, False, {}) is None
    assert told_in_clear(ServePlace(), True, {}) is None


def test_a_page_that_its_machine_alone_reaches_is_told_with_the_machine() -> None:
    page = "http://127.0.0.1:9"
    assert shown_page(page, "grpc+tls://192.0.2.1:8") == f"{page} on 192.0.2.1"
    assert shown_page(page, "grpc://127.0.0.1:8") == shown_page(page, "grpc+unix:///a") == page
    assert shown_page("https://192.0.2.1:9", "grpc+tls://192.0.2.1:8") == "https://192.0.2.1:9"
