"""Where a service listens and who may use it: checked before anything is opened. No field changes a bit."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from millrace.errors import MillraceError, UsageError
from millrace.service.address import check_address, is_everywhere, is_loopback
from millrace.service.certificate import valid_until
from millrace.service.token import TOKEN, checked_token


@dataclass(frozen=True)
class ServePlace:
    """host, port (0: any that is free), or unix: the path of a socket, absolute once it is made. token: what clients
    must send; tls: the certificate and its key, PEM. endpoints: addresses of all servers of the stream, for clients.

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
        if self.unix is not None:
            object.__setattr__(self, "unix", os.path.abspath(os.path.expanduser(self.unix)))
        if self.unix is not None and self.tls is not None:
            raise UsageError("a Unix socket is not encrypted", expected="--unix or TLS", got="both")
        for endpoint in self.endpoints:
            check_address(endpoint)

    @property
    def local(self) -> bool:
        """Whether nobody but this machine reaches it."""
        return self.unix is not None or is_loopback(self.host)

    def called(self, name: str) -> "ServePlace":
        """The place by a name that others can connect to, where it is every address of this machine."""
        return replace(self, host=name) if self.unix is None and is_everywhere(self.host) else self

    def address(self, port: int | None = None) -> str:
        """As clients give it: grpc://HOST:PORT, grpc+tls://HOST:PORT or grpc+unix:///PATH."""
        if self.unix is not None:
            return f"grpc+unix://{self.unix}"
        host = f"[{self.host}]" if ":" in self.host and not self.host.startswith("[") else self.host
        return f"grpc{'' if self.tls is None else '+tls'}://{host}:{self.port if port is None else port}"


def token_from(file: str | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """The token that a file holds, else the one of MILLRACE_TOKEN, else None. Errors: MillraceError, UsageError."""
    if file is not None:
        return checked_token(_read(file, "the token").decode("utf-8", "replace"), "the token's file")
    return checked_token(environment.get(TOKEN) or None, TOKEN)


def tls_from(certificate: str | None, key: str | None, now: datetime | None = None) -> tuple[bytes, bytes] | None:
    """Certificate and key from their files; None where neither is given. Errors: MillraceError where a file cannot be
    read, they do not belong together, or the certificate has expired by `now`; UsageError where one is missing."""
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise UsageError("TLS needs a certificate and its key", expected="--tls-cert and --tls-key", got="one of them")
    found = _read(certificate, "the certificate"), _read(key, "the key")
    try:
        paths = Path(os.path.expanduser(certificate)), Path(os.path.expanduser(key))
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*paths, password=_no_password)
        ends = valid_until(found[0])
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
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
        return Path(os.path.expanduser(path)).read_bytes()
    except (OSError, ValueError, RuntimeError) as error:  # a NUL in the path, a user without a home
        got = getattr(error, "strerror", None) or str(error)
        raise MillraceError(f"{what} cannot be read: {path}", got=got, do="see its path and mode") from error
