"""How each mark is painted: curves as vectors, heatmaps and pictures as one raster each."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from rnnscope.figures.theme import CURVE_WIDTH, DASHES, HAIRLINE, MARKED, colour, palette
from rnnscope.views.plot import Heatmap, Lines, Picture


def paint_lines(axes: Axes, lines: Lines) -> None:
    """Curves with their bands, the first on top; a value between two gaps is a dot."""
    for k, style in enumerate(lines.styles):
        ink, below = colour(style), 3 - k / (len(lines.styles) + 1)
        if lines.low is not None and lines.high is not None:
            axes.fill_between(lines.x, lines.low[k], lines.high[k], color=ink, alpha=0.16, linewidth=0, zorder=1)
        dash, points = DASHES[style.dash], CURVE_WIDTH * style.width
        axes.plot(lines.x, lines.y[k], color=ink, linewidth=points, linestyle=dash, zorder=below)
        seen = np.isfinite(np.concatenate([[np.nan], lines.y[k], [np.nan]]))
        alone = seen[1:-1] & ~seen[:-2] & ~seen[2:]
        if alone.any():
            axes.plot(lines.x[alone], lines.y[k][alone], ".", color=ink, markersize=3 * points, zorder=below)


def paint_heatmap(axes: Axes, heatmap: Heatmap) -> None:
    """Units over x = 1..N, unit 0 at the bottom; each value a flat patch."""
    units, steps = heatmap.values.shape
    extent = (0.5, steps + 0.5, -0.5, units - 0.5)
    _raster(axes, heatmap.values, heatmap.palette, heatmap.low, heatmap.high, extent, "lower")


def paint_bar(axes: Axes, heatmap: Heatmap) -> None:
    """The heatmap's scale from low to high, upwards."""
    ramp = np.linspace(heatmap.low, heatmap.high, 256)[:, None]
    extent = (0, 1, heatmap.low, heatmap.high)
    _raster(axes, ramp, heatmap.palette, heatmap.low, heatmap.high, extent, "lower")


def paint_picture(axes: Axes, picture: Picture) -> None:
    """The picture in ink on paper, 1 the darkest, the pixel that was read last framed."""
    rows, columns = picture.values.shape
    extent = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    _raster(axes, picture.values, "positive", 0, 1, extent, "upper")
    if picture.marked is not None:
        row, column = picture.marked
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=MARKED, linewidth=0.9, clip_on=False))


def _raster(axes: Axes, values, name: str, low: float, high: float, extent, origin: str) -> None:
    axes.imshow(
        np.ma.masked_invalid(values),
        cmap=palette(name),
        vmin=low,
        vmax=high,
        extent=extent,
        origin=origin,
        aspect="auto",
        interpolation="nearest",
    )
    if name == "positive":  # begins as white as the paper
        left, right, bottom, top = extent
        edge = {"edgecolor": HAIRLINE, "linewidth": 0.4, "clip_on": False}
        axes.add_patch(Rectangle((left, bottom), right - left, top - bottom, fill=False, **edge))
