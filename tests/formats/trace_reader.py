"""A strict reader of trace files, by the description of the format and what Perfetto asks beyond it: stretches of one
thread that overlap without one holding the other are dropped there."""

import json
import math
from itertools import pairwise
from typing import Any, NamedTuple

NANO = 1000  # in a microsecond, which is what the file counts in

COMPLETE = {"name": str, "cat": str, "ph": str, "ts": float, "dur": float, "pid": int, "tid": int}
NAMING = {"name": str, "ph": str, "ts": float, "pid": int, "tid": int, "args": dict}


class Slice(NamedTuple):
    """A stretch: its name, its beginning and its end in nanoseconds."""

    name: str
    begin: int
    end: int


def read(data: bytes) -> dict[tuple[str, str], list[Slice]]:
    """The stretches of each thread in order, by the names of its process and its own; AssertionError where a viewer
    would show another picture than was meant."""
    document = json.loads(data, parse_constant=lambda name: fail(f"{name} is no JSON"))
    assert document.keys() == {"traceEvents", "displayTimeUnit"}
    assert document["displayTimeUnit"] in ("ms", "ns")
    processes: dict[int, str] = {}
    threads: dict[tuple[int, int], str] = {}
    slices: dict[tuple[int, int], list[Slice]] = {}
    for event in document["traceEvents"]:
        check(event, {"X": COMPLETE, "M": NAMING}[event["ph"]])
        where = event["pid"], event["tid"]
        if event["ph"] == "X":
            begin, length = nano(event["ts"]), nano(event["dur"])
            slices[where].append(Slice(event["name"], begin, begin + length))
            continue
        assert event["args"].keys() == {"name"}
        if event["name"] == "process_name":
            assert event["pid"] not in processes
            processes[event["pid"]] = event["args"]["name"]
        else:
            assert event["name"] == "thread_name"
            assert where not in threads
            threads[where], slices[where] = event["args"]["name"], []
    assert {pid for pid, _ in threads} == processes.keys()
    assert len(set(processes.values())) == len(processes)
    for found in slices.values():
        assert all(a.end <= b.begin for a, b in pairwise(found))
    return {(processes[where[0]], threads[where]): found for where, found in slices.items()}


def check(event: dict[str, Any], fields: dict[str, type]) -> None:
    """Whether it has these fields and no other, of these types, no number below 0."""
    assert event.keys() == fields.keys()
    for name, kind in fields.items():
        value = event[name]
        assert isinstance(value, (int, float) if kind is float else kind), name
        assert not isinstance(value, bool), name
        if isinstance(value, int | float):
            assert math.isfinite(value), name
            assert value >= 0, name


def nano(micro: float) -> int:
    """Of a time that is written in whole nanoseconds."""
    found = round(micro * NANO)
    assert abs(micro * NANO - found) < 1e-2
    return found


def fail(what: str) -> None:
    raise AssertionError(what)
