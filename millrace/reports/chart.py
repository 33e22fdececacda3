"""Line charts as SVG text, in the colours of their page: no script, sharp at any size, readable when dark."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

WIDTH, HEIGHT = 400, 240
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 34
MOST = 300  # points of a line; more are thinned out


@dataclass(frozen=True)
class Line:
    """A line: its name, its values over x (both of one length), and which of the page's colours it has (1 to 6)."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: int = 1


def chart(title: str, lines: Sequence[Line], x_name: str, y_name: str) -> str:
    """A figure: title, lines, legend. Its description, for those who do not see it, says where lines begin and end."""
    shown = [thinned(line) for line in lines if len(line.x)]
    finite = [(x, y) for line in shown for x, y in zip(line.x, line.y, strict=True) if math.isfinite(y)]
    if not finite:
        return ""
    across = _Axis.over([x for x, _ in finite], LEFT, WIDTH - RIGHT, zero=False)
    upright = _Axis.over([y for _, y in finite], HEIGHT - BOTTOM, TOP, zero=True)
    description = escape(f"{title}. " + " ".join(_described(line, x_name) for line in shown))
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{description}">']
    for value in upright.ticks:
        y = upright.place(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>')
    for value in across.ticks:
        x = across.place(value)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{number(value)}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 3}" text-anchor="end">{escape(x_name)}</text>')
    for line in shown:
        path = _path(line, across, upright)
        parts.append(f'<path class="line c{line.colour}" d="{path}"/>')
    parts.append("</svg>")
    legend = "".join(f'<li class="c{line.colour}">{escape(line.name)}</li>' for line in shown)
    heading = f"{escape(title)} <small>{escape(y_name)}</small>"
    return f"<figure><figcaption>{heading}</figcaption>{''.join(parts)}<ul class=legend>{legend}</ul></figure>"


def thinned(line: Line) -> Line:
    """The line with no more than MOST points: means of even stretches."""
    count = len(line.x)
    if count <= MOST:
        return line
    edges = [count * k // MOST for k in range(MOST + 1)]
    spans = [range(a, b) for a, b in pairwise(edges)]
    x = [line.x[span[-1]] for span in spans]
    y = [sum(line.y[k] for k in span) / len(span) for span in spans]
    return Line(line.name, x, y, line.colour)


def number(value: float) -> str:
    """A tick's number, short: 0.001, 25, 1e-05, 60k."""
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:.4g}"


def _described(line: Line, x_name: str) -> str:
    begin, end = (f"{number(line.y[k])} at {x_name} {number(line.x[k])}" for k in (0, -1))
    return f"{line.name}: {begin}, {end}." if len(line.x) > 1 else f"{line.name}: {end}."


def _path(line: Line, across: "_Axis", upright: "_Axis") -> str:
    points, pen = [], "M"
    for x, y in zip(line.x, line.y, strict=True):
        if not math.isfinite(y):
            pen = "M"
            continue
        points.append(f"{pen}{across.place(x):.1f} {upright.place(y):.1f}")
        pen = "L"
    # A single point is a line of no length, which round ends make a dot.
    return "".join(points) + ("h0" if len(points) == 1 else "")


@dataclass(frozen=True)
class _Axis:
    """From values to places."""

    low: float
    high: float
    begin: float
    end: float
    ticks: tuple[float, ...]

    @classmethod
    def over(cls, values: Sequence[float], begin: float, end: float, *, zero: bool) -> "_Axis":
        low, high = min(values), max(values)
        if zero and low > 0 and low < 0.6 * high:
            low = 0.0
        if high == low:
            low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
        step = _step((high - low) / 4)
        if zero:
            low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
        first = math.ceil(low / step - 1e-9)
        count = math.floor(high / step + 1e-9) - first + 1
        return cls(low, high, begin, end, tuple(round((first + k) * step, 12) for k in range(count)))

    def place(self, value: float) -> float:
        return self.begin + (value - self.low) / (self.high - self.low) * (self.end - self.begin)


def _step(rough: float) -> float:
    """1, 2 or 5 times a power of ten, the nearest from above."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
