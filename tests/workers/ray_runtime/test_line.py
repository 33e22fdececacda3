"""The line carries what the call carries, both ways, bit for bit, and breaks where it must."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from millrace.workers.ray_runtime.line import Line, Request, listen
from millrace.workers.ray_runtime.messages import STOP, WORK, Order, Report
from millrace.workers.tree import Block

DIGESTS = (bytes(range(32)), bytes(range(32, 64)))
REQUEST = Request("worker-0", "abc", 7, [(Block(2, 2), 3, 0.1 + 0.2, 5, 140, DIGESTS)], Report(1e-9, 10, 20))
ORDER = Order(WORK, "abc", 8, 5, (Block(0, 2), Block(4, 1)), (1, 2), 0)

pytestmark = pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="no such sockets here")


@contextmanager
def listening(answer: Callable[[Request], Awaitable[Order]]) -> Iterator[str]:
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


def opened(address: str) -> Line:
    line = Line.open(address)
    assert line is not None
    return line


def test_what_is_said_and_answered_arrives_as_it_was() -> None:
    heard: list[Request] = []

    async def answer(request: Request) -> Order:
        heard.append(request)
        return ORDER if request.contributions else Order(STOP)

    with listening(answer) as address:
        line = opened(address)
        line.send(REQUEST, 10)
        assert line.receive() == ORDER
        line.send(REQUEST._replace(contributions=[]), 10)
        assert line.receive() == Order(STOP)
        line.close()
    assert heard == [REQUEST, REQUEST._replace(contributions=[])]
    assert isinstance(heard[0].contributions[0][0], Block)
    assert isinstance(heard[0].report, Report)


def test_it_says_whether_the_answer_is_there() -> None:
    gate = threading.Event()

    async def answer(request: Request) -> Order:
        await asyncio.to_thread(gate.wait, 10)
        return ORDER

    with listening(answer) as address:
        line = opened(address)
        line.send(REQUEST, 10)
        assert not line.answered
        gate.set()
        assert line.receive() == ORDER
        assert not line.answered
        line.close()


def test_it_breaks_where_the_server_fails_or_is_late() -> None:
    async def fail(request: Request) -> Order:
        raise KeyError("out of order")

    async def sleep(request: Request) -> Order:
        await asyncio.sleep(30)
        return ORDER

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

    async def answer(request: Request) -> Order:
        heard.append(request)
        return ORDER

    with listening(answer) as address:
        with socket.socket(socket.AF_UNIX) as torn:
            torn.settimeout(10)
            torn.connect(f"\0{address}")
            torn.sendall(b'["worker-0", "abc"')
            torn.shutdown(socket.SHUT_WR)
            assert torn.recv(1) == b""
        assert Line.open("millrace-nobody") is None
        assert Line.open("") is None
    assert heard == []
