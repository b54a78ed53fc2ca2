"""The loss over iterations and the reach over lags."""

import numpy as np
import pytest

from rnnscope.core.trace import History
from rnnscope.views import VIEWS, Position
from rnnscope.views.loss import MOST_POINTS, last_loss, spans


@pytest.mark.parametrize("iterations", [1, 2, 299, 300, 301, 600, 601, 4567])
def test_spans_are_equal_whole_few_and_cover_everything(iterations):
    edges = spans(iterations)
    lengths = np.diff(edges)
    assert (edges[0], edges[-1]) == (0, iterations)
    assert len(lengths) <= MOST_POINTS
    assert set(lengths[:-1].tolist()) <= {-(-iterations // MOST_POINTS)}
    assert 1 <= lengths[-1] <= -(-iterations // MOST_POINTS)


@pytest.mark.parametrize("iterations", [1, 7, 300, 301, 1234])
def test_the_curve_is_the_mean_of_each_span_and_the_band_what_it_held(make_subject, iterations):
    history = np.random.default_rng(0).random(iterations).astype(np.float32)
    (panel,) = VIEWS["loss"]([make_subject(history=history)], Position()).panels
    (mark,) = panel.marks
    length = -(-iterations // MOST_POINTS)
    for n, first in enumerate(range(0, iterations, length)):
        span = [float(value) for value in history[first : first + length]]
        assert mark.y[0, n] == pytest.approx(sum(span) / len(span), rel=1e-12)
        assert (mark.low[0, n], mark.high[0, n]) == (min(span), max(span))
        assert mark.x[n] == pytest.approx(sum(range(first + 1, first + len(span) + 1)) / len(span))
    assert n + 1 == mark.y.shape[1]


def test_one_panel_holds_all_runs_and_each_baseline_once(make_subject):
    runs = [make_subject("a", history=[1, 2]), make_subject("b", history=[3] * 30), make_subject("c", baseline=0.5)]
    (panel,) = VIEWS["loss"](runs, Position()).panels
    assert [mark.names for mark in panel.marks] == [("a",), ("b",)]
    assert [value for value, _ in panel.y.levels] == [0.25, 0.5]
    assert (panel.x.low, panel.x.high) == (0, 30)
    assert panel.y.low <= 0.25 < 3 <= panel.y.high


def test_without_training_the_loss_says_what_to_do(make_subject):
    (panel,) = VIEWS["loss"]([make_subject()], Position()).panels
    assert panel.empty
    assert panel.marks == ()


@pytest.mark.parametrize(("iterations", "counted"), [(1, 1), (9, 1), (20, 2), (25, 3), (5000, 100)])
def test_the_last_loss_is_the_mean_of_the_last_tenth(iterations, counted):
    losses = np.arange(iterations, dtype=np.float32)
    expected = sum(range(iterations - counted, iterations)) / counted
    assert last_loss(History(losses, losses)) == pytest.approx(expected)


def test_the_last_loss_of_no_training_is_nan():
    assert np.isnan(last_loss(History()))


def test_reach_shows_every_measure_of_every_run(make_subject, make_reach):
    curves = {"state_jacobian": make_reach(), "direct_weight": make_reach("direct_weight", 1.0)}
    runs = [make_subject("a", reaches=curves), make_subject("b", reaches={"new_measure": make_reach(lags=20)})]
    (panel,) = VIEWS["reach"](runs, Position()).panels
    assert [mark.names[0].split(", ")[0] for mark in panel.marks] == ["a", "a", "b"]
    for mark, curve in zip(panel.marks, [*curves.values(), make_reach(lags=20)], strict=True):
        np.testing.assert_array_equal((mark.y[0], mark.low[0], mark.high[0]), (curve.mean, curve.low, curve.high))
    assert (panel.x.kind, panel.x.low, panel.x.high) == ("lag", 0, 19)
    assert (panel.y.low, panel.y.high) == pytest.approx((1e-5, 1))
    assert [value for value, _ in panel.y.levels] == [0.5, 0.01]


def test_runs_of_one_cell_and_their_measures_never_look_alike(make_subject, make_reach):
    curves = {"state_jacobian": make_reach(), "direct_weight": make_reach()}
    runs = [make_subject(f"run {again}", cell=1, again=again, reaches=curves) for again in range(4)]
    (panel,) = VIEWS["reach"](runs, Position()).panels
    styles = [mark.styles[0] for mark in panel.marks]
    assert len(set(styles)) == len(styles)
    assert styles[0] == runs[0].style


def test_an_axis_above_1_where_a_curve_rises(make_subject, make_reach):
    (panel,) = VIEWS["reach"]([make_subject(reaches={"r": make_reach(half=-4.0)})], Position()).panels
    assert panel.y.high == pytest.approx(10)


def test_without_measures_reach_says_what_to_do(make_subject):
    (panel,) = VIEWS["reach"]([make_subject()], Position()).panels
    assert panel.empty
    assert panel.marks == ()
