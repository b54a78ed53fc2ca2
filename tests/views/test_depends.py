"""What each view has something to show for, and what of the position its Plot depends on: as its tables say."""

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from rnnscope.core.trace import Attended, Layer
from rnnscope.views import DEPENDS, HAS, VIEWS, Position, draw
from rnnscope.views.plot import Heatmap

HERE = Position(3, 0, 1)
ELSEWHERE = {
    "time_step": (2, 5),
    "sequence": (1,),
    "unit": (2,),
    "layer": ("layer 2", "backward 2"),
    "signal": ("forget_gate",),
    "output": (0,),
    "iteration": (2,),
}


def everything(part):
    """All that a Plot holds, down to the bytes of its arrays."""
    if isinstance(part, np.ndarray):
        return part.shape, part.astype(float).tobytes()
    if isinstance(part, (tuple, list)):
        return tuple(map(everything, part))
    if is_dataclass(part):
        return tuple(everything(getattr(part, field.name)) for field in fields(part))
    return part


def moved(view, field, make_runs):
    """Whether the Plot is another where the position is, for any network."""
    return any(
        everything(draw(view, [run], HERE)) != everything(draw(view, [run], replace(HERE, **{field: there})))
        for run in make_runs().values()
        for there in ELSEWHERE[field]
    )


@pytest.mark.parametrize("field", ELSEWHERE)
@pytest.mark.parametrize("view", VIEWS)
def test_a_plot_depends_on_what_its_view_names_and_on_nothing_else(view, field, make_runs):
    assert moved(view, field, make_runs) == (field in DEPENDS.get(view, ("sequence", "layer")))


@pytest.mark.parametrize("kind", ["lstm", "rwa", "clockwork", "deep", "both ways", "tree", "decoder", "static"])
@pytest.mark.parametrize("view", HAS)
def test_a_view_has_numbers_where_it_says_so_and_else_a_sentence(view, kind, make_runs):
    run = make_runs()[kind]
    plot = draw(view, [run], HERE)
    if HAS[view](run.trace):
        assert any(plot.numbers())
    elif view != "depth":  # of a single layer it shows just that
        assert not any(plot.numbers())
        assert all(panel.empty for panel in plot.panels)


@pytest.mark.parametrize("view", HAS)
def test_some_network_has_what_a_view_shows(view, make_runs):
    assert any(HAS[view](run.trace) for run in make_runs().values())


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_drawn_of_all_networks_side_by_side(view, make_runs):
    runs = list(make_runs().values())
    plot = draw(view, runs, replace(HERE, sequence=1, time_step=99, unit=99))
    assert {panel.run for panel in plot.panels} in ({""}, {run.name for run in runs})
    for panel in plot.panels:
        if panel.x.kind == "time":
            assert (panel.x.low, panel.x.high) == (0.5, 5.5)


@pytest.mark.parametrize("kind", ["lstm", "rwa", "clockwork", "deep", "both ways", "tree", "decoder", "static"])
@pytest.mark.parametrize("view", VIEWS)
def test_padding_changes_neither_limits_nor_what_is_read(view, kind, make_runs):
    padded = make_runs(steps=7, lengths=(5, 5))[kind]
    cut = replace(padded, trace=first(padded.trace, 5))
    for one, other in zip(draw(view, [padded], HERE).panels, draw(view, [cut], HERE).panels, strict=True):
        assert (one.title, one.x, one.y) == (other.title, other.x, other.y)
        assert [(mark.low, mark.high) for mark in one.marks if isinstance(mark, Heatmap)] == [
            (mark.low, mark.high) for mark in other.marks if isinstance(mark, Heatmap)
        ]
        for t in range(1, 6):
            np.testing.assert_equal(one.read(t, 1), other.read(t, 1))


def first(trace, steps):
    """The first time steps of a Trace."""

    def cut(arrays):
        return {name: None if array is None else array[:steps] for name, array in arrays.items()}

    layers = {
        name: Layer(cut(layer.signals), layer.legend, cut(layer.gradients), layer.along)
        for name, layer in trace.layers.items()
    }
    attended = trace.attended and Attended(trace.attended.weights[:, :steps], trace.attended.first)
    over_time = cut({name: getattr(trace, name) for name in ("inputs", "outputs", "loss", "parents")})
    return replace(trace, layers=layers, attended=attended, **over_time)


@pytest.mark.parametrize("view", VIEWS)
def test_every_axis_has_limits_for_every_kind_of_run(view, make_runs):
    """What cannot be drawn says so in a place of its own."""
    for runs in ([], *([run] for run in make_runs().values()), list(make_runs().values())):
        for panel in draw(view, runs, HERE).panels:
            assert panel.x.low < panel.x.high
            assert panel.y.low < panel.y.high
