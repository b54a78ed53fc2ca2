"""A Heatmap on the screen: one image, of what is in sight, with about a column for each pixel."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter

from rnnscope.app.painting import Cover, guarded
from rnnscope.app.pyramids import Columns
from rnnscope.app.theme import Theme, palette
from rnnscope.views.plot import Heatmap


class HeatmapItem(Cover):
    """Takes from the pyramid what the zoom needs when it is painted, and keeps that until it needs something else."""

    def __init__(self, mark: Heatmap, box: pg.ViewBox, theme: Theme):
        super().__init__(box)
        shades = palette(mark.palette, theme)[:255].tolist()
        self._colours = [QColor(theme.line).rgb(), *(QColor(*shade).rgb() for shade in shades)]  # of GAP, and of 1..255
        self._columns: Columns | None = None
        self._seen: tuple[int, int, int] | None = None
        self._image = QImage()
        box.addItem(self, ignoreBounds=True)

    def take(self, mark: Heatmap, log: bool, pyramid: Columns) -> None:
        """Show other values."""
        if pyramid is not self._columns:
            self._columns, self._seen = pyramid, None
            self.update()

    @guarded
    def paint(self, painter: QPainter, option, widget=None) -> None:
        """Stretch the image over its time steps and rows."""
        if self._columns is None:
            return
        low, high = self._box.viewRange()[0]
        seen = self._columns.at(low, high, abs(painter.combinedTransform().m11()))
        if seen != self._seen:
            self._seen, self._image = seen, self._image_of(*seen)
        level, first, _ = seen
        steps, rows = self._columns.codes.shape
        wide, start = 2**level, first * 2**level
        whole = min(self._image.width() * wide, steps - start)  # the last column may stand for fewer time steps
        painter.drawImage(QRectF(start + 0.5, -0.5, whole, rows), self._image, QRectF(0, 0, whole / wide, rows))

    def _image_of(self, level: int, first: int, end: int) -> QImage:
        codes = self._columns.levels[level] if level else self._columns.codes
        codes = np.ascontiguousarray(codes[first:end].T)  # (rows, columns)
        rows, columns = codes.shape
        image = QImage(codes.data, columns, rows, columns, QImage.Format.Format_Indexed8)
        image.setColorTable(self._colours)
        return image.convertToFormat(QImage.Format.Format_RGB32)
