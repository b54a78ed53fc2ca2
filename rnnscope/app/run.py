"""Run: one model with its history and newest Trace, as the window knows it. The model itself lives on the worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, Signal

from rnnscope.app.mailbox import Frame
from rnnscope.core.reach import Reach
from rnnscope.core.trace import Facts, History, Influence, Trace
from rnnscope.views.plot import Style
from rnnscope.views.subject import Subject


class Run(QObject):
    """What a comparison is made of. Everything in it is frozen and replaced as a whole; `changed` tells after each time."""

    changed = Signal()

    def __init__(self, identity: int, name: str, configuration: Any, facts: Facts, style: Style, parent: QObject):
        super().__init__(parent)
        self.identity, self.name, self.configuration = identity, name, configuration
        self.facts, self.style = facts, style
        self.history = History()
        self.trace: Trace | None = None
        self.reaches: Mapping[str, Reach] = {}
        self.influence: Influence | None = None
        self.rate, self.device = 0.0, ""
        self.shown = True
        self.unsaved = False

    @property
    def subject(self) -> Subject:
        """The run as views see it."""
        return Subject(self.name, self.style, self.facts, self.history, self.trace, self.reaches, self.influence)

    def take(self, frame: Frame) -> None:
        """Append what a frame brings."""
        self.history = self.history.extended(frame.loss, frame.gradient_norm)
        self.trace = frame.trace or self.trace
        self.rate, self.device = frame.rate, frame.device
        self.unsaved = True
        self.changed.emit()

    def measured(self, reaches: Mapping[str, Reach]) -> None:
        """Keep how far back the model reaches, by some measures."""
        self.reaches = {**self.reaches, **reaches}
        self.changed.emit()

    def influenced(self, influence: Influence) -> None:
        """Keep what mattered to an output."""
        self.influence = influence
        self.changed.emit()

    def compares_with(self, other: Run) -> bool:
        """Whether both saw the same sequences: the same task with the same settings."""
        return self.configuration.task_settings == other.configuration.task_settings
