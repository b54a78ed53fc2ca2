"""What mattered to the output at the cursor: taken by the worker when the cursor rests, while it is looked at."""

from __future__ import annotations

import numpy as np
import pytest

from rnnscope.core.formats import load
from rnnscope.core.memory.influence import influence


@pytest.fixture
def looked_at(window, loaded, saved, qtbot):
    loaded(saved("lstm"), saved("rwa", units=4))
    window.docks["influence"].show()
    window.docks["influence"].raise_()
    qtbot.waitUntil(lambda: window.views["influence"].seen)
    return window


def taken(window, qtbot):
    """All shown runs have it for where the cursor stands."""
    here = window.session.cursor.position
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
        assert titles == [f"influence on the output at t = {time_step}"] * 2


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
