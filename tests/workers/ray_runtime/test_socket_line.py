"""The line carries what the call carries, both ways, bit for bit, and breaks where it must."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from millrace.runs import STAGES, Spent
from millrace.workers.ray_runtime.messages import ELSEWHERE, STOP, WORK, Command, Contribution, Report, Request
from millrace.workers.ray_runtime.socket_line import SocketLine, listen
from millrace.workers.tree import Block, Partial

DIGESTS = (bytes(range(32)), bytes(range(32, 64)))
PARTIAL = Partial(ELSEWHERE, 0.1 + 0.2, 5, 140, DIGESTS)
SPENT = Spent.none()._replace(seconds=tuple(0.1 * stage for stage in range(len(STAGES))))
REQUEST = Request("worker-0", 3, "abc", 7, True, [Contribution(Block(2, 2), 3, PARTIAL)], Report(1e-9, 10, 20, SPENT))
COMMAND = Command(WORK, "abc", 8, 5, (Block(0, 2), Block(4, 1)), (1, 2), 0)

pytestmark = pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="no such sockets here")


@contextmanager
def listening(answer: Callable[[Request], Awaitable[Command]]) -> Iterator[str]:
    """The address of a loop that answers in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    address, server = asyncio.run_coroutine_threadsafe(listen(answer), loop).result(10)
    assert server is not None
    try:
        yield address
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()


def opened(address: str) -> SocketLine:
    line = SocketLine.open(address)
    assert line is not None
    return line


def test_what_is_said_and_answered_arrives_as_it_was() -> None:
    heard: list[Request] = []
    short = REQUEST._replace(contributions=[], report=Report(0.0, 0, 0))

    async def answer(request: Request) -> Command:
        heard.append(request)
        return COMMAND if request.contributions else Command(STOP)

    with listening(answer) as address:
        line = opened(address)
        line.send(REQUEST, 10)
        assert line.receive() == COMMAND
        line.send(short, 10)
        assert line.receive() == Command(STOP)
        line.close()
    assert heard == [REQUEST, short]
    assert isinstance(heard[0].contributions[0].block, Block)
    assert isinstance(heard[0].report, Report)


def test_it_says_whether_the_answer_is_there() -> None:
    gate = threading.Event()

    async def answer(request: Request) -> Command:
        await asyncio.to_thread(gate.wait, 10)
        return COMMAND

    with listening(answer) as address:
        line = opened(address)
        line.send(REQUEST, 10)
        assert not line.answered
        gate.set()
        assert line.receive() == COMMAND
        assert not line.answered
        line.close()


def test_it_breaks_where_the_server_fails_or_is_late() -> None:
    async def fail(request: Request) -> Command:
        raise KeyError("out of order")

    async def sleep(request: Request) -> Command:
        await asyncio.sleep(30)
        return COMMAND

    with listening(fail) as address:
        line = opened(address)
        line.send(REQUEST, 10)
        with pytest.raises(OSError, match="gone"):
            line.receive()
        line.close()
    with listening(sleep) as address:
        line = opened(address)
        line.send(REQUEST, 0.1)
        with pytest.raises(TimeoutError):
            line.receive()
        line.close()


def test_half_a_line_is_none() -> None:
    heard: list[Request] = []

    async def answer(request: Request) -> Command:
        heard.append(request)
        return COMMAND

    with listening(answer) as address:
        with socket.socket(socket.AF_UNIX) as torn:
            torn.settimeout(10)
            torn.connect(f"\0{address}")
            torn.sendall(b'["worker-0", "abc"')
            torn.shutdown(socket.SHUT_WR)
            assert torn.recv(1) == b""
        assert SocketLine.open("millrace-none") is None
        assert SocketLine.open("") is None
    assert heard == []
