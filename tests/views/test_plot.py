"""Reading a Plot under the cursor, and its numbers."""

import math

import numpy as np
import pytest

from rnnscope.views import HAS, VIEWS, Position
from rnnscope.views.plot import Axis, Heatmap, Lines, Panel, Plot, Points, Style
from rnnscope.views.subject import DASHES, OKABE_ITO, style_of

X = Axis("time", "time step", 0.5, 3.5)
Y = Axis("value", "", 0, 1)
TWO = Lines(np.arange(1, 4), np.array([[1.0, np.nan, 3.0], [4.0, 5.0, 6.0]]), ("a", "b"), (Style(), Style("faint")))
MAP = Heatmap(np.array([[0.0, 0.1, 0.2], [1.0, np.nan, 1.2]]), 0, 2, "positive", "h")


@pytest.mark.parametrize(("x", "expected"), [(1, 4.0), (1.4, 4.0), (2.6, 6.0), (0.5, 4.0), (3.5, 6.0)])
def test_lines_read_the_nearest_sample(x, expected):
    assert TWO.read(x)[1] == ("b", expected)


@pytest.mark.parametrize("x", [0.4, 3.6, -1])
def test_lines_read_nothing_outside(x):
    assert TWO.read(x) == []


def test_a_gap_reads_as_nan_and_keeps_the_other_curve():
    (_, gap), (_, value) = TWO.read(2)
    assert math.isnan(gap)
    assert value == 5


def test_lines_without_samples_read_nothing():
    assert Lines(np.zeros(0), np.zeros((1, 0)), ("a",), (Style(),)).read(1) == []


@pytest.mark.parametrize(
    ("x", "unit", "expected"), [(1, 0, [("h[0]", 0.0)]), (3.4, 1, [("h[1]", 1.2)]), (3, 9, [("h[1]", 1.2)])]
)
def test_a_heatmap_reads_the_chosen_unit(x, unit, expected):
    assert MAP.read(x, unit) == expected


@pytest.mark.parametrize("x", [0, 4, 100])
def test_a_heatmap_reads_nothing_outside(x):
    assert MAP.read(x, 0) == []


def test_a_panel_reads_all_its_marks():
    assert Panel("both", X, Y, (TWO, MAP)).read(1, 1) == [("a", 1.0), ("b", 4.0), ("h[1]", 1.0)]


def test_numbers_are_complete_and_in_order():
    banded = Lines(np.array([0, 1]), np.array([[1.0, 0.5]]), ("r",), (Style(),), np.array([[1, 0.4]]), np.array([[1, 0.6]]))
    plot = Plot("p", ((Panel("map", X, Y, (MAP,), run="m"), None), (Panel("curves", X, Y, (TWO, banded)),)))
    rows = list(plot.numbers())
    assert len(rows) == MAP.values.size + TWO.y.size + banded.y.size
    assert rows[2] == ("m", "map", "unit 0", "time", 3, 0.2, "", "")
    assert rows[3] == ("m", "map", "unit 1", "time", 1, 1.0, "", "")
    assert rows[9] == ("", "curves", "b", "time", 1, 4.0, "", "")
    assert rows[-1] == ("", "curves", "r", "time", 1, 0.5, 0.4, 0.6)


def test_a_grid_knows_its_panels_and_columns():
    panel = Panel("p", X, Y)
    plot = Plot("p", ((panel, None), (None, panel, panel)))
    assert (plot.columns, len(list(plot.panels))) == (3, 3)
    assert Plot("none", ()).columns == 0


def test_styles_tell_cells_by_colour_and_their_repetitions_by_dash():
    styles = [style_of(cell, again) for cell in range(len(OKABE_ITO)) for again in range(len(DASHES))]
    assert len(set(styles)) == len(styles)
    assert {style_of(2, again).colour for again in range(4)} == {OKABE_ITO[2]}


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_of_nothing_is_a_plot_without_panels_or_says_what_to_do(view, make_subject):
    for subjects in ([], [make_subject(trace=False)]):
        panels = list(VIEWS[view](subjects, Position()).panels)
        assert all(panel.empty and not panel.marks for panel in panels)


@pytest.mark.parametrize("view", VIEWS)
def test_numbers_of_every_view_are_what_its_panels_show(view, make_runs):
    subjects = [subject for subject in make_runs().values() if view not in HAS or HAS[view](subject.trace)][:2]
    plot = VIEWS[view](subjects, Position(4, 0, 2))
    marks = [mark for panel in plot.panels for mark in panel.marks]
    rows = list(plot.numbers())
    shown = np.concatenate([array.ravel() for mark in marks for array in _shown(mark)])
    assert len(rows) == len(shown) > 0
    np.testing.assert_array_equal([row[5] for row in rows], shown.astype(float))


def _shown(mark):
    values = [] if isinstance(mark, Lines) or mark.values is None else [mark.values]
    return values if isinstance(mark, Heatmap) else [np.asarray(mark.y, float), *values]


def test_the_highest_panel_of_a_row_says_how_high_it_is():
    low, high = Panel("low", X, Y), Panel("high", X, Y, height=2.5)
    assert Plot("p", ((low, high), (None, low), (None,))).heights == [2.5, 1, 1]


@pytest.mark.parametrize(
    ("kind", "counts"), [("time", True), ("lag", True), ("unit", True), ("value", False), ("none", False)]
)
def test_an_axis_of_time_lags_units_or_iterations_counts(kind, counts):
    assert Axis(kind).counts == counts


def test_dots_over_lags_are_no_plane():
    dots = Points(np.zeros(2), np.ones(2), "node")
    assert Panel("p", Y, Y, (dots,)).plane
    assert Panel("p", Axis("none"), Axis("none"), (dots,)).plane
    assert not Panel("p", Axis("lag"), Y, (dots,)).plane
    assert not Panel("p", X, Y, (TWO,)).plane


def test_a_heatmap_of_symbols_reads_the_symbol():
    one_hot = np.eye(3)[[2, 0, 1]].T
    mark = Heatmap(one_hot, 0, 1, "positive", "x", ("blank", "A", "marker"))
    assert [mark.read(x, 0)[0][0] for x in (1, 2, 3)] == ["marker", "blank", "A"]
    assert mark.read(4, 0) == []
    gap = Heatmap(np.full((3, 1), np.nan), 0, 1, "positive", "x", ("blank", "A", "marker"))
    assert gap.read(1, 1)[0][0] == "x[1]"
