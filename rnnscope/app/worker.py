"""The background thread: owns the models and the device, pulls train(), and does whatever takes longer than a frame."""

from __future__ import annotations

import os
import traceback
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from PySide6.QtCore import QObject, QThread, Signal

from rnnscope.app.catalogue import Catalogue
from rnnscope.app.jobs import RECORDS, Arrival, Cancelled, GaveWay, Held, Job, Refused
from rnnscope.app.mailbox import Mailbox
from rnnscope.app.measurements import Measurements
from rnnscope.app.ongoing import Ongoing
from rnnscope.app.progress import Progress
from rnnscope.core.reach import TRAINING
from rnnscope.core.trace import Trace
from rnnscope.views.plot import Plot
from rnnscope.views.subject import Position

NO_RUN = 0  # of a job that belongs to none
EXPORTS = "Exporting the view"  # in words for the window


class Worker(QThread):
    """Takes jobs from the window one at a time, between the iterations of the training under way.

    Signals are life events; frames go through `mailbox`. Whatever goes wrong in a job reaches `failed` with its traceback,
    or `refused` with one sentence where the user can change it.
    """

    ready = Signal(object)
    arrived = Signal(object)
    ended = Signal(int, str)
    measured = Signal(int, object)
    grown = Signal(int, int, object)  # run, iteration, what was measured there
    recalled = Signal(int, int, object)  # run, iteration, trace
    influenced = Signal(int, object)
    progressed = Signal(int, float, str)  # run, share that is done, what is done
    done = Signal(str)
    saved = Signal(int, str)
    began = Signal(int)
    refused = Signal(int, str)
    failed = Signal(int, str, str)
    answered = Signal()
    _answered = Signal()  # from the thread; `answered` follows it once `outstanding` counts

    def __init__(self, mailbox: Mailbox, parent: QObject | None = None):
        super().__init__(parent)
        self.mailbox = mailbox
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._patient: deque[Job] = deque()
        self._held: dict[int, Held] = {}
        self._progress = Progress(self.progressed.emit, lambda: not self._jobs.empty(), self.isInterruptionRequested)
        self._measurements = Measurements(self._held, self._progress)
        self._training: Ongoing | None = None
        self._holds = False  # whether the training is to stay paused: else nobody waits for what it did until then
        self._threads = 0  # that torch used before
        self.outstanding = 0  # jobs whose answer is still to come
        self._answered.connect(self._on_answered)

    # Called on the GUI thread: each leaves a job and returns at once.

    def load(self, run: int, path: Path) -> None:
        """Read a model file."""
        self._ask(run, lambda: self._load(run, Path(path)))

    def adopt(self, run: int, name: str, model: Any) -> None:
        """Take over a model that was made elsewhere."""
        self._ask(run, lambda: self._arrive(run, name, model, None))

    def train(self, run: int, configuration: Any) -> None:
        """Make a model and train it."""
        self._ask(run, lambda: self._train(run, configuration))

    def train_on(self, run: int, training: Any) -> None:
        """Go on training a model that is here, with other settings if need be."""
        self._ask(run, lambda: self._train_on(run, training))

    def pause(self, paused: bool) -> None:
        """Hold the training, or go on."""
        self._holds = paused
        self._ask(NO_RUN, lambda: self._pause(paused))

    def stop_training(self) -> None:
        """End the training; what it has learned stays."""
        self._ask(NO_RUN, lambda: self._end("stopped"))

    def choose_measures(self, measures: tuple[str, ...]) -> None:
        """Say by what is measured: what is not among them is not begun, or ended."""
        self._measurements.chosen = frozenset(measures)

    def measure(self, run: int, measures: tuple[str, ...]) -> None:
        """Measure how far back a model reaches; what trains fresh models for hours is a job that lets others pass."""
        for long in (False, True):
            if part := tuple(name for name in measures if (name == TRAINING) == long):
                self._ask(run, lambda part=part: self._measure(run, part), patient=True, long=long)

    def grow(self, run: int, measures: tuple[str, ...], iterations: tuple[int, ...]) -> None:
        """Measure how far back a model reached at snapshots of its training, where that is not known yet."""
        self._ask(run, lambda: self._grow(run, measures, iterations), patient=True)

    def recall(self, run: int, iteration: int | None) -> None:
        """Trace a model at a snapshot; what was asked for before and is not begun is dropped. None: now is looked at."""
        wanted = self._measurements.wanted
        if iteration is None:
            wanted.pop(run, None)
        else:
            wanted[run] = iteration
            self._ask(run, lambda: self._recall(run, iteration))

    def measure_past(self, run: int, measures: tuple[str, ...], iteration: int) -> None:
        """Measure how far back a model reached at a snapshot, if it is still looked at by then."""
        wanted = self._measurements.wanted
        self._ask(run, lambda: wanted.get(run) == iteration and self._grow(run, measures, (iteration,)), patient=True)

    def influence(self, run: int, position: Position) -> None:
        """Find what mattered to an output at a position in the probe, and in the training; earlier wishes end."""
        self._measurements.pointed[run] = position
        self._ask(run, lambda: self._influence(run, position))

    def cancel(self) -> None:
        """Give up what takes long and is under way."""
        self._progress.cancel()

    def save(self, run: int, path: Path, snapshots: bool = False) -> None:
        """Write a model file, with its snapshots if asked for."""
        self._ask(run, lambda: self._save(run, Path(path), snapshots), must=True)

    def export(self, draw: Callable[[], Plot], path: Path, options: dict, numbers: Path | None) -> None:
        """Paint what `draw` returns for print, and write its numbers; `draw` goes by frozen values only."""
        self._ask(NO_RUN, lambda: self._export(draw, Path(path), options, numbers))

    def forget(self, run: int) -> None:
        """Let go of a model."""
        self._measurements.unwanted(run)
        self._ask(run, lambda: self._forget(run))

    def _ask(self, run: int, do: Callable[[], None], **how: bool) -> None:
        self.outstanding += 1
        self._jobs.put(Job(run, do, **how))

    def _on_answered(self) -> None:
        self.outstanding -= 1
        self.answered.emit()

    def finish(self) -> None:
        """End the thread after what is under way and what must be written, and wait for it."""
        self.requestInterruption()
        self._jobs.put(None)
        self.wait()
        if self._threads:
            import torch

            torch.set_num_threads(self._threads)

    # On the worker's thread from here on.

    def run(self) -> None:
        """The thread's life: a job if there is one, else an iteration if there is one, else wait."""
        try:
            catalogue = self._prepare()
        except Exception as error:
            self.failed.emit(NO_RUN, f"rnnscope cannot start its model core: {error}", traceback.format_exc())
            return
        self.ready.emit(catalogue)
        while (job := self._next_job()) is not None:
            if job.patient and job not in self._patient:
                self._patient.append(job)
            elif job.must or not self.isInterruptionRequested():
                self._do(job)
            else:
                self._answered.emit()

    def _next_job(self) -> Job | None:
        """What comes next; None at the end. Iterates the training, if there is one, until something is asked for."""
        while self._jobs.empty():
            if self._training and not self._training.paused:
                self._guarded(self._training.run, self._iterate)
            elif self._patient:
                return min(self._patient, key=lambda job: job.long)
            else:
                break
        return self._jobs.get()

    def _do(self, job: Job) -> None:
        try:
            self._guarded(job.run, job.do)
        except GaveWay:
            return
        if job.patient:
            self._patient.remove(job)
        self._answered.emit()

    def _prepare(self) -> Catalogue:
        """Import what is heavy, and say what can be chosen."""
        import torch

        from rnnscope.core.store import folder, tidy

        tidy(folder())
        self._threads = torch.get_num_threads()
        torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))  # one core is the screen's
        return Catalogue.made()

    def _guarded(self, run: int, do: Callable[[], None]) -> None:
        """Do something for a run, and tell what went wrong."""
        from rnnscope.core.files import sentence
        from rnnscope.core.formats import FileProblem
        from rnnscope.core.settings import SettingsError
        from rnnscope.core.training import Diverged

        try:
            do()
        except (FileProblem, SettingsError, OSError, Refused) as error:
            self.refused.emit(run, sentence(error))
        except Cancelled:
            return
        except GaveWay:
            raise
        except Diverged as error:
            self._end(f"paused: {error}")
        except Exception as error:
            self.failed.emit(run, f"{type(error).__name__}: {error}", traceback.format_exc())
            if self._training and self._training.run == run:
                self._end("failed")

    def _load(self, run: int, path: Path) -> None:
        from rnnscope.core.formats import load

        self._arrive(run, path.stem, load(path), path)

    def _arrive(self, run: int, name: str, model: Any, path: Path | None) -> None:
        from rnnscope.core.cells import CELLS

        configuration = model.configuration
        held = Held(model, model.task.probe())
        trace = self._first_trace(run, name, held)
        self._held[run] = held
        cell = list(CELLS).index(configuration.cell)
        facts = model.task.facts()
        self.arrived.emit(
            Arrival(run, name, configuration, facts, cell, model.history, trace, path, model.snapshots.iterations)
        )

    def _first_trace(self, run: int, name: str, held: Held) -> Trace:
        """Whoever cancels it does not want the model, or closes the window."""
        from rnnscope.core.tasks.task import PROBE_SEQUENCES

        self._progress.starts(RECORDS)
        try:
            trace = held.trace(lambda done: self._progress.look_up(run, done, gives_way=False))
        except Cancelled:
            if self.isInterruptionRequested():
                raise
            raise Refused(f"{name}: not opened, because its recording was cancelled") from None
        if (few := trace.sequences) < PROBE_SEQUENCES:
            long = f"{trace.time_steps:,} time steps"
            self.done.emit(f"{name}: of sequences of {long} only {few} can be looked at, not {PROBE_SEQUENCES}")
        return trace

    def _train(self, run: int, configuration: Any) -> None:
        from rnnscope.core.model import Model
        from rnnscope.core.training import choose_device

        choose_device(configuration.training.device)
        model = Model(configuration)
        self._arrive(run, model.name, model, None)
        self._begin(run)

    def _begin(self, run: int) -> None:
        from rnnscope.core.files import sentence

        held = self._held[run]
        self._training = Ongoing(
            run, held, self.mailbox, self._progress, lambda error: self.refused.emit(run, sentence(error))
        )
        self.began.emit(run)

    def _train_on(self, run: int, training: Any) -> None:
        from rnnscope.core.training import choose_device

        choose_device(training.device)
        model = self._held[run].model
        model.configuration = model.configuration.model_copy(update={"training": training})
        self._begin(run)

    def _iterate(self) -> None:
        if not self._training.iterate():
            self._end("finished")

    def _pause(self, paused: bool) -> None:
        if self._training:
            self._training.pause(paused, gone=lambda: not self._holds)

    def _end(self, how: str) -> None:
        """End the training whatever happens on the way: a last trace may fail where an iteration did."""
        training, self._training = self._training, None
        if training is None:
            return
        try:
            training.close()
        except Exception as error:
            self.failed.emit(training.run, f"{type(error).__name__}: {error}", traceback.format_exc())
        self.ended.emit(training.run, how)

    def _measure(self, run: int, measures: tuple[str, ...]) -> None:
        if reaches := self._measurements.measure(run, measures):
            self.measured.emit(run, reaches)

    def _grow(self, run: int, measures: tuple[str, ...], iterations: tuple[int, ...]) -> None:
        for iteration, reaches in self._measurements.grow(run, measures, iterations):
            self.grown.emit(run, iteration, reaches)

    def _recall(self, run: int, iteration: int) -> None:
        if trace := self._measurements.recall(run, iteration):
            self.recalled.emit(run, iteration, trace)

    def _influence(self, run: int, position: Position) -> None:
        if found := self._measurements.influence(run, position):
            self.influenced.emit(run, found)

    def _save(self, run: int, path: Path, snapshots: bool) -> None:
        from rnnscope.core.formats import save

        if self._training and self._training.run == run:
            self._training.publish()
        save(self._held[run].model, path, snapshots=snapshots)
        self.saved.emit(run, str(path))

    def _export(self, draw: Callable[[], Plot], path: Path, options: dict, numbers: Path | None) -> None:
        from rnnscope.figures import save_figure, save_numbers

        def between(done: float) -> None:
            self._progress.look_up(NO_RUN, done, gives_way=False)

        self._progress.starts(EXPORTS, after=0)
        written, half = path, 2 if numbers else 1
        try:
            between(0)
            plot = draw()
            save_figure(plot, path, **options, between=lambda done: between(done / half))
            if numbers:
                written = numbers
                save_numbers(plot, numbers, lambda done: between((1 + done) / 2))
        except ValueError as error:
            raise Refused(str(error)) from None
        except Cancelled:
            self.done.emit(f"{written.name}: not written, because it was cancelled")
            raise
        self.done.emit(f"Saved {path.name}" + (f" and {numbers.name}" if numbers else ""))

    def _forget(self, run: int) -> None:
        if self._training and self._training.run == run:
            self._end("stopped")
        self._held.pop(run, None)
        self._measurements.forget(run)
