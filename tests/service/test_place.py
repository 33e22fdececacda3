"""Where a service listens and who may use it: refusals before anything is opened, tokens and TLS over real sockets."""

import base64
import contextlib
import logging
import socket
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import flight

import millrace
from millrace.errors import MillraceError, UsageError
from millrace.service.address import is_loopback
from millrace.service.certificate import valid_until
from millrace.service.client.addresses import place_of
from millrace.service.place import ServePlace, tls_from, token_from
from millrace.service.service import Service
from millrace.service.ticket import StepTicket
from tests.service.conftest import PATIENCE, action

Serve = Callable[..., Service]
TOKEN = "0123456789abcdef-secret"


def certificate(folder: Path, name: str = "own", *more: str) -> tuple[str, str]:
    """A certificate of its own for localhost, and its key."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", str(key), "-out", str(cert), "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", *(more or ("-days", "2"))),
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )
    return str(cert), str(key)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org"])
def test_others_are_served_with_token_and_tls_alone(host: str) -> None:
    tls = (b"certificate", b"key")
    with pytest.raises(UsageError, match="needs a token and TLS"):
        ServePlace(host)
    with pytest.raises(UsageError, match="needs TLS"):
        ServePlace(host, token=TOKEN)
    with pytest.raises(UsageError, match="needs a token"):
        ServePlace(host, tls=tls)
    assert ServePlace(host, token=TOKEN, tls=tls).address(5).startswith("grpc+tls://")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_is_served_without(host: str) -> None:
    assert ServePlace(host).local


def test_a_place_is_shown_without_its_secrets() -> None:
    shown = repr(ServePlace(token=TOKEN, tls=(b"certificate", b"key")))
    assert TOKEN not in shown
    assert "key" not in shown


def test_addresses() -> None:
    assert ServePlace().address(5) == "grpc://127.0.0.1:5"
    assert ServePlace("::1").address(5) == "grpc://[::1]:5"
    assert ServePlace(unix="/run/x").address() == "grpc+unix:///run/x"
    with pytest.raises(UsageError, match="no address of a server"):
        ServePlace(endpoints=("http://x",))
    with pytest.raises(UsageError, match="port is out of range"):
        ServePlace(port=65536)
    for wrong in ("grpc://x", "grpc://x:0", "grpc://:1", "grpc://x:1\n", "x:1"):  # what clients would refuse
        with pytest.raises(UsageError, match="no address of a server"):
            ServePlace(endpoints=(wrong,))


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True), ("::1", True), ("[::1]", True), ("::ffff:127.0.0.1", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("::ffff:10.0.0.1", False), ("", False), ("localhost.example", False),
    ],
)  # fmt: skip
def test_whether_this_machine_alone_reaches_a_host(host: str, own: bool) -> None:
    assert is_loopback(host) is own


def test_a_token_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert token_from(str(file), {"MILLRACE_TOKEN": "another"}) == TOKEN
    assert token_from(None, {"MILLRACE_TOKEN": TOKEN}) == TOKEN
    assert token_from(None, {}) is None
    assert token_from(None, {"MILLRACE_TOKEN": ""}) is None  # as for all variables
    for text in ("", "short", "with a space in between", "é" * 20):
        file.write_text(text)
        with pytest.raises(UsageError, match="holds no token") as caught:
            token_from(str(file), {})
        assert not text or text not in str(caught.value)
    with pytest.raises(MillraceError, match="the token cannot be read") as missing:
        token_from(str(tmp_path / "none"), {})
    assert missing.value.got == "No such file or directory"
    for strange in ("a\0b", "~nobody-of-that-name/token", str(tmp_path)):
        with pytest.raises(MillraceError, match="the token cannot be read"):
            token_from(strange, {})


def test_paths_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    certificate(tmp_path)
    (tmp_path / "token").write_text(TOKEN)
    assert tls_from("~/own.pem", "~/own.key") == tuple(
        (tmp_path / name).read_bytes() for name in ("own.pem", "own.key")
    )
    assert token_from("~/token") == TOKEN
    assert place_of("grpc+tls://a:1", None, "~/own.pem").roots == (tmp_path / "own.pem").read_bytes()
    assert ServePlace(unix="~/socket").address() == f"grpc+unix://{tmp_path}/socket"


def test_a_certificate_may_have_notes_around_it_in_any_encoding(serve: Serve, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    noted = "Für uns: 中".encode() + b"\xff\n" + Path(cert).read_bytes() + "é\n".encode("latin-1")
    (tmp_path / "noted.pem").write_bytes(noted)
    (tmp_path / "noted.key").write_bytes("Schlüssel\n".encode("latin-1") + Path(key).read_bytes())
    tls = tls_from(str(tmp_path / "noted.pem"), str(tmp_path / "noted.key"))
    service = serve(place=ServePlace(token=TOKEN, tls=tls))
    stream = millrace.connect(service.address, token=TOKEN, tls_roots=tmp_path / "noted.pem", patience=5)
    assert stream[0].num_rows == 8


def test_certificates_that_cannot_be_used_are_refused_before_the_start(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    assert tls_from(None, None) is None
    assert tls_from(cert, key) == (Path(cert).read_bytes(), Path(key).read_bytes())
    with pytest.raises(UsageError, match="TLS needs a certificate and its key"):
        tls_from(cert, None)
    with pytest.raises(MillraceError, match="the key cannot be read"):
        tls_from(cert, str(tmp_path / "none"))
    other = certificate(tmp_path, "other")[1]
    with pytest.raises(MillraceError, match="cannot be used"):
        tls_from(cert, other)
    with pytest.raises(MillraceError, match="cannot be used"):
        tls_from(key, key)
    ends = valid_until(Path(cert).read_bytes())
    assert tls_from(cert, key, ends - timedelta(seconds=1))
    with pytest.raises(MillraceError, match="the certificate has expired") as caught:
        tls_from(cert, key, ends + timedelta(seconds=1))
    assert caught.value.got == f"{ends:%Y-%m-%d %H:%M} UTC"


def test_how_long_a_certificate_is_valid_is_what_openssl_says(tmp_path: Path) -> None:
    for more in (("-days", "3"), ("-days", "20000")):  # UTCTime until 2049, GeneralizedTime from then on
        cert, _ = certificate(tmp_path, "own", *more)
        said = subprocess.run(
            ["openssl", "x509", "-in", cert, "-noout", "-enddate"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout
        ends = valid_until(Path(cert).read_bytes())
        assert said.split() == ["notAfter=" + f"{ends:%b}", str(ends.day), f"{ends:%H:%M:%S}", str(ends.year), "GMT"]


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_what_is_no_certificate_is_a_value_error(der: bytes) -> None:
    text = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(der).decode()}\n-----END CERTIFICATE-----"
    with contextlib.suppress(ValueError):
        valid_until(text.encode())


def test_a_port_in_use_is_said_in_plain_words(serve: Serve, capfd: Any) -> None:
    service = serve()
    with pytest.raises(MillraceError, match="cannot listen at grpc:") as caught:
        serve(place=ServePlace(port=service.server.port))
    assert caught.value.got == "Address already in use"
    assert capfd.readouterr().err == ""


def test_a_socket_of_a_killed_server_is_taken_over_and_one_in_use_is_not(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    service = serve(place=ServePlace(unix=str(path)))
    service.check()
    with pytest.raises(MillraceError, match="another server listens"):
        serve(place=ServePlace(unix=str(path)))
    service.close(0.0)
    assert not path.exists()


def test_a_file_at_the_path_of_a_socket_is_left_alone(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "thesis.txt"
    path.write_text("years of work")
    for taken in (path, tmp_path):
        with pytest.raises(MillraceError, match="cannot listen at"):
            serve(place=ServePlace(unix=str(taken)))
    assert path.read_text() == "years of work"
    with pytest.raises(MillraceError, match="cannot listen at") as raised:
        serve(place=ServePlace(unix=str(tmp_path / ("long" * 40))))
    assert raised.value.got == "AF_UNIX path too long"


def test_who_has_not_the_token_is_not_let_in(serve: Serve, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    service = serve(place=ServePlace(token=TOKEN))
    service.check()
    ticket = flight.Ticket(StepTicket(service.offer.digest, 0).encode())
    with flight.FlightClient(service.address) as client:
        wrong = [[], [b"Bearer " + TOKEN.encode()[:-1]], [b"Basic " + TOKEN.encode()], [TOKEN.encode()], [b""]]
        for sent in wrong:
            options = flight.FlightCallOptions(timeout=20, headers=[(b"authorization", value) for value in sent])
            with pytest.raises(flight.FlightUnauthenticatedError, match="unauthenticated: ") as caught:
                client.do_get(ticket, options).read_all()
            assert TOKEN[:-1] not in str(caught.value)
            with pytest.raises(flight.FlightUnauthenticatedError):
                list(client.do_action(flight.Action("describe", b""), options))
        right = flight.FlightCallOptions(timeout=20, headers=[(b"authorization", f"Bearer {TOKEN}".encode())])
        assert client.do_get(ticket, right).read_all().num_rows == 8
    assert service.figures.snapshot()["refusals"]["unauthenticated"] == 2 * len(wrong)
    assert TOKEN not in caplog.text


def test_tls_with_a_token_over_a_real_handshake(serve: Serve, tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    service = serve(place=ServePlace(token=TOKEN, tls=tls_from(cert, key)))
    service.check()
    assert service.address.startswith("grpc+tls://")
    options = flight.FlightCallOptions(timeout=20, headers=[(b"authorization", f"Bearer {TOKEN}".encode())])
    with flight.FlightClient(service.address, tls_root_certs=Path(cert).read_bytes()) as client:
        [answer] = client.do_action(flight.Action("health", b""), options)
        assert b"serving" in answer.body.to_pybytes()
    plain = service.address.replace("grpc+tls", "grpc")
    with (
        flight.FlightClient(plain) as client,
        pytest.raises((flight.FlightUnavailableError, flight.FlightTimedOutError)),
    ):
        action(client, "health")
    assert PATIENCE is not None
