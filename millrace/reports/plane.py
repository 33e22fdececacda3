"""Points in the plane and what a network makes of every place of it, as one picture."""

import io

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from PIL import Image

from millrace.labels import Labels
from millrace.reports.glyphs import spelled

# Distinguished by colour (blue and orange, for the colour-blind too), by shape and by the line between the regions.
COLOURS, MARKS = ("#1f5fa8", "#c4620a"), ("o", "^")
PAPER, INK = "#ffffff", "#1b1f24"


def every_place(grid: int = 256) -> npt.NDArray[np.uint8]:
    """All places of the grid as images: uint8 (grid², 2, 1, 1), row by row, y from the lowest."""
    y, x = np.mgrid[0:grid, 0:grid].astype(np.uint8)
    return np.stack([x.reshape(-1), y.reshape(-1)], axis=1).reshape(-1, 2, 1, 1)


def plane(
    title: str,
    points: npt.NDArray[np.uint8],
    labels: Labels,
    probabilities: npt.NDArray[np.float64] | None = None,
) -> Image.Image:
    """points: uint8 (n, 2, 1, 1) of two classes; labels: uint8 (n,). probabilities: float64 (grid²,), of the second
    class at `every_place`; None draws the points alone. RGB, some 700 pixels wide."""
    figure = Figure(figsize=(7, 7), dpi=100, facecolor=PAPER)
    axes = figure.add_subplot()
    if probabilities is not None:
        side = round(len(probabilities) ** 0.5)
        field = probabilities.reshape(side, side)
        shades = LinearSegmentedColormap.from_list("regions", ["#9cc3ee", "#f4f4f2", "#f6c394"])
        axes.imshow(field, origin="lower", extent=(-1, 1, -1, 1), cmap=shades, vmin=0, vmax=1, interpolation="nearest")
        where = np.linspace(-1, 1, side)
        if field.min() < 0.5 < field.max():
            axes.contour(where, where, field, levels=[0.5], colors=INK, linewidths=1.2)
    places = points[:, :, 0, 0] / 127.5 - 1
    for label, (colour, mark) in enumerate(zip(COLOURS, MARKS, strict=True)):
        own = places[labels == label]
        axes.scatter(own[:, 0], own[:, 1], s=14, c=colour, marker=mark, edgecolors=PAPER, linewidths=0.4)
    axes.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal")
    axes.set_title(spelled(title), color=INK, fontsize=13)
    axes.set_xticks([-1, 0, 1])
    axes.set_yticks([-1, 0, 1])
    data = io.BytesIO()
    with matplotlib.rc_context({"font.family": "DejaVu Sans"}):
        figure.savefig(data, format="png", facecolor=PAPER, metadata={"Software": None})
    return Image.open(data).convert("RGB")
