"""Batches that are made once for several clients: the same bits, within the bound, at nobody's pace."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pyarrow import flight

import millrace
from millrace.errors import DeadlineError, UsageError
from millrace.service.budget import Limits
from millrace.service.offer import Asked, Offer
from millrace.service.service import Service
from millrace.service.share import Group, Share
from millrace.service.ticket import RangeTicket, StepTicket
from tests.service.conftest import BATCH, ROWS, SEED, action, get, offered, pictures
from tests.service.test_seen import ANY, fetch, figures

Serve = Callable[..., Service]
STEPS = -(-ROWS // BATCH)
OWN_POOL = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own for every client
PLENTY = 1 << 20
BIG = (3, 64, 64)  # of which a batch of 32 is a group of its own


def whole(begin: int, end: int) -> Asked:
    return Asked(begin, end, 0, 1, None)


def counted_rows(offer: Offer) -> Counter[tuple[int, int]]:
    """(epoch, position) → how often the stream has made that row from now on."""
    made, rows, lock = Counter[tuple[int, int]](), offer.stream.rows, threading.Lock()

    def counting(epoch: int, first: int, last: int, *also: Any) -> Any:
        with lock:
            made.update((epoch, position) for position in range(first, last))
        return rows(epoch, first, last, *also)

    offer.stream.rows = counting  # type: ignore[assignment, method-assign]
    return made


@pytest.mark.parametrize("shape", [(1, 6, 5), (3, 48, 48)])
def test_two_clients_of_one_stream_have_each_row_made_once(serve: Serve, shape: tuple[int, int, int]) -> None:
    offer = offered(data := pictures(ROWS, shape))
    own = millrace.stream(data, batch=BATCH, seed=SEED, policy="digits", threads=0)
    service = serve(offer, limits=Limits(share_bytes=16 << 20))
    made, end = counted_rows(offer), 3 * STEPS + 2

    def client(begin: int) -> list[tuple[Any, int]]:
        with flight.FlightClient(service.address, generic_options=OWN_POOL) as reading:
            return get(reading, RangeTicket(offer.digest, begin, end))

    with ThreadPoolExecutor(2) as clients:
        for found in clients.map(client, (0, 0)):
            assert [step for _, step in found] == list(range(end))
            assert all(batch.equals(own[step]) for batch, step in found)
    assert set(made.values()) == {1}
    assert len(made) == 3 * ROWS + 2 * BATCH
    with flight.FlightClient(service.address) as asking:
        stats = action(asking, "stats")["share"]
    assert (stats["hits"], stats["misses"], stats["bound"]) == (end, end, 16 << 20)
    assert stats["bytes"] == pytest.approx(offer.bytes(3 * ROWS + 2 * BATCH), rel=1e-3)


def test_tickets_that_begin_elsewhere_have_groups_in_common() -> None:
    """Small batches are made several at once; where these end does not depend on where a ticket begins."""
    share = Share(offer := offered(batch=1), PLENTY)
    made = counted_rows(offer)
    for asked in (whole(3, 2 * ROWS), whole(0, 2 * ROWS), whole(40, 2 * ROWS)):
        for group in offer.groups(asked):
            share.batches(share.group(*group, asked))
    twice = {row for row, times in made.items() if times > 1}
    assert twice == {(0, position) for position in range(3, offer.group_of(3)[1])}
    assert set(made.values()) == {1, 2}


def test_shares_of_ranks_and_rows_are_cut_from_what_is_there(serve: Serve, local: Any) -> None:
    offer = offered()
    service = serve(offer, limits=Limits(share_bytes=PLENTY))
    with flight.FlightClient(service.address) as client:
        get(client, RangeTicket(offer.digest, 0, 2 * STEPS))
        made = counted_rows(offer)
        for rank in range(3):
            shard = local.shard(rank, 3)
            for batch, step in get(client, RangeTicket(offer.digest, 2, 2 * STEPS, rank, 3)):
                assert batch.equals(shard[step])
                assert batch.get_total_buffer_size() <= offer.bytes(BATCH // 3 + 1)  # holds no whole batch
        for rows in ((0, BATCH), (2, 5), (4, 4)):
            [(batch, _)] = get(client, StepTicket(offer.digest, 9, rows))
            assert batch.equals(local[9].slice(rows[0], rows[1] - rows[0]))
        assert not made


def test_what_is_not_there_whole_is_made_as_it_is_asked_for_and_shared_so(local: Any) -> None:
    """Two trainings whose workers ask for slots: no slot is made twice, and none that nobody asked for."""
    share = Share(offer := offered(), PLENTY)
    made = counted_rows(offer)
    for _ in range(2):
        [batch] = share.batches(share.group(9, 10, Asked(9, 10, 0, 1, (0, 3))))
        assert batch.equals(local[9].slice(0, 3))
        [batch] = share.batches(share.group(9, 10, Asked(9, 10, 1, 2, None)))
        assert batch.equals(local.shard(1, 2)[9])
    first = 9 % STEPS * BATCH
    assert made == Counter({(9 // STEPS, first + row): 1 for row in (0, 1, 2, 4, 5, 6, 7)})
    assert (share.hits, share.misses) == (2, 2)


def test_the_bound_holds_and_what_was_dropped_is_made_again_in_the_same_bits(local: Any) -> None:
    offer = offered(pictures(64, BIG), batch=32)
    size = offer.group_bytes(whole(0, 9))
    share = Share(offer, 3 * size + size // 2)
    first = share.batches(share.group(0, 1, whole(0, 1)))
    for step in range(1, 12):
        made = [share.batches(share.group(step, step + 1, whole(step, step + 1))) for _ in range(2)]
        assert made[0] is made[1]
        assert share.held == min(step + 1, 3) * size
    again = share.batches(share.group(0, 1, whole(0, 1)))
    assert again[0] is not first[0]
    assert again[0].equals(first[0])
    assert (share.hits, share.misses) == (11, 13)


def test_for_one_client_alone_nothing_is_kept_and_for_the_next_it_begins_anew() -> None:
    """As much as the bound is made without anybody else who asks: kept batches cost a lone client its caches."""
    offer = offered(pictures(64, BIG), batch=32)
    share = Share(offer, 3 * offer.group_bytes(whole(0, 9)))

    def hits(step: int) -> bool:
        before = share.hits
        share.batches(share.group(step, step + 1, whole(step, step + 1)))
        return share.hits > before

    assert not any(hits(step) for step in range(20))
    assert share.held == 0
    assert not hits(15)  # longer ago than it could have been kept
    assert share.held == 0
    assert not hits(18)  # a second client, two steps behind: from now on
    assert share.held > 0
    assert not hits(20)  # the first goes on
    assert [hits(step) for step in (19, 20, 21)] == [False, True, False]


def test_nothing_is_kept_without_a_bound_and_a_bound_that_holds_nothing_is_refused() -> None:
    share = Share(offer := offered())
    made = counted_rows(offer)
    for _ in range(2):
        share.batches(share.group(0, STEPS, whole(0, STEPS)))
    assert set(made.values()) == {2}
    assert share.held == 0
    with pytest.raises(UsageError, match="cannot hold one batch"):
        Share(offer, offer.group_bytes(whole(0, STEPS)) - 1)


class Held:
    """An offer whose batches are made only after `go`, and how often they were begun."""

    def __init__(self, offer: Offer, error: Exception | None = None) -> None:
        self.began, self.go, self.times, self._error = threading.Event(), threading.Event(), 0, error
        self._records, offer.records = offer.records, self.records  # type: ignore[method-assign]

    def records(self, begin: int, end: int, asked: Asked) -> Any:
        self.times += 1
        self.began.set()
        assert self.go.wait(10)
        if self._error is not None:
            raise self._error
        return self._records(begin, end, asked)


def test_a_group_on_its_way_is_not_made_again_and_its_maker_not_waited_for() -> None:
    share = Share(offer := offered(), PLENTY, deadline=0.05)
    held = Held(offer)
    with ThreadPoolExecutor(1) as makers:
        making = makers.submit(share.group, 0, STEPS, whole(0, STEPS))
        assert held.began.wait(10)
        group = share.group(0, STEPS, whole(0, STEPS))  # at once: this thread has other groups to make meanwhile
        assert not group.done
        with pytest.raises(DeadlineError, match="not made in time"):
            share.batches(group)
        held.go.set()
        assert making.result(10) is group
    assert len(share.batches(group)) == STEPS
    assert held.times == 1


def test_a_fault_reaches_all_who_wait_and_is_not_kept(local: Any) -> None:
    share = Share(offer := offered(), PLENTY)
    held = Held(offer, ValueError("once"))

    def ask(_: int) -> Group:
        return share.group(0, STEPS, whole(0, STEPS))

    with ThreadPoolExecutor(2) as clients:
        one = clients.submit(ask, 0)
        assert held.began.wait(10)
        other = clients.submit(lambda: share.batches(ask(1)))
        while share.hits == 0:
            assert not other.done()
        held.go.set()
        with pytest.raises(ValueError, match="once"):
            other.result(10)
        with pytest.raises(ValueError, match="once"):
            share.batches(one.result(10))
    assert share.held == 0
    held._error = None
    assert share.batches(ask(2))[3].equals(local[3])
    assert held.times == 2


@pytest.mark.slow
def test_a_client_that_does_not_read_slows_nobody_down(serve: Serve) -> None:
    """It holds what it was granted; what is shared goes on with who reads, within its bound."""
    offer = offered(pictures(64, BIG), batch=32)
    size = offer.group_bytes(whole(0, 9))
    service = serve(offer, limits=Limits(share_bytes=max(2 * size, 1 << 20), stall=600))
    with (
        flight.FlightClient(service.address, generic_options=OWN_POOL) as stuck,
        flight.FlightClient(service.address, generic_options=OWN_POOL) as reading,
    ):
        reader = stuck.do_get(flight.Ticket(RangeTicket(offer.digest, 0, 1000).encode()))
        reader.read_chunk()
        found = get(reading, RangeTicket(offer.digest, 0, 60))
        assert [step for _, step in found] == list(range(60))
        stats = action(reading, "stats")["share"]
        assert stats["bytes"] <= stats["bound"]
        assert stats["misses"] >= 60
        reader.cancel()


def test_it_is_seen(serve: Serve) -> None:
    service = serve(limits=Limits(share_bytes=PLENTY), metrics=ANY)
    with flight.FlightClient(service.address) as client:
        for _ in range(3):
            get(client, RangeTicket(service.offer.digest, 0, STEPS))
    known = figures(fetch(service, "/metrics")[1])
    assert known["millrace_share_misses_total"] == STEPS
    assert known["millrace_share_hits_total"] == 2 * STEPS
    assert known["millrace_share_bytes"] == service.offer.bytes(ROWS)
    assert f"{STEPS} batches made, {2 * STEPS} had without making them" in fetch(service, "/")[1]
