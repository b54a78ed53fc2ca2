"""The painted page: panels aligned, words apart, inside the page and large enough."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from rnnscope.figures import paint
from rnnscope.figures.layout import arrange
from rnnscope.figures.marks import peaks
from rnnscope.figures.theme import NOTHING, palette, print_settings
from rnnscope.views import VIEWS
from rnnscope.views.plot import Axis, Heatmap, Lines, Panel, Plot, Style

PAGES = [(view, runs, width) for view in VIEWS for runs in (1, 3) for width in (89, 183)]


def words(figure):
    """Every visible text with its box in points from the left and the bottom."""
    figure.set_dpi(720)  # fine enough that hinting does not widen the letters
    with print_settings():
        figure.draw_without_rendering()
        shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
        ticks = {text for axes in figure.axes for text in _hidden_ticks(axes)}
        return [(text, _in_points(text.get_window_extent())) for text in shown if text not in ticks]


def _in_points(box):
    return Bbox(box.get_points() / 10)


def assert_apart(found):
    """Words of at least 5 points, inside the page, none over another."""
    page = _in_points(found[0][0].get_figure().bbox)
    for text, box in found:
        assert text.get_fontsize() >= 5, text.get_text()
        assert page.x0 <= box.x0 < box.x1 <= page.x1, text.get_text()
        assert page.y0 <= box.y0 < box.y1 <= page.y1, text.get_text()
    for (one, a), (other, b) in combinations(found, 2):
        wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert wide < 0.3 or high < 1.0, f"{one.get_text()!r} over {other.get_text()!r} by {wide:.1f} x {high:.1f}"


def _hidden_ticks(axes):
    for axis in (axes.xaxis, axes.yaxis):
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not axes.axison or not tick.label1.get_visible():
                yield tick.label1
            yield tick.label2


@pytest.mark.parametrize(("view", "runs", "width"), PAGES)
def test_words_stand_apart_inside_the_page_and_are_large_enough(plots, view, runs, width):
    found = words(paint(plots[view, runs], width))
    assert len(found) >= (2 if plots[view, runs].rows[0][0].empty else 4)
    assert_apart(found)


@pytest.mark.parametrize(("view", "runs", "width"), PAGES)
def test_panels_of_a_column_share_their_edges(plots, view, runs, width):
    plot = plots[view, runs]
    figure, page = paint(plot, width), arrange(plot, width, None)
    columns = {round(place.left, 9) for place in page.places}
    assert len(columns) == plot.columns
    assert {place.width for place in page.places} == {page.panel_width}
    wide = [axes.get_position() for axes in figure.axes if axes.axison]
    assert len(wide) == sum(not panel.empty for panel in plot.panels)
    for box in wide:
        assert any(box.x0 * width == pytest.approx(left) for left in columns)
        assert box.width * width == pytest.approx(page.panel_width)


@pytest.mark.parametrize("runs", [1, 3])
def test_bars_stand_in_one_column_at_the_right_of_their_panels(plots, runs):
    figure = paint(plots["gates", runs], 183)
    panels = [axes.get_position() for axes in figure.axes if axes.axison]
    bars = [axes.get_position() for axes in figure.axes if not axes.axison]
    assert len(bars) == len(panels)
    gaps = {round(bar.x0 - panel.x1, 9) for bar, panel in zip(bars, panels, strict=True)}
    assert len(gaps) == 1
    assert gaps.pop() > 0
    assert all((bar.y0, bar.y1) == (panel.y0, panel.y1) for bar, panel in zip(bars, panels, strict=True))


def test_heatmaps_are_one_image_with_the_values_as_they_are(plots):
    plot = plots["gates", 3]
    marks = [mark for panel in plot.panels for mark in panel.marks]
    figure = paint(plot, 183)
    images = [axes.images[0] for axes in figure.axes if axes.axison]
    assert all(not axes.collections for axes in figure.axes)
    for image, mark in zip(images, marks, strict=True):
        np.testing.assert_array_equal(image.get_array().filled(np.nan), mark.values)
        assert image.get_clim() == (mark.low, mark.high)
        assert image.get_interpolation() == "nearest"
        assert tuple(image.get_extent()) == (0.5, mark.values.shape[1] + 0.5, -0.5, mark.values.shape[0] - 0.5)


@pytest.mark.parametrize("dpi", [50, 300])
def test_a_single_spike_in_100_000_time_steps_is_printed_where_it_is(dpi):
    values = np.zeros((3, 100_000), np.float32)
    for unit, t, spike in ((0, 0, 1.0), (1, 61_803, -1.0), (2, 99_999, 1.0)):
        values[unit, t] = spike
    mark = Heatmap(values, -1, 1, "signed", "h")
    x = Axis("time", "time step", 0.5, 100_000.5)
    figure = paint(Plot("p", ((Panel("t", x, Axis("unit"), (mark,)),),)), 89, dpi=dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[::-1, :, :3] / 255  # from the bottom
    panel = figure.axes[0].get_window_extent()
    for unit, t, spike in ((0, 0, 1.0), (1, 61_803, -1.0), (2, 99_999, 1.0)):
        row = pixels[int(panel.y0 + (unit + 0.5) / 3 * panel.height)]
        seen = np.flatnonzero(np.abs(row - palette("signed")((spike + 1) / 2)[:3]).max(-1) < 0.01)
        assert 1 <= len(seen) <= 3
        assert seen.mean() == pytest.approx(panel.x0 + t / 100_000 * panel.width, abs=2)


@pytest.mark.parametrize("most", [1, 8, 26, 52, 53, 60])
def test_of_a_block_what_is_farthest_from_its_mean_is_printed(most):
    values = np.random.default_rng(0).normal(size=(4, 53)).astype(np.float32)
    values[1, 3:30], values[2, 5], values[3, 40:] = np.nan, np.inf, np.nan
    found = peaks(values, most)
    assert found.shape == (4, min(most, 53))
    if most >= 53:
        np.testing.assert_array_equal(found, values)
        return
    for kept, row in zip(found, values, strict=True):
        for n, value in enumerate(kept):
            block = row[n * 53 // most : (n + 1) * 53 // most]
            known = block[np.isfinite(block)]
            if len(known):
                assert value in known
                assert abs(value - known.mean()) == pytest.approx(np.abs(known - known.mean()).max(), abs=1e-6)
            else:
                assert np.isnan(value)


def test_unit_0_is_at_the_bottom_and_the_first_time_step_at_the_left():
    mark = Heatmap(np.array([[-1.0, 0.0], [0.0, 1.0]]), -1, 1, "signed", "h")
    figure = paint(Plot("p", ((Panel("t", Axis("time"), Axis("unit"), (mark,)),),)), 60)
    figure.set_dpi(72)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[::-1] / 255  # from the bottom
    panel = figure.axes[0].get_window_extent()
    for share_x, share_y, value in ((0.25, 0.25, 0.0), (0.75, 0.25, 0.5), (0.75, 0.75, 1.0)):
        colour = pixels[int(panel.y0 + share_y * panel.height), int(panel.x0 + share_x * panel.width)]
        assert colour[:3] == pytest.approx(palette("signed")(value)[:3], abs=0.01)


def test_curves_are_the_plots_values_in_the_runs_style(plots):
    plot = plots["error", 3]
    figure = paint(plot, 183)
    for axes, panel in zip(figure.axes, plot.panels, strict=True):
        (mark,) = panel.marks
        drawn = next(line for line in axes.lines if len(line.get_xdata()) == len(mark.x))
        np.testing.assert_array_equal(drawn.get_ydata(), mark.y[0])
        assert drawn.get_color() == mark.styles[0].colour
        assert axes.get_yscale() == "log"


def test_a_time_axis_is_numbered_in_the_last_row_only(plots):
    plot = plots["gates", 3]
    figure = paint(plot, 183)
    numbered = [axes.xaxis.get_tick_params()["labelbottom"] for axes in figure.axes if axes.axison]
    # lstm i f o g, elman a phi', rwa four: row by row; elman's last stands in the second row
    assert numbered == [False, False, False, False, True, False, False, False, True, True]


def test_a_band_is_filled_and_a_value_between_gaps_is_a_dot(curves):
    plot = curves([np.nan, 0.5, np.nan, 0.2, 0.3])
    (panel,) = plot.panels
    (mark,) = panel.marks
    banded = Lines(mark.x, mark.y, mark.names, mark.styles, mark.y - 0.1, mark.y + 0.1)
    (axes,) = paint(Plot("p", ((Panel("t", panel.x, panel.y, (banded,)),),)), 89).axes
    assert len(axes.collections) == 1
    dots = [line for line in axes.lines if line.get_marker() == "."]
    assert [line.get_xdata().tolist() for line in dots] == [[2]]


def test_an_empty_panel_prints_its_sentence_and_no_axes(curves):
    plot = Plot("p", ((Panel("loss", Axis("time"), Axis("value"), empty="Press Train: it appears here."),),))
    figure = paint(plot, 89)
    assert figure.axes == []
    assert "Press Train: it appears here." in [text.get_text() for text in figure.texts]


def test_levels_have_their_names_and_stay_apart(curves):
    levels = ((0.5, "half"), (0.49, "nearly half"), (7.0, "outside"))
    found = words(paint(curves(axis=Axis("value", "", 0, 1, levels=levels)), 89))
    heights = {text.get_text(): box.y0 for text, box in found}
    assert "outside" not in heights
    assert heights["half"] - heights["nearly half"] > 5


def test_open_limits_are_fitted_to_the_data(curves):
    page = arrange(curves([3.0, np.nan, 8.0], axis=Axis("value")), 89, None)
    assert (page.places[0].panel.y.low, page.places[0].panel.y.high) == (3, 8)
    page = arrange(curves([3e-3, 8.0], axis=Axis("value", log=True)), 89, None)
    assert (page.places[0].panel.y.low, page.places[0].panel.y.high) == pytest.approx((1e-3, 10))


def test_what_is_missing_has_a_colour_of_its_own():
    for name in ("signed", "share", "positive"):
        colours = palette(name)(np.linspace(0, 1, 256))
        missing = palette(name)(np.ma.masked_invalid([np.nan]))[0]
        assert np.abs(colours - missing).max(axis=1).min() > 0.008
        assert "#{:02x}{:02x}{:02x}".format(*(round(255 * c) for c in missing[:3])) == NOTHING


def test_signed_is_symmetric_and_positive_begins_at_the_paper():
    ends = palette("signed")([0.0, 1.0])
    assert ends[0][2] > ends[0][0]
    assert ends[1][0] > ends[1][2]
    assert palette("signed")(0.5)[:3] == pytest.approx((0.92, 0.9, 0.89), abs=0.03)
    assert palette("positive")(0.0)[:3] == (1, 1, 1)


@pytest.mark.parametrize("name", ["a$b$_{c}", "line\nbreak\x01", "x" * 200, "\udcff"])
def test_any_name_of_a_run_fits(name):
    x, y = Axis("time", "time step", 0.5, 3.5), Axis("value", "", 0, 1)
    lines = Lines(np.arange(1, 4), np.ones((1, 3)), (name,), (Style("#009E73"),))
    figure = paint(Plot("p", ((Panel("t", x, y, (lines,)),),), ((name, Style("#009E73")),)), 40)
    found = words(figure)
    assert max(box.x1 for _, box in found) <= figure.bbox.x1 / 10
    assert all("\n" not in text.get_text() and not text.get_parse_math() for text, _ in found)


@pytest.mark.parametrize(("page", "named"), [((30, None), "width"), ((183, 20), "height")])
def test_a_page_too_small_for_its_panels_is_refused_with_a_size_that_does(plots, page, named):
    with pytest.raises(ValueError, match=named) as error:
        paint(plots["gates", 3], *page)
    needed = float(str(error.value).removesuffix(" needed").rsplit(" ", 1)[1])
    larger = (needed + 3, None) if named == "width" else (183, needed)
    assert_apart(words(paint(plots["gates", 3], *larger)))


def test_a_plot_without_panels_is_refused():
    with pytest.raises(ValueError, match="no panels"):
        paint(Plot("nothing", ((),)), 89)


@pytest.mark.parametrize("height", [None, 90])
def test_a_row_is_as_much_higher_as_its_panels_say(curves, height):
    (low,), (high,) = curves().rows[0], curves(height=2.5).rows[0]
    figure = paint(Plot("p", ((high, low), (low, None))), 120, height)
    shares = [axes.get_position().height for axes in figure.axes]
    assert shares == pytest.approx([shares[2] * 2.5, shares[2] * 2.5, shares[2]])
    if height:
        assert figure.get_size_inches()[1] * 25.4 == pytest.approx(height)
    with pytest.raises(ValueError, match="height") as error:
        paint(Plot("p", ((high, low), (low, None))), 120, 25)
    paint(Plot("p", ((high, low), (low, None))), 120, float(str(error.value).rsplit(" ", 2)[1]))


@pytest.mark.parametrize("name", ["positive", "share"])
def test_what_lies_behind_the_end_of_the_axis_is_cut(name):
    heatmap = Heatmap(np.ones((2, 9)), 0, 1, name, "x")
    line = Lines(np.arange(1, 10), np.ones((1, 9)), ("a",), (Style(),))
    x = Axis("time", "time step", 0.5, 4.5)
    rows = [
        (Panel("map", x, Axis("unit", "", -0.5, 1.5), (heatmap,)),),
        (Panel("line", x, Axis("value", "", 0, 2), (line,)),),
    ]
    figure = paint(Plot("p", tuple(rows)), 89)
    panels = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_xlim() for axes in panels] == [(0.5, 4.5)] * 2
    figure.draw_without_rendering()
    frames = [patch for patch in panels[0].patches if not patch.get_clip_on()]
    assert all(frame.get_x() + frame.get_width() == 4.5 for frame in frames)
    assert all(artist.get_clip_on() for artist in (*panels[0].images, *panels[1].lines))


def test_a_single_head_may_be_as_long_as_the_page_is_wide(curves):
    (panel,) = curves().rows[0]
    name = "a run with a long name, layer 2"
    one = words(paint(Plot("p", ((panel,) * 4,), ((name, Style()),)), 89))
    assert name in [text.get_text() for text, _ in one]
    four = words(paint(Plot("p", ((panel,) * 4,), ((name, Style()),) * 4), 89))
    assert name not in [text.get_text() for text, _ in four]


def test_a_given_height_is_kept_and_shared_by_the_rows(plots):
    figure = paint(plots["gates", 1], 100, 120)
    assert figure.get_size_inches() * 25.4 == pytest.approx((100, 120))
    heights = {round(axes.get_position().height, 9) for axes in figure.axes}
    assert len(heights) == 1
    assert Heatmap in {type(mark) for panel in plots["gates", 1].panels for mark in panel.marks}
