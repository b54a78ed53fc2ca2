"""What views draw: the runs of a comparison, and where the shared cursor stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rnnscope.core.reach import Reach
from rnnscope.core.trace import Facts, History, Trace
from rnnscope.views.plot import Style

OKABE_ITO = ("#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7", "#0072B2", "#F0E442")
DASHES = ("solid", "dashed", "dotted", "dashdot")


@dataclass(frozen=True)
class Position:
    """The shared cursor: time step 1..T, sequence 0..B-1 and unit 0..H-1."""

    time_step: int = 1
    sequence: int = 0
    unit: int = 0


@dataclass(frozen=True, eq=False)
class Subject:
    """One run as a view sees it: only frozen values."""

    name: str
    style: Style
    facts: Facts
    history: History = field(default_factory=History)
    trace: Trace | None = None
    reaches: Mapping[str, Reach] = field(default_factory=dict)


def style_of(cell: int, again: int = 0) -> Style:
    """Colour of the `cell`-th line of CELLS, the same in every plot and figure; `again` tells its repetitions apart."""
    turn, colour = divmod(cell, len(OKABE_ITO))
    return Style(OKABE_ITO[colour], DASHES[(turn + again) % len(DASHES)], 1.5)


def head(subject: Subject) -> tuple[str, Style]:
    """The head of a column."""
    return subject.name, subject.style
