"""One Panel on the screen: its items are made once and updated in place."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPen

from rnnscope.app.cursor import Cursor
from rnnscope.app.theme import TEXT_PIXELS, TICK_PIXELS, Theme, palette
from rnnscope.views.plot import Heatmap, Lines, Panel

AXIS_WIDTH = 48  # pixels, the same in every panel: this is what aligns the time axes
SIDE_WIDTH, NARROW_SIDE_WIDTH, NO_SIDE_WIDTH = 72, 44, 12  # of the column at the right: one run, several, none over time
TICKS_HEIGHT, LABEL_HEIGHT = 18, 34  # of the axis below, with ticks alone and with a label
DASHES = {
    "solid": Qt.PenStyle.SolidLine,
    "dashed": Qt.PenStyle.DashLine,
    "dotted": Qt.PenStyle.DotLine,
    "dashdot": Qt.PenStyle.DashDotLine,
}
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class TimeBox(pg.ViewBox):
    """A view box whose mouse moves the shared cursor: drag scrubs, wheel zooms, right drag pans, double click shows all.

    Over axes that are not time the mouse does nothing.
    """

    def __init__(self, cursor: Cursor):
        super().__init__(enableMenu=False, enableMouse=False, defaultPadding=0)
        self.cursor = cursor
        self.of_time = self.of_units = False

    def mouseDragEvent(self, event, axis=None):
        """Scrub with the left button, pan with the others."""
        event.accept()
        if not self.of_time:
            return
        if event.button() == Qt.MouseButton.LeftButton:
            self._scrub(event.pos(), choose=False)
        else:
            self.cursor.pan(self._time(event.lastPos()) - self._time(event.pos()))

    def mouseClickEvent(self, event):
        """Put the cursor here, and choose the unit in a heatmap."""
        if event.button() != Qt.MouseButton.LeftButton or not self.of_time:
            event.ignore()
            return
        event.accept()
        if event.double():
            self.cursor.show_all()
        else:
            self._scrub(event.pos(), choose=True)

    def wheelEvent(self, event, axis=None):
        """Zoom time around the pointer."""
        if not self.of_time:
            event.ignore()
            return
        event.accept()
        self.cursor.zoom(0.999 ** event.delta(), self._time(event.pos()))

    def _time(self, point) -> float:
        return self.mapToView(point).x()

    def _scrub(self, point, choose: bool) -> None:
        here = self.mapToView(point)
        self.cursor.move(here.x())
        if choose and self.of_units:
            self.cursor.choose(unit=round(here.y()))


class PanelItem:
    """The graphics of one Panel in three rows and three columns of a graphics layout:

        head    head   head
        left    box    side
                bottom

    pyqtgraph's own PlotItem would bring some forty widgets and menus for each panel, which nobody sees.
    """

    ROWS = COLUMNS = 3

    def __init__(self, layout: pg.GraphicsLayout, row: int, column: int, panel: Panel, cursor: Cursor, theme: Theme):
        self.theme, self.cursor, self.panel = theme, cursor, panel
        self.box = TimeBox(cursor)
        self.box.of_time = panel.x.kind == "time"
        self.head, self.side = Head(theme), _Side(theme)
        self.left, self.bottom = (_axis(side, self.box, theme) for side in ("left", "bottom"))
        self.left.setWidth(AXIS_WIDTH)
        self.bottom.setHeight(TICKS_HEIGHT if self.box.of_time else LABEL_HEIGHT)
        if not self.box.of_time:
            self.bottom.setLabel(panel.x.label, color=theme.faint, **{"font-size": f"{TICK_PIXELS}px"})
        layout.addItem(self.head, row, column, 1, 3)
        for item, down, right in ((self.left, 1, 0), (self.box, 1, 1), (self.side, 1, 2), (self.bottom, 2, 1)):
            layout.addItem(item, row + down, column + right)
        self.items = [_make(mark, self.box, theme) for mark in panel.marks]
        for value, name in panel.y.levels:
            self._add_level(_log(value) if panel.y.log else value, name)
        self.empty = pg.TextItem(panel.empty, color=theme.faint, anchor=(0, 0.5))
        self.empty.setFont(_font(TEXT_PIXELS))
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
                (name, "" if value is None else _number(value), self.theme.colour(colour))
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
        line.label.setFont(_font(TICK_PIXELS))
        self.box.addItem(line, ignoreBounds=True)

    def _set_limits(self, panel: Panel) -> None:
        limits = (panel.x.low, panel.x.high, panel.y.low, panel.y.high)
        if limits == self._limits:
            return
        self._limits = limits
        low, high = panel.y.low, panel.y.high
        if panel.y.log:
            low, high = _log(low), _log(high)
        self.box.setYRange(low, high, padding=0)
        if not self.box.of_time:
            self.box.setXRange(panel.x.low, panel.x.high, padding=0)
        self.left.setTicks([_ticks(panel, low, high)])
        self.empty.setPos(panel.x.low + (panel.x.high - panel.x.low) * 0.02, (low + high) / 2)


class Head(pg.GraphicsWidget):
    """The line above a panel: its name at the left, the values under the cursor at the right in their curves' colours."""

    def __init__(self, theme: Theme):
        super().__init__()
        self.theme = theme
        self.title = self.symbol = ""
        self.colour = theme.text
        self._taken = 0.0  # pixels the name needs
        self.setFixedHeight(16)

    def paint(self, painter, option, widget=None):
        """Write the name and the symbol."""
        rect = self.rect().adjusted(AXIS_WIDTH, 0, -8, 0)
        start = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.setFont(_font(TEXT_PIXELS))
        painter.setPen(QColor(self.colour))
        taken = painter.drawText(rect, start, self.title).width() + 8
        painter.setFont(_font(TEXT_PIXELS, italic=True))
        painter.setPen(QColor(self.theme.faint))
        taken += painter.drawText(rect.adjusted(taken, 0, 0, 0), start, self.symbol).width() + 16
        self._taken = taken

    def paint_values(self, painter: QPainter, values: list[tuple[str, str, str]]) -> None:
        """Write (name, value, colour) from the right, in scene coordinates; what finds no room is left out."""
        rect = self.sceneBoundingRect().adjusted(AXIS_WIDTH, 0, -8, 0)
        painter.setFont(_font(TEXT_PIXELS))
        metrics = painter.fontMetrics()
        words = [" ".join(filter(None, (name, value))) for name, value, _ in values]
        if sum(metrics.horizontalAdvance(text) + 16 for text in words) > rect.width() - self._taken:
            words = [value for _, value, _ in values]
        while words and sum(metrics.horizontalAdvance(text) + 16 for text in words) > rect.width() - self._taken:
            words.pop()
        right = rect.right()
        for text, (_, _, colour) in reversed(list(zip(words, values, strict=False))):
            width = metrics.horizontalAdvance(text)
            painter.setPen(QColor(colour))
            at = QRectF(right - width, rect.top(), width + 1, rect.height())
            painter.drawText(at, Qt.AlignmentFlag.AlignVCenter, text)
            right -= width + 16


class _LinesItem:
    """Curves of one Lines mark, and their bands."""

    def __init__(self, mark: Lines, box: pg.ViewBox, theme: Theme):
        self.curves, self.bands = [], []
        for style in mark.styles:
            colour = QColor(theme.colour(style.colour))
            if mark.low is not None:
                band = pg.QtWidgets.QGraphicsPathItem()
                shade = QColor(colour)
                shade.setAlphaF(0.14)
                band.setBrush(shade)
                band.setPen(QPen(Qt.PenStyle.NoPen))
                box.addItem(band, ignoreBounds=True)
                self.bands.append(band)
            # a pen of width 2 costs 5-9 times a pen of width 1
            curve = pg.PlotCurveItem(pen=pg.mkPen(colour, width=1, style=DASHES[style.dash]), connect="finite")
            box.addItem(curve, ignoreBounds=True)
            self.curves.append(curve)

    def update(self, mark: Lines, log: bool) -> None:
        transform = _log if log else np.asarray
        x = np.asarray(mark.x, float)
        for curve, y in zip(self.curves, mark.y, strict=True):
            curve.setData(x, transform(y))
        for k, band in enumerate(self.bands):
            band.setPath(_outline(x, transform(mark.low[k]), transform(mark.high[k])))


class _HeatmapItem:
    """One image for one Heatmap: 8 bits, the palette as its lookup table."""

    def __init__(self, mark: Heatmap, box: pg.ViewBox, theme: Theme):
        colours = palette(mark.palette, theme)
        nothing = np.array([QColor(theme.line).getRgb()[:3]], np.uint8)
        self.image = pg.ImageItem(axisOrder="row-major")
        self.image.setLookupTable(np.concatenate([colours[:255], nothing]))
        box.addItem(self.image, ignoreBounds=True)

    def update(self, mark: Heatmap, log: bool) -> None:
        scaled = (mark.values - mark.low) * (254 / (mark.high - mark.low))
        gaps = ~np.isfinite(scaled)
        levels = np.clip(np.where(gaps, 0, scaled), 0, 254).round().astype(np.uint8)
        levels[gaps] = 255
        self.image.setImage(levels, autoLevels=False, levels=(0, 255))
        rows, columns = levels.shape
        self.image.setRect(QRectF(0.5, -0.5, columns, rows))


def _make(mark, box: pg.ViewBox, theme: Theme):
    return (_HeatmapItem if isinstance(mark, Heatmap) else _LinesItem)(mark, box, theme)


class _Side(pg.GraphicsWidget):
    """The narrow column at the right of a panel: a colour bar, or the picture that is being read."""

    def __init__(self, theme: Theme):
        super().__init__()
        self.theme, self.mark, self.picture = theme, None, None

    def update_from(self, panel: Panel) -> None:
        """Take over what the panel needs here."""
        maps = [mark for mark in panel.marks if isinstance(mark, Heatmap)]
        self.mark, self.picture = (maps[0] if maps else None), panel.picture
        self.update()

    def paint(self, painter, option, widget=None):
        """Draw the bar with its limits, or the picture with the pixel that was read last."""
        space = self.rect().adjusted(8, 0, 0, 0)
        if self.picture is not None:
            self._paint_picture(painter, self.rect().adjusted(8, 2, -2, -2))
        elif self.mark is not None and space.height() > 8:
            self._paint_bar(painter, space)

    def _paint_bar(self, painter, space: QRectF) -> None:
        colours = palette(self.mark.palette, self.theme)
        bar = QRectF(space.left(), space.top(), 6, space.height())
        column = np.ascontiguousarray(np.concatenate([colours[::-1], np.full((256, 1), 255, np.uint8)], 1)[:, None])
        painter.drawImage(bar, pg.functions.ndarray_to_qimage(column, pg.QtGui.QImage.Format.Format_RGBA8888))
        painter.setFont(_font(TICK_PIXELS))
        painter.setPen(QColor(self.theme.faint))
        text = QRectF(bar.right() + 4, space.top() - 2, space.width(), space.height() + 4)
        left = Qt.AlignmentFlag.AlignLeft
        painter.drawText(text, left | Qt.AlignmentFlag.AlignTop, _number(self.mark.high))
        painter.drawText(text, left | Qt.AlignmentFlag.AlignBottom, _number(self.mark.low))

    def _paint_picture(self, painter, space: QRectF) -> None:
        values = self.picture.values
        rows, columns = values.shape
        cell = min(space.width() / columns, space.height() / rows)
        top = space.top() + (space.height() - rows * cell) / 2
        grey = palette("positive", self.theme)[np.clip(np.nan_to_num(values) * 255, 0, 255).astype(int)]
        for r in range(rows):
            for c in range(columns):
                painter.fillRect(QRectF(space.left() + c * cell, top + r * cell, cell, cell), QColor(*grey[r, c].tolist()))
        painter.setPen(QColor(self.theme.line))
        painter.drawRect(QRectF(space.left(), top, columns * cell, rows * cell))
        if self.picture.marked:
            r, c = self.picture.marked
            painter.setPen(QPen(QColor("#D55E00"), 2))
            painter.drawRect(QRectF(space.left() + c * cell, top + r * cell, cell, cell))


def _axis(side: str, box: pg.ViewBox, theme: Theme) -> pg.AxisItem:
    axis = pg.AxisItem(side, pen=theme.faint, textPen=theme.faint, tickPen=theme.faint, maxTickLength=-4)
    axis.setStyle(tickFont=_font(TICK_PIXELS), tickTextOffset=4)
    axis.linkToView(box)
    return axis


@cache
def _font(pixels: float, italic: bool = False) -> QFont:
    font = QFont(pg.QtWidgets.QApplication.font())
    font.setItalic(italic)
    font.setPixelSize(round(pixels))
    font.setFeature(QFont.Tag("tnum"), 1)
    return font


def _log(values):
    """log10 with everything that has none as NaN, which is drawn as a gap."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(values)
    return np.where(np.isfinite(logs), logs, np.nan)[()]


def _outline(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> QPainterPath:
    """The closed outline of a band where it is finite."""
    known = np.isfinite(low) & np.isfinite(high)
    if not known.any():
        return QPainterPath()
    x, low, high = x[known], low[known], high[known]
    return pg.functions.arrayToQPath(np.concatenate([x, x[::-1]]), np.concatenate([high, low[::-1]]))


def _ticks(panel: Panel, low: float, high: float) -> list[tuple[float, str]]:
    """Few and round: decades of a log axis, ends and middle of values, first and last unit."""
    if panel.y.log:
        first, last = math.ceil(low), math.floor(high)
        powers = range(last, first - 1, -max(1, math.ceil((last - first) / 4)))
        return [(power, "10" + str(power).translate(SUPERSCRIPTS)) for power in powers]
    if panel.y.kind == "unit":
        return [(0, "0"), (math.floor(high), f"{math.floor(high)}")] if high >= 1 else [(0, "0")]
    return [(value, _number(value)) for value in (low, (low + high) / 2, high)]


def _number(value: float) -> str:
    """At most four characters that matter, with a true minus sign; a gap is named."""
    if math.isnan(value):
        return "–"
    return f"{value:.3g}".replace("-", "−").replace("e−0", "e−")
