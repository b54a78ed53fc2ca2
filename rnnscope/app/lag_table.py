"""The comparison in numbers: the lags at which each shown run falls to 50 % and to 1 %, by each measure, and a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
from rnnscope.core.reach import TRAINING
from rnnscope.views.reach import HOURS, MEASURES, capacities, lag_unit, lag_words, law_words, sentence, words_of
from rnnscope.views.subject import Subject

MEASURE, RUN, HALF, HUNDREDTH, LAW = COLUMNS = ("measure", "run", "50 %", "1 %", "law")
NUMBERS = (HALF, HUNDREDTH)  # at the right of their columns
WIDTH = 384  # pixels that all but the law need
ROW, WIDEST = 16, 120  # pixels: of a row, of a column


class LagTable(QDockWidget):
    """A button for each measure, and below them a line for each run by each measure that is chosen."""

    def __init__(self, session: Session, parent: QWidget):
        super().__init__("Lags", parent)
        self.session = session
        self.setObjectName("lags")
        self.setTitleBarWidget(Grip(self))
        self.table = QTableWidget(0, len(COLUMNS), self)
        self.table.setObjectName("numbers")
        self.table.setMinimumWidth(WIDTH)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setMinimumSectionSize(ROW)
        self.table.verticalHeader().setDefaultSectionSize(ROW)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        header = self.table.horizontalHeader()
        header.setFixedHeight(ROW)
        header.setMinimumSectionSize(1)
        header.setMaximumSectionSize(WIDEST)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(COLUMNS.index(LAW), QHeaderView.ResizeMode.Stretch)
        for column, text in enumerate(COLUMNS):
            head = QTableWidgetItem(text)
            head.setTextAlignment(_side(text))
            self.table.setHorizontalHeaderItem(column, head)
        self.buttons = {name: self._button(name) for name in MEASURES}
        self.said = QLabel(self)
        self.said.setObjectName("faint")
        self.said.setWordWrap(True)
        self.said.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.said.setContentsMargins(8, 0, 8, 4)
        page = QWidget(self)
        rows, choices = QVBoxLayout(page), QHBoxLayout()
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(2)
        choices.setSpacing(0)
        for button in self.buttons.values():
            choices.addWidget(button)
        choices.addStretch()
        rows.addLayout(choices)
        rows.addWidget(self.table, 1)
        rows.addWidget(self.said)
        self.setWidget(page)
        session.changed.connect(self.refresh)
        session.state.connect(self._say)
        self.refresh()

    def refresh(self) -> None:
        """Write the table again, where it differs."""
        subjects = self.session.subjects()
        rows = list(_rows(subjects))
        unit = lag_unit([reach for subject in subjects for reach in subject.reaches.values()])
        self.table.setAccessibleName(f"{unit.capitalize()} at which each run falls to 50 % and 1 %")
        self.table.setRowCount(len(rows))
        for r, (colour, cells) in enumerate(rows):
            for column, (text, hint) in enumerate(cells):
                self._write(r, column, text, hint or unit, colour)
        self._say()

    def _write(self, row: int, column: int, text: str, hint: str, colour: str) -> None:
        item = self.table.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            item.setTextAlignment(_side(COLUMNS[column]))
            self.table.setItem(row, column, item)
        if (item.text(), item.toolTip()) != (text, hint):
            item.setText(text)
            item.setToolTip(hint)
        if COLUMNS[column] == RUN and item.foreground().color() != QColor(colour):
            item.setForeground(QColor(colour))

    def _say(self) -> None:
        """What the comparison says, and what is under way."""
        text = sentence({subject.name: subject.reaches for subject in self.session.subjects()})
        if self.session.measuring and TRAINING in self.session.measures:
            text = f"{text} {HOURS}".strip()
        if text != self.said.text():
            self.said.setText(text)

    def _button(self, measure: str) -> QToolButton:
        button = QToolButton(self)
        button.setText(words_of(measure))
        button.setToolTip(MEASURES[measure][1] + (f". {HOURS}" if measure == TRAINING else ""))
        button.setObjectName("measure")
        button.setCheckable(True)
        button.setChecked(measure in self.session.measures)
        button.clicked.connect(self._on_clicked)
        return button

    def _on_clicked(self) -> None:
        self.session.measure_by(tuple(name for name, button in self.buttons.items() if button.isChecked()))


def _side(column: str) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column in NUMBERS else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter


def _rows(subjects: Sequence[Subject]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Of each measure a line for each run, or for each direction of one: its colour, and text and tooltip of each cell."""
    for measure, (word, meaning, _) in MEASURES.items():
        heads = iter([word])
        for subject in subjects:
            for key, reach in subject.reaches.items():
                kind, _, direction = key.partition(", ")
                if kind != measure:
                    continue
                name, law = ", ".join(filter(None, (subject.name, direction))), law_words(reach)
                lags = [(lag_words(reach, lag), "") for lag in (reach.lag50, reach.lag1)]
                hint = f"{name}, {word}: {law}. {capacities({name: {measure: reach}})}".removesuffix(". ")
                cells = [(next(heads, ""), meaning), (name, name), *lags, (law, hint)]
                yield subject.style.colour, cells
