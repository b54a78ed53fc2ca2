"""A box to choose one name of many in a narrow column."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter

MARGIN = 4  # pixels between the words and the arrow
AROUND = 36 + MARGIN  # pixels of frame and arrow; asking QWidget.style() would leave a wrapper at each change of theme


class ChoiceBox(QComboBox):
    """Ends a name without room with an ellipsis, where Qt cuts it off; the list that opens is as wide as its names."""

    def paintEvent(self, event) -> None:
        """As Qt's own, with the words that fit."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        option.currentText = self.words_in_sight()
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def words_in_sight(self) -> str:
        """The chosen name, or as much of it as finds room."""
        return self.fontMetrics().elidedText(self.currentText(), Qt.TextElideMode.ElideRight, self.width() - AROUND)

    def showPopup(self) -> None:
        """Open the list."""
        self.view().setMinimumWidth(self.view().sizeHintForColumn(0) + 2 * MARGIN)
        super().showPopup()
