"""Contact sheets: originals beside their augmentations, with the drawn parameters, as one picture."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from millrace.reports.glyphs import font_file, spelled
from millrace.storage import write_whole

Pixels = npt.NDArray[np.uint8]

PAPER, INK, FAINT, LINE = "#ffffff", "#1b1f24", "#6a737d", "#d8dee4"
ACCENT = "#0b5cad"  # frames the originals
TILE = 112  # pixels of a picture's longer side, about: pictures are enlarged by whole numbers
GAP, MARGIN = 14, 24
CAPTION = 14  # height of a line under a picture


@dataclass(frozen=True)
class Tile:
    """A picture, uint8 (C, H, W) with 1 or 3 channels, and the lines of text under it."""

    pixels: Pixels
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One sample: what it is (`title`, `detail`), itself, and its augmentations."""

    title: str
    detail: str
    original: Tile
    augmented: tuple[Tile, ...]


def parameter_lines(drawn: Mapping[str, float]) -> tuple[str, ...]:
    """The drawn parameters of one sample (columns of a batch) as lines to stand under it.

    dx, dy in pixels, angle in degrees, scale as magnification, shear as shift per row, flip as 0 or 1."""
    mirrored = "  mirrored" if drawn["flip"] else ""
    return (
        f"dx {_signed(drawn['dx'])}  dy {_signed(drawn['dy'])}",
        f"turn {_signed(drawn['angle'])}°{mirrored}",
        f"size {drawn['scale_x']:.2f} × {drawn['scale_y']:.2f}",
        f"shear {_signed(drawn['shear'], 2)}",
    )


def _signed(value: float, digits: int = 1) -> str:
    text = f"{abs(value):.{digits}f}"
    sign = "" if float(text) == 0 else "+" if value > 0 else "\N{MINUS SIGN}"
    return sign + text


def contact_sheet(title: str, detail: str, heads: Sequence[str], rows: Sequence[Row]) -> Image.Image:
    """The sheet as an RGB picture. heads: one for the originals, then one for each column of augmentations. What the
    font has no picture of stands as its number, see `glyphs`."""
    title, detail = spelled(title, bold=True), spelled(detail)
    rows = [replace(row, title=spelled(row.title, bold=True), detail=spelled(row.detail)) for row in rows]
    height, width = rows[0].original.pixels.shape[1:]
    factor = max(1, round(TILE / max(height, width)))
    cell = max(width * factor, 112)
    lines = max(len(tile.lines) for row in rows for tile in row.augmented) if rows[0].augmented else 0
    row_height = height * factor + lines * CAPTION + GAP + 6
    left, top = MARGIN + _label_width(rows), MARGIN + 74
    pictures = left + len(heads) * (cell + GAP) - GAP
    heading = MARGIN + round(max(_font(18, bold=True).getlength(title), _font(12).getlength(detail)))
    size = (max(pictures, heading) + MARGIN, top + len(rows) * row_height + MARGIN - GAP)
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN - 4), title, font=_font(18, bold=True), fill=INK)
    pen.text((MARGIN, MARGIN + 22), detail, font=_font(12), fill=FAINT)
    for column, head in enumerate(heads):
        fill = ACCENT if column == 0 else INK
        pen.text((left + column * (cell + GAP), top - 22), head, font=_font(12, bold=True), fill=fill)
    for number, row in enumerate(rows):
        y = top + number * row_height
        pen.line((MARGIN, y - 6, size[0] - MARGIN, y - 6), fill=LINE)
        pen.text((MARGIN, y), row.title, font=_font(13, bold=True), fill=INK)
        pen.text((MARGIN, y + 18), row.detail, font=_font(11), fill=FAINT)
        for column, tile in enumerate((row.original, *row.augmented)):
            _paste(sheet, pen, tile, left + column * (cell + GAP), y, factor, original=column == 0)
    return sheet


def save(picture: Image.Image, path: Path) -> None:
    """Write the picture as PNG. Errors: OSError."""
    data = io.BytesIO()
    picture.save(data, format="PNG", optimize=True)
    write_whole(path, data.getvalue())


def _paste(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, tile: Tile, x: int, y: int, factor: int, *, original: bool
) -> None:
    """One picture, enlarged without smoothing so that each pixel shows, its frame and its lines."""
    planes = np.moveaxis(tile.pixels, 0, -1)
    picture = Image.fromarray(np.ascontiguousarray(planes[..., 0] if planes.shape[-1] == 1 else planes))
    width, height = picture.width * factor, picture.height * factor
    sheet.paste(picture.resize((width, height), Image.Resampling.NEAREST).convert("RGB"), (x, y))
    frame = (x - 1, y - 1, x + width, y + height)
    pen.rectangle(frame, outline=ACCENT if original else LINE, width=1)
    for number, line in enumerate(tile.lines):
        pen.text((x, y + height + 3 + number * CAPTION), line, font=_font(11), fill=FAINT)


def _label_width(rows: Sequence[Row]) -> int:
    """Room for the longest label, left of the pictures."""
    widths = [max(_font(13, bold=True).getlength(row.title), _font(11).getlength(row.detail)) for row in rows]
    return round(max(widths)) + 18


def _font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font_file(bold=bold), size)
