"""What stands around a plot: the head above it, the axis at its left, the colour bar, picture or levels at its side."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen

from rnnscope.app.painting import guarded
from rnnscope.app.theme import TEXT_PIXELS, TICK_PIXELS, Theme, palette
from rnnscope.views.plot import Panel
from rnnscope.views.words import number

AXIS_WIDTH = 48  # pixels, the same in every panel over time: this is what aligns the time axes
NO_AXIS_WIDTH = 12  # in a plane whose neighbour at the left says the same
TICK = -4  # pixels of a tick, outwards
MOMENT = " at t = "  # what follows it in a title is left out where values need the room
NAME_GAP = 3  # pixels between names of time steps
WORD_GAP = 16  # pixels from one value under the cursor to the next
LEVEL_ROOM = 36  # pixels at the right of a plot for the names of its levels; longer ones stand in the plot
LEVEL_GAP = 4  # pixels from the plot to them
BESIDE = 32  # pixels that the label of the axis at the left may be longer than the axis, its own margins among them


class Head(pg.GraphicsWidget):
    """The line above a panel: its name at the left, the values under the cursor at the right in their curves' colours."""

    def __init__(self, theme: Theme):
        super().__init__()
        self.theme = theme
        self.title = self.symbol = self.note = ""
        self.colour = theme.text
        self.readings: list[str] = []  # what values may look like, with their names
        self.indent = AXIS_WIDTH  # pixels, to stand above the box
        self._taken = 0.0  # pixels the name needs
        self.setFixedHeight(16)

    @guarded
    def paint(self, painter, option, widget=None):
        """Write the name and what is to be noted of the data; the symbol unless values would lose their names to it."""
        rect = self.rect().adjusted(self.indent, 0, -8, 0)
        start = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        upright, italic = font_of(TEXT_PIXELS), font_of(TEXT_PIXELS, italic=True)
        room = rect.width() - sum(_width(text, upright) + 16 for text in (*self.readings, *filter(None, [self.note])))
        title, moment, _ = self.title.partition(MOMENT)
        if moment and _width(self.title, upright) + 8 <= room:
            title = self.title  # else it is the transport that tells the time step
        painter.setFont(upright)
        painter.setPen(QColor(self.colour))
        title = painter.fontMetrics().elidedText(title, Qt.TextElideMode.ElideRight, int(rect.width()))
        self._taken = painter.drawText(rect, start, title).width() + 8
        if self._taken > room:
            room = rect.width()  # which is not enough for them anyway
        words = [(self.symbol, italic, self.theme.faint), (self.note, upright, self.theme.text)]
        for text, font, colour in words[self._taken + _width(self.symbol, italic) > room :]:
            painter.setFont(font)
            painter.setPen(QColor(colour))
            if text:
                self._taken += painter.drawText(rect.adjusted(self._taken, 0, 0, 0), start, text).width() + 16

    def values_rect(self) -> QRectF:
        """Where there is room for the values, in scene coordinates."""
        return self.sceneBoundingRect().adjusted(self.indent + self._taken, 0, -8, 0)

    @staticmethod
    def paint_values(painter: QPainter, rect: QRectF, values: list[tuple[str, str, str]]) -> None:
        """Write (name, value, colour) from the right into `rect`; what finds no room is left out."""
        if not values:
            return
        painter.setFont(font_of(TEXT_PIXELS))
        metrics, room = painter.fontMetrics(), rect.width()
        words = [" ".join(filter(None, (name, value))) for name, value, _ in values]
        widths = [metrics.horizontalAdvance(text) for text in words]
        if sum(widths) + WORD_GAP * len(widths) > room:
            words = [value for _, value, _ in values]
            widths = [metrics.horizontalAdvance(text) for text in words]
        while words and sum(widths) + WORD_GAP * len(widths) > room:
            words.pop()
            widths.pop()
        right = rect.right()
        for text, width, (_, _, colour) in reversed(list(zip(words, widths, values, strict=False))):
            painter.setPen(QColor(colour))
            at = QRectF(right - width, rect.top(), width + 1, rect.height())
            painter.drawText(at, Qt.AlignmentFlag.AlignVCenter, text)
            right -= width + WORD_GAP


class Scale(pg.AxisItem):
    """An axis with the ticks it is given; at the left of rows with names it writes those, where all can be read.

    Without ticks it finds its own, whole numbers where it `counts`; a time axis writes names of time steps instead where
    all in sight can be read.
    """

    def __init__(self, side: str, box: pg.ViewBox, theme: Theme, counts: bool = False):
        self.counts = counts
        self._steps: tuple[str, ...] = ()
        self._spelled = False
        self._written: dict[str, str] = {}  # names of time steps in sight, in signs that the font has
        self._ticks: list[tuple[float, str]] | None = None
        self._names: tuple[str, ...] = ()
        super().__init__(side, pen=theme.faint, textPen=theme.faint, tickPen=theme.faint, maxTickLength=TICK)
        most = 0 if counts else 2  # few ticks: each has its number
        self.setStyle(tickFont=font_of(TICK_PIXELS), tickTextOffset=4, hideOverlappingLabels=False)
        self.setStyle(maxTextLevel=most, maxTickLevel=most)
        self.enableAutoSIPrefix(False)  # else "(x0.001)" appears where the label is empty
        self.linkToView(box)

    def show_ticks(self, ticks: list[tuple[float, str]], names: tuple[str, ...] = ()) -> None:
        """Show (place, label) from now on, or the names of rows 0, 1, ... instead."""
        if (ticks, names) != (self._ticks, self._names):
            self._ticks, self._names = ticks, names
            self._fit()

    def show_steps(self, names: tuple[str, ...]) -> None:
        """Write these names of the time steps 1, 2, .. from now on, where they find room."""
        if names != self._steps:
            self._steps = names
            self.picture = None
            self.update()

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        """Every time step in sight where its name fits its column, else round numbers."""
        steps = range(max(math.ceil(low), 1), min(math.floor(high), len(self._steps)) + 1)
        column, metrics = self.size().width() / (high - low), QFontMetricsF(font_of(TICK_PIXELS))
        shown = set(self._steps[steps.start - 1 : steps.stop - 1]) if column > NAME_GAP else ()
        self._written = {name: _writable(name) for name in shown}
        wide = map(metrics.horizontalAdvance, self._written.values())
        self._spelled = len(shown) > 0 and max(wide) + NAME_GAP <= column
        return [(1, [float(t) for t in steps])] if self._spelled else super().tickValues(low, high, size)

    def tickSpacing(self, low: float, high: float, size: float) -> list[tuple[float, float]]:
        """Nothing between whole numbers where the axis counts."""
        found = super().tickSpacing(low, high, size)
        return [level for level in found if level[0] >= 1] or [(1, 0)] if self.counts else found

    def tickStrings(self, values, scale: float, spacing: float) -> list[str]:
        """The names of time steps, or numbers as in print."""
        if self._spelled:
            return [self._written[self._steps[round(value) - 1]] for value in values]
        return [f"{value:,.0f}" for value in values] if self.counts else super().tickStrings(values, scale, spacing)

    def resizeEvent(self, event=None) -> None:
        """Names may have room now, or have lost it."""
        super().resizeEvent(event)
        if self._ticks is not None:
            self._fit()

    def _fit(self) -> None:
        height, text = self.size().height(), QFontMetricsF(font_of(TICK_PIXELS)).height()
        named = len(self._names) > 0 and height / len(self._names) >= 0.95 * text
        names = [(row, shorten(name, AXIS_WIDTH - 6)) for row, name in enumerate(self._names)]
        self.setTicks([names if named else [] if self._names else self._thinned(height, text)])
        self.setStyle(tickLength=0 if self._names else TICK)
        if self.orientation == "left":
            self.label.setVisible(not named and self.label.boundingRect().width() <= height + BESIDE)

    def _thinned(self, height: float, text: float) -> list[tuple[float, str]]:
        """Of the ticks at the left only so many that no label lies over another."""
        if self.orientation != "left" or not self._ticks:
            return self._ticks
        fit = max(1, math.floor(height / (0.8 * text)))  # gaps between labels
        return self._ticks[:: -(-(len(self._ticks) - 1) // fit) or 1]


class Side(pg.GraphicsWidget):
    """The narrow column at the right of a panel: a colour bar, the picture that is being read, or short names of levels.

    levels  (where on the axis, name)
    """

    def __init__(self, box: pg.ViewBox, theme: Theme):
        super().__init__()
        self.box, self.theme, self.mark, self.picture = box, theme, None, None
        self.levels: list[tuple[float, str]] = []

    @staticmethod
    def takes(name: str) -> bool:
        """Whether the name of a level is short enough to stand here."""
        return _width(name, font_of(TICK_PIXELS)) <= LEVEL_ROOM - LEVEL_GAP

    def update_from(self, panel: Panel) -> None:
        """Take over what the panel needs here."""
        self.mark, self.picture = panel.coloured, panel.picture
        self.update()

    @guarded
    def paint(self, painter, option, widget=None):
        """Draw the bar with its limits, or the picture with the pixel that was read last."""
        space = self.rect().adjusted(8, 0, 0, 0)
        if self.picture is not None:
            self._paint_picture(painter, self.rect().adjusted(8, 2, -2, -2))
        elif self.mark is not None and space.height() > 8:
            self._paint_bar(painter, space)
        elif self.levels:
            self._paint_levels(painter, self.rect().adjusted(LEVEL_GAP, 0, 0, 0))

    def _paint_bar(self, painter, space: QRectF) -> None:
        bar = QRectF(space.left(), space.top(), 6, space.height())
        painter.drawImage(bar, _bar_of(self.mark.palette, self.theme))
        painter.setFont(font_of(TICK_PIXELS))
        painter.setPen(QColor(self.theme.faint))
        text = QRectF(bar.right() + 4, space.top() - 2, space.width(), space.height() + 4)
        left = Qt.AlignmentFlag.AlignLeft
        painter.drawText(text, left | Qt.AlignmentFlag.AlignTop, number(self.mark.high))
        painter.drawText(text, left | Qt.AlignmentFlag.AlignBottom, number(self.mark.low))

    def _paint_levels(self, painter, space: QRectF) -> None:
        painter.setFont(font_of(TICK_PIXELS))
        painter.setPen(QColor(self.theme.faint))
        high = painter.fontMetrics().height()
        for value, name in self.levels:
            y = self.mapFromScene(self.box.mapViewToScene(QPointF(0, value))).y()
            if space.top() <= y <= space.bottom():
                at = QRectF(space.left(), y - high / 2, space.width(), high)
                painter.drawText(at, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)

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


@cache
def _bar_of(name: str, theme: Theme) -> QImage:
    """A palette's colours in one column, the last at the top."""
    colours = np.zeros((256, 1, 4), np.uint8)
    colours[:, 0, :3] = palette(name, theme)[::-1]
    return QImage(colours.data, 1, 256, 4, QImage.Format.Format_RGBX8888).convertToFormat(QImage.Format.Format_RGB32)


def _width(text: str, font: QFont) -> float:
    return QFontMetricsF(font).horizontalAdvance(text)


def _writable(text: str) -> str:
    """`text` with a low line for every sign that no font of this system has."""
    metrics = QFontMetricsF(font_of(TICK_PIXELS))
    return "".join(sign if metrics.inFontUcs4(ord(sign)) else "_" for sign in text)


def shorten(text: str, room: float) -> str:
    """`text` as a tick's label, with an ellipsis where it is wider than `room` pixels; a number at its end is kept."""
    metrics = QFontMetricsF(font_of(TICK_PIXELS))
    if metrics.horizontalAdvance(text) <= room:
        return text
    number = text[len(text.rstrip("0123456789")) :]
    words = text.removesuffix(number).rstrip()
    while len(words) > 1 and metrics.horizontalAdvance(f"{words}…{number}") > room:
        words = words[:-1].rstrip()
    return f"{words}…{number}"


@cache
def font_of(pixels: float, italic: bool = False) -> QFont:
    """The interface font at another size, with tabular figures."""
    font = QFont(pg.QtWidgets.QApplication.font())
    font.setItalic(italic)
    font.setPixelSize(round(pixels))
    font.setFeature(QFont.Tag("tnum"), 1)
    return font
