"""Where servers are, and what they ask for: checked before anything is opened."""

import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from millrace.errors import UsageError
from millrace.service.address import check_address, is_private
from millrace.service.certificate import certificates
from millrace.service.token import TOKEN, checked_token


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
            check_address(address)
            if self.token is not None and not is_private(address):
                raise UsageError(
                    "the token would cross the network unencrypted",
                    expected="grpc+tls://HOST:PORT, or a server on this machine",
                    got=address,
                    do="start the server with --tls-cert and --tls-key",
                )


def place_of(given: Any, token: str | None, roots: Any) -> ServerPlace:
    """From what a user gives: one address or several; a token, else MILLRACE_TOKEN; roots as a path or PEM.

    Errors: UsageError for what is no address, no token or no certificates."""
    addresses = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else (given,)
    found = checked_token(os.environ.get(TOKEN) or None, TOKEN) if token is None else checked_token(token)
    return ServerPlace(addresses, found, None if roots is None else _pem(roots))


def _pem(roots: Any) -> bytes:
    """The certificates, which gRPC itself would only write to stderr about where they are none."""
    try:
        pem = roots if isinstance(roots, bytes) else Path(os.path.expanduser(roots)).read_bytes()
        ssl.create_default_context(cadata=certificates(pem))
    except (OSError, ValueError, TypeError, RuntimeError) as error:  # ssl.SSLError is an OSError
        shown = "bytes" if isinstance(roots, bytes) else repr(roots)
        raise UsageError("these are no certificates", expected="a PEM file, or its bytes", got=shown) from error
    return pem
