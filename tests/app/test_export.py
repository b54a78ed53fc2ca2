"""Exporting a view that is long: beside the window, which tells how far it is, and until it is cancelled."""

import threading
from threading import Event

import pytest
from PySide6.QtCore import Qt

from rnnscope.app import session
from rnnscope.figures import numbers

LONG = 3000


@pytest.fixture
def long(loaded, saved):
    """A run with a trace of LONG time steps."""
    (run,) = loaded(saved("lstm", units=8, length=LONG))
    return run


def test_a_view_is_computed_and_painted_beside_the_window(window, long, monkeypatch, tmp_path, idle):
    """Of what was shown when it was asked for."""
    drawn, on = session.draw, []

    def draw(*what):
        on.append(threading.current_thread() is threading.main_thread())
        return drawn(*what)

    monkeypatch.setattr(session, "draw", draw)
    window.session.export("hidden", tmp_path / "h.png", {}, tmp_path / "h.csv")
    window.session.remove(long)
    idle()
    assert on == [False]
    assert (tmp_path / "h.png").exists()
    assert (tmp_path / "h.csv").read_text().count("\n") == 1 + 8 * LONG


@pytest.mark.parametrize(("at", "left"), [(0, []), (0.25, []), (0.625, ["h.png"])])
def test_stop_cancels_an_export(window, long, monkeypatch, qtbot, tmp_path, at, left, idle):
    """Before the figure, amid its panels, or while the numbers are written: what is whole stays."""
    monkeypatch.setattr(numbers, "PART", LONG)
    told, shares, go_on, panel = [], [], Event(), window.panel
    window.session.told.connect(lambda text, details: told.append(text))

    def hold(run, share, doing):
        shares.append(share)
        if share >= at:
            go_on.wait(30)

    monkeypatch.setattr("rnnscope.app.progress.PERIOD", 0)
    window.session.worker.progressed.connect(hold, Qt.ConnectionType.DirectConnection)
    window.session.export("gates", tmp_path / "h.png", {"dpi": 50}, tmp_path / "h.csv")
    qtbot.waitUntil(
        lambda: panel.status.text() == "Exporting the view" and panel.progress.value() >= int(100 * at), timeout=30_000
    )
    qtbot.mouseClick(panel.stop_button, Qt.MouseButton.LeftButton)
    go_on.set()
    idle()
    assert told == [
        "h.csv: not written, because it was cancelled" if left else "h.png: not written, because it was cancelled"
    ]
    assert sorted(path.name for path in tmp_path.glob("*h.*")) == left
    assert shares[-1] == at
    assert panel.status.text() == "Not training"
