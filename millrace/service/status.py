"""The page that shows a server at work: what it serves, to how many, how fast, and the batch that it is at."""

from collections.abc import Mapping
from html import escape
from typing import Any

from millrace.pipeline import images_of, labels_of
from millrace.reports.page import facts, page, picture, section
from millrace.reports.words import counted, duration, in_words, size
from millrace.service.offer import Asked, Offer

SHOWN = 12  # pictures of the step


def status_page(offer: Offer, address: str, stats: Mapping[str, Any], *, secured: bool) -> str:
    """One page that needs nothing else. stats: as the action `stats` answers. secured: whether clients need a token."""
    described = offer.describe()
    steps, spec = offer.order.steps_per_epoch, offer.source.dataset.spec
    served = [
        ("dataset", f"{spec.name}, {described['split']}: {offer.samples:,} samples, {counted(steps, 'step')} an epoch"),
        ("augmentation", in_words(offer.stream.policy)),
        ("seed, batch", f"{offer.stream.seed}, {offer.order.batch}"),
        ("stream", offer.digest),
        ("at", address),
    ]
    refused = sum(stats["refusals"].values())
    work = [
        ("uptime", duration(stats["uptime"])),
        ("clients", f"{counted(stats['clients'], 'client')}, {counted(stats['calls'], 'call')}"),
        ("in flight", size(stats["bytes_in_flight"])),
        ("served", f"{stats['rows']:,} rows, {size(stats['bytes'])}, {counted(stats['requests'], 'request')}"),
        ("refused", f"{counted(refused, 'call')}; {counted(stats['cut'], 'connection')} cut"),
    ]
    if "share" in stats:
        shared = stats["share"]
        kept = f"{size(shared['bytes'])} of {size(shared['bound'])} kept"
        work.append(
            ("shared", f"{shared['misses']:,} batches made, {shared['hits']:,} had without making them; {kept}")
        )
    body = (
        f"<h1>{escape(spec.title)}</h1>"
        f'<p class="big">{stats["rows_per_second"]:,.0f} <small>images/s</small></p>'
        + facts(work)
        + section("Served", facts(served))
        + _pictures(offer, stats["step"])
        + section("Use it", f'<pre class="command">{escape(five_lines(address, secured=secured))}</pre>')
    )
    return page(f"Millrace serves {spec.name}", body)


def five_lines(address: str, *, secured: bool = False) -> str:
    """What a client pastes."""
    token = ', token="…"' if secured else ""
    return (
        "import millrace\n\n"
        f'stream = millrace.connect("{address}"{token})\n'
        "for images, labels in stream.torch(epochs=1):\n"
        "    ...  # your training step"
    )


def _pictures(offer: Offer, step: int) -> str:
    if offer.shape[0] not in (1, 3):
        return ""
    rows = (0, min(SHOWN, offer.order.size(step)))
    batch = offer.record(step, Asked(step, step + 1, 0, 1, rows))
    classes = offer.source.dataset.classes
    drawn = batch.drop_columns(["image", "label"]).to_pylist()
    tiles = "".join(
        f"<figure>{picture(pixels, classes[label])}<figcaption>{escape(classes[label])}<br>"
        f"<small>sample {row['sample']:,}, {row['angle']:+.1f}°</small></figcaption></figure>"
        for pixels, label, row in zip(images_of(batch), labels_of(batch).tolist(), drawn, strict=True)
    )
    return section(f"Step {step:,}", f'<div class="pictures">{tiles}</div>')
