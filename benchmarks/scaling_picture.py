"""What benchmarks/scaling.py found, as pictures: the model beside real runs, and what it says of many machines."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.scaling_model import Constants, Setting, ring, seconds
from benchmarks.table import short

MODEL, MEASURED, OUTSIDE, ALL_REDUCE, GREY = "#0f766e", "#111827", "#b45309", "#b45309", "#9ca3af"
SHADES = ["#5eead4", "#14b8a6", "#0f766e", "#134e4a"]  # of one server to many
WITHIN = 0.2
MACHINES = [2**power for power in range(8)]
CARDS = {"1 Gbit/s": 1.25e8, "10 Gbit/s": 1.25e9}
NETWORKS = {"1.1 million parameters": 1_086_215, "100 million parameters": 100_000_000}
BATCH, SLOT, CORES = 8192, 64, 4  # of machines that are not here; as many slots as machines at most


def draw(checked: Mapping[str, tuple[float, Sequence[float]]], known: Constants, folder: Path) -> None:
    """Write the pictures; checked: of each run what the model says, and the seconds of its steps."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    matplotlib.rcParams |= {"svg.hashsalt": "benchmarks", "font.size": 8}  # the same file for the same numbers
    for name, figure in (
        ("checked", _checked(pyplot, checked)),
        ("machines", _machines(pyplot, known)),
        ("servers", _servers(pyplot, known)),
    ):
        figure.savefig(folder / f"scaling-{name}.svg", metadata={"Date": None})
        pyplot.close(figure)


def machines(count: int, servers: int, parameters: int, card: float, **other: Any) -> Setting:
    """A setting of machines that are not here."""
    return Setting(count, servers, parameters, BATCH, SLOT, card, cores=CORES, shared=False, **other)


def best(count: int, parameters: int, card: float, known: Constants) -> int:
    """The number of servers with which a step is shortest."""
    most = min(count, -(-parameters // 65_536))
    return min(range(1, most + 1), key=lambda servers: seconds(machines(count, servers, parameters, card), known))


def _checked(pyplot: Any, checked: Mapping[str, tuple[float, Sequence[float]]]) -> Any:
    figure, axes = pyplot.subplots(figsize=(9, 0.26 * len(checked) + 1), layout="constrained")
    for at, (said, found) in enumerate(checked.values()):
        middle = statistics.median(found)
        colour = MODEL if abs(said / middle - 1) <= WITHIN else OUTSIDE
        axes.barh(at, 2 * WITHIN * middle, left=(1 - WITHIN) * middle, height=0.7, color="#e5e7eb")
        axes.hlines(at, min(found), max(found), color=MEASURED, linewidth=0.8)
        axes.plot(middle, at, "|", color=MEASURED, markersize=9)
        axes.plot(said, at, "D", color=colour, markersize=5, markeredgecolor="white")
        right = max(said, max(found), (1 + WITHIN) * middle)
        error = f"{100 * (said / middle - 1):+.0f} %"
        axes.annotate(error, (right, at), (5, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(checked)), list(checked))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.margins(x=0.1)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} s")
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel("seconds of a step: | measured, median and range; grey: within 20 % of it; ◆ the model")
    return figure


def _machines(pyplot: Any, known: Constants) -> Any:
    figure, grid = pyplot.subplots(2, 2, figsize=(9, 7), layout="constrained", sharex=True)
    for row, (network, parameters) in zip(grid, NETWORKS.items(), strict=True):
        for axes, (name, card) in zip(row, CARDS.items(), strict=True):
            lines: dict[str, tuple[list[float], dict[str, Any]]] = {}
            for servers, shade in zip((1, 3, 8), SHADES, strict=False):
                values = [seconds(machines(n, min(servers, n), parameters, card), known) for n in MACHINES]
                lines[f"K = {servers}"] = values, {"color": shade}
            values = [seconds(machines(n, best(n, parameters, card, known), parameters, card), known) for n in MACHINES]
            lines["best K"] = values, {"color": SHADES[-1], "linewidth": 2}
            around = [ring(machines(n, 1, parameters, card), known) for n in MACHINES]
            lines["all-reduce"] = around, {"color": ALL_REDUCE, "linestyle": "--"}
            alone = seconds(machines(1, 1, parameters, card), known)
            lines["no network"] = [alone / n for n in MACHINES], {"color": GREY, "linestyle": ":"}
            for label, (heights, style) in lines.items():
                axes.plot(MACHINES, heights, **style)
                lines[label] = heights, style
            _ends(axes, {label: (heights[-1], style["color"]) for label, (heights, style) in lines.items()})
            axes.set_title(f"{network}, cards of {name}", fontsize=9)
            _axes(axes, MACHINES)
    for axes in grid[1]:
        axes.set_xlabel(f"machines, a worker on each; batch {BATCH:,} in slots of {SLOT}")
    for axes in grid[:, 0]:
        axes.set_ylabel("seconds of a step")
    return figure


def _servers(pyplot: Any, known: Constants) -> Any:
    count = 64
    figure, row = pyplot.subplots(1, 2, figsize=(9, 4), layout="constrained")
    for axes, (name, card) in zip(row, CARDS.items(), strict=True):
        for parameters, shade in zip((1_086_215, 10_000_000, 100_000_000), SHADES[1:], strict=True):
            numbers = range(1, min(count, -(-parameters // 65_536)) + 1)
            values = [seconds(machines(count, servers, parameters, card), known) for servers in numbers]
            axes.plot(numbers, values, color=shade)
            least = min(numbers, key=lambda servers: values[servers - 1])
            axes.plot(least, values[least - 1], "o", color=shade, markersize=4)
            label = f"{parameters / 1e6:.0f} million, best K = {least}"
            axes.annotate(label, (1, values[0]), (4, 4), textcoords="offset points", color=shade)
            around = ring(machines(count, 1, parameters, card), known)
            axes.axhline(around, color=shade, linestyle="--", linewidth=0.9)
        axes.set_title(f"{count} machines, cards of {name}", fontsize=9)
        axes.set_xlabel("servers K; dashed: all-reduce")
        _axes(axes, [1, 2, 4, 8, 16, 32, 64])
    row[0].set_ylabel("seconds of a step")
    return figure


def _axes(axes: Any, ticks: Sequence[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.yaxis.set_major_formatter(lambda value, _: short(value))
    axes.minorticks_off()
    axes.grid(axis="y", color="#f3f4f6")
    axes.spines[["top", "right"]].set_visible(False)


def _ends(axes: Any, ends: Mapping[str, tuple[float, str]]) -> None:
    """Name lines at their right ends, each a little above the one below where they would touch."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    at, gap = 0.0, (high / low) ** 0.045
    for label, (height, colour) in sorted(ends.items(), key=lambda item: item[1][0]):
        at = max(height, at * gap)
        place = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "annotation_clip": False}
        axes.annotate(label, (MACHINES[-1], at), color=colour, **place)


def costs(known: Constants) -> list[list[str]]:
    """What a run on 64 machines takes, as rows of a table: the best K, seconds of a step, the part of 64 times one
    machine's speed, machine-seconds of a thousand steps."""
    rows = []
    for network, parameters in NETWORKS.items():
        for name, card in CARDS.items():
            alone = seconds(machines(1, 1, parameters, card), known)
            ways = {"one server": 1, "best K": best(64, parameters, card, known)}
            for way, servers in ways.items():
                for wire in ("float32", "int8"):
                    step = seconds(machines(64, servers, parameters, card, wire=wire), known)
                    words = [network, name, f"{way} ({servers})", wire, short(step), f"{100 * alone / step / 64:.0f} %"]
                    rows.append([*words, short(64 * 1000 * step / 3600)])
            around = ring(machines(64, 1, parameters, card), known)
            words = [network, name, "all-reduce", "float32", short(around), f"{100 * alone / around / 64:.0f} %"]
            rows.append([*words, short(64 * 1000 * around / 3600)])
    return rows
