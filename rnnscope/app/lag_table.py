"""The comparison in numbers: the lags at which each shown run falls to 50 % and to 1 %, by each measure, and a sentence."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDockWidget,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from rnnscope.app.grip import Grip
from rnnscope.app.session import Session
from rnnscope.views.reach import MEASURED_WITHOUT_TRAINING, MEASURES, lag_words, law_words, sentence, words_of

COLUMNS = ("run", "by", "50 % at lag", "1 % at lag")
WIDTH = 360  # pixels


class LagTable(QDockWidget):
    """One line per shown run and measure, in time steps back, with the buttons that choose the measures."""

    def __init__(self, session: Session, parent: QWidget):
        super().__init__("Lags", parent)
        self.session = session
        self.setObjectName("lags")
        self.setTitleBarWidget(Grip(self))
        self.table = QTableWidget(0, len(COLUMNS), self)
        self.table.setAccessibleName("Time steps back at which each run falls to 50 % and 1 %")
        self.table.setHorizontalHeaderLabels(COLUMNS)
        self.table.setMinimumWidth(WIDTH)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(20)
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        header = self.table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom)
        for column in (0, 1):
            self.table.horizontalHeaderItem(column).setTextAlignment(Qt.AlignmentFlag.AlignLeft)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.said = QLabel(self)
        self.said.setObjectName("faint")
        self.said.setWordWrap(True)
        self.said.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.said.setContentsMargins(8, 0, 8, 4)
        self.buttons = {name: self._button(name) for name in MEASURED_WITHOUT_TRAINING}
        chosen = QHBoxLayout()
        chosen.setSpacing(2)
        for button in self.buttons.values():
            chosen.addWidget(button)
        chosen.addStretch()
        page = QWidget(self)
        rows = QVBoxLayout(page)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(2)
        rows.addLayout(chosen)
        rows.addWidget(self.table, 1)
        rows.addWidget(self.said)
        self.setWidget(page)
        session.changed.connect(self.refresh)

    def refresh(self) -> None:
        """Write the table again, if it differs."""
        subjects = self.session.subjects()
        rows = [(subject.style.colour, *row) for subject in subjects for row in _rows(subject)]
        self.table.setRowCount(len(rows))
        for r, (colour, law, texts) in enumerate(rows):
            for column, text in enumerate(texts):
                old = self.table.item(r, column)
                if (
                    old is not None
                    and (old.text(), old.toolTip()) == (text, law)
                    and (column or old.foreground().color() == QColor(colour))
                ):
                    continue
                item = QTableWidgetItem(text)
                item.setToolTip(law)
                if column > 1:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                elif column == 0:
                    item.setForeground(QColor(colour))
                self.table.setItem(r, column, item)
        text = sentence({subject.name: subject.reaches for subject in subjects})
        if text != self.said.text():
            self.said.setText(text)

    def _button(self, measure: str) -> QToolButton:
        button = QToolButton(self)
        button.setText(words_of(measure))
        button.setToolTip(MEASURES[measure][1])
        button.setObjectName("measure")
        button.setCheckable(True)
        button.setChecked(measure in self.session.measures)
        button.clicked.connect(self._on_clicked)
        return button

    def _on_clicked(self) -> None:
        self.session.measure_by(tuple(name for name, button in self.buttons.items() if button.isChecked()))


def _rows(subject) -> list[tuple[str, list[str]]]:
    """What its tooltip says and its texts, for each measure, or a line without numbers; the name stands in the first."""
    rows = []
    for name, reach in subject.reaches.items():
        lags = [lag_words(reach, lag) for lag in (reach.lag50, reach.lag1)]
        rows.append(
            (f"{subject.name}, {words_of(name)}: {law_words(reach)}", ["" if rows else subject.name, words_of(name), *lags])
        )
    return rows or [(subject.name, [subject.name, "–", "–", "–"])]
