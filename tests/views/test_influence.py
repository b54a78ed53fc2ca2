"""Influence: the curve of the run's own sequence, on one axis for all runs."""

import numpy as np

from rnnscope.core.trace import Influence
from rnnscope.views import Position
from rnnscope.views.influence import influence


def test_the_curve_is_what_was_taken_and_zero_is_a_gap(make_subject):
    values = np.array([0, 1e-3, 0.5, 2, 0], np.float32)
    subject = make_subject(steps=5, influence=Influence(4, 0, None, values))
    (panel,) = influence([subject], Position(4, 0)).panels
    assert panel.title == "influence on the output, t = 4"
    np.testing.assert_array_equal(panel.marks[0].y[0], np.where(values > 0, values, np.nan))
    assert panel.y.low <= 1e-3 < 2 <= panel.y.high


def test_runs_share_one_axis(make_subject):
    subjects = [make_subject(steps=3, influence=Influence(3, 0, None, np.full(3, value))) for value in (1e-6, 10)]
    one, other = influence(subjects, Position(3, 0)).panels
    assert (one.y.low, one.y.high) == (other.y.low, other.y.high)
    assert one.y.low <= 1e-6 < 10 <= one.y.high


def test_of_another_sequence_or_output_nothing_is_shown(make_subject):
    subject = make_subject(steps=3, influence=Influence(3, 1, None, np.ones(3)))
    for position in (Position(3, 0), Position(3, 1, output=0)):
        (panel,) = influence([subject], position).panels
        assert not panel.marks
        assert panel.empty


def test_the_title_names_the_output(make_subject):
    subject = make_subject(steps=3, influence=Influence(2, 0, 1, np.ones(3)))
    (panel,) = influence([subject], Position(3, 0, output=1)).panels
    assert panel.title == "influence on output 1, t = 2"


def test_symbols_stand_below_the_curve(make_subject):
    inputs = np.eye(5)[[4, 0, 2]][:, None]
    channels = ("a", "b", "c", "d", "space")
    subject = make_subject(steps=3, batch=1, inputs=inputs, channels=channels, influence=Influence(3, 0, None, np.ones(3)))
    (panel,) = influence([subject], Position(3, 0)).panels
    assert panel.x.names == ("␣", "a", "c")


def test_a_picture_shows_the_share_of_each_pixel_and_marks_the_time_step(make_subject):
    values = np.array([0, 1, 2, 4, 0, 0], np.float32)
    subject = make_subject(steps=6, picture=(2, 3), influence=Influence(4, 1, None, values))
    (panel,) = influence([subject], Position(6, 1)).panels
    np.testing.assert_array_equal(panel.picture.values, [[0, 0.25, 0.5], [1, 0, 0]])
    assert panel.picture.marked == (1, 0)


def test_where_nothing_mattered_the_picture_is_dark(make_subject):
    subject = make_subject(steps=6, picture=(2, 3), influence=Influence(4, 1, None, np.zeros(6, np.float32)))
    (panel,) = influence([subject], Position(6, 1)).panels
    assert not panel.picture.values.any()
