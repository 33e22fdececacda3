"""Tickets: what a client asks the service for, as documented JSON. The standard library alone; see docs/service.md.

A ticket names the stream by the digest of its identity and the steps by number, so the answer depends on nothing else.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VERSION = 1
MOST_BYTES = 1024  # of a ticket's text
MOST = 1 << 62  # steps and ranks; far above what a stream has

# The word that every refusal begins with, for programs; after a release they may become more, never fewer.
BAD_TICKET, NEWER_VERSION, OTHER_STREAM = "bad-ticket", "newer-version", "other-stream"
OUT_OF_RANGE, TOO_LARGE, BUSY, DRAINING = "out-of-range", "too-large", "busy", "draining"
CODES = (BAD_TICKET, NEWER_VERSION, OTHER_STREAM, OUT_OF_RANGE, TOO_LARGE, BUSY, DRAINING)

_STEP_KEYS = {"millrace", "stream", "step", "rows"}
_RANGE_KEYS = {"millrace", "stream", "from", "to", "rank", "world"}


class Refused(Exception):  # no MillraceError: a client makes one of what it is told
    """The service refuses what is asked: `code` is one of `CODES`, `reason` one line of plain text."""

    def __init__(self, code: str, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(code, reason)

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}"


@dataclass(frozen=True)
class StepTicket:
    """One step, or the positions [begin, end) within it. stream: the digest of the stream's identity."""

    stream: str
    step: int
    rows: tuple[int, int] | None = None

    def encode(self) -> bytes:
        """The ticket as JSON: UTF-8, keys sorted, no spaces."""
        asked: dict[str, Any] = {"millrace": VERSION, "stream": self.stream, "step": self.step}
        return canonical(asked if self.rows is None else asked | {"rows": list(self.rows)})


@dataclass(frozen=True)
class RangeTicket:
    """The steps [begin, end), of each the rows of one of `world` ranks: see `Order.share`."""

    stream: str
    begin: int
    end: int
    rank: int = 0
    world: int = 1

    def encode(self) -> bytes:
        """The ticket as JSON: UTF-8, keys sorted, no spaces."""
        place = {"from": self.begin, "to": self.end, "rank": self.rank, "world": self.world}
        return canonical({"millrace": VERSION, "stream": self.stream, **place})


Ticket = StepTicket | RangeTicket


def canonical(value: Any) -> bytes:
    """A plain value as the JSON that digests are taken of: keys sorted, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def stream_digest(identity: Mapping[str, object]) -> str:
    """What tickets call a stream by: the sha256 of its identity's canonical JSON, in hex."""
    return hashlib.sha256(canonical(identity)).hexdigest()


def parse_ticket(given: bytes) -> Ticket:
    """The ticket that these bytes are. Whether its stream has these steps is for the server to say.

    Errors: Refused, with the code bad-ticket, too-large or newer-version.
    """
    if len(given) > MOST_BYTES:
        raise Refused(TOO_LARGE, f"a ticket has at most {MOST_BYTES} bytes, this one has {len(given)}")
    asked = _object(given)
    version = _number(asked, "millrace", 1)
    if version > VERSION:
        raise Refused(NEWER_VERSION, f"the ticket is of version {version}, this server knows {VERSION}")
    stream = asked.get("stream")
    if not isinstance(stream, str) or not re.fullmatch("[0-9a-f]{64}", stream):
        raise Refused(BAD_TICKET, "stream must be 64 hexadecimal digits")
    known = _STEP_KEYS if "step" in asked else _RANGE_KEYS
    if unknown := sorted(asked.keys() - known):
        raise Refused(BAD_TICKET, f"unknown key {_shown(unknown[0])}; a ticket has {', '.join(sorted(known))}")
    return _of_step(stream, asked) if "step" in asked else _of_range(stream, asked)


def _of_step(stream: str, asked: Mapping[str, Any]) -> StepTicket:
    rows = asked.get("rows")
    if "rows" not in asked:
        return StepTicket(stream, _number(asked, "step"))
    if not isinstance(rows, list) or len(rows) != 2:
        raise Refused(BAD_TICKET, "rows must be a list of two positions")
    begin, end = (_number({"rows": row}, "rows") for row in rows)
    if begin > end:
        raise Refused(BAD_TICKET, f"rows begin at {begin}, after their end at {end}")
    return StepTicket(stream, _number(asked, "step"), (begin, end))


def _of_range(stream: str, asked: Mapping[str, Any]) -> RangeTicket:
    whole = {"rank": 0, "world": 1} if not {"rank", "world"} & asked.keys() else {}
    asked = {**asked, **whole}
    begin, end = _number(asked, "from"), _number(asked, "to")
    world, rank = _number(asked, "world", 1), _number(asked, "rank")
    if begin >= end:
        raise Refused(BAD_TICKET, f"to must be above from, got {begin} to {end}")
    if rank >= world:
        raise Refused(OUT_OF_RANGE, f"the ranks of a world of {world} are 0 to {world - 1}, got {rank}")
    return RangeTicket(stream, begin, end, rank, world)


def _object(given: bytes) -> dict[str, Any]:
    """The JSON object that the bytes are, no key twice."""
    try:
        found = json.loads(given.decode(), object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refused(BAD_TICKET, "a ticket is a JSON object in UTF-8, no key twice")
    return found


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _number(asked: Mapping[str, Any], key: str, least: int = 0) -> int:
    value = asked.get(key)
    if key not in asked:
        raise Refused(BAD_TICKET, f"{key} is missing")
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < MOST:
        raise Refused(BAD_TICKET, f"{key} must be a whole number of at least {least}, got {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    """A value of a stranger's for a message: short, printable, on one line."""
    return ascii(value)[:60]
