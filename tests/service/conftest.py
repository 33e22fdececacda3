"""A service in this process, over a real socket, and what a plain client of pyarrow's needs to talk to it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from pyarrow import flight

import millrace
from millrace.loading.data import opened
from millrace.loading.source import Choice, StreamSource
from millrace.service.offer import Offer
from millrace.service.place import ServePlace
from millrace.service.service import Service

ROWS, BATCH, SEED = 50, 8, 3
PATIENCE = flight.FlightCallOptions(timeout=20)


def pictures(rows: int = ROWS, shape: tuple[int, int, int] = (1, 6, 5)) -> tuple[Any, Any]:
    """Images and labels that no two rows have in common."""
    pixels = np.arange(rows * int(np.prod(shape)), dtype=np.uint64) * 2654435761 >> np.uint64(7)
    return (pixels % 256).astype(np.uint8).reshape(rows, *shape), (np.arange(rows) % 4).astype(np.uint8)


def offered(images: Any = None, *, batch: int = BATCH, epochs: int | None = None, **also: Any) -> Offer:
    """The stream of arrays, as a service offers it."""
    chosen = {"policy": "digits", "split": "train", "subset": None, "validation": 0, "drop_last": False, **also}
    data = opened(pictures() if images is None else images, "train", mirror=None, offline=None, cache=None)
    return Offer(StreamSource(data, Choice(batch=batch, seed=SEED, **chosen)), epochs)


@pytest.fixture
def serve() -> Iterator[Callable[..., Service]]:
    """Starts services that end with the test."""
    running: list[Service] = []

    def start(offer: Offer | None = None, place: ServePlace = ServePlace(), **also: Any) -> Service:  # noqa: B008
        running.append(Service(offer or offered(), place, **also))
        return running[-1]

    yield start
    for service in running:
        service.close(0.0)


@pytest.fixture
def local() -> millrace.loading.datastream.DataStream:  # type: ignore[name-defined]
    """The same stream without a service."""
    return millrace.stream(pictures(), batch=BATCH, seed=SEED, policy="digits", threads=0)


def action(client: flight.FlightClient, name: str, body: bytes = b"") -> Any:
    """The answer of an action."""
    [answer] = client.do_action(flight.Action(name, body), PATIENCE)
    return json.loads(answer.body.to_pybytes())


def get(client: flight.FlightClient, ticket: Any) -> list[tuple[Any, Any]]:
    """The batches of a ticket, with their steps."""
    text = ticket if isinstance(ticket, bytes) else ticket.encode()
    reader = client.do_get(flight.Ticket(text), PATIENCE)
    return [(chunk.data, json.loads(chunk.app_metadata.to_pybytes())["step"]) for chunk in reader]
