"""Where servers are, and what they ask for: checked before anything is opened."""

import ipaddress
import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from millrace.errors import UsageError
from millrace.service.place import SCHEMES, TOKEN


@dataclass(frozen=True)
class ServerPlace:
    """addresses: of servers of one stream, at least one. token: what they ask for. roots: PEM of the authorities that
    their certificates are checked by; None: those of this machine.

    Errors: UsageError for what is no address, and where a token would cross the network for all to read."""

    addresses: tuple[str, ...]
    token: str | None = field(default=None, repr=False)
    roots: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.addresses:
            raise UsageError("no address is given", expected="grpc://HOST:PORT", got="none")
        for address in self.addresses:
            _check(address)
            if self.token is not None and not _private(address):
                raise UsageError(
                    "the token would cross the network unencrypted",
                    expected="grpc+tls://HOST:PORT, or a server on this machine",
                    got=address,
                    do="start the server with --tls-cert and --tls-key",
                )


def place_of(given: Any, token: str | None, roots: Any) -> ServerPlace:
    """From what a user gives: one address or several; a token, else MILLRACE_TOKEN; roots as a path or PEM."""
    addresses = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else (given,)
    token = os.environ.get(TOKEN) if token is None else token
    return ServerPlace(addresses, token.strip() if token else None, None if roots is None else _pem(roots))


def _check(address: Any) -> None:
    try:
        parts = urlsplit(address)
        known = parts.scheme in SCHEMES and bool(parts.path if parts.scheme == "grpc+unix" else parts.port)
    except (TypeError, ValueError, AttributeError):
        known = False
    if not known:
        expected = "grpc://HOST:PORT, grpc+tls://HOST:PORT or grpc+unix:///PATH"
        raise UsageError("this is no address of a server", expected=expected, got=repr(address))


def _private(address: str) -> bool:
    """Whether what is sent there can be read by nobody else."""
    parts = urlsplit(address)
    if parts.scheme in ("grpc+tls", "grpc+unix") or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def _pem(roots: Any) -> bytes:
    """The certificates, which gRPC itself would only write to stderr about where they are none."""
    try:
        pem = roots if isinstance(roots, bytes) else Path(roots).expanduser().read_bytes()
        ssl.create_default_context(cadata=pem.decode())
    except (OSError, ValueError, TypeError) as error:  # ssl.SSLError is an OSError
        shown = "bytes" if isinstance(roots, bytes) else repr(roots)
        raise UsageError("these are no certificates", expected="a PEM file, or its bytes", got=shown) from error
    return pem
