"""Tickets: their text, and all that is refused."""

import json
import pickle
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from millrace.service.ticket import (
    CODES,
    MOST_BYTES,
    RangeTicket,
    Refused,
    StepTicket,
    parse_ticket,
    stream_digest,
)

STREAM = "ab" * 32
STEP = {"millrace": 1, "stream": STREAM, "step": 3}
RANGE = {"millrace": 1, "stream": STREAM, "from": 3, "to": 9, "rank": 1, "world": 4}


def refusal(asked: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        parse_ticket(asked if isinstance(asked, bytes) else json.dumps(asked).encode())
    assert "\n" not in caught.value.reason
    return caught.value


def test_the_text_of_a_ticket_is_documented_json() -> None:
    assert StepTicket(STREAM, 3).encode() == b'{"millrace":1,"step":3,"stream":"%s"}' % STREAM.encode()
    assert StepTicket(STREAM, 3, (2, 5)).encode() == (
        b'{"millrace":1,"rows":[2,5],"step":3,"stream":"%s"}' % STREAM.encode()
    )
    assert RangeTicket(STREAM, 3, 9, 1, 4).encode() == (
        b'{"from":3,"millrace":1,"rank":1,"stream":"%s","to":9,"world":4}' % STREAM.encode()
    )


def test_the_digest_is_that_of_the_canonical_json() -> None:
    # printf '{"a":[1,2.5],"é":null}' | sha256sum
    assert stream_digest({"é": None, "a": (1, 2.5)}) == stream_digest({"a": [1, 2.5], "é": None})
    assert stream_digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


NUMBERS = st.integers(0, 2**60)


@given(NUMBERS, st.none() | st.tuples(NUMBERS, NUMBERS).map(lambda pair: (min(pair), max(pair))))
def test_a_ticket_of_a_step_reads_back(step: int, rows: tuple[int, int] | None) -> None:
    assert parse_ticket(StepTicket(STREAM, step, rows).encode()) == StepTicket(STREAM, step, rows)


@given(NUMBERS, st.integers(1, 2**60), NUMBERS, st.integers(1, 2**60))
def test_a_ticket_of_a_range_reads_back(begin: int, steps: int, rank: int, more: int) -> None:
    ticket = RangeTicket(STREAM, begin, begin + steps, rank, rank + more)
    assert parse_ticket(ticket.encode()) == ticket


def test_rank_and_world_may_be_left_out_together() -> None:
    asked = {key: value for key, value in RANGE.items() if key not in ("rank", "world")}
    assert parse_ticket(json.dumps(asked).encode()) == RangeTicket(STREAM, 3, 9)
    assert refusal(asked | {"rank": 0}).reason == "world is missing"
    assert refusal(asked | {"world": 2}).reason == "rank is missing"


@pytest.mark.parametrize(
    ("asked", "code", "reason"),
    [
        ({**STEP, "millrace": 2}, "newer-version", "the ticket is of version 2, this server knows 1"),
        ({**STEP, "millrace": 0}, "bad-ticket", "millrace must be a whole number of at least 1, got 0"),
        ({**STEP, "millrace": True}, "bad-ticket", "got True"),
        ({**STEP, "stream": STREAM.upper()}, "bad-ticket", "stream must be 64 hexadecimal digits"),
        ({**STEP, "stream": STREAM + "\n"}, "bad-ticket", "stream must be 64 hexadecimal digits"),
        ({**STEP, "stream": None}, "bad-ticket", "stream must be 64 hexadecimal digits"),
        ({**STEP, "step": -1}, "bad-ticket", "step must be a whole number of at least 0, got -1"),
        ({**STEP, "step": 3.0}, "bad-ticket", "got 3.0"),
        ({**STEP, "step": "3\n4"}, "bad-ticket", r"got '3\n4'"),
        ({**STEP, "step": 1 << 62}, "bad-ticket", "step must be"),
        ({**STEP, "rows": [3]}, "bad-ticket", "rows must be a list of two positions"),
        ({**STEP, "rows": None}, "bad-ticket", "rows must be a list of two positions"),
        ({**STEP, "rows": [3, 2]}, "bad-ticket", "rows begin at 3, after their end at 2"),
        ({**STEP, "rows": [3, True]}, "bad-ticket", "rows must be a whole number"),
        ({**STEP, "from": 3}, "bad-ticket", "unknown key 'from'"),
        ({**STEP, "rank": 0}, "bad-ticket", "unknown key 'rank'"),
        ({**RANGE, "rows": [0, 1]}, "bad-ticket", "unknown key 'rows'"),
        ({**RANGE, "to": 3}, "bad-ticket", "to must be above from, got 3 to 3"),
        ({**RANGE, "rank": 4}, "out-of-range", "the ranks of a world of 4 are 0 to 3, got 4"),
        ({**RANGE, "world": 0}, "bad-ticket", "world must be a whole number of at least 1"),
        ({"millrace": 1, "stream": STREAM}, "bad-ticket", "from is missing"),
        ({}, "bad-ticket", "millrace is missing"),
        ([], "bad-ticket", "a ticket is a JSON object"),
        ([["millrace", 1]], "bad-ticket", "a ticket is a JSON object"),
        (b"", "bad-ticket", "a ticket is a JSON object"),
        (b"\xff", "bad-ticket", "a ticket is a JSON object"),
        (b'{"millrace":1,"millrace":1}', "bad-ticket", "no key twice"),
        (b'{"millrace":NaN}', "bad-ticket", "a ticket is a JSON object"),
        (b"[" * MOST_BYTES, "bad-ticket", "a ticket is a JSON object"),
        (b" " * (MOST_BYTES + 1), "too-large", "a ticket has at most 1024 bytes, this one has 1025"),
    ],
)
def test_what_is_no_ticket_is_refused_with_a_code(asked: Any, code: str, reason: str) -> None:
    error = refusal(asked)
    assert error.code == code
    assert reason in error.reason
    assert str(error).startswith(f"{code}: ")


@given(st.binary(max_size=1200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*STEP, *RANGE, "x", "rows"]), inner),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
@example(b'{"millrace":1,"stream":"' + STREAM.encode() + b'","step":0}')
def test_whatever_comes_is_a_ticket_or_refused(given: bytes) -> None:
    try:
        ticket = parse_ticket(given)
    except Refused as refused:
        assert refused.code in CODES  # noqa: PT017
        assert refused.reason.isprintable()  # noqa: PT017
    else:
        assert parse_ticket(ticket.encode()) == ticket


def test_a_refusal_crosses_processes() -> None:
    again = pickle.loads(pickle.dumps(Refused("busy", "later")))  # noqa: S301
    assert (again.code, again.reason) == ("busy", "later")
