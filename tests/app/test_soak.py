"""A window that is worked with for long: the same work again leaves nothing behind, and nothing is said about it."""

from __future__ import annotations

import gc

import pytest
from PySide6.QtCore import QObject

from rnnscope.core.configuration import Configuration
from rnnscope.core.settings import make

TRAINING = {"iterations": 6, "batch": 4, "device": "cpu"}
TRAINED = {"cell": "gru", "task": "adding", "units": 5, "task_settings": {"length": 12}, "training": TRAINING}
LAPS = 2


@pytest.fixture
def lap(window, loaded, saved, drawn, qtbot, tmp_path, idle):
    """Everything once, from nothing open to nothing open, and every dock drawn at the end."""
    session, cursor = window.session, window.session.cursor
    paths = [saved("rwa"), saved("clockwork")]
    configuration = make(Configuration, TRAINED)

    def through_the_docks():
        for dock in window.docks.values():
            if dock.toggleViewAction().isEnabled() or not session.runs:
                dock.show()
                dock.raise_()
                qtbot.wait(1)
                drawn()

    def work():
        loaded(*paths)
        with qtbot.waitSignal(session.worker.ended, timeout=30_000):
            session.train(configuration)
        idle()
        for run in list(session.runs):
            session.choose(run)
            cursor.choose(sequence=3, unit=2)
            cursor.move(7)
            cursor.zoom(0.5, 7)
            cursor.show_all()
        window.set_theme("light")
        through_the_docks()
        window.set_theme("dark")
        session.show_alone()
        session.export("hidden", tmp_path / "figure.png", {})
        idle()
        while session.runs:
            session.remove(session.runs[-1])
        idle()
        through_the_docks()

    return work


def of_python():
    """How many Python objects there are."""
    gc.collect()
    return len(gc.get_objects())


def of_qt(window):
    """How many QObjects and graphics items. Counting leaves a wrapper behind for each QObject that had none."""
    items = sum(len(dock.canvas.scene().items()) for dock in window.views.values())
    return len(window.findChildren(QObject)), items


def test_the_same_work_again_and_again_leaves_nothing_behind(window, lap, capsys):
    said = []
    window.session.worker.refused.connect(lambda run, text: said.append(text))
    window.session.worker.failed.connect(lambda run, text, details: said.append(details))
    lap()
    in_qt = of_qt(window)
    lap()  # caches are full
    in_python = of_python()
    for _ in range(LAPS):
        lap()
    assert of_python() - in_python < LAPS, "one object left in each lap would be a leak"
    assert of_qt(window) == in_qt
    assert said == []
    assert capsys.readouterr().err == ""
