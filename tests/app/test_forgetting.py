"""What is removed or replaced is let go of, also by docks that nobody sees: a trace may be gigabytes."""

import gc
import weakref

import pytest
from PySide6.QtCore import QCoreApplication, QEvent

LENGTHS = (12, 3000)  # time steps: drawn at once, and beside the window


@pytest.fixture
def seen(window, drawn, qtbot):
    """Look at every view that there is, one after the other."""

    def look():
        for dock in window.views.values():
            if dock.toggleViewAction().isEnabled():
                dock.show()
                dock.raise_()
                qtbot.waitUntil(lambda dock=dock: dock.seen)
                drawn()

    return look


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("alone", [False, True])
def test_nothing_keeps_a_run_that_was_removed(window, loaded, saved, seen, drawn, length, alone, idle):
    loaded(saved("lstm", units=12, length=length), *[] if alone else [saved("gru", length=9)])
    run = next(run for run in window.session.runs if run.name == "lstm")
    window.session.choose(run)
    drawn()
    seen()
    gone = [weakref.ref(run), weakref.ref(run.trace)]
    window.session.remove(run)
    del run
    idle()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
    assert [ref() for ref in gone] == [None, None]


@pytest.mark.parametrize("length", LENGTHS)
def test_a_dock_that_is_hidden_keeps_its_picture_while_its_trace_is_there(
    window, loaded, saved, seen, drawn, qtbot, length
):
    (run,) = loaded(saved("lstm", units=12, length=length))
    seen()
    window.docks["gates"].raise_()
    hidden = window.views["saturation"]
    before = hidden.canvas.plot
    window.session.cursor.choose(unit=3)
    run.changed.emit()
    drawn()
    assert not hidden.seen
    assert hidden.canvas.plot is before
    loaded(saved("gru", units=12, length=length))
    window.session.choose(window.session.runs[1])
    window.session.show_alone()
    drawn()
    assert not list(hidden.canvas.plot.panels)
    hidden.raise_()
    qtbot.waitUntil(lambda: hidden.seen)
    drawn()
    assert len(list(hidden.canvas.plot.panels)) == 2  # a row for each gate
