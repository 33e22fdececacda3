"""The curves of several variants in one picture: the mean over seeds, and how far seeds lie apart."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from millrace.reports.glyphs import spelled

COLOURS = ("#1f5fa8", "#c4620a", "#1a7f4b", "#8a3ffc", "#a2195b", "#6a5d00", "#00727a", "#57606a")
DASHES = ("-", "--", ":", "-.")
INK, RULE = "#1b1f24", "#d8dee4"


@dataclass(frozen=True)
class Curve:
    """A variant: for each seed the validation loss and the validation error (a fraction) of every epoch."""

    name: str
    losses: Sequence[Sequence[float]]
    errors: Sequence[Sequence[float]]


def overlay(curves: Sequence[Curve]) -> bytes:
    """A PNG of two charts, loss and error over the epochs: a line for the mean, a band for ± one standard deviation."""
    figure = Figure(figsize=(11, 4.6), dpi=110, facecolor="white", layout="constrained")
    left, right = figure.subplots(1, 2)
    for number, curve in enumerate(curves):
        style = {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number // len(COLOURS) % len(DASHES)]}
        _draw(left, curve.name, curve.losses, 1.0, style)
        _draw(right, curve.name, curve.errors, 100.0, style)
    for axes, title in ((left, "validation loss, nats"), (right, "validation error, %")):
        axes.set_title(title, loc="left", fontsize=11, color=INK)
        axes.set_xlabel("epoch", color=INK)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", color=RULE, linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        _limit(axes)
    figure.legend(
        *left.get_legend_handles_labels(), loc="outside lower center", ncols=min(4, len(curves)), frameon=False
    )
    data = io.BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None})
    return data.getvalue()


def _draw(axes: Any, name: str, seeds: Sequence[Sequence[float]], factor: float, style: dict[str, str]) -> None:
    """Epochs that not every seed has reached (a run may stop early) are averaged over those that have."""
    longest = max(len(seed) for seed in seeds)
    table = np.full((len(seeds), longest), np.nan)
    for row, seed in enumerate(seeds):
        table[row, : len(seed)] = np.asarray(seed) * factor
    mean = np.nanmean(table, axis=0)
    epochs = np.arange(1, longest + 1)
    axes.plot(epochs, mean, label=spelled(name), linewidth=1.8, marker="o" if longest == 1 else None, **style)
    if len(seeds) > 1:
        spread = np.nanstd(table, axis=0)
        axes.fill_between(epochs, mean - spread, mean + spread, color=style["color"], alpha=0.12, linewidth=0)


def _limit(axes: Any) -> None:
    """Leave out the first epochs' heights where they would flatten everything else."""
    ends = [line.get_ydata()[-1] for line in axes.lines]
    begins = [line.get_ydata()[0] for line in axes.lines]
    top = max(*ends, min(max(begins), 4 * max(ends), 4 * sorted(ends)[len(ends) // 2] + 1e-9)) if ends else 1.0
    if np.isfinite(top) and top > 0:
        axes.set_ylim(0, 1.05 * top)
