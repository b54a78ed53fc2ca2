"""What the figure tests share: tiny untrained models, and the plots of every view."""

from dataclasses import replace

import numpy as np
import pytest

from rnnscope.core.comparison import compare
from rnnscope.core.configuration import Configuration
from rnnscope.core.model import Model
from rnnscope.core.settings import make
from rnnscope.core.snapshots import Snapshots, weights_of
from rnnscope.core.trace import History
from rnnscope.figures.subjects import grown_subjects, measured_subjects, subjects
from rnnscope.views import VIEWS, Position
from rnnscope.views.plot import Axis, Lines, Panel, Plot, Style

# Runs side by side for views of what only some networks have: (name, cell, task, more); the first has it.
NETWORKS = {
    "phases": [("a clock", "clockwork", "adding", {"length": 40, "units": 8}), ("rnn", "elman", "adding", {"length": 40})],
    "depth": [
        ("deep", "depth_gated", "adding", {"length": 40, "network_settings": {"layers": 3}}),
        ("shallow", "gru", "adding", {"length": 40, "network_settings": {"layers": 2}}),
    ],
    "directions": [
        ("both", "lstm", "adding", {"length": 40, "network": "bidirectional"}),
        ("one", "lstm", "adding", {"length": 40}),
        ("two layers", "gru", "adding", {"length": 40, "network": "bidirectional", "network_settings": {"layers": 2}}),
    ],
    "tree": [
        ("a tree", "lstm", "nested_lists", {"network": "tree_lstm", "depth": 4, "arguments": 3}),
        ("recursive", "elman", "nested_lists", {"network": "recursive", "depth": 4, "arguments": 3}),
        ("in order", "gru", "nested_lists", {"depth": 4, "arguments": 3}),
    ],
    "average": [("average", "rwa", "adding", {"length": 40}), ("lstm", "lstm", "adding", {"length": 40})],
    "attention_map": [
        ("decoder", "gru", "dates", {"network": "encoder_decoder"}),
        ("plain", "lstm", "dates", {}),
        ("average", "rwa", "dates", {}),
    ],
}


def _make_model(
    cell="lstm", task="adding", units=3, seed=0, iterations=0, network="stack", network_settings=None, **task_settings
):
    values = {"cell": cell, "task": task, "units": units, "task_settings": task_settings, "training": {"seed": seed}}
    values |= {"network": network, "network_settings": network_settings or {}}
    model = Model(make(Configuration, values))
    losses = np.geomspace(1, 1e-3, iterations).astype(np.float32)
    model.history = History(losses, losses)
    if iterations:
        model.snapshots = Snapshots(dict.fromkeys((0, 4, 11), weights_of(model)))
    return model


def _all_plots(models, views):
    """Views of the models: name -> Plot."""
    shown = subjects(models)
    measured = measured_subjects(models, compare(models, sequences=4))
    grown = grown_subjects(models) if "growth" in views else shown
    shown = [
        replace(subject, reaches=of_now.reaches, growth=of_then.growth)
        for subject, of_now, of_then in zip(shown, measured, grown, strict=True)
    ]
    position = Position(shown[0].trace.time_steps, 1, 2)
    return {view: VIEWS[view](shown, position) for view in views}


@pytest.fixture(scope="session")
def make_model():
    """Build a Model: (cell, task, units, seed, iterations in its history, network, network_settings, **task_settings)."""
    return _make_model


@pytest.fixture(scope="session")
def networks():
    """Models for a view that only some networks have something for: view -> name -> Model."""
    return {
        view: {name: _make_model(cell, task, **more) for name, cell, task, more in runs} for view, runs in NETWORKS.items()
    }


@pytest.fixture(scope="session")
def plots(networks):
    """Plots of every view, of one model and of three, or all of NETWORKS: (view, 1 or 3) -> Plot."""
    three = {f"{cell}-adding": _make_model(cell, length=40, iterations=900) for cell in ("lstm", "elman", "rwa")}
    one = {"a digit": _make_model("gru", "digits", units=24, iterations=50)}
    made = {
        (view, runs): plot for runs, models in ((1, one), (3, three)) for view, plot in _all_plots(models, VIEWS).items()
    }
    for view, models in networks.items():
        alone = dict(list(models.items())[:1])
        made |= {(view, runs): _all_plots(some, [view])[view] for runs, some in ((1, alone), (3, models))}
    return made


@pytest.fixture
def curves():
    """Build a Plot of one panel with one curve: (y, axis, name, **of the Panel)."""

    def build(y=(0.1, 0.5, np.nan, 0.9), axis=Axis("value", "", 0, 1), name="curve", **panel):  # noqa: B008
        x = np.arange(1, len(y) + 1)
        lines = Lines(x, np.array([y], float), (name,), (Style(),))
        time = Axis("time", "time step", 0.5, len(y) + 0.5)
        return Plot("curves", ((Panel("a title", time, axis, (lines,), **panel),),))

    return build
