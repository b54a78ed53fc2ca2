"""How far back in how long, and in how much memory: the measures of reach on ever longer sequences; Linux only.

    python benchmarks/reach.py [--quick]

One sequence, 64 units, float32, one thread, compiled kernels, each row in a process of its own. Exit status 1 if time grows
faster than the time steps by more than TOLERANCE, if memory is beyond LIMIT, or if a cancel waits longer than PATIENCE.
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

import torch
from bounded import Bounds
from resident import resident

from rnnscope.core.configuration import Configuration
from rnnscope.core.engines.kernel_cache import prepare
from rnnscope.core.memory import MEASURES
from rnnscope.core.model import Model
from rnnscope.core.sequences import sequences_for
from rnnscope.core.settings import make

UNITS = 64
STEPS, QUICK = (1_000, 10_000, 100_000), (1_000, 10_000)
RUNS = [(which, cell) for which in ("state_jacobian", "direct_weight", "connectivity") for cell in ("lstm", "rwa")]
LIMIT = 100  # MB beyond what was there before; all states of the RWA alone would be 102 MB at 100,000 time steps
TRIES = 3


def measured(which: str, cell: str, steps: int) -> dict[str, float]:
    """What `child` prints, in a fresh process."""
    command = [sys.executable, __file__, "--child", which, cell, str(steps)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def child(which: str, cell: str, steps: int) -> dict[str, float]:
    """Seconds of the fastest try, peak bytes of the first beyond what a short run left, longest wait for `between`."""
    torch.set_num_threads(1)
    settings = {"cell": cell, "units": UNITS, "task": "adding", "training": {"device": "cpu"}}
    model = Model(make(Configuration, settings))
    prepare(model.network.cells[0], torch.float32, wait=True)
    model.network.engine = "fused"
    inputs = torch.rand(steps, 1, 2, generator=torch.Generator().manual_seed(0))
    _run(model, which, inputs[:300])
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    before = resident("VmRSS")
    runs = [_run(model, which, inputs)]
    peak = resident("VmHWM") - before
    runs += [_run(model, which, inputs) for _ in range(1, TRIES)]
    seconds, waits = zip(*runs, strict=True)
    return {"seconds": min(seconds), "bytes": peak, "wait": min(waits)}


def _run(model: Model, which: str, inputs: torch.Tensor) -> tuple[float, float]:
    """Seconds, and the longest between two calls."""
    inputs, layout, _ = sequences_for(model, inputs)
    calls = [time.perf_counter()]
    MEASURES[which](model, inputs, layout, model.network.chains[""], lambda done: calls.append(time.perf_counter()))
    calls.append(time.perf_counter())
    return calls[-1] - calls[0], max(later - before for before, later in pairwise(calls))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"up to {QUICK[-1]:,} time steps only")
    parser.add_argument("--child", nargs=3, metavar=("MEASURE", "CELL", "STEPS"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        which, cell, steps = chosen.child
        print(json.dumps(child(which, cell, int(steps))))
        return 0
    bounds = Bounds(LIMIT)
    print("| measure | cell | time steps |  s | µs/step | x linear | MB | longest wait, s |")
    print("| --- | --- | --: | --: | --: | --: | --: | --: |")
    for which, cell in RUNS:
        before = None
        for steps in QUICK if chosen.quick else STEPS:
            found = measured(which, cell, steps)
            each = found["seconds"] / steps
            growth = each / before if before else 1.0
            words = which, cell, f"{steps:,}", f"{found['seconds']:.3f}", f"{each * 1e6:.1f}"
            bounds.row(*words, growth=growth, found=found)
            before = each
    return bounds.status()


if __name__ == "__main__":
    sys.exit(main())
