"""The transport: keys, buttons, playing, scrubbing and zooming with real events."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication

from rnnscope.app.cursor import Cursor
from rnnscope.app.transport import Transport

KEY, SHIFT, NONE = Qt.Key, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def scope(window, loaded, saved, qtbot):
    """A window with one LSTM over 40 time steps."""
    loaded(saved("lstm", length=40))
    assert window.session.cursor.position.time_step == 40, "the first run is seen from its end"
    window.session.cursor.move(1)
    window.activateWindow()
    window.views["hidden"].canvas.setFocus()
    return window


def test_keys_step_and_stop_at_the_ends(scope, qtbot):
    cursor = scope.session.cursor
    for key, modifier, expected in (
        (KEY.Key_Left, NONE, 1),
        (KEY.Key_Right, NONE, 2),
        (KEY.Key_Right, SHIFT, 12),
        (KEY.Key_Left, NONE, 11),
        (KEY.Key_Left, SHIFT, 1),
        (KEY.Key_End, NONE, 40),
        (KEY.Key_Right, SHIFT, 40),
        (KEY.Key_Left, SHIFT, 30),
        (KEY.Key_Home, NONE, 1),
    ):
        qtbot.keyClick(scope, key, modifier)
        assert cursor.position.time_step == expected
        assert scope.transport.slider.value() == expected
        assert scope.transport.where.text() == f"t = {expected} / 40"


def test_space_plays_to_the_end_and_pauses(scope, qtbot):
    scope.transport.speed.setCurrentIndex(scope.transport.speed.count() - 1)
    scope.session.cursor.move(36)
    qtbot.keyClick(scope, KEY.Key_Space)
    assert scope.transport.playing
    qtbot.waitUntil(lambda: not scope.transport.playing, timeout=5000)
    assert scope.session.cursor.position.time_step == 40
    qtbot.keyClick(scope, KEY.Key_Space)
    assert scope.session.cursor.position.time_step < 40
    qtbot.keyClick(scope, KEY.Key_Space)
    assert not scope.transport.playing
    assert scope.transport.play_button.text() == "Play"


def test_dragging_in_a_plot_scrubs(scope, qtbot):
    canvas = scope.views["gradient"].canvas
    start, end = _at(canvas, 5), _at(canvas, 30)
    view = canvas.viewport()
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=start)
    for step in range(1, 11):
        qtbot.mouseMove(view, start + (end - start) * step / 10)
        QApplication.processEvents()
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)
    assert scope.session.cursor.position.time_step == 30


def test_a_click_in_a_heatmap_chooses_time_step_and_unit(scope, qtbot):
    canvas = scope.views["hidden"].canvas
    qtbot.mouseClick(canvas.viewport(), Qt.MouseButton.LeftButton, pos=_at(canvas, 17, 4))
    position = scope.session.cursor.position
    assert (position.time_step, position.unit) == (17, 4)
    assert scope.transport.unit.value() == 4


def test_the_wheel_zooms_all_time_axes_alike_around_the_pointer(scope, qtbot):
    canvas = scope.views["hidden"].canvas
    here = QPointF(_at(canvas, 20))
    event = QWheelEvent(
        here, canvas.viewport().mapToGlobal(here), QPoint(), QPoint(0, 480), Qt.MouseButton.NoButton, NONE,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(canvas.viewport(), event)
    low, high = scope.session.cursor.span
    assert high - low == pytest.approx(40 * 0.999**480, rel=0.02)
    assert low < 20 < high
    for name in ("input", "hidden", "gates", "attention", "gradient"):
        for panel in scope.views[name].canvas._panels:
            assert panel.box.viewRange()[0] == pytest.approx([low, high])
    scope.session.cursor.move(40)
    assert scope.session.cursor.span[1] == 40.5, "the cursor is kept in sight"
    scope.session.cursor.show_all()
    assert scope.session.cursor.span == (0.5, 40.5)


def test_all_plots_over_time_share_their_edges_to_the_pixel(scope):
    edges = set()
    for name in ("input", "hidden", "gates", "attention", "gradient"):
        for panel in scope.views[name].canvas._panels:
            rect = panel.box.mapRectToScene(panel.box.rect())
            edges.add((round(rect.left()), round(rect.right())))
    assert len(edges) == 1


def test_hidden_docks_are_drawn_when_they_are_shown(scope):
    dock = scope.docks["error"]
    assert not dock.isVisible()
    assert dock.canvas.plot is None
    dock.show()
    assert dock.canvas.plot.title == "Loss per time step"


def test_where_the_cursor_is_can_be_read_in_a_narrow_window(qtbot):
    cursor = Cursor()
    transport = Transport(cursor, None)
    qtbot.addWidget(transport)
    cursor.resize((100_000,), 1)
    transport.resize(200, 40)
    transport.show()
    cursor.move(50_000)
    words = transport.where
    assert words.text() == "t = 50,000 / 100,000"
    assert words.width() >= words.fontMetrics().horizontalAdvance(words.text())


def test_another_sequence_draws_again(scope, qtbot):
    before = scope.views["input"].canvas.plot
    scope.transport.sequence.setValue(3)
    assert scope.session.cursor.position.sequence == 2
    qtbot.waitUntil(lambda: scope.views["input"].canvas.plot is not before, timeout=2000)
    after = scope.views["input"].canvas.plot
    trace = scope.session.current.trace
    (panel,) = after.panels
    assert (panel.marks[0].y == trace.inputs[:, 2].T).all()
    assert (panel.marks[0].y != next(before.panels).marks[0].y).any()


def _at(canvas, time_step: float, unit: float | None = None) -> QPoint:
    """Where a time step is on the canvas, in the middle of the panel or at a unit."""
    box = canvas._panels[0].box
    (_, _), (low, high) = box.viewRange()
    point = box.mapViewToScene(QPointF(time_step, (low + high) / 2 if unit is None else unit))
    return canvas.mapFromScene(point)


def test_a_dock_floats_by_a_double_click_on_its_grip_and_comes_back_with_the_layout(scope, qtbot):
    dock = scope.docks["gradient"]
    qtbot.mouseDClick(dock.titleBarWidget(), Qt.MouseButton.LeftButton)
    assert dock.isFloating()
    scope.reset_layout()
    assert not dock.isFloating()
