"""Attention maps against the weights of the past, and the running average against its own sums."""

import itertools

import numpy as np
import pytest

from rnnscope.core.attention import spread_of_past, weights_of_past
from rnnscope.core.trace import Attended
from rnnscope.views import VIEWS, Position
from rnnscope.views.attention_map import triangle


def column(trace, t, spans):
    """What each span of moments weighs at time step t + 1 (R, H), NaN where none of it has been read."""
    weights = weights_of_past(trace, t, 0)
    sums = [weights[first - 1 : last] for first, last in spans]
    return np.array([np.where(np.isnan(part).all(0), np.nan, np.nansum(part, 0)) for part in sums])


def spans_of(names):
    """(first, last) moment of each row, from its name."""
    ends = [name.removeprefix("t = ").split("–") for name in names]
    return [(int(first[0]), int(first[-1])) for first in ends]


@pytest.mark.parametrize("along", ["forward", "backward"])
@pytest.mark.parametrize(("steps", "most"), [(6, 1), (100, 1), (250, 3), (1200, 12)])
def test_the_triangle_is_the_weights_of_the_past_at_every_time_step(make_trace, steps, most, along):
    trace = make_trace(steps=steps, units=2, batch=1, layers={"layer 1": along})
    (mean, of_unit), names = triangle(trace, 0, 1)
    spans = spans_of(names)
    assert spans[0][0] == 1
    assert spans[-1][1] == steps
    assert all(last + 1 == first for (_, last), (first, _) in itertools.pairwise(spans))
    assert max(last - first + 1 for first, last in spans) == most
    assert mean.shape == of_unit.shape == (len(spans), steps)
    wide = -(-steps // 500)  # a column stands for the time steps that are read after it
    for t in range(steps):
        behind = t % wide if along == "forward" else (steps - 1 - t) % wide
        computed = t - behind if along == "forward" else t + behind
        expected = column(trace, computed, spans)
        np.testing.assert_allclose(mean[:, t], expected.mean(1), rtol=1e-5, atol=1e-12)
        np.testing.assert_allclose(of_unit[:, t], expected[:, 1], rtol=1e-5, atol=1e-12)


def test_the_map_is_the_triangle_averaged_and_of_the_chosen_unit(make_subject):
    subject = make_subject(steps=6, lengths=[6, 4])
    mean, unit, lag, entropy = VIEWS["attention_map"]([subject], Position(1, 1, 2)).panels
    for panel, values in zip((lag, entropy), spread_of_past(subject.trace, 1), strict=True):
        np.testing.assert_array_equal(panel.marks[0].y, [values.mean(1), values[:, 2]])
    for t in range(4):
        expected = weights_of_past(subject.trace, t, 1)[:4]
        np.testing.assert_allclose(mean.marks[0].values[:, t], expected.mean(1), rtol=1e-5)
        np.testing.assert_allclose(unit.marks[0].values[:, t], expected[:, 2], rtol=1e-5)
    assert np.isnan(mean.marks[0].values[:, 4:]).all()
    assert mean.marks[0].rows == ("t = 1", "t = 2", "t = 3", "t = 4")


@pytest.mark.parametrize("log", [np.nan, -500.0])
def test_weights_that_are_no_numbers_or_next_to_nothing_are_drawn(make_subject, log):
    signals = {"log_retention": np.full((6, 2, 3), log), "log_write": np.full((6, 2, 3), log)}
    mean, *_ = VIEWS["attention_map"]([make_subject(signals=signals)], Position()).panels
    assert 1e-6 <= mean.marks[0].high <= 1


def test_runs_side_by_side_share_the_limits_of_lag_and_entropy(make_subject):
    runs = [make_subject("a", steps=40), make_subject("b", steps=9), make_subject("c", signals={"log_retention": None})]
    rows = VIEWS["attention_map"](runs, Position()).rows
    for row in rows[2:]:
        assert row[0].y == row[1].y
        assert row[0].y.high >= max(np.nanmax(panel.marks[0].y) for panel in row[:2])
        assert row[2] is None


def test_a_column_of_attention_logits_sums_to_one(make_subject):
    logits = np.random.default_rng(0).normal(0, 2, (250, 1, 3))
    signals = softmax_signals(logits)
    mean, unit, *_ = VIEWS["attention_map"]([make_subject(steps=250, batch=1, signals=signals)], Position()).panels
    for panel in (mean, unit):
        np.testing.assert_allclose(np.nansum(panel.marks[0].values, 0), 1, rtol=1e-4)


def softmax_signals(logits):
    """What an RWA with these logits keeps and writes."""
    mass = np.logaddexp.accumulate(logits)
    kept = np.concatenate([np.full((1, *logits.shape[1:]), -np.inf), mass[:-1] - mass[1:]])
    return {"attention_logit": logits, "log_write": logits - mass, "log_retention": kept}


@pytest.mark.parametrize(("sequence", "source", "length"), [(0, 4, 7), (1, 2, 5)])
def test_a_decoder_has_a_row_for_each_symbol_of_its_source(make_runs, sequence, source, length):
    subject = make_runs()["decoder"]
    (panel,) = VIEWS["attention_map"]([subject], Position(7, sequence)).panels
    (mark,) = panel.marks
    symbols = subject.trace.inputs[:source, sequence].argmax(1)
    assert mark.rows == tuple(("7", "2", "space", "MAX", "9")[channel] for channel in symbols)
    assert np.isnan(mark.values[:, :source]).all()
    assert np.isnan(mark.values[:, length:]).all()
    np.testing.assert_array_equal(
        mark.values[:, source:length], subject.trace.attended.weights[: length - source, :source, sequence].T
    )


def test_what_a_decoder_reads_sums_to_one_at_every_answer(make_subject):
    weights = np.zeros((2, 6, 2))
    weights[:, :4, 0], weights[:, :3, 1] = 1 / 4, [[0.2, 0.3, 0.5], [1, 0, 0]]
    decoder = make_subject(attended=Attended(weights, np.array([4, 3])), sources=np.array([4, 3]), lengths=[6, 5])
    for sequence, answers in ((0, slice(4, 6)), (1, slice(3, 5))):
        (panel,) = VIEWS["attention_map"]([decoder], Position(1, sequence)).panels
        np.testing.assert_allclose(panel.marks[0].values[:, answers].sum(0), 1, rtol=1e-6)
        assert np.isnan(np.delete(panel.marks[0].values, answers, 1)).all()


@pytest.mark.parametrize(("sequence", "length"), [(0, 7), (1, 5)])
def test_attention_over_the_whole_sequence_is_one_curve(make_runs, sequence, length):
    subject = make_runs()["static"]
    (panel,) = VIEWS["attention_map"]([subject], Position(1, sequence)).panels
    (mark,) = panel.marks
    assert mark.y.shape == (1, length)
    np.testing.assert_array_equal(mark.y[0], subject.trace.attended.weights[0, :length, sequence])


@pytest.mark.parametrize(("time_step", "now"), [(1, 1), (4, 4), (9, 9), (99, 9)])
def test_what_is_left_of_the_average_is_the_share_of_its_denominator(make_subject, time_step, now):
    """D_t / D_T, which is the attention that all moments up to t have together."""
    logits = np.random.default_rng(1).normal(0, 2, (9, 1, 3))
    sums = np.cumsum(np.exp(logits), 0)
    averages = {"numerator": np.ones_like(sums), "denominator": sums, "running_maximum": np.zeros_like(sums)}
    subject = make_subject(steps=9, batch=1, signals=softmax_signals(logits) | averages)
    *states, left = VIEWS["average"]([subject], Position(time_step, 0, 2)).panels
    assert [panel.symbol for panel in states] == ["n", "d", "a_max"]
    expected = sums[:now, 0] / sums[now - 1, 0]
    np.testing.assert_allclose(left.marks[0].y[:, :now], [expected.mean(1), expected[:, 2]], rtol=1e-5)
    assert np.isnan(left.marks[0].y[:, now:]).all()
    weights = np.exp(logits[:now, 0]) / sums[now - 1, 0]
    np.testing.assert_allclose(left.marks[0].y[1, :now], np.cumsum(weights[:, 2]), rtol=1e-5)


def test_a_cell_without_a_running_average_says_so(make_subject):
    (panel,) = VIEWS["average"]([make_subject()], Position()).panels
    assert "no running average" in panel.empty
