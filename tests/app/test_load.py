"""Opening models: by call, by dropping, by the command line's list; and files that cannot be opened."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, QSettings, Qt, QUrl
from PySide6.QtGui import QDropEvent

from rnnscope.core.formats import load
from rnnscope.core.recording import record


def test_a_loaded_model_is_traced_measured_and_drawn(window, loaded, saved):
    path = saved("lstm")
    (run,) = loaded(path)
    assert run.name == "lstm"
    assert window.session.current is run
    model = load(path)
    batch = model.task.evaluation().first(8)
    expected = record(model, batch.inputs, batch.targets, weights=batch.weights)
    np.testing.assert_array_equal(run.trace.signals["forget_gate"], expected.signals["forget_gate"])
    assert set(run.reaches) == {"state_jacobian", "direct_weight"}
    assert {dock.canvas.plot.title for dock in window.views.values() if dock.canvas.plot} >= {
        "Input",
        "Hidden state",
        "Gates",
    }
    assert window.heading.text() == "lstm  ·  adding  ·  6 units"


def test_what_is_read_out_is_the_trace_s_own_value(window, loaded, saved, drawn):
    (run,) = loaded(saved("rwa"))
    window.session.cursor.move(7)
    window.session.cursor.choose(sequence=2, unit=4)
    drawn()
    (panel,) = window.views["hidden"].canvas._panels
    shown = {name: text for name, text, _ in panel.values()}
    value = run.trace.signals["hidden"][6, 2, 4]
    assert shown == {"h[4]": f"{value:.3g}".replace("-", "−")}


def test_the_form_shows_the_settings_of_the_chosen_run(window, loaded, saved):
    loaded(saved("gru", units=5, length=9), saved("lstm", units=7, length=9))
    window.session.choose(window.session.runs[1])
    values = window.panel.form.values()
    assert (values["cell"], values["units"], values["task_settings"]["length"]) == ("lstm", 7, 9)


def test_recent_files_are_remembered_without_repetition(window, loaded, saved):
    first, second = saved("lstm"), saved("gru")
    loaded(first)
    loaded(second)
    loaded(first)
    assert QSettings().value("recent") == [str(first), str(second)]
    assert [run.name for run in window.session.runs] == ["lstm", "gru", "lstm 2"]
    window._recent_menu.aboutToShow.emit()
    assert [action.text() for action in window._recent_menu.actions()] == [str(first), str(second)]


def test_a_dropped_file_is_opened(window, qtbot, saved, idle):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(saved("elman")))])
    copy, none = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPointF(50, 50), copy, mime, Qt.MouseButton.LeftButton, none))
    qtbot.waitUntil(lambda: [run.name for run in window.session.runs] == ["elman"], timeout=10_000)
    idle()


@pytest.mark.parametrize("content", [None, b"", b"hello", b"\xff" * 64])
def test_a_file_that_cannot_be_read_is_named_and_changes_nothing(window, loaded, saved, tmp_path, qtbot, content, idle):
    (run,) = loaded(saved("lstm"))
    bad = tmp_path / "bad.safetensors"
    if content is not None:
        bad.write_bytes(content)
    with qtbot.waitSignal(window.session.told, timeout=10_000) as told:
        window.files.open([bad])
    text, details = told.args
    assert str(bad) in text
    assert "\n" not in text
    assert not details
    assert window.messages.isVisible()
    assert window.session.runs == [run]
    assert window.session.current is run
    idle()


def test_removing_the_last_run_leaves_an_empty_window_that_works(window, loaded, saved, drawn):
    loaded(saved("lstm"))
    window.files.ask_remove()
    drawn()
    assert window.session.current is None
    assert window.views["hidden"].canvas._panels == []
    assert loaded(saved("gru"))[0].name == "gru"
