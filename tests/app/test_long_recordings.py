"""Recordings that take long: they tell how far they are, and can be given up."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from threading import Event

import pytest
from PySide6.QtCore import Qt

from rnnscope.app import ongoing, progress
from rnnscope.core import recording, store
from rnnscope.core.tasks import task

LONG = 1_000_000


@pytest.fixture
def slow(monkeypatch, tmp_path):
    """Every recording goes in pieces of one time step, into files, and is told of at once; their folder."""
    for module, name, value in (
        (recording, "PIECE", 1),
        (recording, "LEAST", 1),
        (store, "IN_MEMORY", 0),
        (progress, "PATIENCE", 0.0),
        (progress, "PERIOD", 0.0),
        (ongoing, "PATIENCE", 0.0),
        (ongoing, "LEAST_PERIOD", 0.0),
    ):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setenv(store.FOLDER, str(tmp_path / "traces"))
    return tmp_path / "traces"


def test_a_cancelled_recording_opens_nothing(window, loaded, saved, slow, qtbot):
    """The window says so, and opens the next model."""
    session, told, done = window.session, [], []
    session.told.connect(lambda text, details: told.append(text))

    def give_up(run, share):
        done.append(share)
        if share > 0.7:
            session.worker.cancel()

    session.worker.progressed.connect(give_up, Qt.ConnectionType.DirectConnection)
    assert not loaded(saved("lstm", length=20))
    assert told == ["lstm: not opened, because its recording was cancelled"]
    assert done == sorted(done)
    assert 0.7 < done[-1] < 0.8
    assert not list(slow.glob("*/*"))
    session.worker.progressed.disconnect(give_up)
    (run,) = loaded(saved("gru", length=20))
    assert run.trace.store.folder.exists()


def test_closing_the_window_ends_a_recording(window, saved, slow, idle):
    session, done = window.session, []

    def close(run, share):
        done.append(share)
        session.worker.requestInterruption()

    session.worker.progressed.connect(close, Qt.ConnectionType.DirectConnection)
    window.files.open([saved("lstm", length=20)])
    idle()
    assert len(done) == 1
    assert not session.runs
    assert not list(slow.glob("*/*"))


def test_fewer_long_sequences_are_said_to_be_fewer(window, loaded, saved, monkeypatch):
    monkeypatch.setattr(task, "PROBE_STEPS", 40)
    told = []
    window.session.told.connect(lambda text, details: told.append(text))
    (run,) = loaded(saved("lstm", length=20))
    assert run.trace.sequences == 2
    assert "lstm: of sequences of 20 time steps only 2 can be looked at, not 8" in told


@pytest.fixture
def full(slow, monkeypatch):
    """Call it, and there is no room for traces."""
    usage = shutil.disk_usage(slow.parent)._replace(free=10)
    return lambda: monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)


def test_no_room_for_the_first_trace(window, slow, full, qtbot):
    """Nothing is begun, in a sentence; the window stays."""
    told, session = [], window.session
    session.told.connect(lambda text, details: told.append(text))
    full()
    window.panel.train_button.click()
    qtbot.waitUntil(lambda: bool(told), timeout=30_000)
    assert told[0].startswith(f"{slow}: the trace needs")
    assert (session.training, session.runs) == (None, [])
    assert window.panel.train_button.isEnabled()


def test_no_room_for_the_next_trace(window, slow, full, qtbot, idle):
    """Training goes on with the trace that there is, and it is said once."""
    told, session = [], window.session
    session.told.connect(lambda text, details: told.append(text))
    wanted = {"cell": "gru", "units": 4, "task_settings": {"length": 8}, "cell_settings": {}}
    window.panel.form.set_values(window.panel.form.values() | wanted)
    window.panel.train_button.click()
    qtbot.waitUntil(lambda: session.training is not None, timeout=30_000)
    full()
    qtbot.waitUntil(lambda: bool(told), timeout=30_000)
    before = len(session.current.history)
    qtbot.waitUntil(lambda: len(session.current.history) > before + 20, timeout=30_000)
    assert [text.startswith(f"gru-adding: {slow}: the trace needs") for text in told] == [True]
    window.panel.stop_button.click()
    idle()
    assert session.current.trace.store.folder.exists()


def test_the_window_says_what_takes_long_and_stop_gives_it_up(window, saved, slow, qtbot, idle):
    session, panel, told, go_on = window.session, window.panel, [], Event()
    session.told.connect(lambda text, details: told.append(text))
    session.worker.progressed.connect(lambda run, share: go_on.wait(30), Qt.ConnectionType.DirectConnection)
    window.files.open([saved("lstm", length=20)])
    qtbot.waitUntil(lambda: panel.status.text() == "Recording the model that was opened", timeout=30_000)
    qtbot.mouseClick(panel.stop_button, Qt.MouseButton.LeftButton)
    go_on.set()
    idle()
    assert told == ["lstm: not opened, because its recording was cancelled"]
    qtbot.waitUntil(lambda: panel.status.text() == "Not training", timeout=30_000)


@pytest.fixture
def train(window, slow, qtbot):
    """Begin to train a small model: (iterations) -> Run."""

    def begin(iterations):
        wanted = {"cell": "gru", "units": 4, "task_settings": {"length": 8}, "cell_settings": {}}
        training = {"iterations": iterations, "batch": 2, "device": "cpu", "engine": "reference"}
        window.panel.form.set_values(window.panel.form.values() | wanted | {"training": training})
        with qtbot.waitSignal(window.session.worker.began, timeout=30_000):
            qtbot.mouseClick(window.panel.train_button, Qt.MouseButton.LeftButton)
        return window.session.current

    return begin


@pytest.fixture
def held(window, qtbot):
    """Between the two calls, what a run records is held up after its first piece; the first waits until the window says so.

    The shares that were told in between are there for the asking.
    """
    shares, holds, go_on = [], Event(), Event()

    def hold(run, share, doing):
        if holds.is_set() and doing.startswith("Recording"):
            shares.append(share)
            go_on.wait(30)

    @contextmanager
    def until_told():
        shares.clear()
        go_on.clear()
        holds.set()
        yield shares
        qtbot.waitUntil(lambda: window.panel.status.text() == "Recording gru-adding", timeout=30_000)
        assert window.panel.stop_button.isEnabled()

    def let_go():
        go_on.set()
        qtbot.waitUntil(lambda: bool(window.session.training) or not window.session.busy, timeout=30_000)

    window.session.worker.progressed.connect(hold, Qt.ConnectionType.DirectConnection)
    yield until_told, let_go
    go_on.set()


def test_stop_ends_the_last_recording_of_a_training(window, train, held, qtbot, idle):
    until_told, let_go = held
    run = train(LONG)
    with until_told() as shares:
        qtbot.mouseClick(window.panel.stop_button, Qt.MouseButton.LeftButton)
    before = run.trace
    qtbot.mouseClick(window.panel.stop_button, Qt.MouseButton.LeftButton)
    let_go()
    idle()
    assert len(shares) == 1
    assert run.trace is before
    qtbot.waitUntil(lambda: window.panel.status.text() == "Not training", timeout=30_000)


def test_going_on_ends_the_recording_of_a_pause(window, train, held, qtbot, idle):
    until_told, let_go = held
    run = train(LONG)
    with until_told() as shares:
        qtbot.mouseClick(window.panel.pause_button, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(window.panel.pause_button, Qt.MouseButton.LeftButton)
    let_go()
    before = len(run.history)
    qtbot.waitUntil(lambda: len(run.history) > before + 5, timeout=30_000)
    assert len(shares) == 1
    qtbot.waitUntil(lambda: "it/s" in window.panel.status.text(), timeout=30_000)
    window.session.stop()
    idle()


@pytest.mark.parametrize("wish", ["another", "now", "stop", "removed"])
def test_looking_elsewhere_ends_the_recording_of_a_snapshot(window, train, held, qtbot, wish, idle):
    until_told, let_go = held
    run, session, recalled = train(4), window.session, []
    idle()
    session.worker.recalled.connect(lambda identity, iteration, trace: recalled.append(iteration))
    with until_told() as shares:
        session.cursor.look_back(1)
    if wish == "stop":
        qtbot.mouseClick(window.panel.stop_button, Qt.MouseButton.LeftButton)
    else:
        {
            "another": window.transport.training.back,
            "now": window.transport.training.to_now,
            "removed": lambda: session.remove(run),
        }[wish]()
    let_go()
    assert recalled == ([0] if wish == "another" else [])
    assert len(shares) == 1 or wish == "another"
    assert wish == "removed" or (session.cursor.position.iteration, run.past and run.past[0]) == (
        (0, 0) if wish == "another" else (None, None)
    )
    qtbot.waitUntil(lambda: window.panel.status.text() == "Not training", timeout=30_000)
