"""The background thread: owns the models and the device, pulls train(), and does whatever takes longer than a frame."""

from __future__ import annotations

import math
import os
import time
import traceback
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QThread, Signal

from rnnscope.app.catalogue import Catalogue
from rnnscope.app.jobs import Arrival, Cancelled, GaveWay, Held, Job, Ongoing, Refused
from rnnscope.app.mailbox import Frame, Mailbox
from rnnscope.app.recent_traces import RecentTraces
from rnnscope.core.reach import QUICK, TRAINING
from rnnscope.core.trace import Trace
from rnnscope.views.plot import Plot
from rnnscope.views.subject import Position

NO_RUN = 0  # of a job that belongs to none
LEAST_PERIOD = 0.05  # seconds between frames
PATIENCE = 0.3  # seconds from which on a recording takes long
RECORDS, MEASURES, FOLLOWS, EXPORTS = (  # what takes long, in words for the window; {} is the run
    "Recording {}",
    "Measuring how far back {} reaches",
    "Finding what mattered to {}",
    "Exporting the view",
)
TRACE_SHARE = 0.04  # of the worker's time may go into traces while it trains


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
        self._wanted: dict[int, int] = {}  # the iteration of a run that is looked at, where that is not now
        self._pointed: dict[int, Position] = {}  # where the influence of a run was asked for last
        self._past = RecentTraces()
        self._grown: set[tuple[int, int, str]] = set()  # run, iteration and measure of what was measured of the past
        self._training: Ongoing | None = None
        self._holds = False  # whether the training is to stay paused: else nobody waits for what it did until then
        self._cancel = Event()
        self.chosen = frozenset(QUICK)  # measures: what is not among them is not begun, or ended
        self._doing, self._tells = "", 0.0  # what takes long, and when its progress is told next
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
        if iteration is None:
            self._wanted.pop(run, None)
        else:
            self._wanted[run] = iteration
            self._ask(run, lambda: self._recall(run, iteration))

    def measure_past(self, run: int, measures: tuple[str, ...], iteration: int) -> None:
        """Measure how far back a model reached at a snapshot, if it is still looked at by then."""
        self._ask(run, lambda: self._wanted.get(run) == iteration and self._grow(run, measures, (iteration,)), patient=True)

    def influence(self, run: int, position: Position) -> None:
        """Find what mattered to an output at a position in the probe, and in the training; earlier wishes end."""
        self._pointed[run] = position
        self._ask(run, lambda: self._influence(run, position))

    def cancel(self) -> None:
        """Give up what takes long and is under way."""
        self._cancel.set()

    def save(self, run: int, path: Path, snapshots: bool = False) -> None:
        """Write a model file, with its snapshots if asked for."""
        self._ask(run, lambda: self._save(run, Path(path), snapshots), must=True)

    def export(self, draw: Callable[[], Plot], path: Path, options: dict, numbers: Path | None) -> None:
        """Paint what `draw` returns for print, and write its numbers; `draw` goes by frozen values only."""
        self._ask(NO_RUN, lambda: self._export(draw, Path(path), options, numbers))

    def forget(self, run: int) -> None:
        """Let go of a model."""
        self._wanted.pop(run, None)
        self._pointed.pop(run, None)
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
            self.failed.emit(f"rnnscope cannot start its model core: {error}", traceback.format_exc())
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

        from rnnscope.core.cells import CELLS
        from rnnscope.core.configuration import Configuration, Training
        from rnnscope.core.networks import NETWORKS
        from rnnscope.core.store import folder, tidy
        from rnnscope.core.tasks import TASKS

        tidy(folder())
        self._threads = torch.get_num_threads()
        torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))  # one core is the screen's
        return Catalogue(
            Configuration,
            Training,
            {name: cell.Settings for name, cell in CELLS.items()},
            {name: network.Settings for name, network in NETWORKS.items()},
            TASKS,
            {name: network.joins or tuple(CELLS) for name, network in NETWORKS.items()},
            {
                name: tuple(task for task, kind in TASKS.items() if network.needs in ("", kind.structure))
                for name, network in NETWORKS.items()
            },
            {name: thing.name for table in (CELLS, NETWORKS, TASKS) for name, thing in table.items()},
        )

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

        self._starts(RECORDS)
        try:
            trace = held.trace(lambda done: self._look_up(run, done, gives_way=False))
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
        from rnnscope.core.training import train, with_snapshots

        model = self._held[run].model
        self._training = Ongoing(run, with_snapshots(model, train(model, wait=False)), time.perf_counter())
        self.began.emit(run)

    def _train_on(self, run: int, training: Any) -> None:
        from rnnscope.core.training import choose_device

        choose_device(training.device)
        model = self._held[run].model
        model.configuration = model.configuration.model_copy(update={"training": training})
        self._begin(run)

    def _iterate(self) -> None:
        training, began = self._training, time.perf_counter()
        update = next(training.updates, None)
        if update is None:
            self._end("finished")
            return
        training.pending.append((update.loss, update.gradient_norm))
        now = time.perf_counter()
        training.spent += now - began
        if now >= training.next_frame and self.mailbox.wants:
            self._publish(training, now)

    def _publish(self, training: Ongoing, now: float, gone: Callable[[], bool] | None = None) -> None:
        """Hand over what is new. A trace is made as often as TRACE_SHARE of the time allows; and anyway, and however long
        that takes, if `gone` tells when it is no longer waited for.
        """
        held, began = self._held[training.run], time.perf_counter()
        loss, norm = _scalars(training.pending)
        training.spent += time.perf_counter() - began  # a GPU is waited for here
        held.model.history = held.model.history.extended(loss, norm)
        if loss.size:
            training.rate = _smoothed(training.rate, loss.size / (now - training.started))
            training.alone = _smoothed(training.alone, loss.size / training.spent)
        training.pending, training.started, training.spent = [], now, 0.0
        trace = None
        if gone or now >= training.next_trace:
            trace = self._next_trace(training, held, gone)
        device, snapshots = f"{held.model.device} · {held.model.network.engine}", held.model.snapshots.iterations
        self.mailbox.put(Frame(training.run, loss, norm, training.rate, training.alone, device, trace, snapshots))
        training.next_frame = now + LEAST_PERIOD

    def _next_trace(self, training: Ongoing, held: Held, gone: Callable[[], bool] | None) -> Trace | None:
        """None if it was given up, if it takes long and there is something else to do, or if there is no room for it."""
        from rnnscope.core.files import sentence

        def between(done: float) -> None:
            if gone and gone():
                raise GaveWay
            self._look_up(training.run, done, not gone and done < 1 and time.perf_counter() > began + PATIENCE)

        self._starts(RECORDS)
        began = time.perf_counter()
        training.next_trace = math.inf
        if not gone:
            self._tells = math.inf
        try:
            trace = held.trace(between)
        except (Cancelled, GaveWay):
            trace = None
        except OSError as error:
            self.refused.emit(training.run, sentence(error))
            return None
        training.next_trace = began + (time.perf_counter() - began) / TRACE_SHARE
        return trace

    def _pause(self, paused: bool) -> None:
        if self._training:
            self._training.paused = paused
            if paused:
                self._publish(self._training, time.perf_counter(), gone=lambda: not self._holds)
            self._training.started = time.perf_counter()

    def _end(self, how: str) -> None:
        """End the training whatever happens on the way: a last trace may fail where an iteration did."""
        training, self._training = self._training, None
        if training is None:
            return
        try:
            training.updates.close()
            self._publish(training, time.perf_counter(), gone=lambda: False)
        except Exception as error:
            self.failed.emit(training.run, f"{type(error).__name__}: {error}", traceback.format_exc())
        self._held[training.run].model.eval()
        self.ended.emit(training.run, how)

    def _measure(self, run: int, measures: tuple[str, ...]) -> None:
        from rnnscope.core.comparison import evaluated

        def between(done: float) -> None:
            if not self.chosen.issuperset(measures):
                raise GaveWay
            self._look_up(run, done)

        measures = tuple(name for name in measures if name in self.chosen)
        if run not in self._held or not measures:
            return
        self._starts(MEASURES, at_once=True)
        between(0)
        model = self._held[run].model
        try:
            measured = evaluated(model, model.task, measures, between=between)
        except ValueError as error:
            raise Refused(str(error)) from None
        self.measured.emit(run, measured)

    def _starts(self, doing: str, at_once: bool = False) -> None:
        """Something begins that may take long, and is told of if it does, or at once."""
        self._cancel.clear()
        self._doing, self._tells = doing, time.perf_counter() + (0 if at_once else PATIENCE)

    def _look_up(self, run: int, done: float, gives_way: bool = True) -> None:
        """Between two portions of what takes long: tell how far it is, unless it is given up or something else is to do."""
        if self._cancel.is_set() or self.isInterruptionRequested():
            raise Cancelled
        if gives_way and not self._jobs.empty():
            raise GaveWay
        if time.perf_counter() >= self._tells:
            self._tells = time.perf_counter() + LEAST_PERIOD
            self.progressed.emit(run, done, self._doing)

    def _grow(self, run: int, measures: tuple[str, ...], iterations: tuple[int, ...]) -> None:
        """What is measured stays measured when something else comes between. What overflows at a snapshot leaves a gap."""
        from rnnscope.core.comparison import evaluated

        if run not in self._held:
            return
        self._starts(MEASURES, at_once=True)
        model, known = self._held[run].model, self._grown
        there = [n for n in iterations if n in model.snapshots.weights]
        for count, iteration in enumerate(there):
            missing = [name for name in measures if (run, iteration, name) not in known]
            if not missing:
                continue
            self._look_up(run, count / len(there))
            past = model.at(iteration)
            try:
                reaches = evaluated(
                    past, past.task, missing, between=lambda done, n=count: self._look_up(run, (n + done) / len(there))
                )
            except ValueError:
                reaches = {}
            known |= {(run, iteration, name) for name in missing}
            self.grown.emit(run, iteration, reaches)

    def _recall(self, run: int, iteration: int) -> None:
        def between(done: float) -> None:
            if self._wanted.get(run) != iteration:
                raise Cancelled
            self._look_up(run, done, gives_way=False)

        if run in self._held and self._wanted.get(run) == iteration:
            held = self._held[run]
            self._starts(RECORDS)
            trace = self._past.get(run, iteration, lambda: held.at(iteration).trace(between))
            self.recalled.emit(run, iteration, trace)

    def _influence(self, run: int, position: Position) -> None:
        from rnnscope.core.memory.influence import influence

        def between(done: float) -> None:
            if self._pointed.get(run) is not position:
                raise Cancelled
            self._look_up(run, done, gives_way=False)

        if run in self._held and self._pointed.get(run) is position:
            model = self._held[run].at(position.iteration).model
            here = position.sequence, position.time_step, position.output
            self._starts(FOLLOWS)
            try:
                found = influence(model, model.task.probe(), *here, between)
                self.influenced.emit(run, found)
            except ValueError as error:
                raise Refused(str(error)) from None

    def _save(self, run: int, path: Path, snapshots: bool) -> None:
        from rnnscope.core.formats import save

        if self._training and self._training.run == run:
            self._publish(self._training, time.perf_counter())
        save(self._held[run].model, path, snapshots=snapshots)
        self.saved.emit(run, str(path))

    def _export(self, draw: Callable[[], Plot], path: Path, options: dict, numbers: Path | None) -> None:
        from rnnscope.figures import save_figure, save_numbers

        def between(done: float) -> None:
            self._look_up(NO_RUN, done, gives_way=False)

        self._starts(EXPORTS, at_once=True)
        written = path
        try:
            between(0)
            plot = draw()
            between(0)
            save_figure(plot, path, **options)
            if numbers:
                written = numbers
                save_numbers(plot, numbers, between)
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
        self._past.forget(run)


def _smoothed(before: float, now: float) -> float:
    return 0.8 * before + 0.2 * now if before else now


def _scalars(pending: list) -> tuple[np.ndarray, np.ndarray]:
    """Losses and gradient norms, stacked on the device and copied once. Waits for the device."""
    import torch

    if not pending:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    both = torch.stack([torch.stack(pair) for pair in pending]).float().cpu().numpy()  # (n, 2)
    return both[:, 0].copy(), both[:, 1].copy()
