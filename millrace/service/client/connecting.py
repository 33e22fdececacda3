"""`millrace.connect`: from the address of a server to a stream."""

from collections.abc import Sequence
from pathlib import Path

from millrace.errors import UsageError
from millrace.loading.datastream import DataStream
from millrace.loading.loader import reading_ahead
from millrace.service.client.addresses import place_of
from millrace.service.client.link import Link
from millrace.service.client.remote import RemoteSource

MOST_PATIENCE = 86400.0


def connect(
    address: str | Sequence[str],
    *,
    token: str | None = None,
    tls_roots: str | Path | bytes | None = None,
    patience: float = 60,
    threads: int | None = None,
    read_ahead: float = 64,
) -> DataStream:
    """The stream that `millrace serve` offers: the same object as `millrace.stream` gives where it runs, the same bits.

    address: grpc://HOST:PORT, grpc+tls://HOST:PORT or grpc+unix:///PATH; of several servers of one stream, the next is
        asked where one fails.
    token: what the servers ask for; None: as MILLRACE_TOKEN says, if it does.
    tls_roots: the PEM file, or its bytes, that the servers' certificates are checked by; None: as this machine does.
    patience: seconds to try again where no server answers: a server that is started anew in this time costs no batch.
    threads, read_ahead: as for `millrace.stream`; read_ahead bounds what one call asks for, in MiB.

    Errors: UsageError for arguments that do not fit; DeadlineError where no server answers; ServiceError for what a
    server refuses, and where another stream is served there than the one that was begun.
    """
    if isinstance(patience, bool) or not isinstance(patience, (int, float)) or not 0 <= patience <= MOST_PATIENCE:
        expected = f"seconds, 0 to {MOST_PATIENCE:g}"
        raise UsageError("patience is out of range", expected=expected, got=repr(patience))
    ahead = reading_ahead(threads, read_ahead)
    return DataStream(RemoteSource(Link(place_of(address, token, tls_roots), float(patience))), **ahead)
