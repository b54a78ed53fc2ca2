"""What mattered to the output at the cursor or under the mouse: taken when it rests, while it is looked at."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QColor

from rnnscope.core.formats import load
from rnnscope.core.memory import influence as measure
from rnnscope.core.memory.influence import influence


@pytest.fixture
def looked_at(window, loaded, saved, qtbot):
    loaded(saved("lstm"), saved("rwa", units=4))
    window.docks["influence"].show()
    window.docks["influence"].raise_()
    qtbot.waitUntil(lambda: window.views["influence"].seen)
    return window


def taken(window, qtbot):
    """All shown runs have it for what is attended to."""
    here = window.session.cursor.attended
    runs = window.session.shown
    qtbot.waitUntil(
        lambda: all(
            run.influence and (run.influence.sequence, run.influence.time_step) == (here.sequence, here.time_step)
            for run in runs
        ),
        timeout=10_000,
    )
    return [run.influence for run in runs]


def test_it_follows_the_cursor_and_is_what_the_core_gives(looked_at, tmp_path, qtbot, drawn):
    for time_step, sequence in ((7, 0), (3, 2)):
        looked_at.session.cursor.choose(sequence=sequence)
        looked_at.session.cursor.move(time_step)
        for name, found in zip(("lstm", "rwa"), taken(looked_at, qtbot), strict=True):
            model = load(tmp_path / f"{name}.safetensors")
            expected = influence(model, model.task.probe(), sequence, time_step)
            np.testing.assert_allclose(found.values, expected.values, rtol=1e-4)
            assert not found.values[time_step:].any(), "nothing that comes later matters"
            assert found.values[:time_step].all()
        drawn()
        titles = [panel.title for panel in looked_at.views["influence"].canvas.plot.panels]
        assert titles == [f"influence on the output, t = {time_step}"] * 2


def test_nothing_is_taken_while_nobody_looks(window, loaded, saved, qtbot):
    loaded(saved("lstm"))
    window.session.cursor.move(5)
    qtbot.wait(200)
    assert window.session.runs[0].influence is None


def test_moving_fast_asks_once_the_cursor_rests(looked_at, qtbot, monkeypatch):
    taken(looked_at, qtbot)
    asked = []
    whole = looked_at.session.worker.influence
    monkeypatch.setattr(looked_at.session.worker, "influence", lambda *where: (asked.append(where), whole(*where)))
    for time_step in range(1, 10):
        looked_at.session.cursor.move(time_step)
    taken(looked_at, qtbot)
    assert [(where.sequence, where.time_step) for _, where in asked] == [(0, 9), (0, 9)]


def test_the_menu_chooses_the_output(window, loaded, saved, qtbot):
    loaded(saved("gru", "length"))
    dock = window.views["influence"]
    window.docks["influence"].show()
    window.docks["influence"].raise_()
    whole = taken(window, qtbot)[0]
    menu = dock.choices["output"]
    menu.aboutToShow.emit()
    assert [(action.text(), action.isChecked()) for action in menu.actions()] == [
        ("all outputs", True),
        ("output 0", False),
    ]
    menu.actions()[1].trigger()
    qtbot.waitUntil(lambda: window.session.current.influence.output == 0, timeout=10_000)
    np.testing.assert_allclose(window.session.current.influence.values, whole.values, rtol=1e-5)


class Painted(QObject):
    """Which of some widgets have been painted since."""

    def __init__(self, widgets):
        super().__init__()
        self.widgets = set()
        for widget in widgets:
            widget.installEventFilter(self)

    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint:
            self.widgets.add(watched)
        return False


def place(canvas, time_step, panel=0):
    """Where a time step is on a canvas, in the middle of one of its plots."""
    box = canvas._panels[panel].box
    (_, _), (low, high) = box.viewRange()
    return canvas.mapFromScene(box.mapViewToScene(QPointF(time_step, (low + high) / 2)))


def point_at(window, qtbot, view, time_step, panel=0):
    """Move the mouse to a time step in a view."""
    canvas = window.views[view].canvas
    qtbot.mouseMove(canvas.viewport(), place(canvas, time_step, panel))
    qtbot.waitUntil(lambda: window.session.cursor.under_mouse == time_step)


def leave(window, qtbot):
    """Move the mouse out of all plots."""
    qtbot.mouseMove(window.transport)
    qtbot.waitUntil(lambda: window.session.cursor.under_mouse is None)


def titles(window):
    """What the influence dock says it shows, run by run."""
    return [panel.title for panel in window.views["influence"].canvas.plot.panels]


def test_it_follows_the_mouse_over_any_plot_and_goes_back_to_the_cursor(looked_at, tmp_path, qtbot, drawn):
    looked_at.session.cursor.move(9)
    taken(looked_at, qtbot)
    for view, time_step, panel in (("hidden", 4, 0), ("hidden", 6, 1), ("input", 11, 0), ("influence", 2, 1)):
        point_at(looked_at, qtbot, view, time_step, panel)
        for name, found in zip(("lstm", "rwa"), taken(looked_at, qtbot), strict=True):
            model = load(tmp_path / f"{name}.safetensors")
            expected = influence(model, model.task.probe(), 0, time_step)
            np.testing.assert_allclose(found.values, expected.values, rtol=1e-4)
        drawn()
        assert titles(looked_at) == [f"influence on the output, t = {time_step}"] * 2
        assert looked_at.session.cursor.position.time_step == 9
    leave(looked_at, qtbot)
    assert [found.time_step for found in taken(looked_at, qtbot)] == [9, 9]
    drawn()
    assert titles(looked_at) == ["influence on the output, t = 9"] * 2


def test_whoever_moves_the_cursor_is_followed_until_the_mouse_moves_again(looked_at, qtbot):
    point_at(looked_at, qtbot, "hidden", 4)
    qtbot.keyClick(looked_at, Qt.Key.Key_Home)
    qtbot.keyClick(looked_at, Qt.Key.Key_Right)
    assert looked_at.session.cursor.under_mouse is None
    assert [found.time_step for found in taken(looked_at, qtbot)] == [2, 2]
    point_at(looked_at, qtbot, "hidden", 5)
    assert [found.time_step for found in taken(looked_at, qtbot)] == [5, 5]


def test_a_faint_line_stands_under_the_mouse_in_all_plots_over_time(looked_at, qtbot, drawn):
    looked_at.session.cursor.move(9)
    drawn()
    docks = [dock for dock in looked_at.views.values() if dock.seen and dock.canvas.plot.rows]
    plots = [item for dock in docks for item in dock.canvas._panels if item.box.of_time]
    for dock in docks:
        dock.canvas.grab()
    pictures = [dock.canvas._picture for dock in docks if dock.view != "influence"]
    painted = Painted([dock.canvas.viewport() for dock in docks])
    point_at(looked_at, qtbot, "hidden", 4)
    qtbot.waitUntil(lambda: len(painted.widgets) == len(docks))
    taken(looked_at, qtbot)
    drawn()
    assert len(plots) > 8
    for dock in docks:
        image = dock.canvas.grab().toImage()
        for item in (item for item in dock.canvas._panels if item.box.of_time):
            area, x = item.box.sceneBoundingRect(), item.box.mapViewToScene(QPointF(4, 0)).x()
            down = range(round(area.top()) + 1, round(area.bottom()) - 1)
            columns = [{image.pixelColor(int(x) + by, y).name() for y in down} for by in (-1, 0, 1)]
            assert {QColor(looked_at.theme.faint).name()} in columns
    after = [dock.canvas._picture for dock in docks if dock.view != "influence"]
    assert all(one is other for one, other in zip(pictures, after, strict=True)), "no plot is painted again"


def test_while_nobody_looks_the_mouse_asks_for_nothing(window, loaded, saved, qtbot):
    loaded(saved("lstm"))
    point_at(window, qtbot, "hidden", 5)
    qtbot.wait(200)
    assert not window.session.busy
    assert window.session.runs[0].influence is None


def slow_at(slowly, monkeypatch):
    """Make the influence on one time step take for ever, unless it is ended; the time steps that were begun."""
    begun = []

    def measured(model, batch, sequence, time_step, output, between):
        begun.append(time_step)
        end = time.monotonic() + 20
        while time_step == slowly and time.monotonic() < end:
            between(0.5)
        return influence(model, batch, sequence, time_step, output, between)

    monkeypatch.setattr(measure, "influence", measured)
    return begun


def test_the_newest_wish_ends_the_work_on_earlier_ones(looked_at, qtbot, monkeypatch, idle):
    taken(looked_at, qtbot)
    idle()
    begun, found = slow_at(3, monkeypatch), []
    looked_at.session.worker.influenced.connect(lambda run, influence: found.append(influence.time_step))
    point_at(looked_at, qtbot, "hidden", 3)
    qtbot.waitUntil(lambda: begun == [3])
    point_at(looked_at, qtbot, "hidden", 7)
    taken(looked_at, qtbot)
    assert [t for t in begun if t != 3] == [7, 7], "of the other run, too, the work on 3 may have begun"
    assert found == [7, 7]


def test_what_was_asked_for_does_not_come_when_the_mouse_has_left(looked_at, qtbot, monkeypatch, idle):
    looked_at.session.cursor.move(9)
    taken(looked_at, qtbot)
    idle()
    begun = slow_at(3, monkeypatch)
    point_at(looked_at, qtbot, "hidden", 3)
    qtbot.waitUntil(lambda: begun == [3])
    leave(looked_at, qtbot)
    qtbot.waitUntil(lambda: len(begun) > 1 and not looked_at.session.busy, timeout=10_000)
    assert [t for t in begun if t != 3] == [9, 9], "of the other run, too, the work on 3 may have begun"
    assert [run.influence.time_step for run in looked_at.session.shown] == [9, 9]


def test_a_run_that_is_removed_ends_the_work_on_it(looked_at, qtbot, monkeypatch, idle):
    taken(looked_at, qtbot)
    begun = slow_at(3, monkeypatch)
    point_at(looked_at, qtbot, "hidden", 3)
    qtbot.waitUntil(lambda: begun == [3])
    for run in looked_at.session.runs[:]:
        looked_at.session.remove(run)
    idle()


def test_while_a_model_trains_the_mouse_is_followed_and_the_training_goes_on(looked_at, qtbot, idle):
    taken(looked_at, qtbot)
    run, session = looked_at.session.current, looked_at.session
    session.train_on(run.configuration.training.model_copy(update={"iterations": 1_000_000}))
    qtbot.waitUntil(lambda: len(run.history) > 10, timeout=60_000)
    for time_step in range(3, 12, 2):
        point_at(looked_at, qtbot, "hidden", time_step)
        assert {found.time_step for found in taken(looked_at, qtbot)} == {time_step}
    now, iterations = run.influence, len(run.history)
    qtbot.waitUntil(lambda: run.influence is not now, timeout=20_000)
    assert run.influence.time_step == 11, "of newer weights it is still what is under the mouse"
    qtbot.waitUntil(lambda: len(run.history) > iterations, timeout=20_000)
    session.stop()
    idle()
    assert run.influence.time_step == 11
