"""The second clock: scrub through the snapshots of a training, evenly on a log axis, up to now."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QSlider, QWidget

from rnnscope.app.cursor import Cursor
from rnnscope.app.step_button import step_button
from rnnscope.app.wheel_guard import WheelGuard


class LookBack(QObject):
    """A row of the transport, there while the current run has snapshots. At its right end it follows the training."""

    def __init__(self, cursor: Cursor, grid: QGridLayout, row: int, parent: QWidget):
        super().__init__(parent)
        self.cursor = cursor
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        title = QLabel("training", parent)
        title.setObjectName("faint")
        self.slider = QSlider(Qt.Orientation.Horizontal, parent)
        self.slider.setAccessibleName("Iteration")
        self.slider.setToolTip("Look back at the training: all views show what the model did then")
        self.slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        WheelGuard.watch(self.slider)
        self.slider.valueChanged.connect(cursor.look_back)
        self.where = QLabel(parent)
        self.now_button = step_button(parent, "Now", "As it is now, following the training", "Alt+End", self.to_now)
        steps = [
            step_button(parent, text, tip, key, slot)
            for text, tip, key, slot in (
                ("|‹", "Before the training", "Alt+Home", self.to_start),
                ("‹", "One snapshot back", "Alt+Left", self.back),
                ("›", "One snapshot forward", "Alt+Right", self.forward),
            )
        ]
        steps.append(self.now_button)
        self.now_button.setFixedWidth(56)
        buttons.addWidget(title)
        buttons.addStretch()
        for button in steps:
            buttons.addWidget(button)
        grid.addLayout(buttons, row, 0)
        grid.addWidget(self.slider, row, 1)
        grid.addWidget(self.where, row, 2, 1, 2)
        self._widgets = (title, *steps, self.slider, self.where)
        cursor.recorded.connect(self._on_recorded)
        cursor.chosen.connect(self._on_chosen)
        self._on_recorded()

    def to_start(self) -> None:
        """Go to the first snapshot."""
        self.cursor.look_back(0)

    def to_now(self) -> None:
        """Show what the model does now."""
        self.cursor.look_back(len(self.cursor.iterations))

    def back(self) -> None:
        """One snapshot back."""
        self.cursor.look_back(self.cursor.moment - 1)

    def forward(self) -> None:
        """One snapshot forward."""
        self.cursor.look_back(self.cursor.moment + 1)

    def _on_recorded(self) -> None:
        there = bool(self.cursor.iterations)
        for widget in self._widgets:
            widget.setVisible(there)
        self.slider.blockSignals(True)
        self.slider.setRange(0, len(self.cursor.iterations))
        self.slider.blockSignals(False)
        self._on_chosen()

    def _on_chosen(self) -> None:
        cursor = self.cursor
        here, newest = cursor.position.iteration, cursor.newest
        self.slider.blockSignals(True)
        self.slider.setValue(cursor.moment)
        self.slider.blockSignals(False)
        self.now_button.setEnabled(here is not None)
        self.where.setText(f"iteration {newest if here is None else here:,} / {newest:,}")
