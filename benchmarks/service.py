"""The service against the stream in the process: `python -m benchmarks.service [--rounds 5] [--mirror URL]`.

`millrace serve` in a process of its own, one client process that reads record batches and counts rows; images per
second, contenders in turns, medians of ratios of the same round. Server and client share the cores of this process.

  local      `for batch in millrace.stream(…).arrow(1)`: two threads that make batches, in the process
  tcp        pyarrow's own client, one ticket for the epoch, over 127.0.0.1
  connect    `for batch in millrace.connect(…).arrow(1)`, likewise
  unix, tls  as tcp, over a Unix socket, and encrypted with a token
  beside     as tcp, while four connections that do not read hold what they may
  two        as tcp, by two clients at once: their images together
  shared     as two, of a server that makes batches once for both (--share 64); each round is of another epoch
  lone       as tcp, of a server that would share, likewise
  torch      PyTorch's DataLoader with the same kind of augmentation behind plain gRPC (benchmarks/service_peer.py),
             where MILLRACE_TORCH_PYTHON names a Python with torch, torchvision and grpcio

Bars: tcp 0.6 of local with batches of 256 and 0.25 with 32; beside 0.9 of tcp; 10 times torch; the first batch within
50 ms of connecting.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pyarrow import flight

import millrace
from benchmarks.rounds import arguments, ratio, table, take_turns
from millrace.service.ticket import RangeTicket, parse_ticket

BARS = {256: {"tcp / local": 0.6, "beside / tcp": 0.9, "tcp / torch": 10}, 32: {"tcp / local": 0.25}}
FIRST = 50.0  # ms
OWN_POOL = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own for every client
TOKEN = "benchmark-of-the-service"
PATHS = os.pathsep.join(path for path in (os.getcwd(), os.environ.get("PYTHONPATH")) if path)
CERTIFICATE = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost "
    "-addext subjectAltName=IP:127.0.0.1 -keyout tls.key -out tls.crt"
)


@contextlib.contextmanager
def process(folder: Path, command: Sequence[str]) -> Iterator[str]:
    """A server that says in a file where it is; its address."""
    ready = folder / f"ready-{time.monotonic_ns()}"
    kept = {name: value for name, value in os.environ.items() if name != "MILLRACE_TOKEN"}
    environment = {**kept, "PYTHONPATH": PATHS}
    server = subprocess.Popen([*command, "--ready-file", str(ready)], stdout=subprocess.DEVNULL, env=environment)
    until = time.monotonic() + 120
    try:
        while not ready.exists():
            if server.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"the server did not start: {' '.join(command)}")
            time.sleep(0.05)
        yield ready.read_text().strip()
    finally:
        server.terminate()
        server.wait(60)


class Side:
    """One server, read by pyarrow's own client."""

    def __init__(self, address: str, **options: Any) -> None:
        self.address, self._options, self.epoch = address, {"generic_options": OWN_POOL, **options}, 0
        headers = [(b"authorization", f"Bearer {TOKEN}".encode())] if "tls_root_certs" in options else []
        self._call = flight.FlightCallOptions(timeout=600, headers=headers)
        self.client = self.connect()
        [info] = self.client.list_flights(options=self._call)
        self.ticket = info.endpoints[0].ticket

    def connect(self) -> flight.FlightClient:
        return flight.FlightClient(self.address, **self._options)

    def read(self, client: flight.FlightClient | None = None, ticket: flight.Ticket | None = None) -> float:
        """Images per second over one epoch: the first, or the one of the ticket."""
        count, begun = 0, time.perf_counter()
        for chunk in (client or self.client).do_get(ticket or self.ticket, self._call):
            count += chunk.data.num_rows
        return count / (time.perf_counter() - begun)

    def first(self) -> float:
        """Milliseconds from connecting to the first batch."""
        begun = time.perf_counter()
        with self.connect() as client:
            reader = client.do_get(self.ticket, self._call)
            reader.read_chunk()
            taken = 1e3 * (time.perf_counter() - begun)
            reader.cancel()
        return taken

    def beside(self, digest: str) -> float:
        """`read`, while four connections that do not read hold what they may."""
        endless = flight.Ticket(RangeTicket(digest, 0, 1 << 20).encode())
        clients = [self.connect() for _ in range(4)]
        readers = [client.do_get(endless, self._call) for client in clients]
        for reader in readers:
            reader.read_chunk()
        time.sleep(0.5)
        rate = self.read()
        for reader, client in zip(readers, clients, strict=True):
            reader.cancel()
            client.close()
        return rate

    def next_epoch(self) -> flight.Ticket:
        """Of an epoch that nobody has asked for."""
        asked = parse_ticket(self.ticket.ticket)
        assert isinstance(asked, RangeTicket)
        self.epoch += 1
        begin = self.epoch * asked.end
        return flight.Ticket(RangeTicket(asked.stream, begin, begin + asked.end).encode())

    def two(self, ticket: flight.Ticket | None = None) -> float:
        """Images per second of two clients together."""
        with self.connect() as one, self.connect() as other, ThreadPoolExecutor(2) as pool:
            return sum(pool.map(self.read, (one, other), (ticket, ticket)))


def remote_digest(side: Side) -> str:
    """What tickets call the stream of a server by."""
    [info] = side.client.list_flights(options=flight.FlightCallOptions(timeout=60))
    return str(info.descriptor.path[0].decode())


def local(stream: Any) -> float:
    """Images per second over one epoch of a stream of Millrace's."""
    count, begun = 0, time.perf_counter()
    for batch in stream.at(0).arrow(1):
        count += batch.num_rows
    return count / (time.perf_counter() - begun)


def contest(batch: int, given: Any, folder: Path) -> None:
    """One size of batches: the table and the ratios against their bars."""
    dataset = ["mnist", "--mirror", given.mirror] if given.mirror else ["digits"]
    serve = [sys.executable, "-m", "millrace", "serve", *dataset, "--batch", str(batch), "--port", "0"]
    (folder / "token").write_text(TOKEN)
    secured = [
        *serve,
        "--tls-cert",
        f"{folder}/tls.crt",
        "--tls-key",
        f"{folder}/tls.key",
        "--token-file",
        f"{folder}/token",
    ]
    torch = os.environ.get("MILLRACE_TORCH_PYTHON")
    with contextlib.ExitStack() as stack:

        def start(command: Sequence[str]) -> str:
            return stack.enter_context(process(folder, command))

        tcp = Side(start(serve))
        unix = Side(start([*serve, "--unix", f"{folder}/{batch}.sock"]))
        sharing, lone = (Side(start([*serve, "--share", "64"])) for _ in range(2))
        tls = Side(start(secured), tls_root_certs=(folder / "tls.crt").read_bytes())
        own = millrace.stream(dataset[0], batch=batch, mirror=given.mirror)
        remote = stack.enter_context(millrace.connect(tcp.address))
        digest = remote_digest(tcp)
        contenders = {
            "local": lambda: local(own),
            "tcp": tcp.read,
            "connect": lambda: local(remote),
            "unix": unix.read,
            "tls": tls.read,
            "beside": lambda: tcp.beside(digest),
            "two": tcp.two,
            "lone": lambda: lone.read(ticket=lone.next_epoch()),
            "shared": lambda: sharing.two(sharing.next_epoch()),
        }
        if torch and given.mirror and batch == 256 and _able(torch):
            peer = start([torch, "-m", "benchmarks.service_peer", "--mirror", given.mirror])
            contenders["torch"] = lambda: _peer(torch, peer)
        tcp.read()
        for _ in range(2):  # then it has seen that it is for one client
            lone.read(ticket=lone.next_epoch())
        first = statistics.median(tcp.first() for _ in range(9))
        found = take_turns(contenders, given.rounds)
    print(f"\nbatches of {batch}, {dataset[0]}: first batch {first:.1f} ms after connecting (bar {FIRST:g})")
    print(table(found, "images/s"))
    for name in found:
        if name != "local":
            print(f"{name + ' / local':<44}{ratio(found, name, 'local'):>10.3g}")
    for one, other in (("shared", "two"), ("lone", "tcp")):
        print(f"{f'{one} / {other}':<44}{ratio(found, one, other):>10.3g}")
    for pair, bar in BARS[batch].items():
        one, other = pair.split(" / ")
        if other in found:
            print(f"{pair:<44}{ratio(found, one, other):>10.3g}   bar {bar}")


def _able(python: str) -> bool:
    """Whether that Python has what the peer needs."""
    code = "import grpc, torch, torchvision"
    return subprocess.run([python, "-c", code], capture_output=True, timeout=120, check=False).returncode == 0


def _peer(python: str, address: str) -> float:
    """What the peer's own client measures."""
    done = subprocess.run(
        [python, "-m", "benchmarks.service_peer", "--client", address],
        capture_output=True, text=True, check=True, timeout=600, env={**os.environ, "PYTHONPATH": PATHS},
    )  # fmt: skip
    return float(done.stdout)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--batches", nargs="+", type=int, default=[256, 32], choices=list(BARS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        subprocess.run(CERTIFICATE.split(), cwd=name, check=True, capture_output=True, timeout=60)
        for batch in given.batches:
            contest(batch, given, Path(name))


if __name__ == "__main__":
    main()
