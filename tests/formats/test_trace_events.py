"""Trace events: what a viewer asks of the file."""

from itertools import pairwise

from millrace.formats.trace_events import TraceEvent, encode
from tests.formats.trace_reader import Slice, read


def test_a_document_has_what_a_viewer_asks() -> None:
    threads = {
        ("worker", 0): [TraceEvent("warp", 5.0, 5.25), TraceEvent("idle", 5.25, 6.0)],
        ("worker", 1): [TraceEvent("warp", 5.5, 5.5)],
        ("trainer", 0): [],
    }
    assert read(encode(threads)) == {
        ("worker", "worker 0"): [Slice("warp", 0, 250_000_000), Slice("idle", 250_000_000, 1_000_000_000)],
        ("worker", "worker 1"): [Slice("warp", 500_000_000, 500_000_000)],
        ("trainer", "trainer 0"): [],
    }


def test_stretches_meet_and_never_overlap() -> None:
    """Their ends are rounded, not their lengths: else one in four would reach a nanosecond into the next."""
    edges = [1000 + k * 1.2345678901e-6 for k in range(1000)]
    events = [TraceEvent("warp", begin, end) for begin, end in pairwise(edges)]
    (found,) = read(encode({("worker", 0): events})).values()
    assert all(a.end == b.begin for a, b in pairwise(found))
    assert len(found) == 999


def test_a_document_of_nothing_is_one() -> None:
    assert read(encode({})) == {}
