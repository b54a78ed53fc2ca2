"""How each mark is painted: curves and dots as vectors, heatmaps and pictures as one raster each."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle
from matplotlib.path import Path
from matplotlib.transforms import IdentityTransform

from rnnscope.figures import theme
from rnnscope.figures.theme import CURVE_WIDTH, DASHES, HAIRLINE, MARKED, TEXT, TICK_SIZE, colour, palette
from rnnscope.figures.words import MM, clean, shorten, width
from rnnscope.views.dots import fit, wants_light_ink
from rnnscope.views.plot import Heatmap, Lines, Picture, Points

MARGIN = 1.05  # printed dots that a column is wide at least: what draws them rounds


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
    """Units over x = 1..N, unit 0 at the bottom; each value a flat patch, or the peak of so many as share a printed dot."""
    units, steps = heatmap.values.shape
    first, last = axes.get_xlim()
    most = int(steps / (last - first) * axes.bbox.width / MARGIN)
    extent = (0.5, steps + 0.5, -0.5, units - 0.5)
    _raster(axes, peaks(heatmap.values, max(1, most)), heatmap.palette, heatmap.low, heatmap.high, extent, "lower")


def peaks(values: np.ndarray, most: int) -> np.ndarray:
    """(units, N) in at most so many blocks of equal length: of each the value farthest from its mean, (units, blocks).

    What is not finite counts for nothing; NaN where there is nothing else.
    """
    steps = values.shape[1]
    if steps <= most:
        return values
    edges, known = np.arange(most) * steps // most, np.isfinite(values)
    low, high = (reduce.reduceat(np.where(known, values, np.nan), edges, 1) for reduce in (np.fmin, np.fmax))
    mean = np.add.reduceat(np.where(known, values, 0), edges, 1) / np.add.reduceat(known, edges, 1, np.intp).clip(1)
    return np.where(high - mean > mean - low, high, low)


def paint_points(axes: Axes, points: Points) -> None:
    """Links beneath, dots on them, a word in each where the dots are large enough; the axes have their limits already.

    Dots have their size on paper. Nothing is cut at the limits: a dot on one is whole.
    """
    if not len(points.x):
        return
    at = np.stack([points.x, points.y], -1).astype(float)  # (N, 2)
    words = [clean(label) for label in points.labels]
    radius, halves = _sizes(axes, at, words)
    strong = np.zeros(len(points.links), bool) if points.strong is None else np.asarray(points.strong, bool)
    for chosen, ink, wide in ((~strong, HAIRLINE, theme.LINK_WIDTH), (strong, TEXT, theme.STRONG_WIDTH)):
        if chosen.any():
            lines = LineCollection(at[points.links[chosen]], colors=ink, linewidths=wide, zorder=2, clip_on=False)
            axes.add_collection(lines, autolim=False)
    fills = _fills(points)
    plain = points.values is None and not words  # a cloud: dots seen through each other, without edge
    gaps = [False] * len(at) if points.values is None else ~np.isfinite(points.values)
    edges = {"edgecolors": "none" if plain else theme.FAINT, "linestyles": [(0, (2, 1.5)) if gap else "-" for gap in gaps]}
    if radius < theme.DOT:  # crowded: colour before edge
        edges["linewidths"] = theme.AXIS_WIDTH / 2
    _add_dots(axes, at, radius, halves, facecolors=fills, **edges)
    if radius > theme.DOT:
        light = wants_light_ink(fills[:, :3])
        for place, half, text, on_dark in zip(at, halves, words, light, strict=True):
            text = shorten(text, 2 * half - 0.5, TICK_SIZE)
            look = {"fontsize": TICK_SIZE, "color": "white" if on_dark else TEXT, "ha": "center", "va": "center_baseline"}
            axes.text(*place, text, zorder=4, **look)
    if points.chosen is not None:
        n, out = points.chosen, theme.RING
        look = {"facecolors": "none", "edgecolors": TEXT, "linewidths": theme.RING_WIDTH}
        _add_dots(axes, at[n : n + 1], radius + out, halves[n : n + 1] + out, **look)


def _sizes(axes: Axes, at: np.ndarray, words: list[str]) -> tuple[float, np.ndarray]:
    """Radius of the dots and half the width of each (N,), mm; small ones that stay apart where words find no room."""
    if words:
        places = axes.transData.transform(at) / axes.figure.dpi * 25.4
        radius, halves = fit(places, np.array([width(text, TICK_SIZE) for text in words]), theme.LABELLED_DOT)
        if radius >= 0.7 * theme.LABELLED_DOT:
            return radius, halves
        radius = min(max(radius, theme.LEAST_DOT), theme.DOT)
        return radius, np.full(len(at), radius)
    return theme.DOT, np.full(len(at), theme.DOT)


def _fills(points: Points) -> np.ndarray:
    """RGBA of each dot (N, 4): of its value, of the paper where that is missing, or of the mark's style."""
    if points.values is None:
        return np.tile(to_rgba(colour(points.style), 1.0 if points.labels else theme.CLOUD), (len(points.x), 1))
    values = np.asarray(points.values, float)
    scaled = (values - points.low) / (points.high - points.low)
    return np.where(np.isfinite(values)[:, None], palette(points.palette)(np.nan_to_num(scaled)), 1.0)


def _add_dots(axes: Axes, at: np.ndarray, radius: float, halves: np.ndarray, **look) -> None:
    """One collection of round-ended shapes, `radius` and `halves` in mm."""
    shapes = [_pill(half / MM, radius / MM) for half in halves]
    look = {"linewidths": theme.AXIS_WIDTH, "zorder": 3, "clip_on": False} | look
    dots = PathCollection(shapes, sizes=[1.0], offsets=at, offset_transform=axes.transData, **look)
    dots.set_transform(IdentityTransform())
    axes.add_collection(dots, autolim=False)


def _pill(half: float, radius: float) -> Path:
    """A shape with round ends, 2 `half` wide and 2 `radius` high; a circle where they are equal."""
    right, left = Path.arc(-90, 90), Path.arc(90, 270)
    straight = (max(half - radius, 0), 0)
    corners = [right.vertices * radius + straight, left.vertices * radius - straight]
    codes = np.concatenate([right.codes, left.codes, [Path.CLOSEPOLY]])
    codes[len(right.codes)] = Path.LINETO
    return Path(np.concatenate([*corners, [(straight[0], -radius)]]), codes)


def paint_bar(axes: Axes, mark: Heatmap | Points) -> None:
    """The mark's scale from low to high, upwards."""
    ramp = np.linspace(mark.low, mark.high, 256)[:, None]
    _raster(axes, ramp, mark.palette, mark.low, mark.high, (0, 1, mark.low, mark.high), "lower")


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
        interpolation_stage="data",  # what is not printed is not coloured
    )
    if name == "positive":  # begins as white as the paper
        left, right = max(extent[0], axes.get_xlim()[0]), min(extent[1], axes.get_xlim()[1])
        bottom, top = extent[2:]
        edge = {"edgecolor": HAIRLINE, "linewidth": 0.4, "clip_on": False}
        axes.add_patch(Rectangle((left, bottom), right - left, top - bottom, fill=False, **edge))
