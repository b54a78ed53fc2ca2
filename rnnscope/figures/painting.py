"""paint(): a Plot as a matplotlib Figure, without pyplot."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rnnscope.figures import headings as above
from rnnscope.figures import layout as at
from rnnscope.figures.layout import Layout, Place, arrange
from rnnscope.figures.marks import paint_bar, paint_heatmap, paint_lines, paint_picture, paint_points
from rnnscope.figures.theme import (
    AXIS_WIDTH,
    CLOUD,
    CURVE_WIDTH,
    DASHES,
    DOT,
    FAINT,
    HEAD_SIZE,
    TEXT,
    TEXT_SIZE,
    TICK_SIZE,
    WORDS,
    colour,
    print_settings,
)
from rnnscope.figures.ticks import minor_ticks, number, ticks, upward
from rnnscope.figures.words import MM, clean, line_height, shorten, width, wrap
from rnnscope.views.plot import Axis, Heatmap, Lines, Plot, Points, Style


def paint(
    plot: Plot,
    width_mm: float = 183,
    height_mm: float | None = None,
    dpi: int = 300,
    between: Callable[[float], None] = lambda done: None,
) -> Figure:
    """Paint the grid of panels on a page of exactly this size; by default as high as its rows ask for.

    dpi      of the heatmaps: where several time steps share a dot, a peak among them is what is seen
    between  called before each panel with the share that is painted, 0..1; what it raises ends the painting
    Raises ValueError where the page is too small for the panels, or the plot has none.
    """
    with print_settings():
        page = arrange(plot, width_mm, height_mm)
        figure = Figure(figsize=(page.width / 25.4, page.height / 25.4), dpi=dpi, facecolor="white")
        sheet = _Sheet(figure, page)
        sheet.heads(plot.heads)
        for n, place in enumerate(page.places):
            between(n / len(page.places))
            sheet.panel(place)
    return figure


class _Sheet:
    """A figure that is drawn on in millimetres from the left and the top."""

    def __init__(self, figure: Figure, page: Layout):
        self.figure, self.page = figure, page

    def heads(self, heads: tuple[tuple[str, Style], ...]) -> None:
        """The runs' names above their columns, each behind a piece of its line."""
        rights = [left + self.page.panel_width + self.page.side for left in self.page.lefts[: len(heads) - 1]]
        rights.append(self.page.width - at.EDGE)
        for left, right, (name, style) in zip(self.page.lefts, rights, heads, strict=False):
            middle = at.EDGE + line_height(HEAD_SIZE) / 2
            room = right - left - above.SAMPLE - above.SAMPLE_GAP
            self._sample(left, middle, style)
            name = shorten(clean(name), room, HEAD_SIZE, "bold")
            self._write(left + above.SAMPLE + above.SAMPLE_GAP, middle, name, HEAD_SIZE, colour(style), weight="bold")

    def panel(self, place: Place) -> None:
        """One panel with all that stands around it."""
        self._above(place)
        if place.panel.empty:
            self._empty(place)
            return
        axes = self._axes(place.left, place.top, place.width, place.height)
        self._scales(place, axes)
        for mark in place.panel.marks:
            {Lines: paint_lines, Heatmap: paint_heatmap, Points: paint_points}[type(mark)](axes, mark)
        if place.panel.coloured is not None:
            self._bar(place, place.panel.coloured)
        if place.panel.picture is not None:
            size = min(place.side - 1.5, place.height)
            picture = self._axes(place.left + place.width + place.side - size, place.top, size, size)
            paint_picture(picture, place.panel.picture)
            picture.set_axis_off()
        self._levels(place, axes)

    def _above(self, place: Place) -> None:
        """Title and legend, standing on the panel."""
        line = line_height(TEXT_SIZE)
        y = place.top - place.above + line / 2
        for n, text in enumerate(place.titles):
            self._title(place, y + n * line, text, last=n == len(place.titles) - 1)
        styles = [(style, dot) for _, style, dot in above.entries(place.panel)]
        for n, entries in enumerate(place.legend):
            used = sum(above.entry_width(name, sample) for _, name, sample in entries) - above.ENTRY_GAP
            x = place.left + (place.width - used if place.beside else 0)
            up = (len(place.legend) - n - 0.5) * line_height(TICK_SIZE)
            middle = y if place.beside else place.top - above.PAD - up
            for k, name, sample in entries:
                self._sample(x, middle, *styles[k])
                self._write(x + sample + above.SAMPLE_GAP, middle, name, TICK_SIZE, TEXT)
                x += above.entry_width(name, sample)

    def _title(self, place: Place, y: float, text: str, last: bool) -> None:
        symbol = above.symbol(place.panel) if last else ""
        words = text.removesuffix(symbol)
        self._write(place.left, y, words, TEXT_SIZE, TEXT)
        self._write(place.left + width(words, TEXT_SIZE) + above.SYMBOL_GAP, y, symbol, TEXT_SIZE, TEXT, style="italic")

    def _empty(self, place: Place) -> None:
        """The sentence of a panel that has nothing to show."""
        lines = wrap(place.panel.empty, place.width, TEXT_SIZE)
        for n, text in enumerate(lines):
            self._write(place.left, place.top + (n + 0.8) * line_height(TEXT_SIZE), text, TEXT_SIZE, WORDS)

    def _bar(self, place: Place, mark: Heatmap | Points) -> None:
        """The colour bar beside a mark, with its limits and its middle where that is 0."""
        left = place.left + place.width + at.BAR_GAP
        bar = self._axes(left, place.top, at.BAR, place.height)
        paint_bar(bar, mark)
        bar.set_axis_off()
        half = line_height(TICK_SIZE) / 2
        bottom = place.top + place.height
        labels = [(place.top + half * 0.7, mark.high), (bottom - half * 0.7, mark.low)]
        if mark.palette == "signed":
            labels.append(((place.top + bottom) / 2, 0))
        for y, value in labels:
            self._write(left + at.BAR + at.BAR_TEXT, y, number(value), TICK_SIZE, TEXT)

    def _levels(self, place: Place, axes: Axes) -> None:
        """Faint horizontals, each with its name at the right."""
        share = self.page.width / len(self.page.lefts)
        free = place.top - line_height(TICK_SIZE)
        for value, name in sorted(at.shown_levels(place.panel), reverse=True):
            axes.axhline(value, color=FAINT, linewidth=AXIS_WIDTH, zorder=0.5)
            lines = at.level_lines(name, share)
            half = len(lines) * line_height(TICK_SIZE) / 2
            share_up = axes.transAxes.inverted().transform(axes.transData.transform((0, value)))[1]
            middle = max(place.top + place.height * (1 - share_up), free + half)
            free = middle + half
            for n, text in enumerate(lines):
                y = middle - half + (n + 0.5) * line_height(TICK_SIZE)
                self._write(place.left + place.width + at.BAR_GAP, y, text, TICK_SIZE, WORDS)

    def _scales(self, place: Place, axes: Axes) -> None:
        """Limits, ticks and spines."""
        x, y = place.panel.x, place.panel.y
        axes.set(xscale="log" if x.log else "linear", yscale="log" if y.log else "linear")
        marks = {type(mark) for mark in place.panel.marks}
        axes.set_xlim(*_with_slack(x) if Points in marks else (x.low, x.high))
        axes.set_ylim(*_with_slack(y))
        raster = Heatmap in marks
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines["left"].set_visible(not raster and y.kind != "none")
        axes.spines["bottom"].set_visible(place.footed and not raster and x.kind != "none")
        axes.spines[:].set(linewidth=AXIS_WIDTH, color=TEXT)
        down, across = upward(place.panel, place.height), ticks(x, place.width, upright=False)
        axes.set_yticks([value for value, _ in down], [label for _, label in down])
        axes.set_yticks(minor_ticks(y, down), minor=True)
        axes.set_xticks([value for value, _ in across], [label for _, label in across])
        look = {"width": AXIS_WIDTH, "color": TEXT, "labelcolor": TEXT, "labelsize": TICK_SIZE, "pad": 1.4}
        axes.tick_params("both", length=2, **look)
        axes.tick_params("both", which="minor", length=1.2, width=AXIS_WIDTH * 0.8, color=TEXT, labelleft=False)
        axes.tick_params("y", labelleft=place.labelled, left=not place.panel.row_names)
        axes.tick_params("x", bottom=place.footed, labelbottom=place.footed)
        bottom = place.top + place.height
        if place.footed:
            middle = bottom + at.TICK + line_height(TICK_SIZE) + line_height(TEXT_SIZE) / 2
            self._write(place.left + place.width / 2, middle, x.label, TEXT_SIZE, TEXT, ha="center")
        if place.labelled and y.label:
            numbers = max(width(label, TICK_SIZE) for _, label in down)
            left = place.left - at.TICK - numbers - at.LABEL_GAP - line_height(TEXT_SIZE) / 2
            self._write(left, place.top + place.height / 2, y.label, TEXT_SIZE, TEXT, ha="center", rotation=90)

    def _axes(self, left: float, top: float, width: float, height: float) -> Axes:
        wide, high = self.page.width, self.page.height
        return self.figure.add_axes((left / wide, 1 - (top + height) / high, width / wide, height / high), facecolor="none")

    def _sample(self, left: float, middle: float, style: Style, dot: bool = False) -> None:
        """A piece of line, or one dot, in a style."""
        wide, y = self.page.width, 1 - middle / self.page.height
        x = (left / wide, (left + above.SAMPLE) / wide)
        if dot:
            look = {"marker": "o", "markersize": 2 * DOT / MM, "markeredgewidth": 0, "alpha": CLOUD, "linestyle": "none"}
            x = ((left + DOT) / wide,)
        else:
            look = {"linewidth": CURVE_WIDTH * style.width, "linestyle": DASHES[style.dash]}
        line = Line2D(x, [y] * len(x), color=colour(style), **look)
        line.set_transform(self.figure.transFigure)
        self.figure.add_artist(line)

    def _write(self, x: float, y: float, text: str, size: float, ink: str, **more) -> None:
        """A line of text with its middle at y."""
        if text:
            more = {"va": "center_baseline", "fontsize": size, "color": ink} | more
            self.figure.text(x / self.page.width, 1 - y / self.page.height, text, **more)


def _with_slack(axis: Axis) -> tuple[float, float]:
    """The limits of an axis, and a little beyond, or what lies on one is cut in half."""
    slack = 0 if axis.log or axis.kind in ("unit", "none") else 0.03 * (axis.high - axis.low)
    return axis.low - slack, axis.high + slack
