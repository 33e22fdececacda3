"""Results as a table for people: Markdown, each part with its machine and date, each peer in a line of its own."""

import statistics
from collections.abc import Iterator, Mapping

from benchmarks.loaders import OURS
from benchmarks.reasons import reason
from benchmarks.results import Part, Row

HEAD = "| what | contender | median | least to greatest | ours is | promised | holds |\n|---|---|---|---|---|---|---|"


def markdown(parts: Mapping[str, Part]) -> str:
    """The whole text."""
    return "\n\n".join(_part(name, part) for name, part in parts.items()) + "\n"


def short(value: float) -> str:
    """Three digits, with commas where there are more: 539,000, 3.35, 0.0312."""
    if value == 0 or not abs(value) < float("inf"):
        return f"{value:g}"
    return f"{float(f'{value:.3g}'):,.10g}"


def times(row: Row, peer: str) -> str:
    """The ratio in words, with its spread; who wins is said the same way whoever it is."""
    ratios = row.ratios(peer)
    middle = statistics.median(ratios)
    if set(ratios) == {1.0}:
        return "as good"
    if middle == float("inf"):
        return f"none against {short(statistics.median(row.measured(peer)))}"
    spread = f"{short(middle)} times as good ({short(min(ratios))} to {short(max(ratios))})"
    return spread if middle >= 1 else f"{spread}: {peer} is ahead"


def _part(name: str, part: Part) -> str:
    found = ", ".join(f"{package} {version}" for package, version in part.versions.items())
    runs = f", {part.runs} runs" if part.runs > 1 else ""
    told = [f"{part.date}{runs}, {part.machine}; {part.seconds / 60:.1f} minutes.", part.images, f"{found}."]
    lines = [line for row in part.rows for line in _row(name, row)]
    return "\n".join([f"## {name}", "", " ".join(text for text in told if text), "", HEAD, *lines])


def _row(part: str, row: Row) -> Iterator[str]:
    what = f"{row.name}, {row.unit}{' (less is better)' if row.less_is_better else ''}"
    what += f"; {row.note}" if row.note else ""
    rounds = max(map(len, row.values.values()))
    for contender in row.values:
        values = row.measured(contender)
        middle, spread = short(statistics.median(values)), f"{short(min(values))} to {short(max(values))}"
        if len(values) < rounds:
            spread += f", {len(values)} {'rounds' if len(values) > 1 else 'round'}"
        ratio, bar = "", short(row.at_least[contender]) if contender in row.at_least else ""
        if contender in row.peers and OURS in row.values:
            ratio = times(row, contender)
        elif contender == OURS and row.at_most is not None:
            bar = f"at most {short(row.at_most)}"
        why = reason(part, row.name, contender)
        holds = {True: "yes", False: "**no**" + (f": {why}" if why else ""), None: ""}[row.holds(contender)]
        yield f"| {what} | {contender} | {middle} | {spread} | {ratio} | {bar} | {holds} |"
        what = ""
    for contender, told in row.missing.items():
        yield f"| {what} | {contender} | not measured: {told} | | | | |"
        what = ""
