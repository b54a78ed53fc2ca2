"""Following: what is asked of the worker because of where the cursor stands, in time and in training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from rnnscope.app.mailbox import Frame
from rnnscope.app.run import Run
from rnnscope.core.reach import Reach
from rnnscope.core.snapshots import due
from rnnscope.core.trace import Influence, Trace
from rnnscope.views.growth import MEASURE, PER_OCTAVE

if TYPE_CHECKING:
    from rnnscope.app.session import Session

FOLLOW_AFTER = 40  # ms that the cursor or the mouse rests before the influence on its time step is taken
MEASURED_AT_ONCE = 1000  # time steps of the longest sequences whose reach is measured without being asked for


class Following(QObject):
    """Keeps the shown runs at the iteration of the cursor, with what mattered to its time step and how their reach grew."""

    def __init__(self, session: Session):
        super().__init__(session)
        self._session, self._cursor, self._worker = session, session.cursor, session.worker
        self._follows = self._grows = False
        self._worker.grown.connect(self._on_grown)
        self._worker.recalled.connect(self._on_recalled)
        self._worker.influenced.connect(self._on_influenced)
        self._rest = QTimer(self, singleShot=True, interval=FOLLOW_AFTER)
        self._rest.timeout.connect(self._on_rest)
        for moved in (self._cursor.moved, self._cursor.chosen, session.listed):
            moved.connect(self._rest.start)
        self._hover_rest = QTimer(self, singleShot=True, interval=FOLLOW_AFTER)
        self._hover_rest.timeout.connect(self._take_influences)
        self._cursor.hovered.connect(self._hover_rest.start)
        self._cursor.chosen.connect(self._look_back)

    def follow(self, follows: bool) -> None:
        """Whether somebody looks at what mattered to the output under the mouse, or at the cursor."""
        self._follows = follows
        self.refresh()

    def grow(self, grows: bool) -> None:
        """Whether somebody looks at how the reach grows during training."""
        self._grows = grows
        self._grow()

    def refresh(self) -> None:
        """Ask, in a moment, for what is not here yet of where the cursor stands."""
        self._rest.start()

    def relisted(self) -> None:
        """Other runs are shown, or another is the current one."""
        self._record()
        self._look_back()
        self._grow()

    def took(self, run: Run, frame: Frame) -> None:
        """A run has got what a frame of its training brings."""
        if run is self._session.current:
            self._record()
        if frame.trace is not None and run in self._session.shown:
            self._look_back()
            if run.wanted is None:
                self._take_influence(run)

    def ended(self, run: Run) -> None:
        """The training of a run has ended."""
        self._take_influence(run)
        self.measure(run)
        self._grow()

    def measure(self, run: Run) -> None:
        """Measure how far back a run reaches, unless that may take long."""
        if run.trace.time_steps <= MEASURED_AT_ONCE:
            self._worker.measure(run.identity, self._session.unasked)

    def _record(self) -> None:
        """Tell the cursor how far the training of the current run can be looked back on."""
        current = self._session.current
        now = len(current.history) if current else 0
        self._cursor.record(tuple(n for n in current.snapshots if n < now) if current else (), now)

    def _look_back(self) -> None:
        """Have every shown run show its snapshot where the cursor stands."""
        for run in self._session.shown:
            then = run.snapshot_at(self._cursor.position.iteration)
            if then != run.wanted:
                run.wanted = then
                self._worker.recall(run.identity, then)
                if then is None:
                    run.recalled(None)
                    self._take_influence(run)

    def _on_recalled(self, identity: int, iteration: int, trace: Trace) -> None:
        run = self._session.by_identity(identity)
        if run and run.wanted is not None:
            run.recalled((iteration, trace))
            self._take_influence(run)

    def _grow(self) -> None:
        """Have what is missing measured, as soon as nothing else is to be done."""
        for run in self._session.shown if self._grows else ():
            self._worker.grow(run.identity, (MEASURE,), tuple(n for n in run.snapshots if due(n, PER_OCTAVE)))

    def _on_grown(self, identity: int, iteration: int, reaches: Mapping[str, Reach]) -> None:
        if run := self._session.by_identity(identity):
            run.measured(reaches, iteration)

    def _on_rest(self) -> None:
        self._take_influences()
        for run in self._session.shown:
            if run.wanted is not None and run.trace.time_steps <= MEASURED_AT_ONCE:
                self._worker.measure_past(run.identity, self._session.unasked, run.wanted)

    def _take_influences(self) -> None:
        here = self._cursor.attended
        for run in self._session.shown:
            if run.influence_on != (here.sequence, here.time_step, here.output):
                self._take_influence(run)

    def _take_influence(self, run: Run) -> None:
        here = self._cursor.attended
        run.influence_on = (here.sequence, here.time_step, here.output) if self._follows else None
        if self._follows:
            self._worker.influence(run.identity, replace(here, iteration=run.wanted))

    def _on_influenced(self, identity: int, influence: Influence) -> None:
        if run := self._session.by_identity(identity):
            run.influenced(influence)
