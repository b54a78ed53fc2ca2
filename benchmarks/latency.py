"""The window's latency while it trains, and training speed with the window against without, measured in one run.

A thread posts a timestamped event every 20 ms, as a hand would; the latency is how long the window takes to answer. For the
speed, the window's training and a bare one take turns in the same process, on the same number of threads; the bare one with
the garbage collector as Python starts with. Exit status 1 if a figure is beyond what spec calls a failure.

    python benchmarks/latency.py [--quick] [--cell lstm] [--device cpu]
"""

from __future__ import annotations

import argparse
import gc
import sys
import time

import numpy as np
from PySide6.QtCore import QTimer
from window import SIZE, Probe, opened, run_for, wait_for

TURNS = 5
ROWS = (  # name, unit, target, failure, whether more is worse
    ("latency p99", "ms", 8, 16, True),
    ("latency max", "ms", 25, 50, True),
    ("speed with the window / without", "", 0.9, 0.8, False),
)


def configuration(cell: str, device: str):
    from rnnscope.core.configuration import Configuration
    from rnnscope.core.settings import make

    training = {"iterations": 1_000_000, "batch": 32, "device": device, "learning_rate": 1e-4}
    values = {"cell": cell, "units": 128, "task": "adding", "task_settings": {"length": 200}, "training": training}
    return make(Configuration, values)


class Bare:
    """train() alone, on this thread, in turns."""

    def __init__(self, cell: str, device: str):
        from rnnscope.core.model import Model
        from rnnscope.core.training import train

        self._updates = train(Model(configuration(cell, device)))
        for _ in range(3):
            next(self._updates)

    def rate(self, seconds: float) -> float:
        """Iterations a second."""
        gc.enable()
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            next(self._updates)
            count += 1
        gc.disable()
        return count / (time.perf_counter() - start)


def measure(cell: str, device: str, seconds: float) -> dict[str, float]:
    with opened() as window:
        session, bare = window.session, Bare(cell, device)  # which compiles the kernels, where they are missing
        session.train(configuration(cell, device))
        wait_for(lambda: session.training is not None and len(session.training.history) > 3)
        alone, live = speeds(window, bare, seconds)
        waited = latencies(window, seconds)
        steps = session.training.trace.time_steps
        session.stop()
        wait_for(lambda: not session.busy)
    ratios = np.array(live) / np.array(alone)
    print(f"{cell} on {device}: T = {steps}, 128 units, batch 32, window {SIZE[0]} x {SIZE[1]}, all docks live")
    print(
        f"iterations a second, in turns: alone {np.round(alone, 1).tolist()}, with the window {np.round(live, 1).tolist()}"
    )
    print(f"{len(waited)} events while the cursor plays: latency median {np.median(waited):.2f} ms")
    return {
        "latency p99": float(np.percentile(waited, 99)),
        "latency max": float(waited.max()),
        "speed with the window / without": float(np.median(ratios)),
    }


def speeds(window, bare: Bare, seconds: float) -> tuple[list[float], list[float]]:
    """Iterations a second of the bare training and of the window's, in turns."""
    session, alone, live = window.session, [], []
    for _ in range(TURNS):
        session.pause()
        wait_for(lambda: not session.worker.outstanding)
        alone.append(bare.rate(seconds / TURNS))
        session.pause()
        run_for(0.3)
        start, first = time.perf_counter(), len(session.training.history)
        run_for(seconds / TURNS)
        live.append((len(session.training.history) - first) / (time.perf_counter() - start))
    return alone, live


def latencies(window, seconds: float) -> np.ndarray:
    """Milliseconds that events waited while the window trains and the cursor plays at 20 time steps a second."""
    probe, playing = Probe(), QTimer()
    playing.timeout.connect(window.transport.forward)
    playing.start(50)
    probe.start()
    run_for(seconds)
    probe.stop()
    return np.array(probe.waited) * 1000


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
    options.add_argument("--device", default="cpu", choices=["cpu", "cuda", "mps"], help="where it trains")
    chosen = options.parse_args()
    sys.exit(0 if report(measure(chosen.cell, chosen.device, 6 if chosen.quick else 30)) else 1)
