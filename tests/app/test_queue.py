"""Trainings that wait for one another: begun by themselves in their order, taken out, cleared, and asked for at closing."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QMessageBox, QToolButton

LONG = 1_000_000


@pytest.fixture
def press(window, qtbot):
    """Fill the form and press the Train button: (cell, iterations, cell_settings, length, **training)."""

    def fill(cell, iterations, cell_settings=None, length=6, **training):
        form = window.panel.form
        training = {"iterations": iterations, "batch": 4, "device": "cpu"} | training
        values = {"cell": cell, "units": 5, "task_settings": {"length": length}, "training": training}
        values["cell_settings"] = cell_settings or {}
        form.set_values(form.values() | values)
        assert window.panel.train_button.isEnabled()
        qtbot.mouseClick(window.panel.train_button, Qt.MouseButton.LeftButton)

    return fill


@pytest.fixture
def ended(window):
    """(name, how) of every training that has ended."""
    found = []
    session = window.session
    session.worker.ended.connect(lambda run, how: found.append((session.by_identity(run).name, how)))
    return found


def begun(window, qtbot, name):
    """Wait until the training of a run is under way."""
    session = window.session
    qtbot.waitUntil(lambda: bool(session.training and session.training.name == name), timeout=60_000)
    qtbot.waitUntil(lambda: len(session.training.history) > 0, timeout=60_000)


def waiting(window):
    """What the panel says is waiting."""
    shown = window.panel.waiting
    if not shown.isVisible():
        return []
    return [shown.itemWidget(shown.item(n)).findChild(QLabel).text() for n in range(shown.count())]


def test_three_trainings_end_by_themselves_in_their_order(window, press, ended, qtbot, idle):
    press("lstm", 60)
    press("gru", 50)
    press("elman", 40)
    assert waiting(window) == ["waiting: gru-adding", "waiting: elman-adding"]
    assert window.panel.train_button.text() == "Train next"
    qtbot.waitUntil(lambda: len(ended) == 3, timeout=60_000)
    idle()
    assert ended == [(f"{cell}-adding", "finished") for cell in ("lstm", "gru", "elman")]
    assert [len(run.history) for run in window.session.runs] == [60, 50, 40]
    assert waiting(window) == []
    assert window.panel.train_button.text() == "Train"
    assert all(run.reaches for run in window.session.runs)
    assert window.session.current is window.session.runs[-1]


def test_stop_ends_the_training_under_way_and_the_next_begins(window, press, ended, qtbot, idle):
    press("lstm", LONG)
    press("gru", 10)
    begun(window, qtbot, "lstm-adding")
    qtbot.mouseClick(window.panel.stop_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(ended) == 2, timeout=60_000)
    assert ended == [("lstm-adding", "stopped"), ("gru-adding", "finished")]
    idle()


def test_what_waits_can_be_taken_out_and_the_queue_cleared(window, press, ended, qtbot, idle):
    press("lstm", LONG)
    for cell in ("gru", "elman", "rwa"):
        press(cell, 10)
    shown = window.panel.waiting
    qtbot.mouseClick(shown.itemWidget(shown.item(1)).findChild(QToolButton), Qt.MouseButton.LeftButton)
    assert waiting(window) == ["waiting: gru-adding", "waiting: rwa-adding"]
    run = next(action.menu() for action in window.menuBar().actions() if action.text() == "Run")
    next(action for action in run.actions() if action.text() == "Clear the queue").trigger()
    assert waiting(window) == []
    begun(window, qtbot, "lstm-adding")
    window.session.stop()
    idle()
    assert [name for name, _ in ended] == ["lstm-adding"]


def test_a_training_that_does_not_begin_or_fails_lets_the_next_begin(window, press, ended, qtbot, idle):
    told = []
    window.session.told.connect(lambda text, details: told.append(text))
    press("lstm", 20)
    press("gru", 20, device="mps")
    press("elman", 500, {"nonlinearity": "relu"}, length=300, learning_rate=10)
    press("rwa", 20)
    qtbot.waitUntil(lambda: bool(ended) and ended[-1][0] == "rwa-adding", timeout=60_000)
    idle()
    assert [name for name, _ in ended] == ["lstm-adding", "elman-adding", "rwa-adding"]
    assert ended[1][1].startswith("paused: the loss or its gradient became NaN")
    assert any("mps is not available" in text for text in told)


def test_training_on_waits_too_and_goes_with_its_run(window, press, ended, qtbot, idle):
    press("lstm", 30)
    qtbot.waitUntil(lambda: len(ended) == 1, timeout=60_000)
    first = window.session.current
    press("gru", LONG)
    begun(window, qtbot, "gru-adding")
    window.session.choose(first)
    window.panel.form._training["iterations"].setValue(25)
    window.panel.train_on()
    window.panel.train_on()
    assert waiting(window) == ["waiting: lstm-adding, on"] * 2
    window.session.drop(window.session.queue[0])
    window.session.stop()
    qtbot.waitUntil(lambda: len(ended) == 3, timeout=60_000)
    idle()
    assert len(first.history) == 55
    press("gru", LONG)
    begun(window, qtbot, "gru-adding 2")
    window.session.choose(first)
    window.panel.train_on()
    window.session.remove(first)
    assert waiting(window) == []
    window.session.stop()
    idle()


def test_the_form_keeps_what_is_written_while_the_queue_goes_on(window, press, ended, qtbot, idle):
    press("lstm", LONG)
    press("gru", 10)
    begun(window, qtbot, "lstm-adding")
    window.panel.form._model["units"].setValue(9)
    window.session.stop()
    qtbot.waitUntil(lambda: len(ended) == 2, timeout=60_000)
    idle()
    assert window.panel.form.configuration().units == 9
    assert window.panel.form.configuration().cell == "gru"


def test_who_looks_back_stays_where_he_looks_when_the_next_begins(window, press, ended, qtbot, idle):
    press("lstm", 1000)
    begun(window, qtbot, "lstm-adding")
    first = window.session.current
    press("gru", 10)
    qtbot.waitUntil(lambda: len(window.session.cursor.iterations) > 4, timeout=60_000)
    window.session.cursor.look_back(3)
    qtbot.waitUntil(lambda: len(ended) == 2, timeout=60_000)
    idle()
    assert window.session.current is first
    assert first.past[0] == 3
    assert [subject.name for subject in window.session.subjects()] == ["lstm-adding @ 3", "gru-adding @ 3"]


def test_closing_with_a_queue_asks(window, press, qtbot, answered):
    press("lstm", LONG)
    press("gru", 10)
    press("elman", 10)
    begun(window, qtbot, "lstm-adding")
    asked = answered(QMessageBox.StandardButton.Cancel, QMessageBox.StandardButton.Discard)
    assert not window.close()
    assert len(window.session.queue) == 2
    assert window.close()
    assert asked == ["These runs are in no file yet: lstm-adding. 2 more trainings wait and will not begin."] * 2
    assert not window.session.worker.isRunning()
    assert [run.name for run in window.session.runs] == ["lstm-adding"]
