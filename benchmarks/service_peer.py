"""What benchmarks/service.py compares with: PyTorch's DataLoader behind plain gRPC, two workers, batches of 256.

    python -m benchmarks.service_peer --mirror URL --ready-file F      serves until it is ended
    python -m benchmarks.service_peer --client HOST:PORT               images per second of one client

Every image goes through torchvision's RandomAffine; a message is the bytes of a batch's images and labels.
"""

import argparse
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import grpc

BATCH, IMAGES = 256, 4096
METHOD = "/peer/Epoch"


def epoch(mirror: str) -> Any:
    """A function that answers a call with the batches of one pass."""
    torch = import_module("torch")
    loaders, rounds, datasets = map(import_module, ("benchmarks.loaders", "benchmarks.rounds", "millrace.datasets"))
    table = rounds.mnist(mirror).train
    pictures = loaders.ByImage(datasets.images(table)[:IMAGES].copy(), datasets.labels(table)[:IMAGES].copy())
    loader = torch.utils.data.DataLoader(
        pictures, batch_size=BATCH, shuffle=True, num_workers=2, persistent_workers=True
    )

    for _ in loader:  # its processes are forked before gRPC has threads, and stay
        pass

    def answer(request: bytes, context: Any) -> Iterator[bytes]:
        for images, labels in loader:
            yield images.numpy().tobytes() + labels.numpy().tobytes()

    return answer


def serve(mirror: str, ready: Path) -> None:
    """Serve until the process is ended."""
    handler = grpc.unary_stream_rpc_method_handler(epoch(mirror))
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_send_message_length", -1)])
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("peer", {"Epoch": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    aside = ready.with_suffix(".aside")
    aside.write_text(f"127.0.0.1:{port}")
    aside.replace(ready)
    threading.Event().wait()


def read(address: str) -> float:
    """Images per second."""
    with grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)]) as channel:
        call = channel.unary_stream(METHOD)
        count, begun = 0, time.perf_counter()
        for message in call(b"", timeout=600):
            count += len(message) // 785
        return count / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--mirror", "--ready-file", "--client"):
        parser.add_argument(name)
    given = parser.parse_args()
    if given.client:
        print(read(given.client))
    else:
        serve(given.mirror, Path(given.ready_file))


if __name__ == "__main__":
    main()
