"""The connections of a server, by their file descriptors: gRPC lets nobody at them, but the system does.

A thread of gRPC's that writes to a client which does not read waits for ever, and pyarrow has no call that ends it
(apache/arrow#43819) and no option for keepalive (#44916). Shutting the socket down ends all calls of that connection.
"""

import contextlib
import os
import socket
import stat
import sys
from collections.abc import Iterator
from urllib.parse import unquote

FOLDERS = ("/proc/self/fd", "/dev/fd")
UNIX = "unix:"  # what gRPC calls every client of a Unix socket


def connections(port: int | None, path: str | None = None) -> Iterator[tuple[str, socket.socket]]:
    """The connections that a server at this port, or at this path of a Unix socket, has taken: each with its peer
    as `readable` names it and a descriptor of its own, which is closed when the iteration goes on."""
    for number in _descriptors():
        found = _own(number)
        if found is not None:
            with found:
                name = _peer(found, port, path)
                if name is not None:
                    yield name, found


def cut(peer: str, port: int | None, path: str | None = None) -> int:
    """End the connections of a peer; the number of them. All clients of a Unix socket are one peer: those of them that
    do read connect again."""
    ended = 0
    for name, found in connections(port, path):
        if name == peer:
            with contextlib.suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)
                ended += 1
    return ended


def tend(found: socket.socket, seconds: int) -> None:
    """Have the system end a connection whose other side has vanished, in about so many seconds."""
    if found.family == socket.AF_UNIX:
        return
    with contextlib.suppress(OSError):  # it may have ended just now
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if sys.platform == "linux":
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, seconds // 2))
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, seconds // 8))
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)


def peer_name(address: tuple[str, int]) -> str:
    """A socket's address as `readable` gives the peer of a call."""
    host, port = address[0].removeprefix("::ffff:"), address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def readable(peer: str) -> str:
    """What gRPC calls a peer (`ipv4:127.0.0.1:5`, `ipv6:%5B::1%5D:5`, `unix:`), as HOST:PORT or `unix:`."""
    return peer if peer.startswith(UNIX) else unquote(peer.partition(":")[2])


def _descriptors() -> list[int]:
    for folder in FOLDERS:
        with contextlib.suppress(OSError):
            return [int(name) for name in os.listdir(folder) if name.isdigit()]
    return []


def _own(number: int) -> socket.socket | None:
    """A second descriptor of a socket, so that it stays what it is while it is looked at; None for anything else."""
    copy = None
    try:
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            return None
        copy = os.dup(number)
        return socket.socket(fileno=copy)
    except OSError:  # closed in the meantime, or, after the look at it, no socket any more
        if copy is not None:
            os.close(copy)
        return None


def _peer(found: socket.socket, port: int | None, path: str | None) -> str | None:
    """The name of the other side, where this is a connection that the server has taken."""
    try:
        if found.family == socket.AF_UNIX:
            listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            return UNIX if path is not None and found.getsockname() == path and not listens else None
        inet = found.family in (socket.AF_INET, socket.AF_INET6) and found.type == socket.SOCK_STREAM
        return peer_name(found.getpeername()) if inet and found.getsockname()[1] == port else None
    except OSError:  # it listens, or has ended
        return None
