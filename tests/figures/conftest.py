"""What the figure tests share: tiny untrained models, and the plots of every view."""

from dataclasses import replace

import numpy as np
import pytest

from rnnscope.core.comparison import compare
from rnnscope.core.configuration import Configuration
from rnnscope.core.model import Model
from rnnscope.core.settings import make
from rnnscope.core.trace import History
from rnnscope.figures.subjects import measured_subjects, subjects
from rnnscope.views import VIEWS, Position
from rnnscope.views.plot import Axis, Lines, Panel, Plot, Style


def _make_model(cell="lstm", task="adding", units=3, seed=0, iterations=0, **task_settings):
    values = {"cell": cell, "task": task, "units": units, "task_settings": task_settings, "training": {"seed": seed}}
    model = Model(make(Configuration, values))
    losses = np.geomspace(1, 1e-3, iterations).astype(np.float32)
    model.history = History(losses, losses)
    return model


def _all_plots(models):
    """Every view of the models: name -> Plot."""
    shown = subjects(models)
    measured = measured_subjects(models, compare(models, sequences=4))
    shown = [replace(subject, reaches=other.reaches) for subject, other in zip(shown, measured, strict=True)]
    position = Position(shown[0].trace.time_steps, 1, 2)
    return {name: view(shown, position) for name, view in VIEWS.items()}


@pytest.fixture(scope="session")
def make_model():
    """Build a Model: (cell, task, units, seed, iterations in its history, **task_settings)."""
    return _make_model


@pytest.fixture(scope="session")
def plots():
    """Plots of every view, of one model and of three: (view, number of models) -> Plot."""
    three = {f"{cell}-adding": _make_model(cell, length=40, iterations=900) for cell in ("lstm", "elman", "rwa")}
    one = {"a digit": _make_model("gru", "digits", units=24, iterations=50)}
    return {(view, len(models)): plot for models in (one, three) for view, plot in _all_plots(models).items()}


@pytest.fixture
def curves():
    """Build a Plot of one panel with one curve: (y, axis, name, **of the Panel)."""

    def build(y=(0.1, 0.5, np.nan, 0.9), axis=Axis("value", "", 0, 1), name="curve", **panel):  # noqa: B008
        x = np.arange(1, len(y) + 1)
        lines = Lines(x, np.array([y], float), (name,), (Style(),))
        time = Axis("time", "time step", 0.5, len(y) + 0.5)
        return Plot("curves", ((Panel("a title", time, axis, (lines,), **panel),),))

    return build
