"""Trace events: what a viewer asks of the file."""

import json
from typing import Any

from millrace.formats.trace_events import TraceEvent, encode

# What each kind of event must have, by the description of the format.
REQUIRED = {"X": {"name", "cat", "ph", "ts", "dur", "pid", "tid"}, "M": {"name", "ph", "pid", "tid", "args"}}


def checked(data: bytes) -> list[dict[str, Any]]:
    """The events of a document that a viewer can read."""
    document = json.loads(data)
    assert set(document) == {"traceEvents", "displayTimeUnit"}
    events: list[dict[str, Any]] = document["traceEvents"]
    for event in events:
        assert REQUIRED[event["ph"]] <= set(event)
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        assert event["ts"] >= 0
        assert event.get("dur", 0) >= 0
    return events


def test_a_document_has_what_a_viewer_asks() -> None:
    threads = {
        ("worker", 0): [TraceEvent("warp", 5.0, 5.25), TraceEvent("idle", 5.25, 6.0)],
        ("worker", 1): [TraceEvent("warp", 5.5, 5.5)],
        ("trainer", 0): [],
    }
    events = checked(encode(threads))
    names = {(event["pid"], event["tid"]): event["args"]["name"] for event in events if event["ph"] == "M"}
    assert names == {
        (1, 0): "worker", (1, 1): "worker 0", (1, 2): "worker 1", (2, 0): "trainer", (2, 1): "trainer 0"
    }  # fmt: skip
    done = [(e["name"], e["ts"], e["dur"], e["pid"], e["tid"]) for e in events if e["ph"] == "X"]
    assert done == [("warp", 0, 250_000, 1, 1), ("idle", 250_000, 750_000, 1, 1), ("warp", 500_000, 0, 1, 2)]


def test_a_document_of_nothing_is_one() -> None:
    assert checked(encode({})) == []
