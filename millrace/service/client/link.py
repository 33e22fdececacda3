"""The way to a server: connected when it is needed, again where it was lost, and to another one where one fails."""

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pyarrow as pa
from pyarrow import flight

from millrace.errors import DeadlineError, ServiceError, UsageError
from millrace.service.client.addresses import ServerPlace
from millrace.service.client.refusals import refused, told, untrusted

Answer = TypeVar("Answer")
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds between two rounds of tries
CALL, LEAST = 30.0, 5.0  # seconds in which a call must have ended; and beyond the patience
CONNECT = 3.0  # seconds to connect in, where there are other servers: a machine that is gone says nothing
LEARN, ASK = 60.0, 5.0  # seconds until a server is asked again who the others are, and for its answer
FAULTS = (flight.FlightError, pa.ArrowException, OSError)

_process = {"used": False, "forked": False}


def _after_fork() -> None:
    _process["forked"] = _process["used"]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Link:
    """Calls to whichever of the servers answers. May be used by any thread, and pickled; a child of `fork` cannot use
    it. patience: seconds in which a call that is worth another try gets one."""

    def __init__(self, place: ServerPlace, patience: float) -> None:
        self.place, self.patience, self._given = place, patience, place.addresses
        self._open()

    def _open(self) -> None:
        self._lock, self._turn, self._learn_at = threading.Lock(), 0, time.monotonic() + LEARN
        self._client: flight.FlightClient | None = None
        self._answered = False  # whether a server ever has

    def __getstate__(self) -> dict[str, Any]:
        return {"place": self.place, "patience": self.patience, "_given": self._given}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def options(self, most: float | None = None) -> flight.FlightCallOptions:
        """The deadline of a call, at most so many seconds (default: 30), and the token. One that hangs is waited for
        about as long as one that is gone."""
        token, seconds = self.place.token, self.allowed(most)
        headers = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
        return flight.FlightCallOptions(timeout=seconds, headers=headers)

    def allowed(self, most: float | None = None) -> float:
        """The seconds until that deadline."""
        return min(CALL if most is None else most, self.patience + LEAST)

    def action(self, name: str, body: Any = None) -> Any:
        """The answer of an action, from JSON. Errors: as `persist`."""
        sent = b"" if body is None else json.dumps(body).encode()

        def ask(client: flight.FlightClient) -> Any:
            results = list(client.do_action(flight.Action(name, sent), self.options()))
            try:
                return json.loads(b"".join(result.body.to_pybytes() for result in results))
            except ValueError as error:
                raise ServiceError("this is no server of Millrace", expected="JSON", got=str(error)) from error

        return self.persist(ask)

    def persist(
        self, ask: Callable[[flight.FlightClient], Answer], ended: Callable[[], bool] = lambda: False
    ) -> Answer:
        """What `ask` gives for a client; asked again, of the next server, where that fails and may not fail later.

        ended: whether nobody waits for it any more. Errors: DeadlineError after `patience` seconds without an answer;
        ServiceError and UsageError for what servers refuse.
        """
        began, pause, tried = time.monotonic(), FIRST_PAUSE, 0
        while True:
            client = self._connected()
            try:
                answer = ask(client)
                self._answered = True
                self._refresh(client)
                return answer
            except FAULTS as error:
                if (refusal := refused(error)) is not None:
                    raise refusal from error
                # One that answered before may have its certificate renewed; all others are tried first.
                fault = None if self._answered or tried + 1 < len(self.place.addresses) else untrusted(error)
                if fault is not None:
                    raise fault from error
                if ended():
                    raise UsageError("the iteration was closed", do="iterate over the loader again") from error
                left = began + self.patience - time.monotonic()
                # Each once at any rate: the call may have been an old one, which its deadline ended while nobody read.
                if left <= 0 and tried >= len(self.place.addresses):
                    raise self._gone(error) from error
                self._leave(client)
            tried += 1
            if tried % len(self.place.addresses) == 0:  # all of them have been asked
                # Clients that lost one server do not come back all at once: the clock's last digits spread them.
                time.sleep(min(pause * (0.5 + time.monotonic_ns() // 1000 % 1000 / 2000), max(left, 0)))
                pause = min(2 * pause, LONGEST_PAUSE)

    def learn(self, addresses: Sequence[str]) -> None:
        """The servers of the stream, as one of them names them: they are asked too where one fails, and those that were
        named before and are not now no more. Never one that the token must not be sent to. None: nothing is learnt."""
        if not addresses:
            return
        with self._lock:
            asked = self.place.addresses[self._turn % len(self.place.addresses)]
            place = replace(self.place, addresses=self._given)
            for address in addresses:
                if address not in place.addresses:
                    with contextlib.suppress(UsageError):
                        place = replace(place, addresses=(*place.addresses, address))
            self.place = place
            self._turn = place.addresses.index(asked) if asked in place.addresses else 0

    def _refresh(self, client: flight.FlightClient) -> None:
        """Ask the server that has answered who the others are, now and then, and soon after one failed."""
        now = time.monotonic()
        if now < self._learn_at:
            return
        self._learn_at = now + LEARN
        with contextlib.suppress(*FAULTS, ValueError):
            flights = list(client.list_flights(b"", self.options(ASK)))
            self.learn([str(place.uri, "utf-8") for one in flights for end in one.endpoints for place in end.locations])

    def _connected(self) -> flight.FlightClient:
        if _process["forked"]:
            raise UsageError(
                "a process that was forked cannot use a connection: gRPC does not survive a fork",
                do="use spawn: DataLoader(…, multiprocessing_context='spawn')",
            )
        with self._lock:
            if self._client is None:
                _process["used"] = True
                address = self.place.addresses[self._turn % len(self.place.addresses)]
                tls = {} if self.place.roots is None else {"tls_root_certs": self.place.roots}
                more: dict[str, Any] = tls if address.startswith("grpc+tls") else {}
                if len(self.place.addresses) > 1:  # gRPC's name for the time that it has to connect in
                    more = {**more, "generic_options": [("grpc.min_reconnect_backoff_ms", int(CONNECT * 1000))]}
                self._client = flight.FlightClient(address, **more)
            return self._client

    def _leave(self, client: flight.FlightClient) -> None:
        """The next call is of the next server. A new client: a channel that failed would wait before it tries again."""
        with self._lock:
            if self._client is client:
                self._client, self._turn, self._learn_at = None, self._turn + 1, 0.0

    def _gone(self, error: BaseException) -> DeadlineError:
        code, reason = told(error)
        return DeadlineError(
            f"no server answers at {', '.join(self.place.addresses)}",
            expected=f"within {self.patience:g} s",
            got=f"{code}: {reason}" if code else reason,
            do="see whether `millrace serve` runs there; patience= says how long to try",
        )
