"""The report of a run: curves, confusion, mistakes, augmentation, weights, configuration, environment, as one page."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from millrace.labels import Labels
from millrace.model import Confusion
from millrace.reports.chart import Line, chart
from millrace.reports.confusion import mistakes, per_class, worst
from millrace.reports.page import embedded, facts, page, picture, scrolling, section, table
from millrace.reports.profile_page import time_by_role
from millrace.reports.words import percent
from millrace.runs import StageLine, together

U8Array = npt.NDArray[np.uint8]
MISTAKES, UNITS, LARGEST_MATRIX, LEFT_OUT = 24, 64, 30, 200
MOST_LAGS = 40  # rows of the table of staleness
MOST_CLASSES, PAIRS = 100, 20  # classes of the table, mistakes of the one in the place of a larger matrix


@dataclass(frozen=True)
class Judged:
    """Images that the network was asked about: uint8 (n, C, H, W), labels (n,), its answers, int64 (n,), and their
    probabilities, float64 (n,); `name` says which they are."""

    name: str
    images: U8Array
    labels: Labels
    answers: npt.NDArray[np.int64]
    chances: npt.NDArray[np.float64]
    confusion: Confusion

    @property
    def accuracy(self) -> float:
        return self.confusion.correct / max(self.confusion.count, 1)


@dataclass(frozen=True)
class Seen:
    """A sample, its class and row, and what training made of it: uint8 (C, H, W) each."""

    kind: str
    row: int
    original: U8Array
    augmented: Sequence[U8Array]


@dataclass(frozen=True)
class RunReport:
    """What the page shows; what is None or empty is left out. steps, epochs: lines of the metrics. passes: what
    each augmentation of a sample is called. stretches: where the time went, a line each. first: weights of the first
    layer, float32 (inputs, units). left_out: pictures that are not in the dataset, and why."""

    title: str
    facts: list[tuple[str, str]]
    classes: Sequence[str]
    shape: tuple[int, int, int]
    steps: Sequence[Mapping[str, Any]]
    steps_per_epoch: int
    epochs: Sequence[Mapping[str, Any]]
    judged: Judged | None
    samples: Sequence[Seen]
    first: npt.NDArray[np.float32] | None
    regions: Image.Image | None
    config: str
    environment: Mapping[str, str]
    command: str
    passes: Sequence[str] = ()
    stretches: Sequence[StageLine] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)


def run_report(report: RunReport) -> str:
    """The page, HTML."""
    head = f"<header><h1>{escape(report.title)}</h1>{_headline(report)}{facts(report.facts)}</header>"
    parts = [
        head,
        section("Curves", _curves(report)),
        section("Where the time went", _time(report)),
        section("Staleness", _staleness(report)),
        section("Decision regions", _regions(report)),
        section("Confusion", _matrix(report)),
        section("Classes", _classes(report)),
        section("The most confident mistakes", _mistakes(report)),
        section("What training sees", _samples(report)),
        section("First-layer weights", _weights(report)),
        section("Left out", _left_out(report)),
        section("To repeat it", f'<pre class="command">{escape(report.command)}</pre>'),
        section(
            "Configuration", f"<details><summary>config.yaml</summary><pre>{escape(report.config)}</pre></details>"
        ),
        section("Environment", facts(sorted(report.environment.items()))),
    ]
    return page(report.title, "\n".join(part for part in parts if part))


def _headline(report: RunReport) -> str:
    if report.judged is None:
        return ""
    wrong = report.judged.confusion.count - report.judged.confusion.correct
    detail = f"{wrong:,} of {len(report.judged.labels):,} wrong"
    name = escape(report.judged.name)
    return f'<p class="big">{100 * report.judged.accuracy:.2f} %</p><p class="faint">{name} accuracy, {detail}</p>'


def _curves(report: RunReport) -> str:
    epochs = report.epochs
    number = [float(line["epoch"] + 1) for line in epochs]
    held = [line for line in epochs if line.get("validation_loss") is not None]
    held_number = [float(line["epoch"] + 1) for line in held]
    losses = [Line("training", number, [line["loss"] for line in epochs])]
    errors = [Line("training", number, [100 * (1 - line["accuracy"]) for line in epochs])]
    if held:
        losses.append(Line("validation", held_number, [line["validation_loss"] for line in held], 2))
        wrong = [100 * (1 - line["validation_accuracy"]) for line in held]
        errors.append(Line("validation", held_number, wrong, 2))
    passed = [
        (line["step"] + 1) / report.steps_per_epoch for line in report.steps
    ]  # all charts end with the last epoch
    rates = Line("rate", passed, [line["rate"] for line in report.steps], 3)
    speeds = Line("samples a second", number, [line["samples_per_second"] for line in epochs], 4)
    charts = [
        chart("Loss", losses, "epoch", "nats"),
        chart("Error", errors, "epoch", "% of samples"),
        chart("Learning rate", [rates], "epoch", ""),
        chart("Speed", [speeds], "epoch", "samples/s"),
    ]
    return f'<div class="charts">{"".join(charts)}</div>' if any(charts) else ""


def _time(report: RunReport) -> str:
    whole = together(report.stretches)
    return time_by_role(report.stretches, whole) if whole is not None else ""


def _staleness(report: RunReport) -> str:
    """Of a stale run: how many updates were of weights so many versions old."""
    counts = Counter(int(line["staleness"]) for line in report.steps if line.get("staleness") is not None)
    total = sum(counts.values())
    rows = [[str(lag), f"{counts[lag]:,}", percent(counts[lag] / total)] for lag in sorted(counts)[:MOST_LAGS]]
    if not rows:
        return ""
    beyond = f" {len(counts) - len(rows)} larger numbers are left out." if len(counts) > len(rows) else ""
    mean = sum(lag * count for lag, count in counts.items()) / total
    made = table(["versions behind", "updates", "share"], rows, label="staleness of the updates")
    return f'{made}<p class="faint">Mean {mean:.2f}, most {max(counts)}.{beyond}</p>'


def _regions(report: RunReport) -> str:
    if report.regions is None:
        return ""
    return embedded(
        report.regions, "the plane, coloured by the class that the network answers, with the training points"
    )


def _matrix(report: RunReport) -> str:
    if report.judged is None:
        return ""
    if len(report.classes) > LARGEST_MATRIX:
        return _commonest(report.judged.confusion, report.classes)
    counts = report.judged.confusion.matrix()
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in report.classes)
    rows = []
    for true, name in enumerate(report.classes):
        total, worst = max(int(counts[true].sum()), 1), max(int(np.delete(counts[true], true).max(initial=0)), 1)
        cells = []
        for answer, count in enumerate(counts[true].tolist()):
            kind = "right" if answer == true else "wrong" if count else ""
            share = count / (total if answer == true else worst)
            style = f' class="{kind}" style="--a:{share:.2f}"' if kind else ""
            cells.append(f"<td{style}>{count or '·'}</td>")
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>')
    head = f'<thead><tr><td class="text">true ╲ answer</td>{heads}</tr></thead>'
    made = f'<table class="matrix">{head}<tbody>{"".join(rows)}</tbody></table>'
    return scrolling(made, "confusion matrix") + '<p class="faint">Rows are the true classes, columns the answers.</p>'


def _commonest(confusion: Confusion, classes: Sequence[str]) -> str:
    """What stands in the place of a matrix that is too large to look at."""
    found = mistakes(confusion, classes, PAIRS)
    rows = [[mistake.true, mistake.predicted, f"{mistake.count:,}"] for mistake in found]
    made = table(["true", "answer", "times"], rows, label="commonest mistakes")
    return f'{made}<p class="faint">The {len(rows)} commonest of {len(confusion.wrong):,} mistakes.</p>' if rows else ""


def _classes(report: RunReport) -> str:
    if report.judged is None:
        return ""
    counts = report.judged.confusion
    all_rows, answered, right = per_class(counts, report.classes), counts.answered.tolist(), counts.right.tolist()
    rows = []
    for number in worst(all_rows, MOST_CLASSES):
        row = all_rows[number]
        precision = f"{100 * right[number] / answered[number]:.2f} %" if answered[number] else "–"
        rows.append([row.name, f"{row.images:,}", f"{row.wrong:,}", f"{100 * row.error:.2f} %", precision])
    made = table(["class", "images", "wrong", "error", "precision"], rows, label="error of each class")
    left = f"The {len(rows)} classes with the largest errors, of {len(all_rows):,}."
    return made if len(rows) == len(all_rows) else f'{made}<p class="faint">{left}</p>'


def _mistakes(report: RunReport) -> str:
    if report.judged is None or not drawable(report.shape):
        return ""
    chances, labels, answers = report.judged.chances, report.judged.labels, report.judged.answers
    wrong = np.flatnonzero(answers != labels)
    order = wrong[np.argsort(-chances[wrong], kind="stable")][:MISTAKES]
    made = []
    for row in order.tolist():
        true, answer = report.classes[labels[row]], report.classes[answers[row]]
        text = f"{true} taken for {answer}, {100 * chances[row]:.1f} %"
        image = picture(report.judged.images[row], text)
        made.append(f"<figure>{image}<figcaption>{escape(text)}<br><small>row {row}</small></figcaption></figure>")
    if not made:
        return "<p>None.</p>"
    return f'<div class="pictures">{"".join(made)}</div>'


def _samples(report: RunReport) -> str:
    if not report.samples or not drawable(report.shape):
        return ""
    rows = []
    for seen in report.samples:
        name = f"{seen.kind}, row {seen.row}"
        cells = [picture(seen.original, name)]
        for image, when in zip(seen.augmented, report.passes, strict=True):
            cells.append(picture(image, f"{name}, augmented, {when}"))
        rows.append(f'<div class="row">{"".join(cells)}</div>')
    first, last = escape(report.passes[0]), escape(report.passes[-1])
    return "".join(rows) + f'<p class="faint">Each row: the image, then augmented, {first} to {last}.</p>'


def _left_out(report: RunReport) -> str:
    rows = [[name, why] for name, why in list(report.left_out.items())[:LEFT_OUT]]
    if not rows:
        return ""
    more = len(report.left_out) - len(rows)
    made = table(["file", "why it cannot be taken"], rows, label="pictures left out")
    return made + (f'<p class="faint">And {more:,} more.</p>' if more else "")


def _weights(report: RunReport) -> str:
    if report.first is None or not drawable(report.shape):
        return ""
    units = report.first.shape[1]
    chosen = [units * k // min(UNITS, units) for k in range(min(UNITS, units))]
    tiles = [_tile(report.first[:, unit], report.shape) for unit in chosen]
    columns = min(16, math.ceil(math.sqrt(2 * len(tiles))))
    _, height, width = tiles[0].shape
    sheet = np.full((3, math.ceil(len(tiles) / columns) * (height + 1) + 1, columns * (width + 1) + 1), 128, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = number // columns * (height + 1) + 1, number % columns * (width + 1) + 1
        sheet[:, top : top + height, left : left + width] = tile
    grey = "dark is negative, light positive" if report.shape[0] == 1 else "red, green and blue, grey is zero"
    alt = f"weights into {len(tiles)} of {units} units of the first layer, as images: {grey}"
    return picture(sheet, alt) + f'<p class="faint">{escape(alt[0].upper() + alt[1:])}.</p>'


def _tile(weights: npt.NDArray[np.float32], shape: tuple[int, int, int]) -> U8Array:
    """One unit's weights around middle grey, as RGB uint8 (3, H, W)."""
    largest = float(np.abs(weights).max()) or 1.0
    scaled = np.rint(127.5 + 127.5 * weights / largest).astype(np.uint8).reshape(shape)
    return np.broadcast_to(scaled, (3, *shape[1:])) if shape[0] == 1 else scaled


def drawable(shape: tuple[int, int, int]) -> bool:
    """Whether images of this shape are pictures: one or three channels, more than a pixel."""
    return shape[0] in (1, 3) and shape[1] * shape[2] > 1
