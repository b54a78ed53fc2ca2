"""A trace of how long a sequence in how long, and in how much memory; Linux only.

    python benchmarks/recording.py [--quick] [--units 1024] [--steps 100000] [--threads 1]

One sequence, every signal and gradient norm, float32, compiled kernels, each row in a process of its own. Beside the time
of a recording stands that of what is read for a picture: a signal of the sequence, and one unit of it. Exit status 1 if
time grows faster than the time steps by more than bounded.TOLERANCE, if memory is beyond LIMIT, or if a cancel waits longer
than PATIENCE.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from bounded import Bounds
from resident import resident

from rnnscope.core.configuration import Configuration
from rnnscope.core.engines.kernel_cache import prepare
from rnnscope.core.model import Model
from rnnscope.core.recording import record
from rnnscope.core.settings import make
from rnnscope.core.store import Files

UNITS = 256
STEPS, QUICK = (1_000, 10_000, 100_000), (1_000, 10_000)
CELLS = ("lstm", "rwa")
LIMIT = 500  # MB beyond what was there before; the signals of the RWA alone are 1,536 MB at 100,000 time steps


def measured(cell: str, units: int, steps: int, threads: int) -> dict[str, float]:
    """What `child` prints, in a fresh process."""
    command = [sys.executable, __file__, "--child", cell, str(units), str(steps), str(threads)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def child(cell: str, units: int, steps: int, threads: int) -> dict[str, float]:
    """Seconds, bytes of the signals, peak bytes beyond what a short recording left, longest wait for `between`, reading."""
    torch.set_num_threads(threads)
    settings = {"cell": cell, "units": units, "task": "adding", "training": {"device": "cpu"}}
    model = Model(make(Configuration, settings))
    prepare(model.network.cells[0], torch.float32, wait=True)
    model.network.engine = "fused"
    random = np.random.default_rng(0)
    inputs, targets = random.random((steps, 1, 2), np.float32), random.random((1, 1), np.float32)
    record(model, inputs[:300], targets)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    before = resident("VmRSS")
    calls = [time.perf_counter()]
    trace = record(model, inputs, targets, between=lambda done: calls.append(time.perf_counter()))
    calls.append(time.perf_counter())
    peak = resident("VmHWM") - before
    stored, hidden = sum(signal.nbytes for signal in trace.signals.values()), trace.signals["hidden"]
    sequence, unit = _seconds(lambda: hidden[:, 0].max()), _seconds(lambda: hidden[:, 0, 7].max())
    return {
        "seconds": calls[-1] - calls[0],
        "signals": stored,
        "files": isinstance(trace.store, Files),
        "bytes": peak,
        "wait": max(later - earlier for earlier, later in pairwise(calls)),
        "sequence": sequence,
        "unit": unit,
    }


def _seconds(read) -> float:
    began = time.perf_counter()
    read()
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"up to {QUICK[-1]:,} time steps only")
    parser.add_argument("--units", type=int, default=UNITS)
    parser.add_argument("--steps", type=int, nargs="+")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--child", nargs=4, metavar=("CELL", "UNITS", "STEPS", "THREADS"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        cell, *numbers = chosen.child
        print(json.dumps(child(cell, *map(int, numbers))))
        return 0
    bounds = Bounds(LIMIT)
    head = ["cell", "units", "time steps", "signals, MB", "in", "s", "µs/step", "x linear", "MB", "longest wait, s"]
    head += ["a signal, ms", "a unit, ms"]
    print(f"| {' | '.join(head)} |\n| --- | --: | --: | --: | --- |{' --: |' * 7}")
    for cell in CELLS:
        before = None
        for steps in chosen.steps or (QUICK if chosen.quick else STEPS):
            found = measured(cell, chosen.units, steps, chosen.threads)
            each = found["seconds"] / steps
            growth = each / before if before else 1.0
            place, size = "files" if found["files"] else "memory", f"{found['signals'] / 1e6:,.0f}"
            words = cell, f"{chosen.units}", f"{steps:,}", size, place, f"{found['seconds']:.2f}", f"{each * 1e6:.0f}"
            more = f"{found['sequence'] * 1e3:.1f}", f"{found['unit'] * 1e3:.1f}"
            bounds.row(*words, growth=growth, found=found, more=more)
            before = each
    return bounds.status()


if __name__ == "__main__":
    sys.exit(main())
