"""The server's figures as Prometheus reads them: the text format, version 0.0.4."""

from collections.abc import Iterator, Mapping
from typing import Any

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# name → (kind, help, where the value stands in what `stats` answers)
_PLAIN: Mapping[str, tuple[str, str, str]] = {
    "requests_total": ("counter", "Tickets that were let in.", "requests"),
    "batches_total": ("counter", "Record batches that were handed to gRPC.", "batches"),
    "rows_total": ("counter", "Rows of these batches.", "rows"),
    "bytes_total": ("counter", "Bytes of these batches.", "bytes"),
    "connections_cut_total": (
        "counter",
        "Connections that were cut: of clients that did not read, or too many.",
        "cut",
    ),
    "clients": ("gauge", "Connections with a call that runs.", "clients"),
    "calls": ("gauge", "Calls that run.", "calls"),
    "in_flight_bytes": ("gauge", "Bytes granted to the calls that run.", "bytes_in_flight"),
    "rows_per_second": ("gauge", "Rows handed out per second, of late.", "rows_per_second"),
    "uptime_seconds": ("gauge", "Seconds since the server began.", "uptime"),
    "resident_bytes": ("gauge", "Memory of the process.", "resident_bytes"),
}
# The same, of what several clients share, where they do.
_SHARED: Mapping[str, tuple[str, str, str]] = {
    "share_hits_total": ("counter", "Batches that another call had made, or was making.", "hits"),
    "share_misses_total": ("counter", "Batches that were made.", "misses"),
    "share_bytes": ("gauge", "Bytes of the batches that are kept for other calls.", "bytes"),
}


def prometheus_text(stats: Mapping[str, Any], described: Mapping[str, Any]) -> str:
    """All figures. stats: as the action `stats` answers, and `resident_bytes`; described: as `describe` answers."""
    return "".join(f"{line}\n" for line in _lines(stats, described))


def _lines(stats: Mapping[str, Any], described: Mapping[str, Any]) -> Iterator[str]:
    for name, (kind, text, key) in _PLAIN.items():
        yield from _head(name, kind, text)
        yield f"millrace_{name} {stats[key]}"
    yield from _head(
        "stage_seconds_total", "counter", "Seconds that answers waited for a batch, or for it to be written."
    )
    for stage, seconds in stats["seconds"].items():
        yield f"millrace_stage_seconds_total{_labels(stage=stage)} {seconds}"
    yield from _head("refusals_total", "counter", "Calls that were refused, by their code.")
    for code, count in stats["refusals"].items():
        yield f"millrace_refusals_total{_labels(code=code)} {count}"
    if "share" in stats:
        for name, (kind, text, key) in _SHARED.items():
            yield from _head(name, kind, text)
            yield f"millrace_{name} {stats['share'][key]}"
    yield from _head("info", "gauge", "What is served.")
    shown = {key: described[key] for key in ("release", "stream", "dataset", "split", "batch", "seed")}
    yield f"millrace_info{_labels(**shown)} 1"


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP millrace_{name} {text}", f"# TYPE millrace_{name} {kind}"


def _labels(**labels: object) -> str:
    escaped = {
        name: str(value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") for name, value in labels.items()
    }
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped.items()) + "}"
