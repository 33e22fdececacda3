"""The server over a real socket, asked by pyarrow's own client: every batch is that of the local stream."""

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import flight

import millrace
from millrace.service.service import Service
from millrace.service.ticket import RangeTicket, StepTicket
from tests.service.conftest import BATCH, PATIENCE, ROWS, SEED, action, get, offered, pictures

Serve = Callable[..., Service]
STEPS = -(-ROWS // BATCH)


def test_a_range_is_the_local_stream_step_by_step(serve: Serve, local: Any) -> None:
    service = serve()
    with flight.FlightClient(service.address) as client:
        found = get(client, RangeTicket(service.offer.digest, 3, 2 * STEPS + 1))
    assert [step for _, step in found] == list(range(3, 2 * STEPS + 1))
    for batch, step in found:
        assert batch.equals(local[step])
        assert batch.schema.equals(local[step].schema)


def test_the_shares_of_all_ranks_are_the_step(serve: Serve, local: Any) -> None:
    service = serve()
    last = STEPS - 1  # 2 rows for 3 ranks: one share is empty
    with flight.FlightClient(service.address) as client:
        for rank in range(3):
            shard = local.shard(rank, 3)
            for batch, step in get(client, RangeTicket(service.offer.digest, last - 1, last + 2, rank, 3)):
                assert batch.equals(shard[step])
                assert batch.num_rows or step == last


@pytest.mark.parametrize("rows", [None, (0, 8), (2, 5), (4, 4)])
def test_rows_of_a_step(serve: Serve, local: Any, rows: tuple[int, int] | None) -> None:
    service = serve()
    with flight.FlightClient(service.address) as client:
        [(batch, step)] = get(client, StepTicket(service.offer.digest, 9, rows))
    begin, end = rows or (0, BATCH)
    assert step == 9
    assert batch.equals(local[9].slice(begin, end - begin))


@pytest.mark.parametrize("batch", [1, 3, 7, 50])
def test_small_batches_are_made_several_at_once_and_no_bit_moves(serve: Serve, batch: int) -> None:
    """The steps of a group are made in one go and cut; groups end with an epoch."""
    service = serve(offered(batch=batch))
    own = millrace.stream(pictures(), batch=batch, seed=SEED, policy="digits", threads=0)
    begin, end = 2, 2 * len(own) + 3
    with flight.FlightClient(service.address) as client:
        found = get(client, RangeTicket(service.offer.digest, begin, end))
    assert [step for _, step in found] == list(range(begin, end))
    assert all(record.equals(own[step]) for record, step in found)


def test_what_the_schema_says_is_true_of_every_batch(serve: Serve, local: Any) -> None:
    service = serve()
    with flight.FlightClient(service.address) as client:
        reader = client.do_get(flight.Ticket(StepTicket(service.offer.digest, 0).encode()), PATIENCE)
        says = json.loads(reader.schema.metadata[b"millrace"])
        also = client.get_schema(flight.FlightDescriptor.for_path(service.offer.digest), PATIENCE).schema
    own = json.loads(local[0].schema.metadata[b"millrace"])
    assert says | {"epoch": 0, "step": 0} == own
    assert also.equals(reader.schema, check_metadata=True)


def test_a_flight_says_what_to_expect_and_where(serve: Serve) -> None:
    from millrace.service.place import ServePlace

    service = serve(place=ServePlace(endpoints=("grpc://a:1", "grpc+tls://b:2")))
    with flight.FlightClient(service.address) as client:
        [info] = client.list_flights(options=PATIENCE)
        again = client.get_flight_info(flight.FlightDescriptor.for_path(service.offer.digest), PATIENCE)
        assert info.total_records == again.total_records == ROWS
        if int(pa.__version__.split(".")[0]) >= 18:
            assert json.loads(info.app_metadata) == action(client, "describe")
            assert json.loads(again.app_metadata)["steps_per_epoch"] == STEPS
            assert info.ordered
        # One part for each server, to be read beside each other; each server has all parts.
        places = [[place.uri for place in endpoint.locations] for endpoint in again.endpoints]
        assert places == [[b"grpc://a:1", b"grpc+tls://b:2"], [b"grpc+tls://b:2", b"grpc://a:1"]]
        found = [one for endpoint in again.endpoints for one in get(client, endpoint.ticket.ticket)]
        assert [step for _, step in found] == list(range(STEPS))
        assert sum(batch.num_rows for batch, _ in found) == ROWS
        assert sum(batch.nbytes for batch, _ in found) == pytest.approx(again.total_bytes, rel=0.01)
        for ticket in (
            RangeTicket(service.offer.digest, 3, 20, 1, 3),
            RangeTicket(service.offer.digest, STEPS - 1, STEPS),
            StepTicket(service.offer.digest, STEPS - 1, (0, 1)),
        ):
            asked = flight.FlightDescriptor.for_command(ticket.encode())
            rows = sum(batch.num_rows for batch, _ in get(client, ticket))
            assert client.get_flight_info(asked, PATIENCE).total_records == rows


def test_the_actions(serve: Serve, local: Any) -> None:
    service = serve(offered(epochs=4))
    with flight.FlightClient(service.address) as client:
        assert {name.type for name in client.list_actions(PATIENCE)} == {"describe", "stats", "explain", "health"}
        assert action(client, "health") == {"status": "serving", "stream": service.offer.digest}
        described = action(client, "describe")
        assert described["identity"] == json.loads(json.dumps(local.state()["stream"]))
        assert (described["steps_per_epoch"], described["epochs"], described["steps"]) == (STEPS, 4, 4 * STEPS)
        assert described["shape"] == list(local.shape)
        assert described["mean"] == list(local.mean)
        told = action(client, "explain", b'{"sample": 17, "epoch": 3}')
        row = local[told["step"]].slice(told["row"], 1).to_pylist()[0]
        assert (row["sample"], row["label"]) == (17, told["label"])
        assert {name: float(row[name]) for name in told["parameters"]} == told["parameters"]
        get(client, StepTicket(service.offer.digest, 0))
        stats = action(client, "stats")
        assert (stats["requests"], stats["rows"], stats["batches"]) == (1, BATCH, 1)


def test_what_is_not_served_is_refused_in_plain_words(serve: Serve) -> None:
    service = serve(offered(epochs=2))
    digest, other = service.offer.digest, "0" * 64
    with flight.FlightClient(service.address) as client:
        for ticket, words in [
            (StepTicket(other, 0), f"other-stream: this server has {digest}, the ticket is for {other}"),
            (StepTicket(digest, 2 * STEPS), f"out-of-range: this stream has the steps 0 to {2 * STEPS - 1}, got 14"),
            (StepTicket(digest, 0, (0, 9)), "out-of-range: step 0 has rows 0 to 8, got 9"),
            (RangeTicket(digest, 1, 2 * STEPS + 1), "out-of-range: "),
            (b"{", "bad-ticket: "),
            (b'{"millrace": 2, "new": [1]}', "newer-version: the ticket is of version 2, this server knows 1"),
            (b" " * 1025, "too-large: a ticket has at most 1024 bytes"),
            (RangeTicket(digest, 0, 1, 3, 3), "out-of-range: the ranks of a world of 3 are 0 to 2, got 3"),
        ]:
            with pytest.raises(flight.FlightServerError) as caught:
                get(client, ticket)
            assert str(caught.value).startswith(words)
        with pytest.raises(flight.FlightServerError, match="bad-ticket: the actions are"):
            action(client, "nothing")
        for body in (b"", b"[]", b'{"sample": true}', b'{"sample": 50}', b'{"sample": 1, "epoch": 2}'):
            with pytest.raises(flight.FlightServerError, match=r"bad-ticket|out-of-range"):
                action(client, "explain", body)
        with pytest.raises(flight.FlightServerError, match="too-large: the body of an action"):
            action(client, "explain", b" " * 1025)
        with pytest.raises(flight.FlightServerError, match="bad-ticket: this server takes no data"):
            client.do_put(flight.FlightDescriptor.for_path("x"), service.offer.schema, PATIENCE)[0].close()
        with pytest.raises(flight.FlightServerError, match="bad-ticket: this server takes no data"):
            client.do_exchange(flight.FlightDescriptor.for_path("x"), PATIENCE)[1].read_chunk()
        assert action(client, "stats")["refusals"] == {
            "other-stream": 1,
            "out-of-range": 4,
            "bad-ticket": 1,
            "newer-version": 1,
            "too-large": 1,
        }


def test_too_many_steps_for_one_ticket(serve: Serve) -> None:
    service = serve()
    with flight.FlightClient(service.address) as client, pytest.raises(flight.FlightServerError) as caught:
        get(client, RangeTicket(service.offer.digest, 0, (1 << 20) + 1))
    assert str(caught.value).startswith("too-large: ")
