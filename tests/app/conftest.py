"""The window for tests: offscreen, with settings of its own, and nothing may leak from one test into the next."""

from __future__ import annotations

import gc
import os
import sys
import threading

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QSettings, QThread, QTimer
from PySide6.QtWidgets import QApplication, QMessageBox

from rnnscope.app import main
from rnnscope.app.draw_queue import DrawQueue
from rnnscope.core.configuration import Configuration
from rnnscope.core.formats import save
from rnnscope.core.model import Model
from rnnscope.core.settings import make


@pytest.fixture
def saved(tmp_path):
    """Write an untrained model and give its path: saved("lstm", units=6, length=9)."""

    def write(cell: str, task: str = "adding", units: int = 6, name: str = "", **task_settings):
        if task in ("adding", "length"):
            task_settings.setdefault("length", 12)
        values = {"cell": cell, "task": task, "units": units, "task_settings": task_settings}
        path = tmp_path / f"{name or cell}.safetensors"
        save(Model(make(Configuration, values)), path)
        return path

    return write


@pytest.fixture
def settings(tmp_path):
    """Empty settings in a folder of the test's own."""
    for kind in (QSettings.Format.NativeFormat, QSettings.Format.IniFormat):
        QSettings.setPath(kind, QSettings.Scope.UserScope, str(tmp_path / "settings"))
    main.make_application()
    QSettings().clear()
    yield
    QSettings().clear()


@pytest.fixture
def open_window(qtbot, settings):
    """Make a window as the application does, wait until it is complete, and take it down with all that belongs to it."""
    windows = []

    def make_one():
        window = main.make_window()
        window.resize(1280, 960)
        with qtbot.waitSignals([window.session.worker.ready, window.built], timeout=30_000):
            main.later(window, (), {}, samples=False)
            window.show()
        windows.append(window)
        return window

    yield make_one
    for window in reversed(windows):
        window.session.clear_queue()
        for run in window.session.runs:
            run.unsaved = False
        window.close()
        main.close(window)
    gc.enable()
    gc.unfreeze()


@pytest.fixture
def window(open_window):
    """One window, without runs."""
    return open_window()


@pytest.fixture
def drawn(window, qtbot):
    """Wait until every dock shows what there is to show."""
    queue = window.findChild(DrawQueue)
    return lambda: qtbot.waitUntil(lambda: not queue.waiting, timeout=10_000)


@pytest.fixture
def idle(window, qtbot):
    """Wait until nothing is under way and every dock shows what there is to show."""
    queue = window.findChild(DrawQueue)
    return lambda: qtbot.waitUntil(lambda: not (window.session.busy or queue.waiting), timeout=150_000)


@pytest.fixture
def loaded(window, idle):
    """Load models into the window and wait until they are measured."""

    def load(*paths):  # what is measured first waits until kernels are compiled
        window.files.open(paths)
        idle()
        return window.session.runs

    return load


@pytest.fixture(autouse=True)
def nothing_leaks(qapp):
    """No widget, thread, running timer or exception hook outlives its test."""
    hooks = sys.excepthook, threading.excepthook
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
    for thread in threading.enumerate():
        if thread.name == "rnnscope-remove":  # the files of a trace that has just gone: it ends by itself
            thread.join()
    threads = [thread.name for thread in threading.enumerate() if not isinstance(thread, threading._DummyThread)]
    assert threads == ["MainThread"]
    objects = [item for item in gc.get_objects() if issubclass(type(item), (QThread, QTimer)) and shiboken6.isValid(item)]
    assert not [item for item in objects if isinstance(item, QThread) and item.isRunning()]
    assert not [item for item in objects if isinstance(item, QTimer) and item.isActive()]
    assert not [widget.objectName() or type(widget).__name__ for widget in QApplication.topLevelWidgets()]
    assert (sys.excepthook, threading.excepthook) == hooks


@pytest.fixture
def answered(monkeypatch):
    """Answer the questions to come by these buttons, one after the other; what was asked."""

    def answer(*buttons):
        asked, rest = [], iter(buttons)

        def question(parent, title, text, *_):
            asked.append(text)
            return next(rest)

        monkeypatch.setattr(QMessageBox, "question", question)
        return asked

    return answer
