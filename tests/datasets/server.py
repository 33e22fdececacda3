"""A real HTTP server on 127.0.0.1 that misbehaves on demand, and makers of small files of every format."""

import gzip
import io
import socket
import struct
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers from the server's table of paths; a list of answers is used up one by one, the last one stays."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))
        answers = self.server.answers.get(self.path)
        if answers is None:
            status(404)(self)
            return
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        try:
            answer(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def head(self, code: int, headers: Mapping[str, object]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()

    def cut(self) -> None:
        """Break the connection off."""
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    @property
    def start(self) -> int:
        """The first byte that is asked for."""
        return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[Answer]] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def put(self, path: str, *answers: Answer) -> None:
        self.answers[path] = list(answers)

    def ranges(self) -> list[str | None]:
        return [headers.get("Range") for _, headers in self.seen]

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


def whole(data: bytes, **headers: object) -> Answer:
    """200 and the bytes, whatever Range says."""

    def answer(handler: Handler) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.head(200, {"Content-Length": len(data)} | named)
        handler.wfile.write(data)

    return answer


def ranged(data: bytes, etag: str = '"one"') -> Answer:
    """Honours Range, unless If-Range names another version."""

    def answer(handler: Handler) -> None:
        condition = handler.headers.get("If-Range")
        start = handler.start
        if "Range" not in handler.headers or (condition is not None and condition != etag):
            handler.head(200, {"Content-Length": len(data), "ETag": etag})
            handler.wfile.write(data)
        elif start >= len(data):
            handler.head(416, {"Content-Range": f"bytes */{len(data)}", "Content-Length": 0})
        else:
            span = f"bytes {start}-{len(data) - 1}/{len(data)}"
            handler.head(206, {"Content-Range": span, "Content-Length": len(data) - start, "ETag": etag})
            handler.wfile.write(data[start:])

    return answer


def drops(data: bytes, after: int, etag: str = '"one"') -> Answer:
    """Breaks the connection `after` bytes from where it starts; honours Range."""

    def answer(handler: Handler) -> None:
        start = handler.start
        headers: dict[str, object] = {"Content-Length": len(data) - start, "ETag": etag}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        handler.head(206 if start else 200, headers)
        handler.wfile.write(data[start : start + after])
        handler.cut()

    return answer


def status(code: int, **headers: object) -> Answer:
    """A status without a body."""

    def answer(handler: Handler) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.head(code, {"Content-Length": 0} | named)

    return answer


def stalls(data: bytes, after: int) -> Answer:
    """Sends some bytes, then nothing, and keeps the connection open."""

    def answer(handler: Handler) -> None:
        handler.head(200, {"Content-Length": len(data)})
        handler.wfile.write(data[:after])
        handler.wfile.flush()
        handler.server.ended.wait(20)
        handler.close_connection = True

    return answer


def drips(data: bytes, pause: float) -> Answer:
    """One byte at a time, so that no socket time-out ever comes."""

    def answer(handler: Handler) -> None:
        handler.head(200, {"Content-Length": len(data)})
        for byte in data:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            if handler.server.ended.wait(pause):
                break
        handler.close_connection = True

    return answer


def drips_head(pause: float) -> Answer:
    """Header lines without end, one at a time."""

    def answer(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(90):
            handler.wfile.write(f"X-Line-{number}: x\r\n".encode())
            handler.wfile.flush()
            if handler.server.ended.wait(pause):
                break
        handler.close_connection = True

    return answer


def unsized(data: bytes) -> Answer:
    """No Content-Length: the end of the connection ends the body."""

    def answer(handler: Handler) -> None:
        handler.head(200, {"Connection": "close"})
        handler.wfile.write(data)
        handler.close_connection = True

    return answer


def chunked(data: bytes, *, broken: bool = False) -> Answer:
    """Chunked transfer encoding; broken: cut off before the last chunk."""

    def answer(handler: Handler) -> None:
        handler.head(200, {"Transfer-Encoding": "chunked"})
        handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        if broken:
            handler.cut()
        else:
            handler.wfile.write(b"0\r\n\r\n")

    return answer


def endless(headers: Mapping[str, object]) -> Answer:
    """Bytes without end."""

    def answer(handler: Handler) -> None:
        handler.head(200, {"Connection": "close"} | dict(headers))
        block = bytes(1 << 20)
        until = time.monotonic() + 20
        while time.monotonic() < until and not handler.server.ended.is_set():
            handler.wfile.write(block)
        handler.close_connection = True

    return answer


# Small files of every format.


@dataclass(frozen=True)
class Sample:
    """Arrays of a small dataset and a way to write them in any format."""

    shape: tuple[int, int, int] = (1, 5, 4)
    train: int = 24
    test: int = 12
    classes: int = 3
    seed: int = 0
    arrays: dict[str, Any] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for split, count in (("train", self.train), ("test", self.test)):
            size = count * int(np.prod(self.shape))
            pixels = (np.arange(size, dtype=np.int64) * 7919 + self.seed * 31 + len(split)) % 251
            self.arrays[f"{split}_images"] = pixels.astype(np.uint8).reshape(count, *self.shape)
            self.arrays[f"{split}_labels"] = (np.arange(count) % self.classes).astype(np.uint8)

    def idx(self, part: str) -> bytes:
        array = self.arrays[part]
        if part.endswith("labels"):
            return struct.pack(">II", 0x801, len(array)) + bytes(array.tobytes())
        count, _, height, width = array.shape
        return struct.pack(">IIII", 0x803, count, height, width) + bytes(array.tobytes())

    def records(self, split: str) -> bytes:
        images, labels = self.arrays[f"{split}_images"], self.arrays[f"{split}_labels"]
        return b"".join(bytes([label]) + image.tobytes() for image, label in zip(images, labels.tolist(), strict=True))

    def npz(self, **changed: Any) -> bytes:
        out = io.BytesIO()
        np.savez(out, **(self.arrays | changed))
        return out.getvalue()


def gz(data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0)


def tar(*members: tuple[str, bytes]) -> bytes:
    """A plain tar of regular files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()
