"""What asks for files, answered by the test in place of a person."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QSettings, QTimer
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QFileDialog, QMessageBox

from rnnscope.app.export_dialog import ExportDialog
from rnnscope.core.formats import load


@pytest.fixture
def answer(monkeypatch):
    """Make the system's file dialogs give a path, and remember what they proposed."""
    proposed = []

    def give(path):
        def one(parent, title, start, kinds):
            proposed.append(start)
            return str(path), kinds

        def several(parent, title, start, kinds):
            return [str(path)], kinds

        monkeypatch.setattr(QFileDialog, "getSaveFileName", one)
        monkeypatch.setattr(QFileDialog, "getOpenFileNames", several)
        return proposed

    return give


def test_open_and_save_by_dialog_and_the_folder_is_remembered(window, saved, answer, tmp_path, idle):
    path = saved("lstm")
    answer(path)
    window.files.ask_open()
    idle()
    assert [run.name for run in window.session.runs] == ["lstm"]
    assert QSettings().value("folder") == str(tmp_path)
    proposed = answer(tmp_path / "copy")
    window.files.ask_save()
    idle()
    assert proposed == [str(tmp_path / "lstm.safetensors")]
    assert load(tmp_path / "copy.safetensors").configuration == load(path).configuration


def test_nothing_to_save_or_export_is_said(window):
    for ask in (window.files.ask_save, window.files.ask_export_any):
        window.messages.hide()
        ask()
        assert window.messages.label.text().startswith("Nothing to")


def test_export_by_dialog_with_its_size_and_numbers(window, loaded, saved, answer, tmp_path, idle):
    loaded(saved("lstm"))
    answer(tmp_path / "gates.svg")

    def fill_in():
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, ExportDialog)
        assert dialog.view == "gates"
        dialog._preset.setCurrentIndex(0)
        dialog._height.setValue(100)
        dialog._numbers.setChecked(True)
        dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Save).click()

    QTimer.singleShot(0, window, fill_in)
    window.views["gates"].export_wanted.emit("gates")
    idle()
    text = (tmp_path / "gates.svg").read_text()
    assert 'width="252.28' in text, "89 mm in points"
    assert 'height="283.46' in text, "100 mm in points"
    assert (tmp_path / "gates.csv").read_text().startswith("run,quantity,series")
    assert QSettings().value("export/width") in (89, "89")
    assert window.messages.label.text() == "Saved gates.svg and gates.csv"


def test_unsaved_runs_are_offered_before_closing(window, loaded, saved, answer, monkeypatch, qtbot, tmp_path):
    (run,) = loaded(saved("gru"))
    run.unsaved = True
    answer(tmp_path / "rescued.safetensors")
    monkeypatch.setattr(QMessageBox, "question", lambda *about: QMessageBox.StandardButton.SaveAll)
    assert not window.close(), "not before it is written"
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=10_000)
    assert load(tmp_path / "rescued.safetensors").configuration.cell == "gru"


def test_what_cannot_be_saved_keeps_the_window_open(window, loaded, saved, answer, monkeypatch, qtbot, tmp_path, idle):
    (run,) = loaded(saved("gru"))
    run.unsaved = True
    answer(tmp_path / "no such folder" / "model.safetensors")
    monkeypatch.setattr(QMessageBox, "question", lambda *about: QMessageBox.StandardButton.SaveAll)
    with qtbot.waitSignal(window.session.worker.refused, timeout=10_000):
        assert not window.close()
    idle()
    assert window.isVisible()
    assert run.unsaved
    assert "no such folder" in window.messages.label.text()
