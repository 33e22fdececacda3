"""The Flight server: what each call of the protocol answers. It is computed from the ticket, nothing is kept."""

import json
import threading
import weakref
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import pyarrow as pa
from pyarrow import flight

from millrace.service.answer import AHEAD, Answer
from millrace.service.budget import Budget, Limits
from millrace.service.connections import readable
from millrace.service.figures import Figures
from millrace.service.guard import BearerCheck, guarded
from millrace.service.offer import Offer
from millrace.service.share import Share
from millrace.service.ticket import (
    BAD_TICKET,
    DRAINING,
    MOST_BYTES,
    OUT_OF_RANGE,
    TOO_LARGE,
    RangeTicket,
    Refused,
    parse_ticket,
)
from millrace.service.workshop import Workshop

ACTIONS = {
    "describe": "what is served: identity, steps, shape, classes, as JSON",
    "stats": "clients, requests, bytes and rate, as JSON",
    "explain": "where a sample stands in an epoch and what is drawn for it; body: {'sample': S, 'epoch': E}",
    "health": "'serving' or 'draining', as JSON",
}


class FlightService(flight.FlightServerBase):  # type: ignore[misc]
    """Serves one offer at a location. It answers as soon as it is made. endpoints: addresses under which the same
    stream is served, for clients that read from several. Errors: pa.ArrowException where the location cannot be had."""

    def __init__(
        self,
        location: str,
        offer: Offer,
        *,
        share: Share,
        workshop: Workshop,
        limits: Limits,
        figures: Figures,
        token: str | None = None,
        tls: tuple[bytes, bytes] | None = None,
        endpoints: Sequence[str] = (),
    ) -> None:
        self._offer, self._workshop, self._figures = offer, workshop, figures
        self.budget, self.draining = Budget(limits), False
        self._answers: weakref.WeakSet[Answer] = weakref.WeakSet()  # an answer ends with the call that iterates over it
        self._share, self._lock = share, threading.Lock()
        self.name(endpoints)
        check = BearerCheck(token, lambda: figures.refused("unauthenticated"))
        certificates = None if tls is None else [tls]
        super().__init__(location, tls_certificates=certificates, middleware={"token": check})

    def name(self, endpoints: Sequence[str]) -> None:
        """Tell clients of these servers of the stream from now on."""
        self.endpoints, self._places = tuple(endpoints), [flight.Location(endpoint) for endpoint in endpoints]

    def drain(self) -> None:
        """Let in nothing new: what is asked from now on is refused with `draining`."""
        self.draining = True

    def end(self) -> None:
        """Wait for the calls that run and end, then let go of everything: older pyarrows keep this object for ever
        (apache/arrow#50684)."""
        self.shutdown()
        self._offer = self._share = self._workshop = self._figures = None  # type: ignore[assignment]

    def interrupt(self) -> None:
        """Have the answers that run end with `draining` at their next batch."""
        for answer in self.answers:
            answer.interrupted = True

    @property
    def answers(self) -> list[Answer]:
        """Those that run."""
        with self._lock:
            return [answer for answer in self._answers if not answer.closed]

    @guarded
    def do_get(self, context: Any, ticket: Any) -> flight.FlightDataStream:
        """The batches that a ticket names. Errors: as `refusal` tells them."""
        try:
            return self._answer(readable(str(context.peer())), bytes(ticket.ticket))
        except Refused as error:
            self._figures.refused(error.code)
            raise

    @guarded
    def get_flight_info(self, context: Any, descriptor: Any) -> flight.FlightInfo:
        """Of the stream (path: its digest) or of a ticket (command)."""
        if descriptor.descriptor_type == flight.DescriptorType.CMD:
            return self._info(descriptor, [bytes(descriptor.command)])
        self._known(descriptor)
        return self._whole()

    @guarded
    def get_schema(self, context: Any, descriptor: Any) -> flight.SchemaResult:
        """The columns of every batch."""
        if descriptor.descriptor_type == flight.DescriptorType.PATH:
            self._known(descriptor)
        else:
            self._offer.asked(parse_ticket(bytes(descriptor.command)))
        return flight.SchemaResult(self._offer.schema)

    @guarded
    def list_flights(self, context: Any, criteria: bytes) -> Iterator[flight.FlightInfo]:
        """The one stream that is served."""
        return iter([self._whole()])

    @guarded
    def list_actions(self, context: Any) -> list[tuple[str, str]]:
        """The actions and what they answer."""
        return list(ACTIONS.items())

    @guarded
    def do_action(self, context: Any, action: Any) -> list[flight.Result]:
        """One of `ACTIONS`; the answer is one JSON object."""
        if action.type not in ACTIONS:
            raise Refused(BAD_TICKET, f"the actions are {', '.join(ACTIONS)}")
        answer = getattr(self, f"_{action.type}")(action.body.to_pybytes())
        return [flight.Result(pa.py_buffer(json.dumps(answer).encode()))]

    def _answer(self, peer: str, text: bytes) -> flight.FlightDataStream:
        if self.draining:
            raise Refused(DRAINING, "this server is about to end; another one or the next has the same stream")
        offer, figures = self._offer, self._figures
        asked = offer.asked(parse_ticket(text))
        size, alone = offer.group_bytes(asked), asked.end - asked.begin == 1
        granted = self.budget.grant(peer, size if alone else 3 * size, size if alone else (AHEAD + 2) * size)

        back = partial(self.budget.give_back, peer, granted)
        try:
            answer = Answer(
                offer, asked, self._share, self._workshop, peer=peer, bound=granted, figures=figures, closed=back
            )
        except BaseException:
            back()
            raise
        with self._lock:
            self._answers.add(answer)
        figures.asked()
        return flight.GeneratorStream(offer.schema, answer)

    def _known(self, descriptor: Any) -> None:
        if descriptor.path != [self._offer.digest.encode()]:
            raise Refused(OUT_OF_RANGE, f"this server has the stream {self._offer.digest}")

    def _whole(self) -> flight.FlightInfo:
        """The first epoch, as tickets go: in as many parts as there are servers, to be read beside each other, of each
        another server first. All servers have all parts."""
        offer, steps = self._offer, self._offer.order.steps_per_epoch
        parts = max(1, min(len(self._places), steps))
        ends = [steps * part // parts for part in range(parts + 1)]
        tickets = [RangeTicket(offer.digest, *span).encode() for span in pairwise(ends)]
        return self._info(flight.FlightDescriptor.for_path(offer.digest), tickets)

    def _info(self, descriptor: Any, tickets: Sequence[bytes]) -> flight.FlightInfo:
        offer, endpoints, rows = self._offer, [], 0
        for part, text in enumerate(tickets):
            rows += offer.rows_of(offer.asked(parse_ticket(text)))
            places = [*self._places[part:], *self._places[:part]]
            endpoints.append(flight.FlightEndpoint(flight.Ticket(text), places))
        more: dict[str, Any] = {}
        if int(pa.__version__.partition(".")[0]) >= 18:  # before, a flight says neither
            described = json.dumps(self._describe(b"")).encode()
            more = {"ordered": True, "app_metadata": described}
        return flight.FlightInfo(offer.schema, descriptor, endpoints, rows, offer.bytes(rows), **more)

    def _describe(self, body: bytes) -> dict[str, Any]:
        limits = self.budget.limits
        bounds = {"client_bytes": limits.client_bytes, "client_calls": limits.client_calls}
        return {**self._offer.describe(), "endpoints": list(self.endpoints), "limits": bounds}

    def stats(self) -> dict[str, Any]:
        """What the action `stats` answers."""
        clients, calls, held = self.budget.held
        own = {**self._figures.snapshot(), "clients": clients, "calls": calls, "bytes_in_flight": held}
        return {**own, "share": self._share.stats()} if self._share.bound else own

    def _stats(self, body: bytes) -> dict[str, Any]:
        return self.stats()

    def _health(self, body: bytes) -> dict[str, Any]:
        return {"status": "draining" if self.draining else "serving", "stream": self._offer.digest}

    def _explain(self, body: bytes) -> dict[str, Any]:
        if len(body) > MOST_BYTES:
            raise Refused(TOO_LARGE, f"the body of an action has at most {MOST_BYTES} bytes, this one has {len(body)}")
        try:
            asked = json.loads(body)
            sample, epoch = asked["sample"], asked.get("epoch", 0)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise Refused(BAD_TICKET, "explain takes a JSON object: sample, and epoch") from None
        return self._offer.explain(sample, epoch)
