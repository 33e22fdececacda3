"""Words: numbers, paths and policies as people read them."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from millrace.pipeline import BALANCED, Policy

COMMON = 6  # kinds of a histogram that words name


def percent(fraction: float, digits: int = 1) -> str:
    """`0.983` → `98.3 %`."""
    return f"{100 * fraction:.{digits}f} %"


def counted(number: int, thing: str) -> str:
    """`1 slot`, `2 slots`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def accuracy_line(fraction: float) -> str:
    """The last line of `train` and `evaluate`, which scripts read: `test accuracy 98.33 %`."""
    return f"test accuracy {percent(fraction, 2)}"


def size(count: float) -> str:
    """Bytes for people: `11.5 MB`."""
    value, units = float(count), iter(("B", "kB", "MB", "GB"))
    unit = next(units)
    while value >= 1000 and unit != "GB":
        value, unit = value / 1000, next(units)
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def behind(counts: Mapping[int, int]) -> str:
    """How many updates were of weights so many versions old: `0: 25.0 %, 1: 75.0 %; mean 0.75, most 1`."""
    total = max(sum(counts.values()), 1)
    common = sorted(sorted(counts, key=lambda lag: -counts[lag])[:COMMON])
    shares = ", ".join(f"{lag}: {percent(counts[lag] / total)}" for lag in common)
    more = ", …" if len(common) < len(counts) else ""
    mean = sum(lag * count for lag, count in counts.items()) / total
    return f"{shares}{more}; mean {mean:.2f}, most {max(counts, default=0)}"


def duration(seconds: float) -> str:
    """`75.2` → `1 min 15 s`; `3.21` → `3.2 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def short(path: Path | str) -> str:
    """A path as people write it: below the working folder relative, below the home folder with `~`; an address as it
    is."""
    if isinstance(path, str) and "://" in path:
        return path
    full = Path(path)
    for base, prefix in ((Path.cwd(), ""), (Path.home(), "~/")):
        if full.is_relative_to(base) and full != base:
            return prefix + str(full.relative_to(base))
    return str(full)


def argument(path: Path | str) -> str:
    """A path as it can be pasted into a shell: short where that needs no quotes."""
    return (
        short(path)
        if shlex.quote(short(path).removeprefix("~")) == short(path).removeprefix("~")
        else shlex.quote(str(path))
    )


def in_arguments(text: str) -> str:
    """A message of the library for a page, which has no use for the backticks around arguments."""
    return text.replace("`", "")


def passes(count: int, sampling: str) -> list[str]:
    """Heads of what was drawn for a sample: `epoch 1`, `epoch 2` …; with sampling `balanced`, where it may come several
    times in an epoch and in another not at all, `showing 1`, `showing 2` …"""
    return [f"{'showing' if sampling == BALANCED else 'epoch'} {number + 1}" for number in range(count)]


def in_words(policy: Policy) -> str:
    """The ranges of a policy: `shift up to 8 %, turn up to 12°`."""
    if policy.is_identity:
        return "no augmentation"
    low, high = policy.scale
    said = {
        f"shift up to {100 * policy.translate:g} %": policy.translate,
        f"turn up to {policy.rotate:g}°": policy.rotate,
        f"size {low:g} to {high:g}": (low, high) != (1.0, 1.0),
        f"shear up to {policy.shear:g}": policy.shear,
        f"mirrored {100 * policy.flip:g} %": policy.flip,
        f"bent up to {100 * policy.elastic:g} %": policy.elastic,
        f"a rectangle erased {100 * policy.erase:g} %": policy.erase,
    }
    return ", ".join(text for text, there in said.items() if there)
