"""One server of a fleet, without what runs it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import flight

import millrace
from millrace.errors import DeadlineError, MillraceError
from millrace.loading.source import StreamSource
from millrace.service.budget import Limits
from millrace.service.node_server import NodeServer, ServeTerms, summed
from millrace.service.place import ServePlace, tls_from
from millrace.service.service import Service
from tests.service.conftest import BATCH, action, offered
from tests.service.test_place import TOKEN, certificate

BALANCER = "grpc://192.0.2.9:1"  # named by the user, none of the fleet


def node_server(source: StreamSource | None = None, metrics: tuple[str, int] | None = None) -> NodeServer:
    source = source or offered().source
    return NodeServer(source.dataset, ServeTerms(source.choice, None, Limits(), 1, metrics, (BALANCER,)))


@pytest.fixture
def server() -> Iterator[NodeServer]:
    made = node_server()
    yield made
    made.drain(0.0)


def test_it_names_itself_first_and_then_the_others(server: NodeServer, local: Any) -> None:
    endpoint, page = server.start(ServePlace(endpoints=("grpc://192.0.2.1:1",)), "unused")
    assert page is None
    with flight.FlightClient(endpoint) as client:
        assert action(client, "describe")["endpoints"] == [endpoint, "grpc://192.0.2.1:1", BALANCER]
        stats = server.tend(("grpc://192.0.2.2:1", endpoint))
        assert stats["clients"] == 0
        info = client.get_flight_info(flight.FlightDescriptor.for_path(action(client, "describe")["stream"]))
        named = [place.uri.decode() for place in info.endpoints[0].locations]
        assert named == [endpoint, "grpc://192.0.2.2:1", BALANCER]
    assert millrace.connect(endpoint, patience=5)[2].equals(local[2], check_metadata=True)


def test_where_it_listens_everywhere_it_is_called_by_its_nodes_name(tmp_path: Path) -> None:
    server = node_server(metrics=("0.0.0.0", 0))
    place = ServePlace("0.0.0.0", token=TOKEN, tls=tls_from(*certificate(tmp_path)))
    endpoint, page = server.start(place, "127.0.0.1")
    assert str(page).startswith("https://127.0.0.1:")
    assert endpoint.startswith("grpc+tls://127.0.0.1:")
    stream = millrace.connect(endpoint, token=TOKEN, tls_roots=tmp_path / "own.pem", patience=5)
    assert stream[0].num_rows == BATCH
    server.drain(0.0)


def test_one_that_is_drained_while_it_starts_does_not_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    server, check, seen = node_server(), Service.check, []

    def drained(service: Service) -> None:
        check(service)
        seen.append(service.address)
        server.drain(5.0)  # as another thread would, which has nothing to wait for

    monkeypatch.setattr(Service, "check", drained)
    with pytest.raises(MillraceError, match="drained before it served"):
        server.start(ServePlace(), "unused")
    with pytest.raises(DeadlineError):
        millrace.connect(seen[0], patience=0)


@pytest.mark.slow
def test_an_export_that_the_node_does_not_see_is_said(tmp_path: Path) -> None:
    """Later epochs are read from its folder: the first one alone lies in memory."""
    millrace.export("digits", out=tmp_path / "export", format="arrow", subset=50, validation=0)
    stream = millrace.stream(tmp_path / "export", batch=BATCH)
    source: Any = stream._source
    (tmp_path / "export").rename(tmp_path / "elsewhere")
    with pytest.raises(MillraceError, match="does not see the export"):
        node_server(source).start(ServePlace(), "unused")


def test_the_figures_of_several_servers() -> None:
    one = {
        "clients": 1,
        "rows_per_second": 2.5,
        "rows": 10,
        "bytes": 100,
        "cut": 0,
        "uptime": 5,
        "refusals": {"busy": 2},
    }
    two = one | {"uptime": 3, "refusals": {"busy": 1, "draining": 4}}
    total = {"clients": 2, "rows_per_second": 5.0, "rows": 20, "bytes": 200, "refusals": {"busy": 3, "draining": 4}}
    assert summed([one, two]) == one | total
    assert summed([])["uptime"] == 0
