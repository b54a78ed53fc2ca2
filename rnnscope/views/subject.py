"""What views draw: the runs of a comparison, and where the shared cursor stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rnnscope.core.reach import Reach
from rnnscope.core.trace import Facts, History, Influence, Trace
from rnnscope.views.plot import Style

OKABE_ITO = ("#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7", "#0072B2")  # their yellow is lost on white paper
DASHES = ("solid", "dashed", "dotted", "dashdot")


@dataclass(frozen=True)
class Position:
    """The shared cursor: time step 1..T, sequence 0..B-1, unit 0..H-1.

    layer   whose signals are drawn; a run that has no such layer shows its first
    signal  what colours the nodes of a tree; the hidden state where a cell has no such signal
    output  which output the influence of inputs is on, from 0; None for all of them
    iteration  which moment of the training is looked at; None for now
    """

    time_step: int = 1
    sequence: int = 0
    unit: int = 0
    layer: str = ""
    signal: str = "hidden"
    output: int | None = None
    iteration: int | None = None


@dataclass(frozen=True, eq=False)
class Subject:
    """One run as a view sees it: only frozen values.

    growth    iteration -> what was measured of the model there
    training  what its training is called where `name` says of which iteration the trace is
    """

    name: str
    style: Style
    facts: Facts
    history: History = field(default_factory=History)
    trace: Trace | None = None
    reaches: Mapping[str, Reach] = field(default_factory=dict)
    influence: Influence | None = None
    growth: Mapping[int, Mapping[str, Reach]] = field(default_factory=dict)
    training: str = ""

    def back_at(self, iteration: int, trace: Trace) -> Subject:
        """The same run as it was at an iteration of its training, with what was measured there."""
        name, reaches = f"{self.name} @ {iteration:,}", self.growth.get(iteration, {})
        return replace(self, name=name, training=self.name, trace=trace, reaches=reaches)

    def at(self, layer: str) -> Subject:
        """The same run with the signals of another layer, where it has it."""
        return self if self.trace is None else replace(self, trace=self.trace.of_layer(layer))


def style_of(cell: int, again: int = 0) -> Style:
    """Colour of the `cell`-th line of CELLS, the same in every plot and figure; `again` tells its repetitions apart."""
    turn, colour = divmod(cell, len(OKABE_ITO))
    return Style(OKABE_ITO[colour], DASHES[(turn + again) % len(DASHES)], 1.5)


def head(subject: Subject) -> tuple[str, Style]:
    """The head of a column: the run, and which of its layers is drawn where it has several."""
    layer = f", {subject.trace.layer}" if subject.trace and len(subject.trace.layers) > 1 else ""
    return subject.name + layer, subject.style
