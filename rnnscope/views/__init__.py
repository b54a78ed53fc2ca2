"""The views: what is drawn, one function each, (subjects, position) -> Plot; one line in VIEWS."""

from collections.abc import Callable, Sequence

from rnnscope.views.attention import attention
from rnnscope.views.error import error
from rnnscope.views.gates import gates
from rnnscope.views.gradient import gradient
from rnnscope.views.hidden import hidden
from rnnscope.views.input import input
from rnnscope.views.loss import loss
from rnnscope.views.plot import Plot
from rnnscope.views.reach import reach
from rnnscope.views.subject import Position, Subject

VIEWS: dict[str, Callable[[Sequence[Subject], Position], Plot]] = {
    "input": input,
    "hidden": hidden,
    "gates": gates,
    "attention": attention,
    "gradient": gradient,
    "error": error,
    "loss": loss,
    "reach": reach,
}

DRAWN_FROM = {"loss": "history", "reach": "reaches"}  # what of a Subject a view draws; the others draw its trace
FOLLOWS_TIME = frozenset({"input", "attention"})  # views whose Plot depends on the cursor's time step

__all__ = ["DRAWN_FROM", "FOLLOWS_TIME", "VIEWS", "Plot", "Position", "Subject"]
