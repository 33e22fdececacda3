"""Results as a picture: how many times as good as each peer ours is, on a logarithmic axis.

Peers that win stand in the same picture, in another colour, on the other side of 1.
"""

import statistics
from collections.abc import Mapping
from pathlib import Path

from benchmarks.loaders import OURS
from benchmarks.results import Part, Row
from benchmarks.table import short

OURS_WINS, PEER_WINS, PROMISED = "#0f766e", "#b45309", "#111827"
LINE = 0.26  # inches


def draw(parts: Mapping[str, Part], path: Path) -> None:
    """Write the picture, SVG or PNG as the path ends; nothing where there is no ratio to show."""
    rows = [(name, row) for name, part in parts.items() for row in part.rows]
    shown = [(name, row) for name, row in rows if row.shown and OURS in row.values and row.peers]
    if not shown:
        return
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "benchmarks"  # the same file for the same numbers
    lines = sum(len(row.peers) + 1 for _, row in shown)
    figure, axes = pyplot.subplots(figsize=(9, LINE * lines + 1.2), layout="constrained")
    places, labels, at = [], [], 0
    for name, row in shown:
        axes.text(
            -0.01, at, f"{name}: {row.name}", weight="bold", size=8, ha="right", va="center", transform=_left(axes)
        )
        at += 1
        for peer in row.peers:
            _bar(axes, row, peer, at)
            places.append(at)
            labels.append(peer)
            at += 1
    axes.set_yticks(places, labels, size=8)
    axes.set_ylim(at - 0.5, -0.7)
    axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.axvline(1, color="#9ca3af", linewidth=1, zorder=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}×")
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel("times as good as the peer, median and range over the rounds; ◆ what was promised", size=8)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def _left(axes: object) -> object:
    return axes.get_yaxis_transform()  # type: ignore[attr-defined]


def _bar(axes: object, row: Row, peer: str, at: int) -> None:
    """One peer's bar from 1, its range, its number, and the mark of the promise."""
    ratios = [ratio for ratio in row.ratios(peer) if 0 < ratio < float("inf")]
    if not ratios:
        return
    middle = statistics.median(ratios)
    colour = OURS_WINS if middle >= 1 else PEER_WINS
    axes.barh(at, middle - 1, left=1, height=0.7, color=colour)  # type: ignore[attr-defined]
    axes.hlines(at, min(ratios), max(ratios), color="#111827", linewidth=0.8)  # type: ignore[attr-defined]
    end = max(*ratios, 1.0)
    axes.annotate(short(middle), (end, at), (4, 0), textcoords="offset points", size=8, va="center")  # type: ignore[attr-defined]
    if peer in row.at_least:
        axes.plot(row.at_least[peer], at, "D", color=PROMISED, markersize=3.5, markeredgecolor="white")  # type: ignore[attr-defined]
