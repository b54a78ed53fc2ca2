"""How soon the window is there, in fresh processes, and for how long it cannot answer meanwhile.

Times are counted from before the process was made; the three things a start has to pay for, a bare QMainWindow, pyqtgraph
and torch, are timed in turns with it. A timer ticks every 2 ms in the window's thread from its first painting on: the
longest freeze is the longest time between two ticks. Offscreen, unless DISPLAY or WAYLAND_DISPLAY is set. Medians; exit
status 1 if a figure is beyond what spec calls a failure.

    python benchmarks/start.py [--quick]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from statistics import median

STARTS, QUICK_STARTS = 15, 5
AFTER = 0.5  # s that are watched once everything is there
BEAT = 2  # ms
ROWS = (  # name, what of it a bare script pays too, target, failure: seconds
    ("window painted", ("bare window",), 0.15, 0.4),
    ("plots", ("bare window", "pyqtgraph"), 0.5, 1.2),
    ("torch ready", ("bare window", "torch"), 1.5, 4.0),
    ("longest freeze", (), 0.1, 0.4),
)


def watched(began: float) -> None:
    """Start the app as the command does, print what happened when, and close it."""
    from PySide6.QtCore import QTimer

    from rnnscope.__main__ import main as command
    from rnnscope.app import main

    bare_window, furnish, happened, beats = main.bare_window, main.furnish, {}, []

    def note(what: str) -> None:
        happened[what] = time.time() - began

    def seen():
        """A window whose life is written down."""
        window = bare_window()
        heart = QTimer(window)

        def see() -> None:
            note("window painted")
            heart.start(BEAT)

        def beat() -> None:
            beats.append(time.time() - began)
            if len(happened) == 3 and beats[-1] > max(happened.values()) + AFTER:
                heart.stop()
                window.close()

        heart.timeout.connect(beat)
        window.painted.connect(see)
        window.built.connect(lambda: QTimer.singleShot(0, window, lambda: note("plots")))  # behind what is to be painted
        return window

    def heard(window) -> None:
        furnish(window)
        window.session.worker.ready.connect(lambda catalogue: note("torch ready"))

    main.bare_window, main.furnish, sys.argv = seen, heard, ["rnnscope"]
    try:
        command()
    finally:
        times = [happened["window painted"], *beats]
        happened["longest freeze"] = max(after - before for before, after in pairwise(times))
        print(json.dumps(happened))


def bare(began: float) -> None:
    """Paint an empty window, import what the plots and the model core stand on, and print what each took."""
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication, QMainWindow

    took: dict[str, float] = {}

    class Window(QMainWindow):
        def paintEvent(self, event) -> None:
            if not took:
                took["bare window"] = time.time() - began
                QTimer.singleShot(0, application.quit)

    application = QApplication([])
    window = Window()
    window.resize(1600, 1000)
    window.show()
    application.exec()
    for name in ("pyqtgraph", "torch"):
        before = time.time()
        __import__(name)
        took[name] = time.time() - before
    print(json.dumps(took))


def started(what: str, settings: str) -> dict[str, float]:
    """What a fresh process says of itself."""
    screen = {} if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") else {"QT_QPA_PLATFORM": "offscreen"}
    environment = os.environ | screen | {"XDG_CONFIG_HOME": settings}
    command = [sys.executable, __file__, what, repr(time.time())]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, timeout=120, check=True)
    return json.loads(done.stdout)


def measure(starts: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds of each row and of each thing it has to pay for, in turns; the first turn only warms the disk."""
    apps, bares = [], []
    with tempfile.TemporaryDirectory() as settings:
        for _ in range(starts + 1):
            apps.append(started("watched", settings))
            bares.append(started("bare", settings))
    return tuple({name: [took[name] for took in all_took[1:]] for name in all_took[0]} for all_took in (apps, bares))


def report(apps: dict[str, list[float]], bares: dict[str, list[float]]) -> bool:
    """Print the table; whether nothing failed."""
    good = True
    starts = len(apps["window painted"])
    print(f"medians of {starts} starts, and the range of them")
    print(f"{'':20}{'s':>7}{'from':>8}{'to':>7}{'target':>8}{'fails':>7}{'  over':>8} what a bare script pays")
    for name, paid, target, failure in ROWS:
        took = apps[name]
        failed = median(took) > failure
        good &= not failed
        bare_took = [sum(parts) for parts in zip(*(bares[part] for part in paid), strict=True)]
        over = f"{median(took) / median(bare_took):7.2f}x {' + '.join(paid)}, {median(bare_took):.3f} s" if paid else ""
        print(
            f"{name:20}{median(took):7.3f}{min(took):8.3f}{max(took):7.3f}{target:8}{failure:7}{over}"
            f"{'  FAILED' if failed else ''}"
        )
    return good


if __name__ == "__main__":
    if sys.argv[1:2] in (["watched"], ["bare"]):
        {"watched": watched, "bare": bare}[sys.argv[1]](float(sys.argv[2]))
    else:
        options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        options.add_argument("--quick", action="store_true", help=f"{QUICK_STARTS} starts in place of {STARTS}")
        sys.exit(0 if report(*measure(QUICK_STARTS if options.parse_args().quick else STARTS)) else 1)
