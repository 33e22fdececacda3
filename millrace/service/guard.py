"""At the server's door: who may call, and what a client learns of an error. No traceback and no path leaves here."""

import functools
import hmac
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from pyarrow import flight

from millrace.errors import DeadlineError
from millrace.service.ticket import BAD_TICKET, BUSY, DRAINING, Refused

log = logging.getLogger("millrace.service")
Call = TypeVar("Call", bound=Callable[..., Any])
RETRY = (BUSY, DRAINING)  # another server, or this one later, would answer
SENDING = (flight.FlightMethod.DO_PUT, flight.FlightMethod.DO_EXCHANGE, flight.FlightMethod.HANDSHAKE)


def refusal(error: BaseException) -> flight.FlightError:
    """What a client is told: our refusals as they stand, anything else as a fault whose reason the server's log has."""
    if isinstance(error, flight.FlightError):
        return error
    if isinstance(error, Refused):
        kind = flight.FlightUnavailableError if error.code in RETRY else flight.FlightServerError
        return kind(f"{error.code}: {error.reason}")
    if isinstance(error, DeadlineError):
        return flight.FlightUnavailableError(f"{BUSY}: the batch was not made in time; ask again later")
    log.error("a call failed: %s", type(error).__name__, exc_info=error)
    return flight.FlightInternalError("internal: the server failed; its log says why")


def guarded(call: Call) -> Call:
    """A method of the server whose errors are told by `refusal`: pyarrow would send the traceback of any other."""

    @functools.wraps(call)
    def told(*arguments: Any) -> Any:
        try:
            return call(*arguments)
        except StopIteration:  # how an answer ends
            raise
        except Exception as error:
            raise refusal(error) from None

    return told  # type: ignore[return-value]


class BearerCheck(flight.ServerMiddlewareFactory):  # type: ignore[misc]
    """Lets in who sends `authorization: Bearer TOKEN`; everybody, where there is no token. refused: is called for each
    that is not let in."""

    def __init__(self, token: str | None, refused: Callable[[], None]) -> None:
        super().__init__()
        self._expected = None if token is None else f"Bearer {token}".encode()
        self._refused = refused

    def start_call(self, info: Any, headers: dict[str, list[Any]]) -> None:
        """Compare in constant time. Calls that send data are refused here, before a thread waits for what they send.
        Errors: FlightUnauthenticatedError, FlightServerError."""
        if info.method in SENDING:
            raise flight.FlightServerError(f"{BAD_TICKET}: this server takes no data")
        if self._expected is None:
            return
        sent = next(iter(headers.get("authorization", ())), "")
        if not hmac.compare_digest(sent.encode() if isinstance(sent, str) else bytes(sent), self._expected):
            self._refused()
            raise flight.FlightUnauthenticatedError("unauthenticated: this server asks for its token")
