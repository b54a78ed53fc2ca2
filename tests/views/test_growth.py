"""How the reach grows during training, and the line where one looks back."""

import numpy as np
import pytest

from rnnscope.core.reach import Reach
from rnnscope.views import VIEWS, Position
from rnnscope.views.plot import Lines


@pytest.fixture
def grown(make_subject, make_reach):
    """A run whose half-life was 1, 2 and 3 lags at three iterations, not in their order."""
    return make_subject(growth={n: {"state_jacobian": make_reach(half=half)} for n, half in ((8, 3.0), (0, 1.0), (4, 2.0))})


def test_the_curves_are_the_lags_with_their_intervals_in_order(grown):
    half, one = VIEWS["growth"]([grown], Position()).panels
    for panel, lag in ((half, "lag50"), (one, "lag1")):
        (mark,) = panel.marks
        assert mark.x.tolist() == [0, 4, 8]
        assert mark.names == ("lstm",)
        for n, iteration in enumerate((0, 4, 8)):
            reach = grown.growth[iteration]["state_jacobian"]
            found, last = getattr(reach, lag), reach.lags[-1]
            expected = [last if value is None else value for value in (found.value, found.low, found.high)]
            assert [mark.y[0, n], mark.low[0, n], mark.high[0, n]] == expected
    assert half.marks[0].y[0].tolist() == pytest.approx([1, 2, 3])


def test_what_lies_beyond_the_last_lag_is_drawn_at_a_line_that_says_so(grown):
    _, one = VIEWS["growth"]([grown], Position()).panels
    assert one.marks[0].y[0, 2] == 7
    assert one.y.levels == ((7, "all 7 lags"),)
    assert one.y.high > 7


def test_a_single_sequence_has_no_interval(make_subject):
    curve = 0.5 ** np.arange(8.0)[:, None]
    growth = {n: {"state_jacobian": Reach.from_sequences("state_jacobian", curve)} for n in (0, 4)}
    (mark,) = next(VIEWS["growth"]([make_subject(growth=growth)], Position()).panels).marks
    np.testing.assert_array_equal(mark.low, mark.y)
    np.testing.assert_array_equal(mark.high, mark.y)


def test_each_direction_has_a_curve_and_other_measures_have_none(make_subject, make_reach):
    names = ("state_jacobian", "state_jacobian, backward", "direct_weight")
    growth = {n: {name: make_reach() for name in names} for n in (0, 4)}
    panel = next(VIEWS["growth"]([make_subject(growth=growth)], Position()).panels)
    assert [mark.names for mark in panel.marks] == [("lstm",), ("lstm, backward",)]
    assert len({mark.styles for mark in panel.marks}) == 2


def test_without_anything_measured_it_says_when(make_subject):
    for panel in VIEWS["growth"]([make_subject()], Position(iteration=3)).panels:
        assert panel.marks == ()
        assert panel.empty.startswith("Measured at the snapshots of a training")


@pytest.mark.parametrize("view", ["growth", "loss"])
def test_a_vertical_line_marks_where_one_looks_back(view, make_subject, make_trace, make_reach):
    growth = {n: {"state_jacobian": make_reach()} for n in (0, 4)}
    subject = make_subject(history=[3, 2, 1, 1], growth=growth)
    there = subject.back_at(4, make_trace())
    assert there.name == "lstm @ 4"
    assert there.reaches is growth[4]
    for panel in VIEWS[view]([there], Position(iteration=4)).panels:
        curve, line = panel.marks
        assert curve.names == ("lstm",)
        assert isinstance(line, Lines)
        assert (line.x.tolist(), line.y.tolist()) == ([4, 4], [[panel.y.low, panel.y.high]])
    assert all(len(panel.marks) == 1 for panel in VIEWS[view]([subject], Position()).panels)
