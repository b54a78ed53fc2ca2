"""Measurements: how far back the models here reach, now and at the snapshots of their training. On the worker's thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rnnscope.app.jobs import RECORDS, Cancelled, GaveWay, Held, Refused
from rnnscope.app.progress import Progress
from rnnscope.app.recent_traces import RecentTraces
from rnnscope.core.reach import QUICK, Reach
from rnnscope.core.trace import Influence, Trace
from rnnscope.views.subject import Position

MEASURES = "Measuring how far back {} reaches"  # in words for the window; {} is the run
FOLLOWS = "Finding what mattered to {}"


class Measurements:
    """What is no longer wanted when its turn comes is not begun, and ends if it is under way.

    chosen   measures; `measure` takes no others
    wanted   the iteration of a run that is looked at, where that is not now
    pointed  where the influence of a run was asked for last

    Other threads set these three; `held` are the models by run.
    """

    def __init__(self, held: Mapping[int, Held], progress: Progress):
        self.chosen = frozenset(QUICK)
        self.wanted: dict[int, int] = {}
        self.pointed: dict[int, Position] = {}
        self._held, self._progress = held, progress
        self._past = RecentTraces()
        self._known: set[tuple[int, int, str]] = set()  # run, iteration and measure of what was measured of the past

    def measure(self, run: int, measures: tuple[str, ...]) -> Mapping[str, Reach]:
        """How far back a model reaches now, by those of the measures that are chosen. Raises Refused."""
        from rnnscope.core.comparison import evaluated

        def between(done: float) -> None:
            if not self.chosen.issuperset(measures):
                raise GaveWay
            self._progress.look_up(run, done)

        measures = tuple(name for name in measures if name in self.chosen)
        if run not in self._held or not measures:
            return {}
        self._progress.starts(MEASURES, after=0)
        between(0)
        model = self._held[run].model
        try:
            return evaluated(model, model.task, measures, between=between)
        except ValueError as error:
            raise Refused(str(error)) from None

    def grow(
        self, run: int, measures: tuple[str, ...], iterations: tuple[int, ...]
    ) -> Iterator[tuple[int, Mapping[str, Reach]]]:
        """What is not known yet of how far back a model reached at snapshots of its training.

        What is measured stays measured when something else comes between. What overflows at a snapshot leaves a gap.
        """
        from rnnscope.core.comparison import evaluated

        if run not in self._held:
            return
        self._progress.starts(MEASURES, after=0)
        model = self._held[run].model
        there = [n for n in iterations if n in model.snapshots.weights]
        for count, iteration in enumerate(there):
            missing = [name for name in measures if (run, iteration, name) not in self._known]
            if not missing:
                continue

            def between(done: float, count: int = count) -> None:
                self._progress.look_up(run, (count + done) / len(there))

            between(0)
            past = model.at(iteration)
            try:
                reaches = evaluated(past, past.task, missing, between=between)
            except ValueError:
                reaches = {}
            self._known |= {(run, iteration, name) for name in missing}
            yield iteration, reaches

    def recall(self, run: int, iteration: int) -> Trace | None:
        """What a model did at a snapshot, if it is still looked at."""

        def between(done: float) -> None:
            if self.wanted.get(run) != iteration:
                raise Cancelled
            self._progress.look_up(run, done, gives_way=False)

        if run not in self._held or self.wanted.get(run) != iteration:
            return None
        held = self._held[run]
        self._progress.starts(RECORDS)
        return self._past.get(run, iteration, lambda: held.at(iteration).trace(between))

    def influence(self, run: int, position: Position) -> Influence | None:
        """What mattered to an output of a model, if nothing else was asked for since. Raises Refused."""
        from rnnscope.core.memory.influence import influence

        def between(done: float) -> None:
            if self.pointed.get(run) is not position:
                raise Cancelled
            self._progress.look_up(run, done, gives_way=False)

        if run not in self._held or self.pointed.get(run) is not position:
            return None
        model = self._held[run].at(position.iteration).model
        self._progress.starts(FOLLOWS)
        try:
            return influence(model, model.task.probe(), position.sequence, position.time_step, position.output, between)
        except ValueError as error:
            raise Refused(str(error)) from None

    def unwanted(self, run: int) -> None:
        """End what is under way for a run; any thread may."""
        self.wanted.pop(run, None)
        self.pointed.pop(run, None)

    def forget(self, run: int) -> None:
        """Let go of what is kept of a run."""
        self._past.forget(run)
        self._known = {known for known in self._known if known[0] != run}
