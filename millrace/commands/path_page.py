"""The page of `millrace datasets PATH`: what is understood of files of one's own, before anything is decoded."""

from millrace import datasets
from millrace.commands.screen import Screen
from millrace.commands.wording import in_flags
from millrace.datasets import PathSpec, dataset_folder
from millrace.library.understanding import Understood, understood
from millrace.reports.words import short

MOST = 20  # classes, sizes, notes or bad pictures shown one by one
MODES = {
    "1": "black and white", "L": "grey", "LA": "grey with transparency", "P": "palette", "RGB": "colour",
    "RGBA": "colour with transparency", "CMYK": "CMYK", "I": "32-bit grey", "F": "float grey", "YCbCr": "YCbCr",
}  # fmt: skip


def show_path(screen: Screen, spec: PathSpec) -> None:
    """Print what is understood of a path, or one record of it with `--json`."""
    found = understood(spec)
    cached = datasets.is_cached(spec)
    if screen.as_json:
        _record(screen, spec, found, cached)
        return
    screen.say(spec.title, style="bold")
    rows = f"{found.rows.get('train', 0):,} to train on, {found.rows.get('test', 0):,} to test on"
    if found.drawn and found.rows.get("test"):
        rows += ", drawn from each class: the files have no test split (--test-share)"
    facts = {
        "path": short(spec.location),
        "kind": found.kind,
        "classes": _listed([*found.classes]),
        "images": _splits(found),
        "rows": rows,
        "sizes": _listed([f"{height}×{width} ({count:,})" for (height, width), count in found.sizes]),
        "pixels": ", ".join(f"{mode_in_words(mode)} ({count:,})" for mode, count in found.modes.items()),
        "become": "×".join(map(str, found.shape)) if found.shape else f"not said yet: {in_flags(found.missing)}",
        "policy": f"{spec.policy} (augmentation by default)",
        "cached": f"yes, {short(dataset_folder(spec))}" if cached else "no: training decodes them first",
    }
    screen.facts(*((name, value) for name, value in facts.items() if value))
    _lines(screen, "notes", list(map(in_flags, found.notes)))
    _lines(screen, "bad", [f"{name}: {in_flags(why)}" for name, why in found.bad.items()])
    screen.say()


def mode_in_words(mode: str) -> str:
    """One of Pillow's modes, as people call it."""
    return "16-bit grey" if mode.startswith("I;16") else MODES.get(mode, mode)


def _splits(found: Understood) -> str:
    parts = []
    for split, counts in found.counts.items():
        total = f"{split} {sum(counts):,}"
        if len(counts) <= MOST:
            each = ", ".join(f"{name} {count:,}" for name, count in zip(found.classes, counts, strict=True))
        else:
            each = f"{min(counts):,} to {max(counts):,} of each class"
        parts.append(f"{total} ({each})")
    return f"\n{'':<10}".join(parts)


def _listed(items: list[str]) -> str:
    more = f" … {len(items):,} in all" if len(items) > MOST else ""
    return ", ".join(items[:MOST]) + more


def _lines(screen: Screen, name: str, lines: list[str]) -> None:
    if len(lines) > MOST:
        lines = [*lines[:MOST], f"and {len(lines) - MOST:,} more"]
    for number, line in enumerate(lines):
        screen.facts((name if number == 0 else "", line))


def _record(screen: Screen, spec: PathSpec, found: Understood, cached: bool) -> None:
    screen.record(
        name=spec.name,
        title=spec.title,
        path=spec.location,
        kind=found.kind,
        classes=found.classes,
        counts=found.counts,
        rows=found.rows,
        sizes=[{"height": height, "width": width, "count": count} for (height, width), count in found.sizes],
        modes=found.modes,
        shape=found.shape,
        missing=found.missing,
        notes=found.notes,
        bad=found.bad,
        policy=spec.policy,
        cached=cached,
    )
