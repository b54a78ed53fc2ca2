"""What the worker handles: jobs, the models it holds, and how a job may end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnscope.core.trace import Facts, History, Trace

RECORDS = "Recording {}"  # what takes long, in words for the window; {} is the run


@dataclass(frozen=True, eq=False)
class Arrival:
    """A model that the worker now holds, as the window gets to know it.

    cell       its line in CELLS
    snapshots  iterations whose weights it has
    """

    run: int
    name: str
    configuration: Any
    facts: Facts
    cell: int
    history: History
    trace: Trace
    path: Path | None
    snapshots: tuple[int, ...] = ()


@dataclass(frozen=True)
class Job:
    """Something to do; what `must` be done is done even if the window is closing."""

    run: int
    do: Callable[[], None]
    must: bool = False
    patient: bool = False  # waits until nothing else is to be done, and gives way to whatever comes
    long: bool = False  # lets other patient ones pass


class Cancelled(Exception):
    """Nobody waits for the answer any more."""


class Refused(Exception):
    """What the user can change, in one sentence."""


class GaveWay(Exception):
    """Something else is to be done first; the job is done again later."""


@dataclass(frozen=True)
class Held:
    """A model here, with the fixed batch that is traced."""

    model: Any
    probe: Any

    def at(self, iteration: int | None) -> Held:
        """The model as it was at an iteration of its training, with the same batch; None for now."""
        return self if iteration is None else Held(self.model.at(iteration), self.probe)

    def trace(self, between: Callable[[float], None] = lambda done: None) -> Trace:
        """Everything the model does on the probe; `between` as in `record`."""
        from rnnscope.core.recording import record_batch

        return record_batch(self.model, self.probe, between)
