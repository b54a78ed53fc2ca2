"""Run: one model with its history and newest Trace, as the window knows it. The model itself lives on the worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, Signal

from rnnscope.app.mailbox import Frame
from rnnscope.core.reach import Reach
from rnnscope.core.snapshots import nearest
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
        self.influence_on: tuple[int, int, int | None] | None = None  # what was asked for: sequence, time step, output
        self.snapshots: tuple[int, ...] = ()  # iterations that one can go back to
        self.growth: Mapping[int, Mapping[str, Reach]] = {}  # iteration -> what was measured there
        self.wanted: int | None = None  # the snapshot that is to be shown; None for now
        self.past: tuple[int, Trace] | None = None  # the snapshot that is shown, and its trace
        self.rate, self.alone, self.device = 0.0, 0.0, ""
        self.shown = True
        self.unsaved = False

    @property
    def subject(self) -> Subject:
        """The run as views see it: at the snapshot that is looked at, or now."""
        seen = (self.history, self.trace, self.reaches, self.influence, self.growth)
        now = Subject(self.name, self.style, self.facts, *seen)
        return now.back_at(*self.past) if self.past else now

    def snapshot_at(self, iteration: int | None) -> int | None:
        """The last snapshot that is not later than an iteration; None for now, and where there are none."""
        return None if iteration is None or iteration >= len(self.history) else nearest(self.snapshots, iteration)

    @property
    def waits(self) -> bool:
        """Whether the snapshot that is to be shown is not here yet."""
        return self.wanted is not None and (self.past is None or self.past[0] != self.wanted)

    def take(self, frame: Frame) -> None:
        """Append what a frame brings. While the past is looked at, that goes on being shown."""
        self.history = self.history.extended(frame.loss, frame.gradient_norm)
        self.trace = frame.trace or self.trace
        self.snapshots = frame.snapshots
        self.rate, self.alone, self.device = frame.rate, frame.alone, frame.device
        self.unsaved = True
        self.changed.emit()

    def recalled(self, past: tuple[int, Trace] | None) -> None:
        """Show a snapshot with its trace; or now."""
        if past != self.past:
            self.past = past
            self.changed.emit()

    def measured(self, reaches: Mapping[str, Reach], iteration: int | None = None) -> None:
        """Keep how far back the model reaches, by some measures; or reached at an iteration."""
        if iteration is None:
            self.reaches, iteration = {**self.reaches, **reaches}, len(self.history)
        self.growth = {**self.growth, iteration: {**self.growth.get(iteration, {}), **reaches}}
        self.changed.emit()

    def influenced(self, influence: Influence) -> None:
        """Keep what mattered to an output."""
        self.influence = influence
        self.changed.emit()

    def compares_with(self, other: Run) -> bool:
        """Whether both saw the same sequences: the same task with the same settings."""
        return self.configuration.task_settings == other.configuration.task_settings
