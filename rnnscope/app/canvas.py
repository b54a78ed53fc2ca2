"""Canvas: paints a Plot with pyqtgraph, updating its items in place while the structure stays the same."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QPainter, QPixmap, QRegion
from PySide6.QtWidgets import QGraphicsScene, QWidget

from rnnscope.app.cursor import Cursor
from rnnscope.app.panel_item import PanelItem
from rnnscope.app.panel_parts import AXIS_WIDTH, LEVEL_ROOM, NO_AXIS_WIDTH, Head, font_of
from rnnscope.app.pyramids import Pyramid, pyramids_of
from rnnscope.app.theme import TEXT_PIXELS, Theme
from rnnscope.views.plot import Panel, Plot

SIDE_WIDTH, NARROW_SIDE_WIDTH, NO_SIDE_WIDTH = 72, 44, 20  # pixels at the right: one run, several, nothing there

ROW_HEIGHT, PLANE_HEIGHT = 44, 140  # pixels that a row needs at least, and one with dots in a plane
EMPTY, AWAITED = "Open a model or press Train.", "Drawing…"


def _least(row: tuple[Panel | None, ...]) -> int:
    panels = [panel for panel in row if panel is not None]
    return round(max((PLANE_HEIGHT if panel.plane else ROW_HEIGHT * panel.height for panel in panels), default=0))


def _reads_from_left(plot: Plot, column: int) -> bool:
    """Whether all panels of a column are planes with the y axis of their neighbour at the left."""
    pairs = [row[column - 1 : column + 1] for row in plot.rows if len(row) > column and row[column] is not None]
    return all(left is not None and panel.plane and left.plane and panel.y == left.y for left, panel in pairs)


class Canvas(pg.GraphicsLayoutWidget):
    """One dock's picture. Where runs stand side by side their colours tell them apart; `named` writes their names, too."""

    def __init__(self, cursor: Cursor, theme: Theme, named: bool, parent: QWidget | None = None):
        super().__init__(parent)
        self.cursor, self.named = cursor, named
        self.least_height = 72
        self.plot: Plot | None = None
        self.pyramids: Sequence[Pyramid | None] = ()
        self._empty = EMPTY
        self._panels: list[PanelItem] = []
        self._structure: tuple | None = None
        self._picture: QPixmap | None = None
        self._followed = QRegion()  # where the cursor and its values were painted last
        self.ci.layout.setContentsMargins(0, 0, 0, 0)
        self.ci.layout.setSpacing(0)
        # Dots are as large in pixels at every zoom: an index of where items lie goes stale with the zoom, keeps items that
        # are gone, and Qt crashes painting them (in 4 of 5 random walks). There are too few items to need one.
        self.scene().setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self.set_theme(theme)
        cursor.zoomed.connect(self._on_zoomed)

    def set_theme(self, theme: Theme) -> None:
        """Change colours: all items are made anew, of the same pyramids."""
        self.theme = theme
        self._structure = None
        self.setBackground(QColor(theme.background))
        if self.plot is not None:
            self.draw(self.plot, self.pyramids)

    def draw(self, plot: Plot, pyramids: Sequence[Pyramid | None] | None = None) -> None:
        """Show `plot`. Its pyramids, one for each mark, are built here where they do not come along."""
        self.plot, self.pyramids = plot, pyramids_of(plot, self.pyramids) if pyramids is None else pyramids
        self._empty = EMPTY
        structure = (plot.columns, plot.heads, *(tuple(map(PanelItem.structure, row)) for row in plot.rows))
        if structure != self._structure:
            self._build(plot)
            self._structure = structure
        rest = iter(self.pyramids)
        for item, panel in zip(self._panels, plot.panels, strict=True):
            item.update(panel, [next(rest) for _ in panel.marks])
        self._repaint()

    def await_plot(self) -> None:
        """Say, where there is nothing to see yet, that a Plot is on its way."""
        self._empty = AWAITED
        self.viewport().update()

    def follow(self) -> None:
        """Show where the cursor is now; the plots below it are not painted again, and beside it nothing is."""
        self.viewport().update(self._followed | self._cursor_region())

    def mouseMoveEvent(self, event) -> None:
        """Tell which time step the mouse is over; pyqtgraph's own hovering leaves out moves that follow fast."""
        super().mouseMoveEvent(event)
        there = self.mapToScene(event.position().toPoint())
        over = (item.box for item in self._panels if item.box.of_time and item.box.sceneBoundingRect().contains(there))
        box = next(over, None)
        self.cursor.hover(box and box.mapSceneToView(there).x())

    def leaveEvent(self, event) -> None:
        """The mouse is somewhere else."""
        super().leaveEvent(event)
        self.cursor.hover(None)

    def resizeEvent(self, event) -> None:
        """Share the new height out; pyqtgraph calls this once without an event, before there is a plot."""
        if event is not None and self.plot is not None:
            self._share_height(self.plot)
        super().resizeEvent(event)

    def paintEvent(self, event) -> None:
        """Paint the plots once into a picture, and the cursor with its values over it each time."""
        view, ratio = self.viewport(), self.viewport().devicePixelRatio()
        kept = self._picture and (self._picture.deviceIndependentSize().toSize(), self._picture.devicePixelRatio())
        if kept != (view.size(), ratio):
            self._picture = QPixmap(view.size() * ratio)
            self._picture.setDevicePixelRatio(ratio)
            painter = QPainter(self._picture)
            self.render(painter, QRectF(view.rect()), view.rect())
            painter.end()
            for item in self._panels:
                item.settle()
        painter = QPainter(view)
        for rect in event.region():
            painter.setClipRect(rect)  # one rectangle is copied in a tenth of the time that several joined ones take
            painter.drawPixmap(0, 0, self._picture)
        painter.setClipping(False)
        for item in self._panels:
            item.paint_cursor(painter)
        self._followed = self._cursor_region()
        if self.plot and not self._panels:
            self._paint_empty(painter)
        painter.end()

    def _paint_empty(self, painter: QPainter) -> None:
        """Say what would be here, and what to do."""
        painter.setFont(font_of(TEXT_PIXELS))
        for line, (text, colour) in enumerate(((self.plot.title, self.theme.text), (self._empty, self.theme.faint))):
            painter.setPen(QColor(colour))
            painter.drawText(AXIS_WIDTH, TEXT_PIXELS + 2 + 20 * line, text)

    def _cursor_region(self) -> QRegion:
        return reduce(QRegion.united, (item.cursor_region() for item in self._panels), QRegion())

    def _repaint(self) -> None:
        self._picture = None
        self.viewport().update()

    def _build(self, plot: Plot) -> None:
        self.ci.clear()
        self._panels = []
        first = 0
        by_run = plot.columns == len(plot.heads) > 1
        if by_run and self.named:
            for column, (name, style) in enumerate(plot.heads):
                head = Head(self.theme)
                head.title, head.colour = name, self.theme.colour(style.colour)
                self.ci.addItem(head, 0, 3 * column, 1, 3)
            first = 1
        levelled: set[int] = set()
        bare = {column for column in range(1, plot.columns) if _reads_from_left(plot, column)}
        for r, row in enumerate(plot.rows):
            for column, panel in enumerate(row):
                if panel is None:
                    continue
                item = PanelItem(self.ci, first + 3 * r, 3 * column, panel, self.cursor, self.theme)
                if by_run:
                    item.head.colour = self.theme.colour(plot.heads[column][1].colour)
                below = plot.rows[r + 1][column : column + 1] if r + 1 < len(plot.rows) else ()
                if any(other is not None and other.x.kind == panel.x.kind for other in below):
                    item.hide_bottom()
                if column in bare:
                    item.hide_left()
                if item.side.levels:
                    levelled.add(column)
                item.zoom()
                self._panels.append(item)
        over_time = any(item.box.of_time for item in self._panels)
        if over_time or any(panel.coloured for panel in plot.panels):
            sides = [SIDE_WIDTH if plot.columns < 2 else NARROW_SIDE_WIDTH] * plot.columns
        else:
            sides = [LEVEL_ROOM if column in levelled else NO_SIDE_WIDTH for column in range(plot.columns)]
        for column in range(plot.columns):
            self.ci.layout.setColumnFixedWidth(3 * column, NO_AXIS_WIDTH if column in bare else AXIS_WIDTH)
            self.ci.layout.setColumnStretchFactor(3 * column + 1, 1)
            self.ci.layout.setColumnPreferredWidth(3 * column + 1, 100)
            self.ci.layout.setColumnFixedWidth(3 * column + 2, sides[column])
        self.setMinimumHeight(max(self.least_height, sum(map(_least, plot.rows))))
        self._share_height(plot)
        self.ci.setGeometry(self.viewRect())  # a half-built layout has a maximum height, and Qt does not grow it back

    def _share_height(self, plot: Plot) -> None:
        """Give rows that want to differ in height what they ask for: Qt's layout stretches rows, but not in proportion."""
        if len(set(plot.heights)) < 2:
            return
        items = iter(self._panels)
        rows = [[next(items) for panel in row if panel is not None] for row in plot.rows]
        rest = self.height() - sum(max((item.around for item in row), default=0) for row in rows)
        for row, height in zip(rows, plot.heights, strict=True):
            for item in row:
                item.fix_height(max(rest, 0) * height / sum(plot.heights))

    def _on_zoomed(self) -> None:
        if over_time := [item for item in self._panels if item.box.of_time]:
            for item in over_time:
                item.zoom()
            self._repaint()
