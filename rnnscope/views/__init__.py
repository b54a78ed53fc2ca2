"""The views: what is drawn, one function each, (subjects, position) -> Plot; one line in VIEWS."""

from collections.abc import Callable, Sequence

from rnnscope.core.trace import Trace
from rnnscope.views.attention import attention
from rnnscope.views.attention_map import attention_map, has_triangle
from rnnscope.views.average import SUMS, average
from rnnscope.views.depth import depth
from rnnscope.views.directions import directions
from rnnscope.views.error import error
from rnnscope.views.gates import gates
from rnnscope.views.gradient import gradient
from rnnscope.views.growth import growth
from rnnscope.views.hidden import hidden
from rnnscope.views.influence import influence
from rnnscope.views.input import input
from rnnscope.views.loss import loss
from rnnscope.views.phases import phases
from rnnscope.views.plot import Plot
from rnnscope.views.reach import reach
from rnnscope.views.saturation import saturation
from rnnscope.views.subject import Position, Subject
from rnnscope.views.time_scales import time_scales
from rnnscope.views.tree import tree

VIEWS: dict[str, Callable[[Sequence[Subject], Position], Plot]] = {
    "input": input,
    "hidden": hidden,
    "gates": gates,
    "saturation": saturation,
    "attention": attention,
    "attention_map": attention_map,
    "time_scales": time_scales,
    "average": average,
    "phases": phases,
    "depth": depth,
    "directions": directions,
    "tree": tree,
    "influence": influence,
    "gradient": gradient,
    "error": error,
    "loss": loss,
    "reach": reach,
    "growth": growth,
}

# What of a Subject a view draws; the others draw its trace.
DRAWN_FROM = {"loss": "history", "reach": "reaches", "influence": "influence", "growth": "growth"}

# What of the position a Plot depends on, where it is more or less than the sequence and the layer.
DEPENDS: dict[str, tuple[str, ...]] = {
    "input": ("time_step", "sequence"),
    "attention": ("time_step", "sequence", "unit", "layer"),
    "attention_map": ("sequence", "unit", "layer"),
    "average": ("time_step", "sequence", "unit", "layer"),
    "saturation": ("unit", "layer"),
    "time_scales": ("unit", "layer"),
    "depth": ("sequence",),
    "tree": ("time_step", "sequence", "unit", "layer", "signal"),
    "influence": ("sequence", "output"),
    "loss": ("iteration",),
    "reach": (),
    "growth": ("iteration",),
}

# Views of what only some networks have; the others always have something to show.
HAS: dict[str, Callable[[Trace], bool]] = {
    "saturation": lambda trace: any(s.gate and (s.low, s.high) == (0, 1) for s in trace.legend.values()),
    "attention_map": lambda trace: trace.attended is not None or has_triangle(trace),
    "time_scales": lambda trace: "log_retention" in trace.signals,
    "average": lambda trace: {*SUMS} <= {*trace.signals},
    "phases": lambda trace: "active" in trace.signals,
    "depth": lambda trace: len(trace.layers) > 1,
    "directions": lambda trace: any(layer.along == "backward" for layer in trace.layers.values()),
    "tree": lambda trace: trace.parents is not None,
    "influence": lambda trace: True,
}


def draw(view: str, subjects: Sequence[Subject], position: Position) -> Plot:
    """The Plot of one of VIEWS, with the layer that the position names."""
    return VIEWS[view]([subject.at(position.layer) for subject in subjects], position)


__all__ = ["DEPENDS", "DRAWN_FROM", "HAS", "VIEWS", "Plot", "Position", "Subject", "draw"]
