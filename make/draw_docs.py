"""The pictures of docs/contract.md, drawn from the code itself: `python make/draw_docs.py` writes docs/pictures.

Text and lines alone, so the same files come out everywhere, and a test compares them. Colours follow light and dark.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

import millrace
from millrace.pipeline.draw import compose
from millrace.pipeline.order import Order
from millrace.workers.tree import Block, root, share

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
STYLE = """text{font:12px system-ui,sans-serif;fill:#374151}.s{font-size:10px}.m{text-anchor:middle}
.line{stroke:#9ca3af;fill:none}.on{fill:#fff}.paper{fill:#fff;stroke:#9ca3af}.ink{fill:#0f766e}
@media(prefers-color-scheme:dark){text{fill:#d1d5db}.paper{fill:#1f2937}.ink{fill:#5eead4}.on{fill:#fff}}"""
HUES = ("#0f766e", "#b45309", "#6d28d9", "#9ca3af")  # of workers and ranks; each bears white text


class Sheet:
    """An SVG that grows; lengths in pixels."""

    def __init__(self, width: int, height: int, says: str) -> None:
        self.size, self.says, self.parts = (width, height), says, [""]

    def text(self, x: float, y: float, words: object, kind: str = "") -> None:
        """Words that begin at x, or have it in their middle, with their line at y."""
        self.parts.append(f'<text x="{x:g}" y="{y:g}" class="{kind}">{words}</text>')

    def box(self, x: float, y: float, width: float, height: float, fill: str = "", kind: str = "") -> None:
        """A rectangle with its upper left corner at (x, y)."""
        look = f'fill="{fill}"' if fill else f'class="{kind}"'
        self.parts.append(f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" {look}/>')

    def line(self, *points: tuple[float, float]) -> None:
        """A line through these points."""
        path = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
        self.parts.append(f'<polyline points="{path}" class="line"/>')

    def svg(self) -> str:
        """The file."""
        width, height = self.size
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">'
        return f"{head}\n<title>{self.says}</title>\n<style>{STYLE}</style>" + "\n".join(self.parts) + "\n</svg>\n"


def shade(part: float) -> str:
    """A colour from pale to deep, for 0 to 1."""
    pale, deep = (204, 238, 234), (13, 94, 88)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(pale, deep, strict=True))


def order() -> str:
    """Twenty samples in three epochs: positions above, samples below, coloured by sample."""
    count, cell = 20, 32
    sheet = Sheet(140 + count * cell, 150, "Positions of an epoch, and the samples that stand there")
    visits = Order(count, batch=5, slot=5, seed=0)
    sheet.text(8, 24, "position")
    for place in range(count):
        sheet.text(130 + (place + 0.5) * cell, 24, place, "s m")
    for epoch in range(3):
        y = 36 + epoch * 36
        sheet.text(8, y + 19, f"epoch {epoch}: sample")
        for place, sample in enumerate(visits.visited(epoch, 0, count).tolist()):
            x, part = 130 + place * cell, sample / (count - 1)
            sheet.box(x, y, cell - 2, 28, shade(part))
            words = f'<tspan fill="{"#fff" if part > 0.45 else "#1f2937"}">{sample}</tspan>'
            sheet.text(x + cell / 2 - 1, y + 18, words, "m")
    return sheet.svg()


def digit(sheet: Sheet, image: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]", x: float, y: float) -> None:
    """A grey image (H, W), its pixels 12 wide, its corner at (x, y); black is paper."""
    height, width = image.shape
    sheet.box(x - 1, y - 1, 12 * width + 2, 12 * height + 2, kind="paper")
    for row, column in np.argwhere(image > 12).tolist():
        place = f'x="{x + 12 * column:g}" y="{y + 12 * row:g}" width="12" height="12"'
        sheet.parts.append(f'<rect {place} class="ink" fill-opacity="{image[row, column] / 255:.2f}"/>')


def draws() -> str:
    """Sample 3 of the digits in six epochs, from a stream, with what was drawn for it."""
    stream = millrace.stream("digits", batch=479, seed=0, threads=0)
    sheet = Sheet(760, 168, "One sample in six epochs")
    for epoch in range(6):
        for step in range(epoch * len(stream), (epoch + 1) * len(stream)):
            batch = stream[step]
            found = np.flatnonzero(batch.column("sample").to_numpy() == 3)
            if len(found):
                row = int(found[0])
                drawn = {name: batch.column(name)[row].as_py() for name in ("angle", "dx", "dy")}
                x = 16 + epoch * 124
                digit(sheet, batch.column("image").to_numpy_ndarray()[row, 0], x, 12)
                sheet.text(x + 48, 128, f"epoch {epoch}, step {step}", "s m")
                sheet.text(x + 48, 143, f"turned {drawn['angle']:+.1f}°", "s m")
                sheet.text(x + 48, 158, f"moved {drawn['dx']:+.2f}, {drawn['dy']:+.2f}", "s m")
    return sheet.svg()


def matrix() -> str:
    """A grid of 12×12 output pixels, and the places in the original that its matrix sends them to."""
    size, cell = 12, 18
    parameters = np.array([[1.2, -0.8, 24.0, 1.25, 0.9, 0.15, 0.0]], np.float32)
    m = compose(parameters, height=size, width=size)[0].astype(np.float64)
    sheet = Sheet(640, 340, "Where each output pixel looks in the original")
    sheet.text(40 + size * cell / 2, 20, "the result", "m")
    sheet.text(370 + size * cell / 2, 20, "where its pixels look in the original", "m")
    for left in (40, 370):
        sheet.box(left, 72, size * cell, size * cell, kind="paper")
    for row in range(size):
        for column in range(size):
            hue = HUES[0] if column == 0 else HUES[1] if row == 0 else HUES[3]
            x, y = m[0] * column + m[1] * row + m[2], m[3] * column + m[4] * row + m[5]
            for left, across, down in ((40, float(column), float(row)), (370, x, y)):
                place = f'cx="{left + (across + 0.5) * cell:.2f}" cy="{72 + (down + 0.5) * cell:.2f}"'
                sheet.parts.append(f'<circle {place} r="3.2" fill="{hue}"/>')
    sheet.text(300, 184, "→", "m")
    return sheet.svg()


def tree() -> str:
    """Eight slots and their tree; boxes by the worker that computes them, of one, two and three workers."""
    slots, cell, wide = 8, 30, 262
    sheet = Sheet(3 * wide, 196, "The same tree of additions for one, two and three workers")
    for workers in (1, 2, 3):
        left = (workers - 1) * wide + 10
        held = {block: worker for worker in range(workers) for block in share(slots, workers, worker)}
        sheet.text(left + slots * cell / 2, 20, f"{workers} worker{'s' if workers > 1 else ''}", "m")
        block = root(slots)
        _node(sheet, block, left, held, cell)
    return sheet.svg()


def _node(sheet: Sheet, block: Block, left: float, held: dict[Block, int], cell: int, owner: int = 3) -> None:
    """A node of the tree with all below it; owner: the worker that sends the node that it belongs to, 3: the server."""
    owner = held.get(block, owner)
    level = 3 - (block.size.bit_length() - 1)
    x, y = left + (block.start + block.size / 2) * cell, 36 + level * 42
    if block.size > 1:
        half = block.size // 2
        for child in (Block(block.start, half), Block(block.start + half, half)):
            sheet.line((x, y + 11), (left + (child.start + half / 2) * cell, y + 42))
            _node(sheet, child, left, held, cell, owner)
    sheet.box(x - 12, y, 24, 22, HUES[owner])
    sheet.text(x, y + 15, block.start if block.size == 1 else "+", "on m")


def shards() -> str:
    """The twenty rows of a step, cut among one, two and three ranks."""
    rows, cell = 20, 32
    sheet = Sheet(140 + rows * cell, 150, "The rows of one step, cut among ranks")
    stream = millrace.stream("digits", batch=rows, seed=0, threads=0)
    for world in (1, 2, 3):
        y = 14 + (world - 1) * 44
        sheet.text(8, y + 20, f"{world} process{'es' if world > 1 else ''}")
        at = 0
        for rank in range(world):
            for sample in stream.shard(rank, world)[7].column("sample").to_pylist():
                sheet.box(130 + at * cell, y, cell - 2, 30, HUES[rank])
                sheet.text(130 + at * cell + cell / 2 - 1, y + 19, sample, "s on m")
                at += 1
    return sheet.svg()


PICTURES: dict[str, Callable[[], str]] = {
    "order": order,
    "draws": draws,
    "matrix": matrix,
    "tree": tree,
    "shards": shards,
}


def main() -> None:
    """Draw all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name, picture in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(picture(), encoding="utf-8")


if __name__ == "__main__":
    main()
