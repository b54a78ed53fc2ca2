"""What a panel says that has nothing to draw."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter

from rnnscope.app.painting import Cover, guarded
from rnnscope.app.panel_parts import font_of
from rnnscope.app.theme import TEXT_PIXELS, Theme

INDENT = 0.02  # of the panel's width
WRAPPED = Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextWordWrap


class Hint(Cover):
    """A sentence in the upper half of a panel, above a level at 50 %, or in all of it; in more than one line where it
    is narrow, and cut short where it is low as well.
    """

    def __init__(self, text: str, box: pg.ViewBox, theme: Theme):
        super().__init__(box)
        self.text, self._colour = text, QColor(theme.faint)

    @guarded
    def paint(self, painter: QPainter, option, widget=None) -> None:
        """Write it in pixels."""
        area = self._box.sceneBoundingRect()
        indent = INDENT * area.width()
        whole = area.adjusted(indent, 0, -indent, 0)
        painter.save()
        painter.setTransform(self.sceneTransform().inverted()[0], combine=True)
        painter.setFont(font_of(TEXT_PIXELS))
        painter.setPen(self._colour)
        for room in (whole.adjusted(0, 0, 0, -whole.height() / 2), whole):
            if painter.boundingRect(room, WRAPPED, self.text).height() <= room.height():
                painter.drawText(room, WRAPPED, self.text)
                break
        else:
            text = painter.fontMetrics().elidedText(self.text, Qt.TextElideMode.ElideRight, int(whole.width()))
            painter.drawText(whole, Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextDontClip, text)
        painter.restore()
