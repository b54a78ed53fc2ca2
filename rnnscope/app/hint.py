"""What a panel says that has nothing to draw."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter

from rnnscope.app.painting import Cover, guarded
from rnnscope.app.panel_parts import font_of
from rnnscope.app.theme import TEXT_PIXELS, Theme

INDENT = 0.02  # of the panel's width


class Hint(Cover):
    """A sentence in the upper half of a panel, above a level at 50 %; where the panel is narrow, in more than one line."""

    def __init__(self, text: str, box: pg.ViewBox, theme: Theme):
        super().__init__(box)
        self.text, self._colour = text, QColor(theme.faint)

    @guarded
    def paint(self, painter: QPainter, option, widget=None) -> None:
        """Write it in pixels."""
        area = self._box.sceneBoundingRect()
        indent = INDENT * area.width()
        painter.save()
        painter.setTransform(self.sceneTransform().inverted()[0], combine=True)
        painter.setFont(font_of(TEXT_PIXELS))
        painter.setPen(self._colour)
        room = area.adjusted(indent, 0, -indent, -area.height() / 2)
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextWordWrap, self.text)
        painter.restore()
