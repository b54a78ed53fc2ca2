"""The app for a benchmark: a window with settings of its own, made as the app makes it, and time for it to live."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ["QT_QPA_PLATFORM"] = "offscreen"

from PySide6.QtCore import QEventLoop, QObject, QSettings, QTimer, Signal

from rnnscope.app import main

PERIOD = 0.02  # s between events
SIZE = (1920, 1080)


class Probe(QObject):
    """Posts a timestamped event every 20 ms, as a hand would; `waited` is how long each waited for the GUI thread, in s."""

    knocked = Signal(float)

    def __init__(self):
        super().__init__()
        self.waited: list[float] = []
        self._end = threading.Event()
        self.knocked.connect(self._on_knocked)
        self._thread = threading.Thread(target=self._knock)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        self._thread.join()

    def _knock(self) -> None:
        while not self._end.wait(PERIOD):
            self.knocked.emit(time.perf_counter())

    def _on_knocked(self, then: float) -> None:
        self.waited.append(time.perf_counter() - then)


@contextmanager
def opened(size: tuple[int, int] = SIZE) -> Iterator:
    """A window with docks and form, empty settings and nothing to save at the end."""
    main.make_application().setApplicationName("rnnscope-benchmark")
    QSettings().clear()
    window = main.make_window()
    window.resize(*size)
    built: list[bool] = []
    window.built.connect(lambda: built.append(True))
    main.later(window, (), {}, samples=False)
    window.show()
    wait_for(lambda: built and window.panel.form is not None)
    try:
        yield window
    finally:
        for run in window.session.runs:
            run.unsaved = False
        window.close()
        main.close(window)


def run_for(seconds: float) -> None:
    """Let the window live."""
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def wait_for(condition: Callable[[], object]) -> None:
    """Let the window live until `condition`."""
    while not condition():
        run_for(0.05)
