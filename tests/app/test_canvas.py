"""The picture of long data: equal to the plain one where nothing is reduced, with every peak, and painted once."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QRectF, QTimer
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QApplication
from pytestqt.exceptions import capture_exceptions

from rnnscope.app import canvas as canvas_module
from rnnscope.app import view_dock
from rnnscope.app.canvas import Canvas
from rnnscope.app.cursor import Cursor
from rnnscope.app.draw_queue import DrawQueue
from rnnscope.app.mark_items import log10
from rnnscope.app.theme import DARK, LIGHT, palette
from rnnscope.views.plot import Axis, Heatmap, Lines, Panel, Plot, Style
from rnnscope.views.words import number

LONG = 100_000
Y = Axis("value", "", -1, 1)


def over_time(steps, *marks, y=None):
    rows = marks[0].values.shape[0] if isinstance(marks[0], Heatmap) else 0
    y = y or (Axis("unit", "unit", -0.5, rows - 0.5) if rows else Y)
    return Plot("p", ((Panel("hidden state", Axis("time", "time step", 0.5, steps + 0.5), y, marks, "h"),),))


def heatmap(values, **more):
    return Heatmap(values, -1, 1, "signed", "h", **more)


def curve(*y, dash="solid", **band):
    styles = tuple(Style(("text", "#E69F00", "#56B4E9")[k], dash) for k in range(len(y)))
    return Lines(np.arange(1, len(y[0]) + 1), np.array(y), tuple("abc"[: len(y)]), styles, **band)


class Counted(Canvas):
    """Counts what Qt asks for, and what of it paints the plots anew."""

    paints = renders = 0

    def paintEvent(self, event):
        self.paints += 1
        super().paintEvent(event)

    def render(self, *args):
        self.renders += 1
        super().render(*args)


@pytest.fixture
def cursor(qapp):
    return Cursor()


@pytest.fixture
def show(qtbot, settings, cursor):
    """Show a Plot over so many time steps in a Canvas of its own."""

    def make(plot, steps, height=160, width=640):
        canvas = Counted(cursor, DARK, named=False)
        qtbot.addWidget(canvas)
        cursor.resize((steps,), 20)
        cursor.move(1)
        canvas.resize(width, height)
        canvas.draw(plot)
        canvas.show()
        QApplication.processEvents()
        return canvas

    return make


def box_of(canvas) -> QRectF:
    return canvas._panels[0].box.sceneBoundingRect()


def pixels(canvas) -> np.ndarray:
    """The pixels of the only panel's box, with nothing over them (height, width) RGB32."""
    QApplication.processEvents()
    canvas.grab()
    image, area = canvas._picture.toImage(), box_of(canvas)
    found = np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), -1)
    rows, columns = (
        slice(math.ceil(a), math.floor(b)) for a, b in ((area.top(), area.bottom()), (area.left(), area.right()))
    )
    return found[rows, columns] & 0xFFFFFF


def plainly(canvas, *items) -> np.ndarray:
    """The same with pyqtgraph's own items in place of the marks."""
    (panel,) = canvas._panels
    for item in panel.items:
        item.setVisible(False)
    for item in items:
        panel.box.addItem(item, ignoreBounds=True)
    canvas._picture = None
    return pixels(canvas)


def plain_image(values) -> pg.ImageItem:
    colours = np.concatenate([palette("signed", DARK)[:255], [QColor(DARK.line).getRgb()[:3]]]).astype(np.uint8)
    codes = np.where(np.isfinite(values), np.clip((np.nan_to_num(values).astype(float) + 1) * 127, 0, 254).round(), 255)
    image = pg.ImageItem(codes.astype(np.uint8), axisOrder="row-major", autoLevels=False, levels=(0, 255), lut=colours)
    image.setRect(QRectF(0.5, -0.5, values.shape[1], len(values)))
    return image


def rgb(colour) -> int:
    return QColor(*colour.tolist()).rgb() & 0xFFFFFF if isinstance(colour, np.ndarray) else QColor(colour).rgb() & 0xFFFFFF


@pytest.mark.parametrize("steps", [3, 20, 333])
def test_a_short_heatmap_is_the_plain_one_to_the_pixel(show, steps):
    values = np.random.default_rng(steps).uniform(-1.1, 1.1, (7, steps))
    values[2, steps // 2] = np.nan
    canvas = show(over_time(steps, heatmap(values)), steps)
    ours = pixels(canvas)
    assert len(np.unique(ours)) > 10
    np.testing.assert_array_equal(ours, plainly(canvas, plain_image(values)))


def test_a_long_heatmap_seen_from_near_is_the_plain_one(show, cursor):
    values = np.random.default_rng(0).uniform(-1, 1, (7, LONG)).astype(np.float32)
    canvas = show(over_time(LONG, heatmap(values)), LONG)
    cursor._show(70_000.5, 70_100.5)
    ours = pixels(canvas)
    near = plain_image(values[:, 70_000:70_100])
    near.setRect(QRectF(70_000.5, -0.5, 100, 7))
    plain = plainly(canvas, near)
    wide = ours.shape[1] / 100
    far = np.abs((np.arange(ours.shape[1]) + 0.5 + wide / 2) % wide - wide / 2) > 0.6  # from a border: there Qt rounds
    assert far.mean() > 0.7
    np.testing.assert_array_equal(ours[:, far], plain[:, far])


@pytest.mark.parametrize(
    ("steps", "span", "dash"),
    [
        (30, None, "solid"),
        (30, None, "dashed"),
        (1000, None, "solid"),
        (LONG, (4321.5, 4777.5), "solid"),
        (LONG, (0.5, 4.5), "dashed"),
    ],
)
def test_curves_that_are_not_dense_are_the_plain_ones_to_the_pixel(show, cursor, steps, span, dash):
    y = np.random.default_rng(1).uniform(-1, 1, (2, steps))
    y[0, 3] = np.nan
    canvas = show(over_time(steps, curve(*y, dash=dash)), steps)
    if span:
        cursor._show(*span)
    ours = pixels(canvas)
    style = {"solid": pg.QtCore.Qt.PenStyle.SolidLine, "dashed": pg.QtCore.Qt.PenStyle.DashLine}[dash]
    part = slice(max(int(span[0]) - 2, 0), int(span[1]) + 2) if span else slice(None)
    items = [
        pg.PlotCurveItem(np.arange(1, steps + 1)[part], row[part], pen=pg.mkPen(colour, style=style), connect="finite")
        for row, colour in zip(y, (DARK.text, "#E69F00"), strict=True)
    ]
    np.testing.assert_array_equal(ours, plainly(canvas, *items))


def test_dense_curves_ink_what_the_plain_ones_ink(show):
    y = np.sin(np.arange(LONG) / 4000) * 0.8 + np.random.default_rng(2).uniform(-0.1, 0.1, LONG)
    canvas = show(over_time(LONG, curve(y)), LONG)
    ours = pixels(canvas) == rgb(DARK.text)
    plain = plainly(canvas, pg.PlotCurveItem(np.arange(1, LONG + 1), y, pen=pg.mkPen(DARK.text))) == rgb(DARK.text)
    assert plain.sum() > 3000
    assert (ours & plain).sum() / (ours | plain).sum() > 0.9
    for columns in (ours, plain):
        assert columns.any(0).all(), "without a hole"


@pytest.mark.parametrize("gap", [np.nan, np.inf])
def test_dense_curves_leave_a_gap_where_nothing_is_finite(show, gap):
    y = np.random.default_rng(2).uniform(-0.9, 0.9, LONG)
    y[LONG // 4 : LONG // 2] = gap
    inked = (pixels(show(over_time(LONG, curve(y)), LONG)) == rgb(DARK.text)).any(0)
    at = (np.arange(len(inked)) + 0.5) / len(inked)
    np.testing.assert_array_equal(inked[(at < 0.245) | (at > 0.505)], True)
    np.testing.assert_array_equal(inked[(at > 0.255) & (at < 0.495)], False)


@pytest.mark.parametrize("peak", [1, -1])
def test_a_single_peak_is_seen_at_every_zoom(show, cursor, peak):
    values = np.random.default_rng(3).uniform(-0.2, 0.2, (4, LONG)).astype(np.float32)
    values[2, 66_666] = peak
    canvas = show(over_time(LONG, heatmap(values)), LONG)
    wanted = rgb(palette("signed", DARK)[254 if peak > 0 else 0])
    for factor in (1, 0.9, 0.71, 0.5, 0.33, 0.2, 0.1, 0.01, 0.001, 0.0001):
        cursor.show_all()
        cursor.zoom(factor, 66_000)
        found = np.argwhere(pixels(canvas) == wanted)
        low, high = cursor.span
        if low < 66_667 < high:
            at = (66_667 - low) / (high - low) * box_of(canvas).width()
            wide = max(2.5, 2 * box_of(canvas).width() / (high - low))
            assert len(found), f"at {factor}"
            assert np.abs(found[:, 1] - at).max() <= wide


def test_a_column_of_four_runs_side_by_side_keeps_a_peak_too(show):
    values = np.zeros((4, LONG), np.float32)
    values[1, 12_345] = -1
    canvas = show(over_time(LONG, heatmap(values)), LONG, width=230)
    assert (pixels(canvas) == rgb(palette("signed", DARK)[0])).any()


def test_a_zoom_or_a_shift_is_painted_once(show, cursor):
    values = np.zeros((4, LONG), np.float32)
    canvas = show(over_time(LONG, heatmap(values)), LONG)
    for change in (lambda: cursor.zoom(0.5, 30_000), lambda: cursor.pan(500), cursor.show_all):
        before = canvas.paints, canvas.renders
        change()
        for _ in range(5):
            QApplication.processEvents()
        assert (canvas.paints - before[0], canvas.renders - before[1]) == (1, 1)
    before = canvas.paints, canvas.renders
    cursor.move(100)
    canvas.follow()
    QApplication.processEvents()
    assert (canvas.paints - before[0], canvas.renders - before[1]) == (1, 0), "the cursor alone"


def test_what_the_cursor_leaves_behind_is_painted_over(show, cursor):
    """However it came there, the screen shows what a canvas shows that is painted whole."""
    random = np.random.default_rng(6)
    values = random.uniform(-1, 1, (20, 3000)).astype(np.float32)
    canvas = show(over_time(3000, heatmap(values)), 3000)
    acts = {
        "move": lambda: cursor.move(int(random.integers(1, 3001))),
        "hover": lambda: cursor.hover(float(random.uniform(1, 3000))),
        "leave": lambda: cursor.hover(None),
        "choose": lambda: cursor.choose(unit=int(random.integers(20))),
        "zoom": lambda: cursor.zoom(float(random.uniform(0.5, 2)), float(random.uniform(1, 3000))),
        "pan": lambda: cursor.pan(float(random.uniform(-200, 200))),
        "data": lambda: canvas.draw(canvas.plot, canvas.pyramids),
    }
    for signal in (cursor.moved, cursor.hovered, cursor.chosen):
        signal.connect(canvas.follow)
    seen = []
    for _ in range(150):
        for act in random.choice(list(acts), random.integers(1, 4)):
            acts[act]()
        QApplication.processEvents()
        shown = canvas.screen().grabWindow(canvas.winId()).toImage()
        seen.append(canvas.grab().toImage().convertToFormat(shown.format()))
        assert shown == seen[-1]
    assert sum(one != other for one, other in pairwise(seen)) > 100


def test_zoom_cursor_and_colours_build_nothing_anew(show, cursor, monkeypatch):
    values = np.random.default_rng(4).uniform(-1, 1, (4, LONG)).astype(np.float32)
    canvas = show(over_time(LONG, heatmap(values)), LONG)
    dark = pixels(canvas)
    monkeypatch.setattr(canvas_module, "pyramids_of", lambda *_: pytest.fail("built anew"))
    cursor.zoom(0.1, 5000)
    cursor.move(7000)
    canvas.follow()
    cursor.show_all()
    canvas.set_theme(LIGHT)
    assert canvas.grab().toImage().pixelColor(1, 1).name() == LIGHT.background
    free = np.s_[:-8, 8:]  # of ticks; the palette is the same in both
    np.testing.assert_array_equal(pixels(canvas)[free], dark[free])


def test_what_is_read_out_is_the_data_s_own_value_at_any_zoom(show, cursor):
    random = np.random.default_rng(5)
    values = random.uniform(-1, 1, (20, LONG)).astype(np.float32)
    canvas = show(over_time(LONG, heatmap(values)), LONG)
    for _ in range(30):
        cursor.show_all()
        cursor.zoom(float(random.uniform(0.0001, 1)), float(random.uniform(1, LONG)))
        cursor.move(random.integers(1, LONG))
        cursor.choose(unit=int(random.integers(20)))
        t, unit = cursor.position.time_step, cursor.position.unit
        assert canvas._panels[0].values() == [(f"h[{unit}]", number(float(values[unit, t - 1])), DARK.text)]


def test_what_is_not_finite_is_named_and_counted(show, cursor):
    values = np.zeros((2, 40), np.float32)
    values[0, 4:7] = np.nan, np.inf, -np.inf
    canvas = show(over_time(40, heatmap(values, gaps=False)), 40)
    (panel,) = canvas._panels
    assert panel.head.note == "3 not finite"
    words = []
    for t in (4, 5, 6, 7):
        cursor.move(t)
        words.append(panel.values()[0][1])
    assert words == ["0", "NaN", "∞", "−∞"]
    canvas.draw(over_time(40, heatmap(values)))
    cursor.move(5)
    assert (panel.head.note, panel.values()[0][1]) == ("2 not finite", "–"), "where NaN is a gap"
    canvas.draw(over_time(40, heatmap(np.zeros((2, 40)))))
    assert panel.head.note == ""


def test_the_note_is_written(show):
    values = np.zeros((2, 40))
    canvas = show(over_time(40, heatmap(values)), 40)
    (panel,) = canvas._panels
    area = panel.head.sceneBoundingRect().toAlignedRect()
    without = canvas.grab(area).toImage()
    values[0, 0] = np.inf
    canvas.draw(over_time(40, heatmap(values)))
    assert canvas.grab(area).toImage() != without


def test_values_keep_their_names_where_a_title_can_do_without_its_time_step(show, cursor, monkeypatch):
    written = []
    monkeypatch.setattr(
        QPainter, "drawText", lambda painter, *all, draw=QPainter.drawText: written.append(all[-1]) or draw(painter, *all)
    )
    title, mark = "weight of the past at t = 40", curve(np.full(40, 0.123), np.full(40, 0.456))
    for width, head in ((640, "Weight of the past at t = 40"), (350, "Weight of the past")):
        plot = over_time(40, mark)
        canvas = show(replace(plot, rows=((replace(plot.rows[0][0], title=title, symbol="symbol"),),)), 40, width=width)
        for t in (1, 40):
            cursor.move(t)
            written.clear()
            canvas._picture = None
            canvas.grab()
            assert {head, "a 0.123", "b 0.456"} <= set(written)


def test_a_band_is_not_drawn_where_its_curve_is_not(show):
    y = np.full(41, 0.0)
    y[15:26] = np.nan
    mark = curve(y, low=np.full((1, 41), -0.5), high=np.full((1, 41), 0.5))
    canvas = show(over_time(41, mark), 41)
    picture = pixels(canvas)
    shaded = (picture[round(picture.shape[0] * 0.35)] != rgb(DARK.background)).mean()
    assert shaded == pytest.approx(1 - 13 / 41, abs=0.02)
    middle = picture[:, picture.shape[1] // 2]
    assert (middle == rgb(DARK.background)).all()


@pytest.mark.parametrize("value", [0.5, 0.95, 0.02])
def test_the_name_of_a_level_is_whole_on_a_low_plot(show, value):
    def inked(height):
        y = Axis("value", "", 0, 1, levels=((value, "baseline"),))
        canvas = show(over_time(20, curve(np.full(20, np.nan)), y=y), 20, height)
        picture = pixels(canvas) != rgb(DARK.background)
        line = picture.sum(1) > picture.shape[1] * 0.2
        return picture[~line, -40:].sum(), box_of(canvas).height()

    (tall, _), (low, height) = inked(300), inked(72)
    assert height < 40
    assert tall > 60
    assert low == pytest.approx(tall, rel=0.1)


def test_the_hint_of_an_empty_panel_is_whole_on_a_narrow_plot_and_cut_short_on_a_low_one(show):
    hint = "Measured when training ends, or by Ctrl+M."

    def inked(width, height):
        axes = Axis("none", "", 0, 20), Axis("none", "", 0, 1)
        canvas = show(Plot("p", ((Panel("share left", *axes, (), empty=hint),),)), 20, height, width)
        picture = pixels(canvas) != rgb(DARK.background)
        picture = picture[2:-2, 2:-2]
        return picture.sum(), picture.any(1)

    (wide, one), (narrow, two), (low, short) = inked(640, 160), inked(220, 160), inked(130, 60)
    assert narrow == pytest.approx(wide, rel=0.1)
    assert two.sum() > 1.5 * one.sum(), "lines of text"
    assert not two[len(two) // 2 :].any(), "above the middle"
    assert 0.1 * wide < low < 0.6 * wide
    assert 0.6 * one.sum() < short.sum() <= one.sum(), "a line"


@pytest.mark.parametrize("value", [0.5, 0.95, 0.02])
def test_a_short_name_of_a_level_stands_beside_the_plot_and_hides_no_curve(show, value):
    y = Axis("value", "", 0, 1, levels=((value, "50 %"),))
    canvas = show(over_time(20, curve(np.full(20, np.nan)), y=y), 20, 72)
    assert (pixels(canvas)[4:-4, -40:] != rgb(DARK.background)).any(1).sum() <= 2, "the line alone"
    area = box_of(canvas)
    image = canvas._picture.toImage()
    middle = area.top() + (1 - value) * area.height()
    beside = [
        image.pixelColor(x, y).name()
        for x in range(round(area.right()) + 3, round(area.right()) + 40)
        for y in range(round(middle) - 6, round(middle) + 6)
    ]
    assert sum(colour != DARK.background for colour in beside) > 40


@pytest.fixture
def queue(qtbot, settings):
    """A DrawQueue, and a way to end what it belongs to."""
    parent = QObject()
    yield DrawQueue(parent)
    parent.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def test_of_long_work_the_newest_is_shown_last_and_what_is_between_is_left_out(queue, qtbot):
    begun, go, done, shown = threading.Event(), threading.Event(), [], []

    def first():
        begun.set()
        go.wait(10)
        return 1

    def second():
        done.append(2)
        return 2

    show = shown.append
    queue.ask_long(first, show)
    qtbot.waitUntil(begun.is_set)
    queue.ask_long(second, show)
    queue.ask_long(lambda: 3, show)
    assert queue.waiting
    go.set()
    qtbot.waitUntil(lambda: not queue.waiting)
    assert (shown, done) == ([1, 3], [])


def test_what_was_dropped_is_not_shown(queue, qtbot):
    begun, go, shown, others = threading.Event(), threading.Event(), [], []

    def work():
        begun.set()
        return go.wait(10)

    show, other = shown.append, others.append
    queue.ask_long(work, show)
    qtbot.waitUntil(begun.is_set)
    queue.ask_long(lambda: 2, show)
    queue.drop(show)
    queue.ask_long(lambda: 3, other)
    go.set()
    qtbot.waitUntil(lambda: not queue.waiting)
    assert (shown, others) == ([], [3])


def test_while_long_work_goes_on_short_work_is_done(queue, qtbot):
    go, shown = threading.Event(), []
    queue.ask_long(lambda: go.wait(10), shown.append)
    queue.ask(lambda: shown.append("short"))
    qtbot.waitUntil(lambda: shown == ["short"])
    go.set()
    qtbot.waitUntil(lambda: shown == ["short", True])


def test_what_goes_wrong_beside_the_window_is_told_and_the_next_work_is_done(queue, qtbot):
    shown = []
    with qtbot.capture_exceptions() as caught:
        queue.ask_long(lambda: 1 / 0, shown.append)
        qtbot.waitUntil(lambda: not queue.waiting)
    assert [kind for kind, *_ in caught] == [ZeroDivisionError]
    queue.ask_long(lambda: 5, shown.append)
    qtbot.waitUntil(lambda: shown == [5])


def test_the_thread_ends_with_the_queue_though_it_works(qtbot, settings):
    parent, shown, begun = QObject(), [], threading.Event()
    queue = DrawQueue(parent)

    def work():
        begun.set()
        threading.Event().wait(0.2)

    queue.ask_long(work, shown.append)
    qtbot.waitUntil(begun.is_set)
    queue.ask_long(lambda: 2, shown.append)
    parent.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("painter")]
    assert shown == []


@pytest.fixture
def threads(monkeypatch):
    """The names of the threads on which views are computed: [(view, thread)]."""
    found, pictured = [], view_dock._pictured

    def noted(view, *rest):
        found.append((view, threading.current_thread().name))
        return pictured(view, *rest)

    monkeypatch.setattr(view_dock, "_pictured", noted)
    return found


def lengthen(window, steps, units=6):
    """Give the current run a Trace of so many time steps, as a longer recording would."""
    run, random = window.session.current, np.random.default_rng(6)
    old = run.trace
    (name, layer), (batch, inputs) = next(iter(old.layers.items())), old.inputs.shape[1:]
    signals = {key: random.random((steps, batch, units), np.float32) for key in layer.signals}
    gradients = {key: random.random((steps, batch), np.float32) for key in layer.gradients}
    run.trace = replace(
        old,
        inputs=random.random((steps, batch, inputs), np.float32),
        outputs=np.zeros((steps, batch, 1), np.float32),
        layers={name: replace(layer, signals=signals, gradients=gradients)},
        lengths=np.full(batch, steps),
        targets=None,
        loss=None,
    )
    window.session._relist()
    return run.trace


def test_a_long_trace_is_computed_beside_the_window_and_a_short_one_at_once(window, loaded, saved, threads, drawn):
    loaded(saved("lstm"))
    assert {thread for _, thread in threads} == {"MainThread"}
    threads.clear()
    trace = lengthen(window, 8000)
    drawn()
    by_view = dict(threads)
    assert by_view["hidden"].startswith("painter")
    assert by_view["gates"].startswith("painter")
    (panel,) = window.views["hidden"].canvas.plot.panels
    np.testing.assert_array_equal(panel.marks[0].values, trace.signals["hidden"][:, 0].T)
    threads.clear()
    window.session.cursor.zoom(0.1, 2000)
    window.set_theme("light")
    drawn()
    assert threads == [], "neither a zoom nor other colours compute anything"
    assert window.views["hidden"].canvas.theme is LIGHT


def test_the_old_picture_stays_until_the_new_one_is_ready(window, loaded, saved, monkeypatch, qtbot, drawn):
    loaded(saved("lstm"))
    go, pictured = threading.Event(), view_dock._pictured
    monkeypatch.setattr(view_dock, "_pictured", lambda *all: go.wait(10) and pictured(*all))
    old = window.views["hidden"].canvas.plot
    lengthen(window, 8000)
    ticks = []
    QTimer.singleShot(30, window, lambda: ticks.append(1))
    qtbot.waitUntil(lambda: ticks == [1])
    assert window.views["hidden"].canvas.plot is old
    go.set()
    drawn()
    assert window.views["hidden"].canvas.plot is not old


def test_a_window_closes_while_it_computes(open_window, saved, qtbot, monkeypatch):
    window = open_window()
    window.files.open([saved("lstm")])
    qtbot.waitUntil(lambda: bool(window.session.runs) and not window.session.busy, timeout=30_000)
    begun, pictured = threading.Event(), view_dock._pictured

    def slow(*all):
        begun.set()
        threading.Event().wait(0.2)
        return pictured(*all)

    monkeypatch.setattr(view_dock, "_pictured", slow)
    lengthen(window, 8000)
    qtbot.waitUntil(begun.is_set)
    window.close()


def test_views_that_are_not_seen_are_not_computed(window, loaded, saved, threads, drawn):
    loaded(saved("lstm"))
    threads.clear()
    lengthen(window, 8000)
    drawn()
    assert "error" not in dict(threads)
    window.set_theme("light")
    assert window.docks["error"].canvas.theme is not LIGHT
    window.docks["error"].show()
    drawn()
    assert window.docks["error"].canvas.theme is LIGHT
    assert window.docks["error"].canvas.plot.title == "Loss per time step"


def test_log10_of_what_has_none_is_a_gap():
    np.testing.assert_array_equal(log10(np.array([10.0, 0, -1, np.nan, np.inf])), [1, np.nan, np.nan, np.nan, np.nan])


def test_a_paint_that_fails_says_so_and_the_rest_is_painted(show, monkeypatch):
    def broken(*_):
        raise ArithmeticError("no such picture")

    monkeypatch.setattr("rnnscope.app.heatmap_item.HeatmapItem._image_of", broken)
    with capture_exceptions() as caught:
        show(over_time(20, heatmap(np.zeros((8, 20)))), 20).grab()
    assert {str(error) for _, error, _ in caught} == {"no such picture"}


def test_what_is_computed_elsewhere_is_said_to_be_on_its_way(show, cursor):
    canvas = show(Plot("gates", ()), 1)
    before = canvas.grab().toImage()
    canvas.await_plot()
    assert canvas.grab().toImage() != before
    canvas.draw(Plot("gates", ()))
    assert canvas.grab().toImage() == before
