"""The comparison in numbers: the lags at which each shown run falls to 50 % and to 1 %, by each measure, and a sentence."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDockWidget,
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
from rnnscope.views.reach import HOURS, MEASURES, lag_unit, lag_words, law_words, sentence, words_of
from rnnscope.views.subject import Subject

NAMED = ("run", "left")  # columns before those of the measures
WIDTH = 360  # pixels
ROW, HEAD = 18, 24  # pixels


class LagTable(QDockWidget):
    """Two lines for each shown run and a column for each measure, whose head is the button that chooses it."""

    def __init__(self, session: Session, parent: QWidget):
        super().__init__("Lags", parent)
        self.session = session
        self.setObjectName("lags")
        self.setTitleBarWidget(Grip(self))
        self.table = QTableWidget(0, len(NAMED) + len(MEASURES), self)
        self.table.setMinimumWidth(WIDTH)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setMinimumSectionSize(ROW)
        self.table.verticalHeader().setDefaultSectionSize(ROW)
        self.table.setShowGrid(False)
        self.table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.header = self.table.horizontalHeader()
        self.header.setFixedHeight(HEAD)
        self.header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.buttons = {name: self._button(name) for name in MEASURES}
        for column, text in enumerate((*NAMED, *("" for _ in MEASURES))):
            self.table.setHorizontalHeaderItem(column, QTableWidgetItem(text))
            self.table.horizontalHeaderItem(column).setTextAlignment(
                Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
            )
        for column, button in enumerate(self.buttons.values(), len(NAMED)):
            self.table.horizontalHeaderItem(column).setSizeHint(button.sizeHint())
        self.header.sectionResized.connect(self._place)
        self.header.geometriesChanged.connect(self._place)
        self.table.horizontalScrollBar().valueChanged.connect(self._place)
        self.said = QLabel(self)
        self.said.setObjectName("faint")
        self.said.setWordWrap(True)
        self.said.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.said.setContentsMargins(8, 0, 8, 4)
        page = QWidget(self)
        rows = QVBoxLayout(page)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(2)
        rows.addWidget(self.table, 1)
        rows.addWidget(self.said)
        self.setWidget(page)
        session.changed.connect(self.refresh)
        session.state.connect(self._say)
        self.refresh()

    def refresh(self) -> None:
        """Write the table again, where it differs."""
        subjects = self.session.subjects()
        rows = [row for subject in subjects for row in _rows(subject)]
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
            side = Qt.AlignmentFlag.AlignLeft if column < len(NAMED) else Qt.AlignmentFlag.AlignRight
            item.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
            self.table.setItem(row, column, item)
        if (item.text(), item.toolTip()) != (text, hint):
            item.setText(text)
            item.setToolTip(hint)
        if not column and item.foreground().color() != QColor(colour):
            item.setForeground(QColor(colour))

    def _say(self) -> None:
        """What the comparison says, and what is under way."""
        text = sentence({subject.name: subject.reaches for subject in self.session.subjects()})
        if self.session.measuring and TRAINING in self.session.measures:
            text = f"{text} {HOURS}".strip()
        if text != self.said.text():
            self.said.setText(text)

    def _button(self, measure: str) -> QToolButton:
        button = QToolButton(self.header.viewport())
        button.setText(words_of(measure))
        button.setToolTip(MEASURES[measure][1] + (f". {HOURS}" if measure == TRAINING else ""))
        button.setObjectName("measure")
        button.setCheckable(True)
        button.setChecked(measure in self.session.measures)
        button.clicked.connect(self._on_clicked)
        return button

    def _place(self) -> None:
        """Each button at the right end of its column's head, above the numbers."""
        for column, button in enumerate(self.buttons.values(), len(NAMED)):
            right = self.header.sectionViewportPosition(column) + self.header.sectionSize(column)
            width = button.sizeHint().width()
            button.setGeometry(QRect(right - width, 0, width, HEAD))

    def _on_clicked(self) -> None:
        self.session.measure_by(tuple(name for name, button in self.buttons.items() if button.isChecked()))


def _rows(subject: Subject) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Of each direction of a run two lines: its colour, and what stands in each column and what its tooltip says."""
    for direction in dict.fromkeys(name.partition(", ")[2] for name in subject.reaches) or [""]:
        name = ", ".join(filter(None, (subject.name, direction)))
        keys = [", ".join(filter(None, (measure, direction))) for measure in MEASURES]
        found = {key: subject.reaches[key] for key in keys if key in subject.reaches}
        for which, share in (("lag50", "50 %"), ("lag1", "1 %")):
            cells = [(name if which == "lag50" else "", name), (share, "")]
            for key in keys:
                reach = found.get(key)
                law = f"{subject.name}, {words_of(key)}: {law_words(reach)}" if reach else ""
                cells.append((lag_words(reach, getattr(reach, which)), law) if reach else ("", ""))
            yield subject.style.colour, cells
