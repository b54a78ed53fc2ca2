"""A named horizontal across a panel."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from rnnscope.app.painting import Cover, guarded
from rnnscope.app.panel_parts import font_of
from rnnscope.app.theme import TICK_PIXELS, Theme

INDENT = 4  # pixels from the panel's right edge to the name
RIM = ((-1, -1), (-1, 1), (1, -1), (1, 1))  # pixels by which its rim is moved


class Level(Cover):
    """A dotted line at a value; its name stands at the right below it, or above it where there is no room below: a loss
    that has not been learned yet runs closely above its baseline.

    Around the name is a rim of background, so that it can be read over a curve.
    """

    def __init__(self, value: float, name: str, box: pg.ViewBox, theme: Theme):
        super().__init__(box)
        self.value, self.name = value, name
        self._colour, self._background = QColor(theme.faint), QColor(theme.background)

    @guarded
    def paint(self, painter: QPainter, option, widget=None) -> None:
        """Draw both in pixels."""
        area = self._box.sceneBoundingRect()
        y = self._box.mapViewToScene(QPointF(0, self.value)).y()
        painter.save()
        painter.setTransform(self.sceneTransform().inverted()[0], combine=True)
        painter.setPen(QPen(self._colour, 1, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        painter.setFont(font_of(TICK_PIXELS))
        high = QFontMetricsF(painter.font()).height()
        below = y + high <= area.bottom()
        room = QRectF(area.left(), y if below else y - high, area.width() - INDENT, high)
        if below or room.top() >= area.top():
            painter.setPen(self._background)
            for x, y in RIM:
                self._write(painter, room.translated(x, y))
            painter.setPen(self._colour)
            self._write(painter, room)
        painter.restore()

    def _write(self, painter: QPainter, room: QRectF) -> None:
        painter.drawText(room, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, self.name)
