"""One Panel on the screen: its items are made once and updated in place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import pyqtgraph as pg
from PySide6.QtCore import QLineF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QRegion

from rnnscope.app.cursor import Cursor
from rnnscope.app.hint import Hint
from rnnscope.app.level import Level
from rnnscope.app.mark_items import PointsItem, make_item
from rnnscope.app.panel_parts import AXIS_WIDTH, NO_AXIS_WIDTH, Head, Scale, Side, font_of
from rnnscope.app.pyramids import Pyramid, log10
from rnnscope.app.theme import TICK_PIXELS, Theme
from rnnscope.app.time_box import TimeBox
from rnnscope.views.plot import Axis, Heatmap, Lines, Mark, Panel, Points
from rnnscope.views.words import number, power_of_ten

TICKS_HEIGHT, LABEL_HEIGHT, NO_HEIGHT = 18, 34, 4  # pixels of the axis below: ticks alone, with a label, neither
NAME_HEIGHT = 14  # pixels from one name of dots to the next
WIDEST = "−0.0000"  # about as wide as values are
SLACK = 0.03  # of a value axis, between its ends and the dots on them


class PanelItem:
    """The graphics of one Panel in three rows and three columns of a graphics layout:

        head    head   head
        left    box    side
                bottom

    pyqtgraph's own PlotItem would bring some forty widgets and menus for each panel, which nobody sees.
    """

    def __init__(self, layout: pg.GraphicsLayout, row: int, column: int, panel: Panel, cursor: Cursor, theme: Theme):
        self.theme, self.cursor, self.panel = theme, cursor, panel
        self.box = TimeBox(cursor)
        self.box.of_time, self.box.of_training = panel.x.kind == "time", panel.x.kind == "iteration"
        self.head, self.side = Head(theme), Side(self.box, theme)
        self.left = Scale("left", self.box, theme)
        self.bottom = Scale("bottom", self.box, theme, panel.x.counts)
        self.left.setWidth(AXIS_WIDTH)
        self.bottom.setHeight(TICKS_HEIGHT if self.box.of_time else LABEL_HEIGHT)
        for axis, scale in ((panel.y, self.left), (panel.x, self.bottom)):
            if axis.kind == "none":
                scale.setVisible(False)
            elif axis.kind != "time":
                scale.setLabel(axis.label, color=theme.faint, **{"font-size": f"{TICK_PIXELS}px"})
        if panel.x.kind == "none":
            self.bottom.setHeight(NO_HEIGHT)
        layout.addItem(self.head, row, column, 1, 3)
        for item, down, right in ((self.left, 1, 0), (self.box, 1, 1), (self.side, 1, 2), (self.bottom, 2, 1)):
            layout.addItem(item, row + down, column + right)
        self.items = [make_item(mark, self.box, theme) for mark in panel.marks]
        self.box.dots = [item for item in self.items if isinstance(item, PointsItem)]
        for value, name in panel.y.levels:
            place = log10(value) if panel.y.log else value
            if beside := Side.takes(name) and not (panel.coloured or panel.picture):
                self.side.levels.append((place, name))
            self.box.addItem(Level(place, "" if beside else name, self.box, theme), ignoreBounds=True)
        if panel.empty:
            self.box.addItem(Hint(panel.empty, self.box, theme), ignoreBounds=True)
        self._limits: tuple | None = None
        self.settle()

    @staticmethod
    def structure(panel: Panel | None) -> tuple:
        """What must stay the same for the items to be updated in place."""
        if panel is None:
            return ()
        axes = (panel.x.kind, panel.x.label, panel.y.kind, panel.y.label, panel.y.log, panel.y.levels)
        axes += (panel.y,) * panel.plane
        return (
            *axes,
            panel.empty,
            panel.height,
            bool(panel.picture),
            bool(panel.coloured),
            tuple(map(_made_from, panel.marks)),
        )

    def update(self, panel: Panel, pyramids: Sequence[Pyramid | None]) -> None:
        """Show another Panel of the same structure, with a pyramid for each of its marks."""
        self.panel = panel
        self.box.of_units = any(isinstance(mark, Heatmap) for mark in panel.marks)
        self.head.title = panel.title[:1].upper() + panel.title[1:]
        self.head.symbol = panel.symbol
        lost = sum(pyramid.not_finite for pyramid in pyramids if pyramid)
        self.head.note = f"{lost:,} not finite" if lost else ""
        for item, mark, pyramid in zip(self.items, panel.marks, pyramids, strict=True):
            item.take(mark, panel.y.log, pyramid)
        self.head.readings = [" ".join(filter(None, (name, value and WIDEST))) for name, value, _ in self.values()]
        self._set_limits(panel)
        self.left.show_ticks(_ticks(panel.y), panel.row_names)
        self.bottom.show_steps(panel.x.names)
        if panel.x.kind == "value":
            self.bottom.show_ticks(_ticks(panel.x))
        self.side.update_from(panel)

    def settle(self) -> None:
        """The panel was painted as it stands now: the cursor goes there until it is painted again."""
        self._area, self._seen = self.box.sceneBoundingRect(), self.box.viewRange()[0]
        self._values_rect = self.head.values_rect()

    def paint_cursor(self, painter: QPainter) -> None:
        """Draw what follows the cursor, in scene coordinates: the values, a line, a faint one for the mouse."""
        self.head.paint_values(painter, self._values_rect, self.values())
        self._paint_clouds(painter)
        for x, colour in self._lines():
            painter.setPen(QColor(colour))
            painter.drawLine(QLineF(x, self._area.top(), x, self._area.bottom()))

    def cursor_region(self) -> QRegion:
        """Where `paint_cursor` draws now, in whole pixels."""
        region = QRegion(self._values_rect.adjusted(-1, 0, 2, 0).toAlignedRect())
        for x, _ in self._lines():
            region += QRectF(x - 1, self._area.top() - 1, 3, self._area.height() + 2).toAlignedRect()
        return region

    def _lines(self) -> Iterator[tuple[float, str]]:
        """Where the time steps of the mouse and of the cursor are that are in sight, and the colours of their lines."""
        if not (self.box.of_time and self.panel.marks):
            return
        area, (low, high) = self._area, self._seen
        for time_step, colour in (
            (self.cursor.under_mouse, self.theme.faint),
            (self.cursor.position.time_step, self.theme.text),
        ):
            if time_step and low <= time_step <= high:
                yield area.left() + area.width() * (time_step - low) / (high - low), colour

    def values(self) -> list[tuple[str, str, str]]:
        """Name, value and colour of everything in the panel: under the cursor, or of the chosen dot; else names alone."""
        position = self.cursor.position
        found = []
        for mark in self.panel.marks:
            missing = number(math.nan)
            if isinstance(mark, Heatmap):
                read, colours = mark.read(position.time_step, position.unit), ["text"]
                missing = missing if mark.gaps else "NaN"
            elif isinstance(mark, Points):
                read, colours = mark.read(), ["text"]
            elif self.box.of_time:
                read, colours = mark.read(position.time_step), [style.colour for style in mark.styles]
            else:
                read, colours = [(name, None) for name in mark.names], [style.colour for style in mark.styles]
            found += [
                (name, _written(value, missing), self.theme.colour(colour))
                for (name, value), colour in zip(read, colours, strict=False)
            ]
        return found

    def _paint_clouds(self, painter: QPainter) -> None:
        """The names of several kinds of dots, one below the other in the upper right corner."""
        clouds = [mark for mark in self.panel.marks if isinstance(mark, Points) and mark.values is None]
        if len(clouds) < 2:
            return
        area = self._area
        painter.setFont(font_of(TICK_PIXELS))
        for line, mark in enumerate(clouds):
            painter.setPen(QColor(self.theme.colour(mark.style.colour)))
            at = QRectF(area.left(), area.top() + NAME_HEIGHT * line, area.width(), NAME_HEIGHT)
            painter.drawText(at, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, mark.name)

    def zoom(self) -> None:
        """Show the cursor's span of time."""
        if self.box.of_time:
            self.box.setXRange(*self.cursor.span, padding=0)

    @property
    def around(self) -> float:
        """Pixels that stand above and below the box."""
        return self.head.maximumHeight() + (self.bottom.maximumHeight() if self.bottom.isVisible() else 0)

    def fix_height(self, height: float) -> None:
        """Make the box so many pixels high."""
        self.box.setMinimumHeight(height)
        self.box.setMaximumHeight(height)

    def hide_bottom(self) -> None:
        """Leave numbers and label of the axis below to the next panel of the column."""
        self.bottom.setStyle(showValues=False)
        self.bottom.showLabel(False)
        self.bottom.setHeight(NO_HEIGHT)

    def hide_left(self) -> None:
        """Leave the axis at the left to the next panel of the row."""
        self.left.setVisible(False)
        self.head.indent = NO_AXIS_WIDTH

    def _slack(self, axis: Axis) -> float:
        return SLACK if self.box.dots and axis.kind in ("value", "lag") else 0

    def _set_limits(self, panel: Panel) -> None:
        limits = (panel.x.low, panel.x.high, panel.y.low, panel.y.high)
        if limits == self._limits:
            return
        self._limits = limits
        low, high = panel.y.low, panel.y.high
        if panel.y.log:
            low, high = log10(low), log10(high)
        self.box.setYRange(low, high, padding=self._slack(panel.y))
        if not self.box.of_time:
            self.box.setXRange(panel.x.low, panel.x.high, padding=self._slack(panel.x))


def _made_from(mark: Mark) -> tuple:
    """What of a mark its item cannot change afterwards."""
    if isinstance(mark, Lines):
        return Lines, len(mark.names), mark.styles
    return (Heatmap, mark.palette) if isinstance(mark, Heatmap) else (Points,)


def _written(value: float | None, missing: str) -> str:
    """A value as it is read; `missing` for NaN."""
    return "" if value is None else missing if math.isnan(value) else number(value)


def _ticks(axis: Axis) -> list[tuple[float, str]]:
    """Few and round: decades of a log axis, ends and middle of values, first and last unit; none without an axis."""
    if axis.kind == "none":
        return []
    if axis.log:
        first, last = math.ceil(log10(axis.low)), math.floor(log10(axis.high))
        powers = range(last, first - 1, -max(1, math.ceil((last - first) / 4)))
        return [(power, power_of_ten(power)) for power in powers]
    if axis.kind == "unit":
        last = math.floor(axis.high)
        return [(0, "0"), (last, f"{last}")] if last >= 1 else [(0, "0")]
    return [(value, number(value)) for value in (axis.low, (axis.low + axis.high) / 2, axis.high)]
