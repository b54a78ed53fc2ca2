"""Session: the runs, which of them are shown, the trainings under way and waiting, and the worker that does the work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from rnnscope.app.cursor import Cursor
from rnnscope.app.following import Following
from rnnscope.app.jobs import Arrival
from rnnscope.app.mailbox import Mailbox
from rnnscope.app.run import Run
from rnnscope.app.waiting import Waiting
from rnnscope.app.worker import Worker
from rnnscope.core.reach import QUICK, TRAINING, Reach
from rnnscope.views import draw
from rnnscope.views.subject import Subject, style_of

LOOK_PERIOD = 16  # ms between looks into the mailbox
MOST_SHOWN = 6  # runs side by side before further ones arrive without a tick


class Session(QObject):
    """All state of the window that is worth a test. Everything here happens on the GUI thread.

    listed    runs came or went, were chosen, shown or hidden
    changed   what is shown has new data
    state     training began, paused, went on or ended
    told      something worth a line: text, and details or ""
    """

    listed = Signal()
    changed = Signal()
    state = Signal()
    told = Signal(str, str)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self.cursor = Cursor(self)
        self.runs: list[Run] = []
        self.current: Run | None = None
        self.training: Run | None = None
        self.goal = 0  # iterations of the training under way
        self.start = 0  # iterations the run had before it
        self.paused = False
        self.queue: list[Waiting] = []  # what is trained next, one after the other
        self.measures = QUICK  # how the reach of the shown runs is measured
        self.measuring: tuple[str, float] | None = None  # what takes long, in words, and the share done
        self._begins: int | None = None  # the run whose training has been asked for
        self._takes_over = True  # whether that run becomes the current one
        self._next = 1
        self._mailbox = Mailbox()
        self.worker = Worker(self._mailbox, self)
        self.worker.arrived.connect(self._on_arrived)
        self.worker.began.connect(self._on_began)
        self.worker.ended.connect(self._on_ended)
        self.worker.measured.connect(self._on_measured)
        self.worker.progressed.connect(self._on_progressed)
        self.worker.answered.connect(self._on_answered)
        self.worker.saved.connect(self._on_saved)
        self.worker.done.connect(self._on_done)
        self.worker.refused.connect(self._on_refused)
        self.worker.failed.connect(self._on_failed)
        self.following = Following(self)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_PERIOD)
        self._timer.timeout.connect(self._on_look)

    def open(self, paths: Iterable[Path | str]) -> None:
        """Load model files; each becomes a run."""
        for path in paths:
            self.worker.load(self._identity(), Path(path).absolute())

    def adopt(self, name: str, model: Any) -> None:
        """Show a model that was made in Python."""
        self.worker.adopt(self._identity(), name, model)

    def train(self, configuration: Any) -> None:
        """Make a new run and train it, or do so when what is trained now has ended."""
        from rnnscope.core.model import name_of

        self._enqueue(Waiting(name_of(configuration), configuration))

    def train_on(self, training: Any) -> None:
        """Go on training the current run with the settings given, or do so when what is trained now has ended."""
        if self.current:
            self._enqueue(Waiting(f"{self.current.name}, on", training, self.current))

    def drop(self, waiting: Waiting) -> None:
        """Take a training out of the queue."""
        self.queue = [one for one in self.queue if one is not waiting]
        self.state.emit()

    def clear_queue(self) -> None:
        """Take all trainings out of the queue; the one under way goes on."""
        self.queue = []
        self.state.emit()

    def _enqueue(self, waiting: Waiting) -> None:
        self.queue.append(waiting)
        self._begin_next()

    def _begin_next(self, takes_over: bool = True) -> None:
        """Begin what waits longest, unless there is a training."""
        if self.queue and not (self.training or self._begins):
            self._takes_over = takes_over
            waiting, *self.queue = self.queue
            run, training = waiting.run, waiting.training
            self.goal, self.start, self.paused = training.iterations, len(run.history) if run else 0, False
            if run:
                self._begins = run.identity
                self.worker.train_on(run.identity, training)
                run.configuration = run.configuration.model_copy(update={"training": training})
            else:
                self._begins = self._identity()
                self.worker.train(self._begins, waiting.settings)
        self.state.emit()

    def pause(self) -> None:
        """Pause the training, or go on."""
        if self.training:
            self.paused = not self.paused
            self.worker.pause(self.paused)
            self.state.emit()

    def stop(self) -> None:
        """End the training and keep what it has learned, so that the next one begins; and give up what else takes long.

        What is looked back at and not here yet is not waited for: now is shown again.
        """
        self.worker.cancel()
        if self.training:
            self.worker.stop_training()
        if any(run.waits for run in self.shown):
            self.cursor.look_back(len(self.cursor.iterations))

    def save(self, run: Run, path: Path | str, snapshots: bool = False) -> None:
        """Write a run's model to a file, with the snapshots of its training if asked for."""
        self.worker.save(run.identity, Path(path), snapshots)

    def export(self, view: str, path: Path, options: dict, numbers: Path | None = None) -> None:
        """Paint a view of the shown runs at the cursor for print."""
        self.worker.export(partial(draw, view, self.subjects(), self.cursor.position), path, options, numbers)

    def remove(self, run: Run) -> None:
        """Take a run out of the list."""
        self.worker.forget(run.identity)
        self.runs.remove(run)
        self.queue = [waiting for waiting in self.queue if waiting.run is not run]
        if run is self.current:
            self.current = self.runs[-1] if self.runs else None
        run.deleteLater()
        self._relist()

    def show_all_of_task(self) -> None:
        """Tick all runs that saw the same sequences as the current one."""
        for run in self.runs:
            run.shown |= bool(self.current) and run.compares_with(self.current)
        self._relist()

    def show_alone(self) -> None:
        """Untick all runs but the current one."""
        for run in self.runs:
            run.shown = run is self.current
        self._relist()

    def choose(self, run: Run) -> None:
        """Make a run the current one: it is shown, with the ticked runs that saw the same sequences."""
        if run is not self.current or not run.shown:
            self.current, run.shown = run, True
            self._relist()

    def show(self, run: Run, shown: bool) -> None:
        """Tick or untick a run."""
        run.shown = shown
        if run is self.current and not shown:
            others = [other for other in self.runs if other.shown and other.compares_with(run)]
            self.current = others[0] if others else run
            self.current.shown = True
        self._relist()

    def finish(self) -> None:
        """Stop the worker and wait for it."""
        self._timer.stop()
        self.worker.finish()

    @property
    def shown(self) -> list[Run]:
        """The ticked runs that saw the same sequences as the current one, the current among them."""
        if not self.current:
            return []
        return [run for run in self.runs if run is self.current or (run.shown and run.compares_with(self.current))]

    def subjects(self) -> list[Subject]:
        """The shown runs as views see them, with what was measured by the measures chosen."""
        subjects = [run.subject for run in self.shown]
        return [replace(subject, reaches=self._chosen(subject.reaches)) for subject in subjects]

    def _chosen(self, reaches: Mapping[str, Reach]) -> dict[str, Reach]:
        return {name: reach for name, reach in reaches.items() if name.partition(", ")[0] in self.measures}

    @property
    def unsaved(self) -> list[Run]:
        """Runs that hold training no file has."""
        return [run for run in self.runs if run.unsaved]

    @property
    def starting(self) -> bool:
        """Whether a training has been asked for and has not begun yet."""
        return self._begins is not None

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited or a training is under way."""
        return bool(self.worker.outstanding or self.training or self._begins)

    def by_identity(self, identity: int) -> Run | None:
        """The run that the worker calls so, if it is still here."""
        return next((run for run in self.runs if run.identity == identity), None)

    def _identity(self) -> int:
        self._next += 1
        return self._next - 1

    def _free_name(self, wanted: str) -> str:
        names, name, n = {run.name for run in self.runs}, wanted, 2
        while name in names:
            name, n = f"{wanted} {n}", n + 1
        return name

    def _relist(self) -> None:
        trace = self.current.trace if self.current else None
        if trace is None:
            self.cursor.resize((1,), 1)
        else:
            units = max(layer.units for run in self.shown for layer in run.trace.layers.values())
            layers = tuple(dict.fromkeys(name for run in self.shown for name in run.trace.layers))
            self.cursor.resize(tuple(trace.lengths.tolist()), units, layers, trace.layer)
        self.following.relisted()
        self.listed.emit()
        self.changed.emit()

    def _on_arrived(self, arrival: Arrival) -> None:
        again = sum(run.configuration.cell == arrival.configuration.cell for run in self.runs)
        name = self._free_name(arrival.name)
        run = Run(arrival.run, name, arrival.configuration, arrival.facts, style_of(arrival.cell, again), self)
        run.history, run.trace, run.snapshots = arrival.history, arrival.trace, arrival.snapshots
        run.changed.connect(self.changed)
        self.runs.append(run)
        begins = arrival.run == self._begins
        if (begins and self._takes_over) or not self.current:
            self.current = run
        run.shown = begins or len(self.shown) <= MOST_SHOWN
        self._relist()
        if not begins:
            self.following.measure(run)

    def _on_began(self, identity: int) -> None:
        self._begins = None
        self.training = self.by_identity(identity)
        self._timer.start()
        self.state.emit()

    def measure_shown(self) -> None:
        """Measure how far back the shown runs reach, however long that takes."""
        for run in self.shown:
            self.worker.measure(run.identity, self.measures)

    def measure_by(self, measures: tuple[str, ...]) -> None:
        """Choose the measures, and take those that are missing of the shown runs."""
        missing = tuple(name for name in measures if name not in self.measures)
        self.measures = measures
        self.worker.choose_measures(measures)
        for run in self.shown if missing else ():
            self.worker.measure(run.identity, missing)
        self.following.refresh()
        self.changed.emit()

    @property
    def unasked(self) -> tuple[str, ...]:
        """The measures chosen that are taken without being asked for again: none that trains fresh models."""
        return tuple(name for name in self.measures if name != TRAINING)

    def _on_look(self) -> None:
        if not (frame := self._mailbox.take()):
            return
        if run := self.by_identity(frame.run):
            run.take(frame)
            self.following.took(run, frame)

    def _on_ended(self, identity: int, how: str) -> None:
        self._on_look()
        self.measuring = None  # the last recording
        self._timer.stop()
        self.training, self.paused = None, False
        run = self.by_identity(identity)
        self._begin_next(self.current is run and self.cursor.position.iteration is None)  # who looks elsewhere stays there
        if run:
            run.reaches = {}
            self.following.ended(run)
            if how not in ("finished", "stopped"):
                self.told.emit(f"{run.name}: {how}", "")

    def _on_measured(self, identity: int, reaches) -> None:
        if run := self.by_identity(identity):
            run.measured(reaches)

    def _on_progressed(self, identity: int, done: float, what: str) -> None:
        run = self.by_identity(identity)
        self.measuring = what.format(run.name if run else "the model that was opened"), done
        self.state.emit()

    def _on_answered(self) -> None:
        if self.measuring:
            self.measuring = None
            self.state.emit()

    def _on_saved(self, identity: int, path: str) -> None:
        if run := self.by_identity(identity):
            run.unsaved = False
        self.told.emit(f"Saved {path}", "")
        self.listed.emit()

    def _on_done(self, text: str) -> None:
        self.told.emit(text, "")

    def _on_refused(self, identity: int, text: str) -> None:
        self._give_up(identity)
        run = self.by_identity(identity)
        self.told.emit(f"{run.name}: {text}" if run else text, "")

    def _on_failed(self, identity: int, text: str, details: str) -> None:
        self._give_up(identity)
        self.told.emit(text, details)

    def _give_up(self, identity: int) -> None:
        """A training that was asked for does not begin; what went wrong elsewhere is no business of it."""
        if identity == self._begins:
            self._begins = None
            self._begin_next()
