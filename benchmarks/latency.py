"""The window's latency while it trains, and training speed with the window against without, measured in one run.

A thread posts a timestamped event every 5 ms, as a hand would; the latency is how long the window takes to answer. The bare
training runs in the same process before and after, on the same number of threads, with the garbage collector as Python
starts with. Exit status 1 if a figure is beyond what spec calls a failure.

    python benchmarks/latency.py [--quick] [--cell lstm]
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import threading
import time

import numpy as np

if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ["QT_QPA_PLATFORM"] = "offscreen"

from PySide6.QtCore import QEventLoop, QObject, QSettings, QTimer, Signal

from rnnscope.app import main

PERIOD = 0.005  # s between events
ROWS = (  # name, unit, target, failure, whether more is worse
    ("latency p99", "ms", 8, 16, True),
    ("latency max", "ms", 25, 50, True),
    ("speed with the window / without", "", 0.9, 0.8, False),
)


class Probe(QObject):
    """Collects how long events wait before the GUI thread takes them."""

    knocked = Signal(float)

    def __init__(self):
        super().__init__()
        self.waited: list[float] = []
        self._end = threading.Event()
        self.knocked.connect(self._on_knocked)
        self._thread = threading.Thread(target=self._knock)

    def start(self):
        self._thread.start()

    def stop(self):
        self._end.set()
        self._thread.join()

    def _knock(self):
        while not self._end.wait(PERIOD):
            self.knocked.emit(time.perf_counter())

    def _on_knocked(self, then: float):
        self.waited.append(time.perf_counter() - then)


def configuration(cell: str):
    from rnnscope.core.configuration import Configuration
    from rnnscope.core.settings import make

    training = {"iterations": 1_000_000, "batch": 32, "device": "cpu", "learning_rate": 1e-4}
    values = {"cell": cell, "units": 128, "task": "adding", "task_settings": {"length": 200}, "training": training}
    return make(Configuration, values)


def bare(cell: str, seconds: float) -> float:
    """Iterations a second of train() alone."""
    from rnnscope.core.model import Model
    from rnnscope.core.training import train

    gc.enable()
    updates = train(Model(configuration(cell)))
    for _ in range(3):
        next(updates)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        next(updates)
        count += 1
    rate = count / (time.perf_counter() - start)
    updates.close()
    gc.disable()
    return rate


def run_for(seconds: float) -> None:
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def wait_for(window, condition) -> None:
    while not condition():
        run_for(0.05)


def measure(cell: str, seconds: float) -> dict[str, float]:
    main.make_application().setApplicationName("rnnscope-benchmark")
    QSettings().clear()
    window = main.make_window()
    window.resize(1920, 1080)
    window.show()
    main.later(window, (), {}, samples=False)
    session = window.session
    wait_for(window, lambda: window.panel.form is not None and window.docks)
    before = bare(cell, seconds / 2)
    session.train(configuration(cell))
    wait_for(window, lambda: session.training is not None and len(session.training.history) > 3)
    run_for(1)
    probe = Probe()
    start, first = time.perf_counter(), len(session.training.history)
    probe.start()
    playing = QTimer()
    playing.timeout.connect(window.transport.forward)
    playing.start(50)
    run_for(seconds)
    playing.stop()
    probe.stop()
    live = (len(session.training.history) - first) / (time.perf_counter() - start)
    traces = session.training.trace.time_steps
    session.stop()
    wait_for(window, lambda: not session.busy)
    after = bare(cell, seconds / 2)
    for run in session.runs:
        run.unsaved = False
    window.close()
    main.close(window)
    waited = np.array(probe.waited) * 1000
    alone = (before + after) / 2
    print(
        f"{cell}: T = {traces}, 128 units, batch 32; {len(waited)} events in {seconds:.0f} s, cursor playing, all docks live"
    )
    print(
        f"iterations a second: {alone:.1f} without the window ({before:.1f} before, {after:.1f} after), {live:.1f} with it"
    )
    print(f"latency median {np.median(waited):.2f} ms")
    return {
        "latency p99": float(np.percentile(waited, 99)),
        "latency max": float(waited.max()),
        "speed with the window / without": live / alone,
    }


def report(figures: dict[str, float]) -> bool:
    """Print the table; whether nothing failed."""
    good = True
    print(f"{'':34}{'measured':>10}{'target':>8}{'fails':>8}")
    for name, unit, target, failure, more_is_worse in ROWS:
        value = figures[name]
        failed = value > failure if more_is_worse else value < failure
        good &= not failed
        print(f"{name + (f' / {unit}' if unit else ''):34}{value:10.2f}{target:8}{failure:8}{'  FAILED' if failed else ''}")
    return good


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a fifth of the time")
    options.add_argument("--cell", default="lstm", help="the cell that trains")
    chosen = options.parse_args()
    sys.exit(0 if report(measure(chosen.cell, 6 if chosen.quick else 30)) else 1)
