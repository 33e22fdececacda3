"""Where a service listens and who may use it: checked before anything is opened. No field changes a bit."""

import ipaddress
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from millrace.errors import MillraceError, UsageError
from millrace.service.certificate import valid_until

TOKEN = "MILLRACE_TOKEN"
SCHEMES = ("grpc", "grpc+tcp", "grpc+tls", "grpc+unix")
LEAST_TOKEN = 16  # characters


@dataclass(frozen=True)
class ServePlace:
    """host, port (0: any that is free), or unix: the path of a socket. token: what clients must send; tls: the
    certificate and its key, PEM. endpoints: addresses of all servers of the stream, for clients.

    Errors: UsageError for a place that others reach and that has no token or no TLS."""

    host: str = "127.0.0.1"
    port: int = 0
    unix: str | None = None
    token: str | None = field(default=None, repr=False)
    tls: tuple[bytes, bytes] | None = field(default=None, repr=False)
    endpoints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.port < 1 << 16:
            raise UsageError("the port is out of range", expected="0 to 65535", got=self.port)
        missing = [word for word, has in (("a token", self.token), ("TLS", self.tls)) if has is None]
        if missing and not self.local:
            raise UsageError(
                f"others reach {self.host}, so the service needs {' and '.join(missing)}",
                expected="--token-file (or MILLRACE_TOKEN), --tls-cert and --tls-key",
                got=f"no {' and no '.join(word.removeprefix('a ') for word in missing)}",
                do="give them, or listen on --host 127.0.0.1 alone",
            )
        if self.unix is not None and self.tls is not None:
            raise UsageError("a Unix socket is not encrypted", expected="--unix or TLS", got="both")
        for endpoint in self.endpoints:
            if urlsplit(endpoint).scheme not in SCHEMES:
                raise UsageError("this is no address of a server", expected="grpc://HOST:PORT", got=endpoint)

    @property
    def local(self) -> bool:
        """Whether nobody but this machine reaches it."""
        if self.unix is not None or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    def address(self, port: int | None = None) -> str:
        """As clients give it: grpc://HOST:PORT, grpc+tls://HOST:PORT or grpc+unix:///PATH."""
        if self.unix is not None:
            return f"grpc+unix://{os.path.abspath(self.unix)}"
        host = f"[{self.host}]" if ":" in self.host and not self.host.startswith("[") else self.host
        return f"grpc{'' if self.tls is None else '+tls'}://{host}:{self.port if port is None else port}"


def token_from(file: str | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """The token that a file holds, else the one of MILLRACE_TOKEN, else None. Errors: MillraceError, UsageError."""
    if file is None:
        found, whence = environment.get(TOKEN), TOKEN
    else:
        found, whence = _read(file, "the token").decode("utf-8", "replace"), "the token's file"
    if found is None:
        return None
    token = found.strip()
    if len(token) < LEAST_TOKEN or not (token.isascii() and token.isprintable()) or " " in token:
        raise UsageError(
            f"{whence} holds no token",
            expected=f"at least {LEAST_TOKEN} printable ASCII characters, without spaces",
            got=f"{len(token)} characters",
            do="openssl rand -hex 32",
        )
    return token


def tls_from(certificate: str | None, key: str | None, now: datetime | None = None) -> tuple[bytes, bytes] | None:
    """Certificate and key from their files; None where neither is given. Errors: MillraceError where a file cannot be
    read, they do not belong together, or the certificate has expired by `now`; UsageError where one is missing."""
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise UsageError("TLS needs a certificate and its key", expected="--tls-cert and --tls-key", got="one of them")
    found = _read(certificate, "the certificate"), _read(key, "the key")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
        ends = valid_until(found[0].decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        what = "certificate and key cannot be used"
        raise MillraceError(what, expected="PEM files that belong together, the key without a password") from error
    if ends < (now or datetime.now(UTC)):
        raise MillraceError(
            "the certificate has expired", expected="one that is valid now", got=f"{ends:%Y-%m-%d %H:%M} UTC"
        )
    return found


def _no_password() -> str:
    raise ValueError("the key has a password")


def _read(path: str, what: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise MillraceError(f"{what} cannot be read: {path}", got=error.strerror, do="see its path and mode") from error
