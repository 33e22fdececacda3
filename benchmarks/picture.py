"""Results as a picture: how many times as good as each peer ours is, on a logarithmic axis.

Peers that win stand in the same picture, in another colour, on the other side of 1.
"""

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.loaders import OURS
from benchmarks.results import Part, Row
from benchmarks.table import short

OURS_WINS, PEER_WINS, PROMISED = "#0f766e", "#b45309", "#111827"
LINE, MANY = 0.22, 30  # inches, lines
NUMBER = 3.0  # times as far along the axis a number's end is as its beginning; a mark between them moves it
Drawn = tuple[str, Row, list[str]]  # a part's name, a row, its peers


def draw(parts: Mapping[str, Part], path: Path) -> None:
    """Write the picture, SVG or PNG as the path ends; nothing where there is no ratio to show."""
    rows = [(name, row) for name, part in parts.items() for row in part.rows]
    shown = [(name, row, drawn(row)) for name, row in rows if row.shown and OURS in row.values and row.peers]
    if not shown:
        return
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "benchmarks"  # the same file for the same numbers
    columns = _columns(shown)
    lines = max(sum(len(peers) + 1 for *_, peers in column) for column in columns)
    figure, panels = pyplot.subplots(
        1, len(columns), figsize=(6.5 * len(columns), LINE * lines + 1.2), sharex=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for axes, column in zip(panels[0], columns, strict=True):
        _column(axes, column, lines)
    figure.supxlabel(
        "times as good as the peer, median and range over the rounds of all runs; ◆ what was promised", size=8
    )
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def drawn(row: Row) -> list[str]:
    """The peers that something was promised against and those that are ahead; all where nothing was promised. The
    table has the others."""
    chosen = [
        peer
        for peer in row.peers
        if peer in row.at_least or not row.at_least or statistics.median(row.ratios(peer)) < 1
    ]
    return chosen or row.peers


def _columns(shown: list[Drawn]) -> list[list[Drawn]]:
    """In two columns of about the same length, where there are many."""
    total, done = sum(len(peers) + 1 for *_, peers in shown), 0
    if total < MANY:
        return [shown]
    for count, (*_, peers) in enumerate(shown):
        if done >= total / 2:
            return [shown[:count], shown[count:]]
        done += len(peers) + 1
    return [shown]


def _column(axes: Any, column: list[Drawn], lines: int) -> None:
    """Rows below each other."""
    places, labels, at = [], [], 0
    for name, row, peers in column:
        axes.text(
            -0.01, at, f"{name}: {row.name}", weight="bold", size=8, ha="right", va="center",
            transform=axes.get_yaxis_transform(),
        )  # fmt: skip
        at += 1
        for peer in peers:
            _bar(axes, row, peer, at)
            places.append(at)
            labels.append(peer)
            at += 1
    axes.set_yticks(places, labels, size=8)
    axes.set_ylim(lines - 0.5, -0.7)
    axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.axvline(1, color="#9ca3af", linewidth=1, zorder=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}×")
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _bar(axes: Any, row: Row, peer: str, at: int) -> None:
    """One peer's bar from 1, its range, its number, and the mark of the promise."""
    ratios = [ratio for ratio in row.ratios(peer) if 0 < ratio < float("inf")]
    if not ratios:
        return
    middle = statistics.median(ratios)
    colour = OURS_WINS if middle >= 1 else PEER_WINS
    axes.barh(at, middle - 1, left=1, height=0.7, color=colour)
    axes.hlines(at, min(ratios), max(ratios), color="#111827", linewidth=0.8)
    end, mark = max(*ratios, 1.0), row.at_least.get(peer)
    if mark is not None:
        # Beside a bar it is as large as in one, where its white edge is seen.
        axes.plot(mark, at, "D", color=PROMISED, markersize=6, markeredgecolor="white", markeredgewidth=0.9, zorder=3)
    moved = mark is not None and end < mark < NUMBER * end
    place, beyond = (mark, 8) if moved else (end, 5)
    axes.annotate(short(middle), (place, at), (beyond, 0), textcoords="offset points", size=8, va="center")
