"""Training live: frames, pause, stop, going on, closing meanwhile; and what goes wrong on the worker."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QMessageBox, QWidget

from rnnscope.app import ongoing
from rnnscope.app.jobs import Held
from rnnscope.core import training
from rnnscope.core.formats import load, save
from rnnscope.core.memory import portions
from rnnscope.core.model import Model
from rnnscope.core.tasks import Adding
from rnnscope.core.training import train


@pytest.fixture
def form(window):
    """The form, set to a small quick training."""

    def fill(**values):
        form = window.panel.form
        wanted = form.values() | {"cell": "lstm", "units": 5, "task_settings": {"length": 8}, "cell_settings": {}}
        wanted["training"] = {"iterations": 10, "batch": 4, "device": "cpu"}
        wanted["training"] |= {name: values.pop(name) for name in list(values) if name in form._training}
        form.set_values(wanted | values)
        return form.configuration()

    return fill


def press(qtbot, button):
    """Click a button that must be enabled."""
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.fixture
def train_to_the_end(window, qtbot, idle):
    """Press Train and wait until the training has ended and everything after it."""

    def run():
        with qtbot.waitSignal(window.session.worker.ended, timeout=30_000):
            press(qtbot, window.panel.train_button)
        idle()

    return run


def test_ten_iterations_live(window, form, qtbot, train_to_the_end):
    configuration = form()
    words, traces = [], []
    window.session.state.connect(lambda: words.append(window.panel.train_button.text()))
    window.session.changed.connect(lambda: traces.append(window.session.current.trace))
    train_to_the_end()
    assert (words[0], words[-1]) == ("Train next", "Train"), "the form says what is trained next"
    first = traces[0]
    run = window.session.current
    expected = Model(configuration)
    losses = [float(update.loss) for update in train(expected)]
    np.testing.assert_array_equal(run.history.loss, np.array(losses, np.float32))
    assert (run.trace.signals["hidden"] != first.signals["hidden"]).any()
    assert run.unsaved
    assert "*" in window.panel.list.item(0).text()
    assert run.reaches
    assert window.views["loss"].canvas.plot.panels is not None
    qtbot.waitUntil(lambda: len(next(window.views["loss"].canvas.plot.panels).marks) == 1)
    assert not window.panel.stop_button.isEnabled()


def test_until_the_first_iteration_is_done_the_window_says_that_it_starts(window, form, qtbot, monkeypatch, idle):
    go, choose = threading.Event(), training.choose
    monkeypatch.setattr(training, "choose", lambda *arguments: (go.wait(20), choose(*arguments))[1])
    form(iterations=100_000)
    press(qtbot, window.panel.train_button)
    qtbot.waitUntil(lambda: window.session.training is not None, timeout=20_000)
    assert window.panel.status.text() == "Starting…"
    go.set()
    qtbot.waitUntil(lambda: "it/s" in window.panel.status.text(), timeout=20_000)
    press(qtbot, window.panel.stop_button)
    idle()


def test_what_the_window_costs_the_training_is_measured_and_told(window, form, qtbot, monkeypatch, idle):
    monkeypatch.setattr(ongoing, "TRACE_SHARE", 0.5)  # a trace takes half of the time
    trace = Held.trace
    monkeypatch.setattr(Held, "trace", lambda held, between: (time.sleep(0.1), trace(held, between))[1])
    form(iterations=100_000)
    press(qtbot, window.panel.train_button)
    qtbot.waitUntil(lambda: bool(window.session.runs) and len(window.session.runs[0].history) > 0, timeout=30_000)
    run = window.session.runs[0]
    qtbot.waitUntil(lambda: 0.3 < run.rate / run.alone < 0.8, timeout=30_000)
    assert window.panel.status.text().endswith(f"{run.rate:.0f} it/s ({run.rate / run.alone:.0%})")
    assert f"{run.rate:.0f} with the window; {run.alone:.0f} by" in window.panel.status.toolTip()
    press(qtbot, window.panel.stop_button)
    idle()


def test_a_new_loss_changes_the_words_of_its_run_and_no_more(window, form, qtbot, idle):
    form(iterations=100_000)
    press(qtbot, window.panel.train_button)
    run = _first_losses(window, qtbot)
    relisted, before = [], window.panel.list.item(0).text()
    window.session.listed.connect(lambda: relisted.append(len(run.history)))
    qtbot.waitUntil(lambda: window.panel.list.item(0).text() != before, timeout=30_000)
    assert not relisted
    press(qtbot, window.panel.stop_button)
    idle()


def test_pause_holds_go_on_continues_and_stop_keeps_what_was_learned(window, form, qtbot, idle):
    form(iterations=100_000)
    press(qtbot, window.panel.train_button)
    run = _first_losses(window, qtbot)
    press(qtbot, window.panel.pause_button)
    qtbot.waitUntil(lambda: not window.session.worker.outstanding, timeout=10_000)
    window.session._on_look()
    held = len(run.history)
    qtbot.wait(150)
    assert len(run.history) == held
    assert "paused" in window.panel.status.text()
    press(qtbot, window.panel.pause_button)
    qtbot.waitUntil(lambda: len(run.history) > held, timeout=10_000)
    press(qtbot, window.panel.stop_button)
    idle()
    assert held < len(run.history) < 100_000
    assert window.panel.status.text() == "Not training"


def test_a_run_can_be_trained_on(window, form, idle, train_to_the_end):
    form()
    train_to_the_end()
    window.panel.train_on()
    idle()
    assert [len(run.history) for run in window.session.runs] == [20]


def test_save_and_load_bring_back_weights_and_history(window, form, tmp_path, idle, train_to_the_end):
    form(engine="reference")  # what runs a model that comes from a file, too
    train_to_the_end()
    run = window.session.current
    path = tmp_path / "kept.safetensors"
    window.session.save(run, path)
    idle()
    assert not run.unsaved
    np.testing.assert_array_equal(load(path).history.loss, run.history.loss)
    window.files.open([path])
    idle()
    again = window.session.runs[1]
    np.testing.assert_array_equal(again.trace.signals["cell"], run.trace.signals["cell"])


def test_a_model_can_be_loaded_while_another_trains(window, form, saved, qtbot, idle):
    form(iterations=100_000)
    press(qtbot, window.panel.train_button)
    training = _first_losses(window, qtbot)
    window.files.open([saved("gru")])
    qtbot.waitUntil(lambda: len(window.session.runs) == 2, timeout=10_000)
    before = len(training.history)
    qtbot.waitUntil(lambda: len(training.history) > before, timeout=10_000)
    press(qtbot, window.panel.stop_button)
    idle()


def test_closing_while_training_asks_and_ends_the_thread(window, form, qtbot, answered):
    form(iterations=100_000)
    press(qtbot, window.panel.train_button)
    _first_losses(window, qtbot)
    asked = answered(QMessageBox.StandardButton.Cancel, QMessageBox.StandardButton.Discard)
    assert not window.close()
    assert window.session.worker.isRunning()
    assert window.close()
    assert not window.session.worker.isRunning()
    assert len(asked) == 2
    assert "lstm-adding" in asked[0]


def test_an_exception_on_the_worker_is_shown_with_its_traceback_and_the_window_lives_on(
    window, form, qtbot, monkeypatch, idle, train_to_the_end
):
    form()
    draw = Adding.draw

    def broken(task, random, batch):
        if batch == 4:
            raise RuntimeError("the disk of dreams is full")
        return draw(task, random, batch)

    monkeypatch.setattr(Adding, "draw", broken)
    with qtbot.waitSignal(window.session.worker.failed, timeout=10_000):
        press(qtbot, window.panel.train_button)
    idle()
    assert window.session.training is None
    assert window.messages.isVisible()
    monkeypatch.undo()
    train_to_the_end()
    assert len(window.session.runs[-1].history) == 10


def test_the_traceback_is_behind_the_details_button(window, qtbot):
    window.session.worker.failed.emit(0, "RuntimeError: x", "Traceback: the details")
    press(qtbot, window.messages.details_button)
    assert window.messages.details.toPlainText() == "Traceback: the details"
    assert not window.messages.details.isHidden()


def test_divergence_pauses_names_the_iteration_and_keeps_the_last_good_weights(window, form, qtbot, tmp_path, idle):
    form(
        cell="elman",
        cell_settings={"nonlinearity": "relu"},
        task_settings={"length": 300},
        learning_rate=10,
        iterations=500,
    )
    with qtbot.waitSignal(window.session.worker.ended, timeout=30_000) as ended:
        press(qtbot, window.panel.train_button)
    idle()
    run = window.session.current
    _, how = ended.args
    assert f"at iteration {len(run.history) + 1}" in how
    assert how in window.messages.label.text()
    assert np.isfinite(run.history.loss).all()
    path = tmp_path / "diverged.safetensors"
    window.session.save(run, path)
    idle()
    assert all(parameter.isfinite().all() for parameter in load(path).parameters())


def test_wrong_settings_are_refused_at_the_form_by_name(window, form):
    form()
    editors = window.panel.form
    editors._model["units"].setValue(0)
    assert editors.problem_label.text() == "units: expected greater than or equal to 1; got 0"
    assert not window.panel.train_button.isEnabled()
    editors._model["units"].setValue(4)
    assert not editors.problem
    assert window.panel.train_button.isEnabled()
    editors._task_fields["length"].setValue(0)
    assert "length" in editors.problem_label.text()
    editors._task_fields["length"].setValue(10)
    editors._training["learning_rate"].setText("")
    assert "learning_rate" in editors.problem_label.text()


def test_a_device_that_is_not_there_is_refused_in_one_line(window, form, qtbot, idle):
    form(device="mps")
    with qtbot.waitSignal(window.session.worker.refused, timeout=10_000) as refused:
        press(qtbot, window.panel.train_button)
    assert refused.args[1].startswith("device: mps is not available")
    idle()
    assert window.session.runs == []
    assert window.panel.train_button.isEnabled()


def _first_losses(window, qtbot):
    qtbot.waitUntil(lambda: bool(window.session.training and len(window.session.training.history)), timeout=20_000)
    return window.session.training


def test_a_file_that_is_refused_does_not_hide_the_training_that_was_asked_for(window, form, qtbot, tmp_path, idle):
    configuration = form(iterations=100_000)
    window.session.open([tmp_path / "missing.safetensors"])
    window.session.train(configuration)
    assert window.panel.status.text() == "Starting…"
    assert window.panel.train_button.text() == "Train next"
    _first_losses(window, qtbot)
    press(qtbot, window.panel.stop_button)
    idle()
    assert [run.name for run in window.session.runs] == ["lstm-adding"]


def test_training_on_with_a_device_that_is_not_there_leaves_the_window_usable(window, form, qtbot, idle, train_to_the_end):
    form()
    train_to_the_end()
    form(device="mps")
    with qtbot.waitSignal(window.session.worker.refused, timeout=10_000):
        window.panel.train_on()
    idle()
    assert window.session.training is None
    form(seed=1)
    train_to_the_end()


def test_the_worker_survives_a_trace_that_fails_twice(window, form, qtbot, monkeypatch, idle):
    configuration = form(iterations=100_000)
    window.session.train(configuration)
    _first_losses(window, qtbot)

    def no_memory(held):
        raise MemoryError("no room for a trace")

    monkeypatch.setattr(Held, "trace", no_memory)
    with qtbot.waitSignal(window.session.worker.ended, timeout=10_000):
        press(qtbot, window.panel.stop_button)
    idle()
    monkeypatch.undo()
    assert window.session.worker.isRunning()
    assert window.panel.train_button.isEnabled()


def test_a_measurement_gives_way_to_what_is_asked_for_and_comes_later(window, form, saved, qtbot, monkeypatch, idle):
    monkeypatch.setattr(portions, "MEMORY", 1)
    configuration = form(iterations=30)
    order = []
    window.session.worker.ended.connect(lambda *about: order.append("trained"))
    window.session.worker.measured.connect(lambda run, reaches: order.append(run))
    window.files.open([saved("lstm", length=120)])
    qtbot.waitUntil(lambda: window.session.measuring is not None, timeout=10_000)
    window.session.train(configuration)
    idle()
    assert order[0] == "trained"
    assert sorted(order[1:]) == [run.identity for run in window.session.runs]
    assert all(run.reaches for run in window.session.runs)


def test_a_model_that_cannot_be_measured_is_named_in_one_sentence(window, saved, qtbot, idle):
    path = saved("lstm")
    model = load(path)
    with torch.no_grad():
        model.network.cells[0].weight_h.fill_(float("nan"))
    save(model, path)
    with qtbot.waitSignal(window.session.told, timeout=10_000) as told:
        window.files.open([path])
    assert told.args[0].startswith("lstm: its states or their gradients overflow")
    assert told.args[1] == ""
    idle()


def test_the_wheel_over_a_field_without_focus_changes_nothing(window, form):
    form()
    window.messages.setFocus()
    before = window.panel.form.values()
    for editor in window.panel.form.findChildren(QWidget):
        at = QPointF(editor.rect().center())
        event = QWheelEvent(
            at, editor.mapToGlobal(at), QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(editor, event)
    assert window.panel.form.values() == before


def test_removing_what_no_file_has_asks_first(window, form, monkeypatch, idle, train_to_the_end):
    form()
    train_to_the_end()
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *about: answers.pop(0))
    window.files.ask_remove()
    assert len(window.session.runs) == 1
    window.files.ask_remove()
    assert window.session.runs == []
    idle()
