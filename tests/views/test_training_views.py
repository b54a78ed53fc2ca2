"""The loss over iterations and the reach over lags."""

import numpy as np
import pytest

from rnnscope.core.reach import Reach
from rnnscope.core.trace import History
from rnnscope.views import VIEWS, Position
from rnnscope.views.loss import MOST_POINTS, last_loss, spans
from rnnscope.views.reach import capacities, lag_words, law_words, sentence


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
    panel, other = VIEWS["reach"](runs, Position()).panels
    marks = [*panel.marks, *other.marks]
    assert [mark.names[0].split(", ")[0] for mark in marks] == ["a", "a", "b"]
    for mark, curve in zip(marks, [*curves.values(), make_reach(lags=20)], strict=True):
        np.testing.assert_array_equal((mark.y[0], mark.low[0], mark.high[0]), (curve.mean, curve.low, curve.high))
    assert [(one.x.kind, one.x.low, one.x.high) for one in (panel, other)] == [("lag", 0, 7), ("lag", 0, 19)]
    assert (panel.y.low, panel.y.high) == pytest.approx((1e-5, 1))
    assert [value for value, _ in panel.y.levels] == [0.5, 0.01]


def test_runs_of_one_cell_and_their_measures_never_look_alike(make_subject, make_reach):
    curves = {"state_jacobian": make_reach(), "direct_weight": make_reach()}
    runs = [make_subject(f"run {again}", cell=1, again=again, reaches=curves) for again in range(4)]
    (panel,) = VIEWS["reach"](runs, Position()).panels
    styles = [mark.styles[0] for mark in panel.marks]
    assert len(set(styles)) == len(styles)
    assert styles[0] == runs[0].style


def test_every_further_measure_has_a_panel_two_in_a_row(make_subject, make_reach):
    kinds = ("state_jacobian", "direct_weight", "connectivity", "decoding", "causal", "context_loss")
    subjects = [make_subject("a", reaches={kind: make_reach(kind) for kind in kinds})]
    plot = VIEWS["reach"](subjects, Position())
    assert [[panel.title for panel in row] for row in plot.rows] == [
        ["share left of the past", "influence"],
        ["decoding", "replacing"],
        ["context"],
    ]
    decoding = plot.rows[1][0]
    assert (decoding.y.log, decoding.y.low, decoding.y.high) == (False, 0, 1)


def test_below_its_floor_nothing_is_drawn(make_subject):
    curves = np.array([[0.9, 0.8], [0.3, 0.5], [0.02, 0.04], [-0.1, 0.0]])
    reach = Reach.from_sequences("decoding", curves, geometric=False, floor=0.05)
    (panel,) = VIEWS["reach"]([make_subject(reaches={"decoding": reach})], Position()).panels
    np.testing.assert_allclose(panel.marks[0].y[0], [0.85, 0.4, np.nan, np.nan])


def test_a_lag_in_words():
    steps = np.arange(60)[:, None]
    both = Reach.from_sequences("m", np.exp(-steps * np.array([0.1, 0.12])))
    assert lag_words(both, both.lag50).startswith("6.3 [5.8, 6.9]")
    assert lag_words(both, both.lag1) == "41.9 [38.4, 46.1]"
    slow = Reach.from_sequences("m", np.exp(-steps * np.array([0.05, 0.09])))
    assert lag_words(slow, slow.lag1).endswith("> 59]")
    assert law_words(both).startswith("exponential, e-fold in 9.09 steps (")
    nothing = Reach.from_sequences("m", np.full((5, 3), 0.01), geometric=False, floor=0.1)
    assert (lag_words(nothing, nothing.lag50), law_words(nothing)) == ("–", "–")


def test_the_sentence_says_where_information_outlasts_the_gradient():
    lags = np.arange(30)[:, None]
    gradient = Reach.from_sequences("state_jacobian", np.exp(-lags * np.array([0.9, 1, 1.1])))
    read = Reach.from_sequences("decoding", np.where(lags < 20, 0.9, 0.0) + 0 * np.arange(3), geometric=False, floor=0.05)
    text = sentence({"a latch": {"state_jacobian": gradient, "decoding": read}, "none": {}})
    assert text.startswith("On these 3 sequences the gradient falls to 1 % at lag 4.6 [4.2, 5.1] for a latch.")
    assert "The input 19 time steps back can still be read from the state of a latch, beyond its gradient." in text
    assert sentence({"none": {}}) == ""
    named = {"a latch": {"decoding": read}, "none": {"state_jacobian": gradient}}
    assert capacities(named) == "Linear memory capacity, the sum of decoding over lags: 18.0 [18.0, 18.0] for a latch."
    assert capacities({"none": {}}) == ""


def test_an_axis_above_1_where_a_curve_rises(make_subject, make_reach):
    (panel,) = VIEWS["reach"]([make_subject(reaches={"r": make_reach(half=-4.0)})], Position()).panels
    assert panel.y.high == pytest.approx(10)


def test_without_measures_reach_says_what_to_do(make_subject):
    (panel,) = VIEWS["reach"]([make_subject()], Position()).panels
    assert panel.empty
    assert panel.marks == ()
