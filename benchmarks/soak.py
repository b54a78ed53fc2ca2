"""Whether the window lasts: minutes of live training with all docks open and a hand that never rests.

In each lap models are trained, one after the other, while the hand scrubs, zooms, chooses, brings every tab to the front,
changes the theme, opens the sample models, compares and removes them, and exports figures. At its end, with nothing open
and every dock drawn empty, what lives is counted: after the first laps it must stay what it is. Memory is the median of a
lap, its slope the median of the slopes between any two laps after the first third. Exit status 1 if a count grows by more
than SLACK or memory by more than MOST, or if anything was said on stderr or went wrong in the worker.

    python benchmarks/soak.py [--minutes 30] [--quick]
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median

from PySide6.QtCore import QObject, QTimer
from window import opened, run_for, wait_for

MINUTES = 30.0
WARM, LEAST = 2, 5  # laps that are not judged at least, since caches fill and kernels are compiled; laps in all
MOST = 1.0  # MB a minute
SLACK = 20  # Python objects by which their number may grow in a lap
BEAT, QUICK_BEAT = 0.05, 0.005  # s between two acts
TRAINED = (("rwa", "adding"), ("lstm", "copy"), ("clockwork", "adding"), ("gru", "adding"), ("elman", "adding"))


@dataclass(frozen=True)
class Lap:
    """What is left after it, and resident MB in each second of it."""

    ended: float  # s after the start
    objects: int
    memory: list[float]


class Hand:
    """Works on a window, in rounds."""

    def __init__(self, window, folder: Path, quick: bool):
        from rnnscope.app.draw_queue import DrawQueue
        from rnnscope.core.resources import sample_models

        self.window, self.session, self.cursor = window, window.session, window.session.cursor
        self.folder, self.beat = folder, QUICK_BEAT if quick else BEAT
        samples = sample_models()
        self._rounds = [(*trained, samples[n :: len(TRAINED)]) for n, trained in enumerate(TRAINED)]
        if quick:
            small = [path for path in samples if path.stem in ("lstm-adding", "tree-lstm-lists")]
            self._rounds = [("rwa", "adding", small)]
        self._queue = window.findChild(DrawQueue)
        self.acts = 0

    def lap(self) -> None:
        """Everything once, from nothing open to nothing open."""
        for cell, task, samples in self._rounds:
            self._round(cell, task, samples)
        self.window.set_theme("dark")
        self._through_the_docks()

    def _round(self, cell: str, task: str, samples: Sequence[Path]) -> None:
        self._train(cell, task)
        self._through_the_docks()
        self._scrub()
        self.window.set_theme("light" if self.window.theme.name == "dark" else "dark")
        opened = [self._open(path) for path in samples]
        self._choose()
        self.session.show_all_of_task()
        self._through_the_docks()
        self.session.show_alone()
        self._scrub()
        self._export()
        for run in (*opened, self.session.training):
            self.session.choose(run)
            self._rest()
            self._choose()
        self._clear()

    def _rest(self) -> None:
        self.acts += 1
        run_for(self.beat)

    def _train(self, cell: str, task: str) -> None:
        from rnnscope.core.configuration import Configuration
        from rnnscope.core.settings import make

        training = {"iterations": 1_000_000, "device": "cpu"}
        self.session.train(make(Configuration, {"cell": cell, "task": task, "units": 48, "training": training}))
        wait_for(lambda: self.session.training and len(self.session.training.history) > 3)

    def _through_the_docks(self) -> None:
        for dock in self.window.docks.values():
            if dock.toggleViewAction().isEnabled() or not self.session.runs:
                dock.show()
                dock.raise_()
                self._rest()
        wait_for(lambda: not self._queue.waiting)

    def _scrub(self) -> None:
        cursor = self.cursor
        for share in range(1, 21):
            cursor.move(cursor.time_steps * share / 20)
            self._rest()
        for _ in range(6):
            cursor.zoom(0.7, cursor.position.time_step)
            self._rest()
        for _ in range(6):
            cursor.pan(-cursor.time_steps / 20)
            self._rest()
        cursor.show_all()
        self._rest()

    def _choose(self) -> None:
        cursor = self.cursor
        for n in range(1, 4):
            cursor.choose(sequence=n % cursor.sequences, unit=7 * n % cursor.units)
            self._rest()
        for layer in cursor.layers:
            cursor.choose(layer=layer)
            self._rest()

    def _open(self, path: Path):
        before = len(self.session.runs)
        self.window.files.open([path])
        wait_for(lambda: len(self.session.runs) > before)
        self._rest()
        return self.session.runs[-1]

    def _export(self) -> None:
        path = self.folder / "figure.pdf"
        path.unlink(missing_ok=True)
        self.session.export("hidden", path, {})
        wait_for(path.exists)

    def _clear(self) -> None:
        self.session.stop()
        wait_for(lambda: not self.session.training)
        while self.session.runs:
            self.session.remove(self.session.runs[-1])
            self._rest()
        wait_for(lambda: not self.session.busy)
        run_for(0.2)


class Said:
    """Stands in for stderr, passes everything on and keeps it."""

    def __init__(self):
        self.lines: list[str] = []
        self._before, sys.stderr = sys.stderr, self

    def write(self, text: str) -> int:
        self.lines += text.splitlines()
        return self._before.write(text)

    def flush(self) -> None:
        self._before.flush()

    def end(self) -> list[str]:
        """Give stderr back; all that was said."""
        sys.stderr = self._before
        return self.lines

    def hear(self, _run: int, *texts: str) -> None:
        """What the worker refused or failed to do."""
        self.lines += texts


def megabytes() -> float:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def of_python() -> int:
    """How many Python objects there are; after a collection, since Python's own is off."""
    gc.collect()
    return len(gc.get_objects())


def of_qt(window) -> dict[str, int]:
    """How many there are. Counting leaves a wrapper behind for each QObject that had none: it is done twice in all."""
    items = sum(len(dock.canvas.scene().items()) for dock in window.views.values())
    return {"QObjects": len(window.findChildren(QObject)), "graphics items": items}


def slope(values: Sequence[float], at: Sequence[float]) -> float:
    """Median of the slopes between any two values: one odd value does not matter."""
    points = list(zip(at, values, strict=True))
    return median((y - x) / (u - t) for (t, x), (u, y) in combinations(points, 2))


def soak(minutes: float, quick: bool) -> tuple[list[Lap], dict[str, int], list[str]]:
    """The laps, by how many things of Qt there were more at the end than after the first one, and all that was said."""
    said, laps = Said(), []
    with tempfile.TemporaryDirectory() as folder, opened() as window:
        window.session.worker.refused.connect(said.hear)
        window.session.worker.failed.connect(said.hear)
        began, memory = time.monotonic(), [megabytes()]
        watch = QTimer(window)
        watch.timeout.connect(lambda: memory.append(megabytes()))
        watch.start(1000)
        hand = Hand(window, Path(folder), quick)
        print(f"{memory[0]:.0f} MB before anything is open")
        while len(laps) < LEAST or time.monotonic() - began < 60 * minutes:
            hand.lap()
            laps.append(Lap(time.monotonic() - began, of_python(), memory[:]))
            memory[:] = [megabytes()]
            print(
                f"{laps[-1].ended / 60:6.1f} min: {median(laps[-1].memory):5.0f} MB, {laps[-1].objects:,} Python objects",
                flush=True,
            )
            if len(laps) == 1:
                first = of_qt(window)
        grown = {what: count - first[what] for what, count in of_qt(window).items()}
        watch.stop()
    print(f"{hand.acts:,} acts of the hand")
    return laps, grown, said.end()


def report(laps: Sequence[Lap], grown: dict[str, int], said: Sequence[str], long: bool) -> bool:
    """Print what grew and what was said; whether nothing did and nothing was. Memory is judged after a `long` time."""
    judged = laps[max(WARM, len(laps) // 3) :]
    objects = slope([lap.objects for lap in judged], range(len(judged)))
    memory = slope([median(lap.memory) for lap in judged], [lap.ended / 60 for lap in judged])
    rows = [(f"{what}, in all", count, 0, True) for what, count in grown.items()]
    rows += [("Python objects a lap", objects, SLACK, True), ("MB a minute", memory, MOST, long)]
    for what, growth, most, counts in rows:
        verdict = f"fails beyond {most}{'  FAILED' if growth > most else ''}" if counts else "too short to tell"
        print(f"{what:24}{growth:+8.2f}  {verdict}")
    print(f"{len(said)} lines on stderr or from the worker{''.join(f'{chr(10)}  {line}' for line in said[:20])}")
    return not said and all(growth <= most for _, growth, most, counts in rows if counts)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=MINUTES)
    options.add_argument("--quick", action="store_true", help="few small laps without rests, and memory is not judged")
    chosen = options.parse_args()
    result = soak(0 if chosen.quick else chosen.minutes, chosen.quick)
    sys.exit(0 if report(*result, long=not chosen.quick) else 1)
