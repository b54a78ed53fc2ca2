"""One Panel on the screen: its items are made once and updated in place."""

from __future__ import annotations

import math

import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from rnnscope.app.cursor import Cursor
from rnnscope.app.mark_items import log10, make_item
from rnnscope.app.panel_parts import AXIS_WIDTH, Head, Side, font_of
from rnnscope.app.theme import TEXT_PIXELS, TICK_PIXELS, Theme
from rnnscope.app.time_box import TimeBox
from rnnscope.views.plot import Heatmap, Lines, Panel
from rnnscope.views.words import number, power_of_ten

TICKS_HEIGHT, LABEL_HEIGHT = 18, 34  # pixels of the axis below, with ticks alone and with a label


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
        self.box.of_time = panel.x.kind == "time"
        self.head, self.side = Head(theme), Side(theme)
        self.left, self.bottom = (_axis(side, self.box, theme) for side in ("left", "bottom"))
        self.left.setWidth(AXIS_WIDTH)
        self.bottom.setHeight(TICKS_HEIGHT if self.box.of_time else LABEL_HEIGHT)
        if not self.box.of_time:
            self.bottom.setLabel(panel.x.label, color=theme.faint, **{"font-size": f"{TICK_PIXELS}px"})
        layout.addItem(self.head, row, column, 1, 3)
        for item, down, right in ((self.left, 1, 0), (self.box, 1, 1), (self.side, 1, 2), (self.bottom, 2, 1)):
            layout.addItem(item, row + down, column + right)
        self.items = [make_item(mark, self.box, theme) for mark in panel.marks]
        for value, name in panel.y.levels:
            self._add_level(log10(value) if panel.y.log else value, name)
        self.empty = pg.TextItem(panel.empty, color=theme.faint, anchor=(0, 0.5))
        self.empty.setFont(font_of(TEXT_PIXELS))
        self.empty.setVisible(bool(panel.empty))
        self.box.addItem(self.empty, ignoreBounds=True)
        self._limits: tuple | None = None

    @staticmethod
    def structure(panel: Panel | None) -> tuple:
        """What must stay the same for the items to be updated in place."""
        if panel is None:
            return ()
        marks = tuple(
            (type(mark), *((len(mark.names), mark.styles) if isinstance(mark, Lines) else ())) for mark in panel.marks
        )
        return (panel.x.kind, panel.y.kind, panel.y.log, panel.y.levels, panel.empty, bool(panel.picture), marks)

    def update(self, panel: Panel) -> None:
        """Show another Panel of the same structure."""
        self.panel = panel
        self.box.of_units = any(isinstance(mark, Heatmap) for mark in panel.marks)
        self.head.title = panel.title[:1].upper() + panel.title[1:]
        self.head.symbol = panel.symbol
        for item, mark in zip(self.items, panel.marks, strict=True):
            item.update(mark, panel.y.log)
        self._set_limits(panel)
        self.side.update_from(panel)

    def paint_cursor(self, painter: QPainter) -> None:
        """Draw what follows the cursor, in scene coordinates: one line, and the values under it."""
        self.head.paint_values(painter, self.values())
        if not (self.box.of_time and self.panel.marks):
            return
        area = self.box.sceneBoundingRect()
        x = self.box.mapViewToScene(QPointF(self.cursor.position.time_step, 0)).x()
        if area.left() <= x <= area.right():
            painter.setPen(QPen(QColor(self.theme.text), 1))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))

    def values(self) -> list[tuple[str, str, str]]:
        """Name, value under the cursor and colour of everything in the panel; names alone where the axis is not time."""
        position = self.cursor.position
        found = []
        for mark in self.panel.marks:
            if isinstance(mark, Heatmap):
                read, colours = mark.read(position.time_step, position.unit), ["text"]
            elif self.box.of_time:
                read, colours = mark.read(position.time_step), [style.colour for style in mark.styles]
            else:
                read, colours = [(name, None) for name in mark.names], [style.colour for style in mark.styles]
            found += [
                (name, "" if value is None else number(value), self.theme.colour(colour))
                for (name, value), colour in zip(read, colours, strict=False)
            ]
        return found

    def zoom(self) -> None:
        """Show the cursor's span of time."""
        if self.box.of_time:
            self.box.setXRange(*self.cursor.span, padding=0)

    def show_time_ticks(self, shown: bool) -> None:
        """Only the lowest panel of a column writes its time steps."""
        self.bottom.setStyle(showValues=shown)
        self.bottom.setHeight(TICKS_HEIGHT if shown else 4)

    def _add_level(self, value: float, name: str) -> None:
        pen = pg.mkPen(self.theme.faint, style=Qt.PenStyle.DotLine)
        options = {"position": 0.99, "anchors": [(1, 1), (1, 1)], "color": self.theme.faint}
        line = pg.InfiniteLine(value, 0, pen, label=name, labelOpts=options)
        line.label.setFont(font_of(TICK_PIXELS))
        self.box.addItem(line, ignoreBounds=True)

    def _set_limits(self, panel: Panel) -> None:
        limits = (panel.x.low, panel.x.high, panel.y.low, panel.y.high)
        if limits == self._limits:
            return
        self._limits = limits
        low, high = panel.y.low, panel.y.high
        if panel.y.log:
            low, high = log10(low), log10(high)
        self.box.setYRange(low, high, padding=0)
        if not self.box.of_time:
            self.box.setXRange(panel.x.low, panel.x.high, padding=0)
        self.left.setTicks([_ticks(panel, low, high)])
        self.empty.setPos(panel.x.low + (panel.x.high - panel.x.low) * 0.02, (low + high) / 2)


def _axis(side: str, box: pg.ViewBox, theme: Theme) -> pg.AxisItem:
    axis = pg.AxisItem(side, pen=theme.faint, textPen=theme.faint, tickPen=theme.faint, maxTickLength=-4)
    axis.setStyle(tickFont=font_of(TICK_PIXELS), tickTextOffset=4)
    axis.linkToView(box)
    return axis


def _ticks(panel: Panel, low: float, high: float) -> list[tuple[float, str]]:
    """Few and round: decades of a log axis, ends and middle of values, first and last unit."""
    if panel.y.log:
        first, last = math.ceil(low), math.floor(high)
        powers = range(last, first - 1, -max(1, math.ceil((last - first) / 4)))
        return [(power, power_of_ten(power)) for power in powers]
    if panel.y.kind == "unit":
        return [(0, "0"), (math.floor(high), f"{math.floor(high)}")] if high >= 1 else [(0, "0")]
    return [(value, number(value)) for value in (low, (low + high) / 2, high)]
