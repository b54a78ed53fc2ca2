"""Phases, depth, directions and saturation, recomputed from hand-made signals."""

import re

import numpy as np
import pytest

from rnnscope.views import VIEWS, Position, draw
from rnnscope.views.directions import pair_of

PERIODS = np.array([1, 1, 2, 2, 4, 16])


def clock(steps=9, periods=PERIODS):
    """Signal of units that work when their period divides t: (T, 2, H)."""
    t = np.arange(1, steps + 1)[:, None]
    return np.repeat((t % periods == 0)[:, None].astype(float), 2, axis=1)


@pytest.mark.parametrize(("sequence", "length"), [(0, 9), (1, 6)])
def test_phases_have_a_row_per_module_and_name_its_period(make_subject, sequence, length):
    subject = make_subject(steps=9, units=6, lengths=[9, 6], signals={"active": clock()})
    (panel,) = VIEWS["phases"]([subject], Position(1, sequence)).panels
    (mark,) = panel.marks
    assert mark.rows == ("every 1", "every 2", "every 4", "at rest")
    np.testing.assert_array_equal(mark.values, clock()[:length, 0, [0, 2, 4, 5]].T)
    assert panel.x.high == length + 0.5


def test_phases_of_one_module_and_of_a_cell_without_a_clock(make_subject):
    one = make_subject(signals={"active": np.ones((6, 2, 3))})
    plot = VIEWS["phases"]([one, make_subject("lstm")], Position())
    assert plot.rows[0][0].marks[0].rows == ("every 1",)
    assert "clockwork" in plot.rows[0][1].empty


def deep(make_subject, **more):
    gate = np.random.default_rng(9).random((6, 2, 3))
    return make_subject(layers=("layer 1", "layer 2", "layer 3"), signals={"depth_gate": gate}, **more)


def test_depth_has_the_mean_size_of_each_layer_over_time(make_subject):
    subject = deep(make_subject, lengths=[6, 4])
    size, gate, norms = VIEWS["depth"]([subject], Position(1, 1)).panels
    layers = subject.trace.layers
    for panel, name in ((size, "hidden"), (gate, "depth_gate")):
        (mark,) = panel.marks
        assert mark.rows == tuple(layers)
        for row, layer in zip(mark.values, layers.values(), strict=True):
            expected = [np.mean([abs(float(value)) for value in values]) for values in layer.signals[name][:, 1]]
            np.testing.assert_allclose(row, expected, rtol=1e-6)
    assert size.marks[0].high >= np.nanmax(size.marks[0].values)
    assert (gate.marks[0].low, gate.marks[0].high) == (0, 1)
    np.testing.assert_array_equal(norms.marks[0].y, [layer.gradients["state"][:, 1] for layer in layers.values()])
    assert norms.marks[0].names == tuple(layers)
    assert len({(style.dash, style.width) for style in norms.marks[0].styles}) == 3


def test_depth_limits_are_shared_and_a_network_without_depth_gates_leaves_their_place_empty(make_subject):
    loud = make_subject("loud", layers=("layer 1", "layer 2"), signals={"hidden": np.full((6, 2, 3), 7.0)})
    plot = VIEWS["depth"]([deep(make_subject), loud], Position())
    assert plot.rows[1][1] is None
    assert {panel.marks[0].high for panel in plot.rows[0]} == {10}
    first, second = plot.rows[2]
    assert first.y == second.y


BOTH = {"forward": "forward", "backward": "backward"}
STACKED = {"forward 1": "forward", "backward 1": "backward", "forward 2": "forward", "backward 2": "backward"}


@pytest.mark.parametrize(
    ("layers", "layer", "pair"),
    [
        (BOTH, "", ("forward", "backward")),
        (BOTH, "backward", ("forward", "backward")),
        (STACKED, "", ("forward 1", "backward 1")),
        (STACKED, "backward 1", ("forward 1", "backward 1")),
        (STACKED, "forward 2", ("forward 2", "backward 2")),
        (STACKED, "backward 2", ("forward 2", "backward 2")),
        (STACKED, "layer 7", ("forward 1", "backward 1")),
        ({"layer 1": "forward"}, "", None),
    ],
)
def test_directions_come_in_pairs(make_subject, layers, layer, pair):
    assert pair_of(make_subject(layers=layers), layer) == pair


def test_directions_are_the_hidden_states_and_gradients_of_both(make_subject):
    subject = make_subject(layers=STACKED)
    *states, norms = draw("directions", [subject], Position(1, 1, layer="backward 2")).panels
    for panel, name in zip(states, ("forward 2", "backward 2"), strict=True):
        np.testing.assert_array_equal(panel.marks[0].values, subject.trace.layers[name].signals["hidden"][:, 1].T)
        assert panel.title.endswith(name)
    expected = [subject.trace.layers[name].gradients["state"][:, 1] for name in ("forward 2", "backward 2")]
    np.testing.assert_array_equal(norms.marks[0].y, expected)
    assert [style.dash for style in norms.marks[0].styles] == ["solid", "dashed"]


def test_directions_of_a_network_that_reads_one_way(make_subject):
    plot = VIEWS["directions"]([make_subject("both", layers=BOTH), make_subject("one")], Position())
    assert "one direction" in plot.rows[0][1].empty
    assert [row[1] for row in plot.rows[1:]] == [None, None]


def test_saturation_is_the_share_of_all_time_steps_without_padding(make_subject):
    gate = np.full((4, 2, 3), 0.5)
    gate[:, 0, 0] = [0.05, 0.05, 0.95, 0.5]
    gate[:, 1, 0] = [0.95, 0.05, 0, 0]  # only two of them are time steps
    gate[:, :, 1] = 0.01
    subject = make_subject(steps=4, lengths=[4, 2], signals={"forget_gate": gate})
    (panel,) = VIEWS["saturation"]([subject], Position(1, 0, 9)).panels
    _, dots = panel.marks
    np.testing.assert_allclose(dots.x, [3 / 6, 1, 0])
    np.testing.assert_allclose(dots.y, [2 / 6, 0, 0])
    assert (dots.chosen, dots.chooses) == (2, "unit")


def test_saturation_has_a_row_per_run_that_says_whose_it_is(make_subject):
    runs = [
        make_subject("a", layers=("layer 1", "layer 2")),
        make_subject("b"),
        make_subject("c", signals={"forget_gate": None}),
    ]
    plot = draw("saturation", runs, Position(layer="layer 2"))
    assert [row[0].title for row in plot.rows] == ["forget gate, a, layer 2", "forget gate, b", "saturation"]
    assert plot.heads == ()
    assert "no gates" in plot.rows[2][0].empty
    assert VIEWS["saturation"](runs[1:2], Position()).heads[0][0] == "b"


def test_time_scales_of_all_runs_lie_in_one_plot_the_longest_first(make_subject):
    logs = -1 / np.broadcast_to([2.0, 50.0, 7.0], (4, 2, 3))
    runs = [make_subject("a", steps=4, signals={"log_retention": logs}), make_subject("b", cell=2)]
    runs.append(make_subject("c", signals={"log_retention": None}))
    (panel,) = VIEWS["time_scales"](runs, Position(unit=1)).panels
    first, second, third = panel.marks
    np.testing.assert_allclose(first.y, [2, 50, 7])
    np.testing.assert_allclose(first.x, [1, 1 / 3, 2 / 3])
    assert (first.chosen, first.chooses, first.name, second.name) == (1, "unit", "a", "b")
    assert (third.name, len(third.x)) == ("c, no gates", 0)
    assert re.fullmatch("time scale of the gates, unit 1: 50, [0-9.]+, –", panel.title)
    assert panel.y.log
    assert panel.y.low <= 2 < 50 <= panel.y.high
    assert [name for _, name in panel.y.levels] == ["4 time steps", "6 time steps"]
    (alone,) = VIEWS["time_scales"](runs[:1], Position(unit=0)).panels
    assert alone.title == "time scale of the gates, unit 0: 2"


def test_time_scales_that_are_not_there_say_why(make_subject):
    for kept, words in (
        (None, "no gates"),
        (np.zeros((6, 2, 3)), "for ever"),
        (np.full((6, 2, 3), np.nan), "no time scale"),
    ):
        (panel,) = VIEWS["time_scales"]([make_subject(signals={"log_retention": kept})], Position()).panels
        assert words in panel.empty
        assert not panel.marks


def test_the_time_axis_of_symbols_has_their_names(make_runs, make_subject):
    runs = make_runs()
    tree, plain = VIEWS["input"]([runs["tree"], runs["lstm"]], Position(1, 1)).rows[0]
    shown = runs["tree"].trace.inputs[:5, 1].argmax(1)
    assert tree.x.names == tuple(("7", "2", "␣", "MAX", "9")[channel] for channel in shown)
    assert plain.x.names == ()
    assert make_subject(inputs=6).trace.inputs.shape[2] == 6
    assert VIEWS["input"]([make_subject(inputs=6)], Position()).rows[0][0].x.names == ()
