"""The way to a server: connected when it is needed, again where it was lost, and to another one where one fails."""

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import pyarrow as pa
from pyarrow import flight

from millrace.errors import DeadlineError, ServiceError, UsageError
from millrace.service.client.addresses import ServerPlace
from millrace.service.client.refusals import refused, told

Answer = TypeVar("Answer")
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0  # seconds between two rounds of tries
CALL, LEAST = 30.0, 5.0  # seconds in which a call must have ended; and beyond the patience
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
        self.place, self.patience = place, patience
        self._open()

    def _open(self) -> None:
        self._lock, self._turn = threading.Lock(), 0
        self._client: flight.FlightClient | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"place": self.place, "patience": self.patience}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def options(self) -> flight.FlightCallOptions:
        """The deadline of a call, and the token. One that hangs is waited for about as long as one that is gone."""
        token, seconds = self.place.token, min(CALL, self.patience + LEAST)
        headers = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
        return flight.FlightCallOptions(timeout=seconds, headers=headers)

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
                return ask(client)
            except FAULTS as error:
                if (refusal := refused(error)) is not None:
                    raise refusal from error
                if ended():
                    raise UsageError("the iteration was closed", do="iterate over the loader again") from error
                left = began + self.patience - time.monotonic()
                # Once at any rate: the call may have been an old one, which its deadline ended while nobody read.
                if left <= 0 and tried:
                    raise self._gone(error) from error
                self._leave(client)
            tried += 1
            if tried % len(self.place.addresses) == 0:  # all of them have been asked
                # Clients that lost one server do not come back all at once: the clock's last digits spread them.
                time.sleep(min(pause * (0.5 + time.monotonic_ns() // 1000 % 1000 / 2000), max(left, 0)))
                pause = min(2 * pause, LONGEST_PAUSE)

    def also(self, addresses: tuple[str, ...]) -> None:
        """Servers of the same stream that may be asked too; not those that the token must not be sent to."""
        for address in addresses:
            if address not in self.place.addresses:
                with contextlib.suppress(UsageError):
                    self.place = replace(self.place, addresses=(*self.place.addresses, address))

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
                self._client = flight.FlightClient(address, **(tls if address.startswith("grpc+tls") else {}))
            return self._client

    def _leave(self, client: flight.FlightClient) -> None:
        """The next call is of the next server. A new client: a channel that failed would wait before it tries again."""
        with self._lock:
            if self._client is client:
                self._client, self._turn = None, self._turn + 1

    def _gone(self, error: BaseException) -> DeadlineError:
        code, reason = told(error)
        return DeadlineError(
            f"no server answers at {', '.join(self.place.addresses)}",
            expected=f"within {self.patience:g} s",
            got=f"{code}: {reason}" if code else reason,
            do="see whether `millrace serve` runs there; patience= says how long to try",
        )
