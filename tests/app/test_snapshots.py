"""The second clock: looking back at a training, while it goes on and afterwards; saving it; how the reach grew."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QFileDialog

from rnnscope.app import recent_traces
from rnnscope.app.recent_traces import RecentTraces, size_of
from rnnscope.core.comparison import compare
from rnnscope.core.formats import load
from rnnscope.core.memory.influence import influence
from rnnscope.core.model import Model
from rnnscope.core.recording import record_batch
from rnnscope.core.snapshots import due
from rnnscope.core.training import train
from rnnscope.views.growth import PER_OCTAVE

LONG = 1_000_000


@pytest.fixture
def configured(window):
    """A small quick training, by the form: (iterations, **training)."""

    def fill(iterations, **more):
        form = window.panel.form
        training = {"iterations": iterations, "batch": 4, "device": "cpu", "engine": "reference"} | more
        values = {"cell": "lstm", "units": 5, "task_settings": {"length": 8}, "cell_settings": {}, "training": training}
        form.set_values(form.values() | values)
        return form.configuration()

    return fill


@pytest.fixture
def trained(window, configured, qtbot, idle):
    """Train a model to its end in the window: (iterations, **training) -> Run."""

    def run(iterations, **more):
        configured(iterations, **more)
        with qtbot.waitSignal(window.session.worker.ended, timeout=30_000):
            qtbot.mouseClick(window.panel.train_button, Qt.MouseButton.LeftButton)
        idle()
        return window.session.current

    return run


@pytest.fixture
def live(window, configured, qtbot, idle):
    """A training without end, 40 iterations of which are over; it is stopped at last."""
    configured(LONG)
    qtbot.mouseClick(window.panel.train_button, Qt.MouseButton.LeftButton)
    session = window.session
    qtbot.waitUntil(lambda: bool(session.training and len(session.training.history) > 40), timeout=20_000)
    yield session.training
    session.stop()
    idle()


def after(configuration, iterations):
    """The trace of a model that was trained anew for so many iterations."""
    model = Model(configuration)
    model.network.engine = "reference"
    for update in train(model):
        if update.iteration == iterations:
            break
    return record_batch(model, model.task.probe())


def shows(window, run, iteration, qtbot):
    """Wait until a run is shown at an iteration."""
    qtbot.waitUntil(lambda: (run.past and run.past[0]) == iteration, timeout=10_000)


def test_the_slider_is_there_only_for_a_run_with_snapshots(window, loaded, saved, trained):
    slider, where = window.transport.training.slider, window.transport.training.where
    assert not slider.isVisible()
    loaded(saved("lstm"))
    assert not slider.isVisible()
    run = trained(20)
    assert slider.isVisible()
    assert slider.maximum() == slider.value() == len(run.snapshots) == sum(due(n) for n in range(20))
    assert where.text() == "iteration 20 / 20"
    window.session.choose(window.session.runs[0])
    assert not slider.isVisible()


def test_keys_and_buttons_go_through_the_training(window, trained, qtbot):
    run = trained(20)
    bar, cursor = window.transport.training, window.session.cursor
    for key, iteration in (
        (Qt.Key.Key_Left, 19), (Qt.Key.Key_Left, 17), (Qt.Key.Key_Right, 19), (Qt.Key.Key_Home, 0), (Qt.Key.Key_Left, 0),
        (Qt.Key.Key_Right, 1), (Qt.Key.Key_End, None), (Qt.Key.Key_Right, None),
    ):  # fmt: skip
        qtbot.keyClick(window, key, Qt.KeyboardModifier.AltModifier)
        assert cursor.position.iteration == iteration
        assert bar.where.text() == f"iteration {20 if iteration is None else iteration} / 20"
        shows(window, run, iteration, qtbot)
    assert not bar.now_button.isEnabled()
    bar.slider.setValue(5)
    shows(window, run, 5, qtbot)
    qtbot.mouseClick(bar.now_button, Qt.MouseButton.LeftButton)
    assert run.past is None


def test_every_view_shows_what_the_model_did_then(window, trained, drawn, qtbot):
    run = trained(30)
    now = run.trace
    for iteration in (0, 1, 7, 23, 29):
        window.session.cursor.look_back_to(iteration)
        shows(window, run, iteration, qtbot)
        expected = after(run.configuration, iteration) if iteration else None
        (subject,) = window.session.subjects()
        assert subject.name == f"lstm-adding @ {iteration}"
        assert run.trace is now
        if iteration:
            for name, values in expected.signals.items():
                np.testing.assert_array_equal(subject.trace.signals[name], values, err_msg=name)
            drawn()
            mark = next(window.views["hidden"].canvas.plot.panels).marks[0]
            np.testing.assert_array_equal(mark.values, expected.signals["hidden"][:, 0].T)
        assert f"@ iteration {iteration}" in window.heading.text()
    window.session.cursor.look_back_to(30)
    assert window.session.subjects()[0].trace is now
    assert "@" not in window.heading.text()


def test_while_training_the_past_stays_and_now_follows(window, live, qtbot):
    shown = window.session.subjects()[0].trace
    qtbot.waitUntil(lambda: window.session.subjects()[0].trace is not shown, timeout=10_000)
    qtbot.keyClick(window, Qt.Key.Key_Home, Qt.KeyboardModifier.AltModifier)
    for _ in range(7):
        qtbot.keyClick(window, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    shows(window, live, 7, qtbot)
    trace, newest, snapshots = live.past[1], live.trace, len(live.snapshots)
    qtbot.waitUntil(lambda: len(live.snapshots) > snapshots + 4 and live.trace is not newest, timeout=20_000)
    bar = window.transport.training
    assert window.session.subjects()[0].trace is trace
    assert (bar.slider.value(), bar.slider.maximum()) == (7, len(window.session.cursor.iterations))
    assert bar.where.text().startswith("iteration 7 / ")
    np.testing.assert_array_equal(trace.signals["hidden"], after(live.configuration, 7).signals["hidden"])
    qtbot.keyClick(window, Qt.Key.Key_End, Qt.KeyboardModifier.AltModifier)
    assert window.session.subjects()[0].trace is live.trace
    assert bar.slider.value() == bar.slider.maximum()


def test_dragging_while_training_asks_for_the_newest_and_drops_the_others(window, live, qtbot, monkeypatch):
    made = []
    monkeypatch.setattr(RecentTraces, "get", lambda self, run, n, make: made.append(n) or make())
    slider = window.transport.training.slider
    qtbot.mousePress(slider, Qt.MouseButton.LeftButton, pos=slider.rect().center())
    slider.setSliderDown(True)
    for value in range(25):
        slider.setSliderPosition(value)
    shows(window, live, window.session.cursor.position.iteration, qtbot)
    assert made[-1] == window.session.cursor.position.iteration == live.snapshots[24]
    assert len(made) < 25
    before = len(live.history)
    qtbot.waitUntil(lambda: len(live.history) > before + 20, timeout=20_000)


def test_a_click_and_a_drag_in_the_loss_look_back(window, trained, drawn, qtbot):
    run = trained(200)
    loss = window.views["loss"]
    drawn()
    item = loss.canvas._panels[0]

    def at(iteration):
        return loss.canvas.mapFromScene(item.box.mapViewToScene(QPointF(iteration, item.box.viewRect().center().y())))

    qtbot.mouseClick(loss.canvas.viewport(), Qt.MouseButton.LeftButton, pos=at(100))
    shows(window, run, 99, qtbot)
    drawn()
    line = next(loss.canvas.plot.panels).marks[-1]
    assert (line.names, line.x.tolist()) == (("iteration 99",), [99, 99])
    assert next(loss.canvas.plot.panels).marks[0].names == ("lstm-adding",)
    qtbot.mousePress(loss.canvas.viewport(), Qt.MouseButton.LeftButton, pos=at(100))
    for iteration in (120, 150, 180):
        qtbot.mouseMove(loss.canvas.viewport(), at(iteration))
    qtbot.mouseRelease(loss.canvas.viewport(), Qt.MouseButton.LeftButton, pos=at(180))
    assert window.session.cursor.position.iteration == 181
    qtbot.mouseClick(loss.canvas.viewport(), Qt.MouseButton.LeftButton, pos=at(199))
    assert window.session.cursor.position.iteration is None


def test_the_wheel_does_not_move_it(window, trained):
    trained(20)
    slider = window.transport.training.slider
    at = QPointF(slider.rect().center())
    event = QWheelEvent(
        at, slider.mapToGlobal(at), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(slider, event)
    assert window.session.cursor.position.iteration is None


def test_all_shown_runs_go_back_each_to_its_own_snapshot(window, trained, loaded, saved, qtbot):
    short, long = trained(10), trained(30, seed=1)
    old = loaded(saved("lstm", units=5, length=8, name="old"))[-1]
    assert window.session.current is long
    window.session.cursor.look_back_to(23)
    shows(window, long, 23, qtbot)
    names = [subject.name for subject in window.session.subjects()]
    assert names == ["lstm-adding", "lstm-adding 2 @ 23", "old"]
    window.session.cursor.look_back_to(9)
    shows(window, short, 9, qtbot)
    shows(window, long, 9, qtbot)
    assert old.past is None


def test_training_on_keeps_what_was_there(window, trained, qtbot, idle):
    run = trained(20)
    window.session.cursor.look_back_to(11)
    shows(window, run, 11, qtbot)
    trace = run.past[1]
    window.panel.train_on()
    idle()
    assert run.snapshots == tuple(n for n in range(40) if due(n) or n == 20)
    assert run.past == (11, trace)
    assert window.transport.training.where.text() == "iteration 11 / 40"


def test_the_influence_is_that_of_the_model_then(window, trained, qtbot):
    run = trained(30)
    window.docks["influence"].show()
    window.docks["influence"].raise_()
    qtbot.waitUntil(lambda: run.influence is not None, timeout=10_000)
    window.session.cursor.look_back_to(23)
    shows(window, run, 23, qtbot)
    model = Model(run.configuration)
    model.network.engine = "reference"
    for update in train(model):
        if update.iteration == 23:
            break
    here = window.session.cursor.position
    expected = influence(model, model.task.probe(), here.sequence, here.time_step, here.output).values
    qtbot.waitUntil(lambda: np.allclose(run.influence.values, expected, rtol=1e-4, equal_nan=True), timeout=10_000)
    now = run.influence
    window.session.cursor.look_back_to(30)
    qtbot.waitUntil(lambda: run.influence is not now, timeout=10_000)
    assert not np.allclose(run.influence.values, expected, rtol=1e-4, equal_nan=True)


def test_the_reach_is_that_of_the_model_then(window, trained, qtbot, idle):
    run = trained(30)
    window.session.cursor.look_back_to(23)
    shows(window, run, 23, qtbot)
    qtbot.waitUntil(lambda: bool(window.session.subjects()[0].reaches), timeout=20_000)
    idle()
    configuration = run.configuration
    model = Model(configuration)
    for update in train(model):
        if update.iteration == 23:
            break
    measured = compare(model).models[0].reaches
    found = window.session.subjects()[0].reaches
    assert {*found} == {*measured}
    for name, reach in measured.items():
        np.testing.assert_allclose(found[name].mean, reach.mean, rtol=1e-4)
    now = run.reaches["state_jacobian"].mean
    assert not np.allclose(found["state_jacobian"].mean, now, rtol=1e-4)


def test_the_growth_is_measured_when_somebody_looks(window, trained, qtbot, idle):
    run = trained(30)
    assert [*run.growth] == [30]
    window.docks["growth"].show()
    window.docks["growth"].raise_()
    expected = [n for n in range(30) if due(n, PER_OCTAVE)]
    qtbot.waitUntil(lambda: {*run.growth} == {*expected, 30}, timeout=30_000)
    idle()
    panels = list(window.views["growth"].canvas.plot.panels)
    assert [mark.x.tolist() for panel in panels for mark in panel.marks] == [[*expected, 30]] * 2
    model = Model(run.configuration)
    for update in train(model):
        if update.iteration == 16:
            break
    lag = compare(model).models[0].reaches["state_jacobian"].lag50
    n = expected.index(16)
    (mark,) = panels[0].marks
    np.testing.assert_allclose([mark.y[0, n], mark.low[0, n], mark.high[0, n]], [lag.value, lag.low, lag.high], rtol=1e-4)


def test_giving_up_keeps_what_was_measured_and_goes_on_when_looked_at_again(window, trained, qtbot, idle):
    run = trained(30)
    window.docks["growth"].show()
    window.docks["growth"].raise_()
    qtbot.waitUntil(lambda: len(run.growth) > 3, timeout=30_000)
    window.session.stop()
    idle()
    found = dict(run.growth)
    window.docks["reach"].raise_()
    window.docks["growth"].raise_()
    qtbot.waitUntil(lambda: {*run.growth} == {30, *(n for n in range(30) if due(n, PER_OCTAVE))}, timeout=30_000)
    assert all(run.growth[n] is reaches for n, reaches in found.items())


@pytest.mark.parametrize("with_its_training", [True, False])
def test_a_saved_training_opens_again(window, trained, qtbot, tmp_path, monkeypatch, with_its_training, idle):
    run = trained(30)
    window.session.cursor.look_back_to(23)
    shows(window, run, 23, qtbot)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *about: (str(tmp_path / "kept"), ""))
    (window.files.ask_save_training if with_its_training else window.files.ask_save)()
    idle()
    path = tmp_path / "kept.safetensors"
    assert len(load(path).snapshots) == with_its_training * len(run.snapshots)
    window.files.open([path])
    qtbot.waitUntil(lambda: len(window.session.runs) == 2 and not window.session.busy, timeout=10_000)
    kept = window.session.runs[1]
    assert kept.snapshots == run.snapshots * with_its_training
    np.testing.assert_array_equal(kept.trace.signals["hidden"], run.trace.signals["hidden"])
    if with_its_training:
        shows(window, kept, 23, qtbot)
        np.testing.assert_array_equal(kept.past[1].signals["hidden"], run.past[1].signals["hidden"])


def test_without_snapshots_there_is_no_training_to_save(window, loaded, saved):
    loaded(saved("lstm"))
    window.files.ask_save_training()
    assert "no snapshots" in window.messages.label.text()


def test_what_is_exported_is_what_is_shown(window, trained, qtbot, tmp_path, idle):
    run = trained(30)
    window.session.cursor.look_back_to(23)
    shows(window, run, 23, qtbot)
    there = tmp_path / "n.csv"
    window.session.export("hidden", tmp_path / "h.svg", {}, there)
    idle()
    rows = [row for row in csv.reader(there.read_text().splitlines()) if row[2] == "unit 2"]
    assert {row[0] for row in rows} == {"lstm-adding @ 23"}
    expected = after(run.configuration, 23).signals["hidden"][:, 0, 2]
    np.testing.assert_allclose([float(row[5]) for row in rows], expected, rtol=1e-4)
    assert "lstm-adding @ 23" in (tmp_path / "h.svg").read_text(encoding="utf-8")


def test_recent_traces_stay_within_their_bound(make_traces, monkeypatch):
    traces = make_traces(4)
    monkeypatch.setattr(recent_traces, "LARGEST", 2.5 * size_of(traces[0]))
    kept, made = RecentTraces(), []

    def ask(n):
        return kept.get(1, n, lambda: made.append(n) or traces[n])

    for n in (0, 1, 0, 2, 0, 1, 3):
        assert ask(n) is traces[n]
    assert made == [0, 1, 2, 1, 3], "the longest unused went first"
    monkeypatch.setattr(recent_traces, "LARGEST", 1)
    ask(2)
    made.clear()
    ask(2)
    assert made == [], "the newest is kept however large it is"
    kept.forget(1)
    ask(2)
    assert made == [2]


@pytest.fixture
def make_traces(saved):
    """Traces of one size."""

    def make(count):
        model = load(saved("lstm"))
        return [record_batch(model, model.task.probe()) for _ in range(count)]

    return make
