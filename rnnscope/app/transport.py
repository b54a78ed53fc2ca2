"""Transport: play, pause, step and scrub through the time steps of a sequence, and through the iterations of a training."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QLabel, QSlider, QSpinBox, QWidget

from rnnscope.app.cursor import Cursor
from rnnscope.app.look_back import LookBack
from rnnscope.app.step_button import step_button
from rnnscope.app.wheel_guard import WheelGuard

SPEEDS = (1, 2, 5, 10, 20, 50, 100)  # time steps a second
LEAST_WIDTH = 112  # pixels of the words that say where the cursor is
FAR = 10  # time steps of a large step


class Transport(QWidget):
    """The bar at the bottom. Space plays, arrows step, Shift+arrows step by ten, Home and End go to the ends.

    With Alt the same keys go through the training.
    """

    def __init__(self, cursor: Cursor, parent: QWidget):
        super().__init__(parent)
        self.cursor = cursor
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._on_tick)
        self.speed = self._combo("Speed", "Time steps a second while playing")
        self.speed.addItems([f"{speed} steps/s" for speed in SPEEDS])
        self.speed.setCurrentIndex(SPEEDS.index(20))
        self.speed.currentIndexChanged.connect(self._on_speed)
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        self.slider.setAccessibleName("Time step")
        self.slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.slider.valueChanged.connect(cursor.move)
        self.where = QLabel(self)
        self.layer = self._combo("Layer", "The layer whose signals are shown")
        self.layer.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.layer.textActivated.connect(self._on_layer)
        self.sequence, self.unit = self._spin("sequence"), self._spin("unit")
        self.sequence.valueChanged.connect(self._on_sequence)
        self.unit.valueChanged.connect(self._on_unit)
        grid = QGridLayout(self)
        grid.setContentsMargins(16, 6, 16, 8)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        grid.addLayout(self._steps(), 0, 0)
        grid.addWidget(self.slider, 0, 1)
        grid.addWidget(self.where, 0, 2)
        grid.addLayout(self._choices(), 0, 3)
        self.training = LookBack(cursor, grid, 1, self)
        cursor.moved.connect(self._on_moved)
        cursor.chosen.connect(self._on_moved)
        cursor.resized.connect(self._on_resized)
        self._on_resized()

    @property
    def playing(self) -> bool:
        """Whether the cursor moves by itself."""
        return self._timer.isActive()

    def toggle(self) -> None:
        """Play, from the start if the end was reached; or pause."""
        if self.playing:
            self._stop()
            return
        if self.cursor.position.time_step == self.cursor.time_steps:
            self.to_start()
        self._timer.start(round(1000 / SPEEDS[self.speed.currentIndex()]))
        self.play_button.setText("Pause")

    def to_start(self) -> None:
        """Go to the first time step."""
        self.cursor.move(1)

    def to_end(self) -> None:
        """Go to the last time step."""
        self.cursor.move(self.cursor.time_steps)

    def back(self) -> None:
        """One time step back."""
        self.cursor.move(self.cursor.position.time_step - 1)

    def forward(self) -> None:
        """One time step forward."""
        self.cursor.move(self.cursor.position.time_step + 1)

    def far_back(self) -> None:
        """Ten time steps back."""
        self.cursor.move(self.cursor.position.time_step - FAR)

    def far_forward(self) -> None:
        """Ten time steps forward."""
        self.cursor.move(self.cursor.position.time_step + FAR)

    def _steps(self) -> QHBoxLayout:
        """The buttons, and how fast it plays."""
        row = QHBoxLayout()
        row.setSpacing(4)
        for text, tip, key, slot in (
            ("|‹", "First time step", "Home", self.to_start),
            ("‹‹", "Ten time steps back", "Shift+Left", self.far_back),
            ("‹", "One time step back", "Left", self.back),
            ("Play", "Play or pause", "Space", self.toggle),
            ("›", "One time step forward", "Right", self.forward),
            ("››", "Ten time steps forward", "Shift+Right", self.far_forward),
            ("›|", "Last time step", "End", self.to_end),
        ):
            button = step_button(self, text, tip, key, slot)
            row.addWidget(button)
            if slot == self.toggle:
                self.play_button = button
                button.setFixedWidth(56)
        row.addSpacing(8)
        row.addWidget(self.speed)
        return row

    def _choices(self) -> QHBoxLayout:
        """What is shown beside the time step: layer, sequence and unit."""
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.layer)
        for name, box in (("sequence", self.sequence), ("unit", self.unit)):
            label = QLabel(name, self)
            label.setObjectName("faint")
            row.addSpacing(12)
            row.addWidget(label)
            row.addWidget(box)
        return row

    def _combo(self, name: str, tip: str) -> QComboBox:
        box = QComboBox(self)
        box.setAccessibleName(name)
        box.setToolTip(tip)
        box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        WheelGuard.watch(box)
        return box

    def _spin(self, name: str) -> QSpinBox:
        box = QSpinBox(self)
        box.setAccessibleName(name)
        box.setFixedWidth(52)
        box.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        WheelGuard.watch(box)
        box.setToolTip(f"The {name} whose values are read out")
        return box

    def _stop(self) -> None:
        self._timer.stop()
        self.play_button.setText("Play")

    def _on_tick(self) -> None:
        self.forward()
        if self.cursor.position.time_step == self.cursor.time_steps:
            self._stop()

    def _on_speed(self, index: int) -> None:
        self._timer.setInterval(round(1000 / SPEEDS[index]))

    def _on_sequence(self, value: int) -> None:
        self.cursor.choose(sequence=value - 1)

    def _on_unit(self, value: int) -> None:
        self.cursor.choose(unit=value)

    def _on_layer(self, name: str) -> None:
        self.cursor.choose(layer=name)

    def _on_resized(self) -> None:
        cursor = self.cursor
        self.layer.clear()
        self.layer.addItems(cursor.layers)
        self.layer.setVisible(len(cursor.layers) > 1)
        for widget, low, high in (
            (self.slider, 1, cursor.time_steps),
            (self.sequence, 1, cursor.sequences),
            (self.unit, 0, cursor.units - 1),
        ):
            widget.blockSignals(True)
            widget.setRange(low, high)
            widget.blockSignals(False)
        widest = self.where.fontMetrics().horizontalAdvance(_place(max(cursor.lengths), max(cursor.lengths)))
        self.where.setMinimumWidth(max(LEAST_WIDTH, widest))
        self._on_moved()

    def _on_moved(self) -> None:
        position = self.cursor.position
        for widget, value in (
            (self.slider, position.time_step),
            (self.sequence, position.sequence + 1),
            (self.unit, position.unit),
        ):
            widget.blockSignals(True)
            widget.setValue(value)
            widget.blockSignals(False)
        self.layer.setCurrentText(position.layer)
        self.where.setText(_place(position.time_step, self.cursor.time_steps))


def _place(time_step: int, of: int) -> str:
    return f"t = {time_step:,} / {of:,}"
