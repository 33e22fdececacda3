"""The line: a worker speaks to the server of its own machine through a socket; a call of Ray takes milliseconds.

A Unix socket that has no file, so nothing stays of it, carries one line of JSON each way. It says what the call
`contribute` says and is answered as the call is. Where it breaks, or there is none, the worker joins again, by a call.
"""

import asyncio
import json
import os
import select
import socket
import struct
import uuid
from collections.abc import Awaitable, Callable, Sequence

from millrace.runs import Spent
from millrace.workers.ray_runtime.messages import ELSEWHERE, Command, Contribution, Report, Request
from millrace.workers.tree import Block, Partial

LONGEST = 1 << 26  # bytes of one line: a digest for each slot of a share
CONNECT = 5.0  # seconds


class SocketLine:
    """The worker's end. OSError or ValueError where it is broken: it is of no use after that."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket, self._file = connection, connection.makefile("rb")

    @classmethod
    def open(cls, address: str) -> "SocketLine | None":
        """A line to the server that listens there; None where it cannot be reached so."""
        if not address:
            return None
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(CONNECT)
        try:
            connection.connect(f"\0{address}")
        except OSError:
            connection.close()
            return None
        if not _same_user(connection):
            connection.close()
            return None
        return cls(connection)

    def send(self, request: Request, timeout: float) -> None:
        """Say it; one answer will come, within `timeout` seconds."""
        self._socket.settimeout(timeout)
        contributions = [_plain(contribution) for contribution in request.contributions]
        self._socket.sendall(json.dumps(request._replace(contributions=contributions)).encode() + b"\n")  # type: ignore[arg-type]

    @property
    def answered(self) -> bool:
        """Whether `receive` would not have to wait."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def receive(self) -> Command:
        """The answer, as soon as it is there."""
        kind, incarnation, step, slots, blocks, lease, weights, read = json.loads(_whole(self._file.readline()))
        rank, members = lease
        return Command(kind, incarnation, step, slots, tuple(Block(*b) for b in blocks), (rank, members), weights, read)

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()


async def listen(answer: Callable[[Request], Awaitable[Command]]) -> tuple[str, asyncio.Server | None]:
    """Answer whoever speaks, in this event loop; the address for `SocketLine.open`, empty where the system has no such
    sockets, and the listening server."""
    if not hasattr(socket, "SO_PEERCRED"):
        return "", None
    address = f"millrace-{uuid.uuid4().hex}"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if _same_user(writer.get_extra_info("socket")):
                while line := await reader.readline():
                    command = await answer(_request(line))
                    writer.write(json.dumps(command).encode() + b"\n")
                    await writer.drain()
        except Exception:
            pass  # the worker learns by its next call what is wrong
        finally:
            writer.close()

    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(f"\0{address}")
        return address, await asyncio.start_unix_server(serve, sock=listener, limit=LONGEST)
    except OSError:
        listener.close()
        return "", None


def _request(line: bytes) -> Request:
    name, membership, incarnation, step, near, contributions, report, read = json.loads(_whole(line))
    waited, in_flight, received, spent = report
    said = Report(waited, in_flight, received, Spent(*map(tuple, spent)) if spent else None)
    found = [_contribution(*parts) for parts in contributions]
    return Request(name, membership, incarnation, step, near, found, said, read)


def _plain(contribution: Contribution) -> tuple[object, ...]:
    """A contribution as JSON has it: no gradient, digests as hexadecimal text."""
    block, row, partial = contribution
    return block, row, partial.loss, partial.correct, partial.samples, [digest.hex() for digest in partial.digests]


def _contribution(
    block: Sequence[int], row: int, loss: float, correct: int, samples: int, digests: Sequence[str]
) -> Contribution:
    start, size = block
    partial = Partial(ELSEWHERE, loss, correct, samples, tuple(bytes.fromhex(digest) for digest in digests))
    return Contribution(Block(start, size), row, partial)


def _whole(line: bytes) -> bytes:
    if not line.endswith(b"\n"):
        raise ConnectionError("the other end is gone")
    return line


def _same_user(connection: socket.socket) -> bool:
    """Whether the process at the other end is this user's: such sockets know no permissions."""
    size = struct.calcsize("3i")
    _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return bool(user == os.getuid())
