"""Peak resident memory of one forward and backward beyond what was there before, in a process of its own; Linux only.

python benchmarks/memory.py rwa checkpointed E
"""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import torch
from layers import SHAPES, layer
from resident import resident

WARM = 4  # time steps of the run that makes all ready


def measured(name: str, engine: str, shape: str) -> float:
    """Bytes, in a fresh process."""
    command = [sys.executable, __file__, name, engine, shape]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def peak(name: str, engine: str, shape: str) -> int:
    """Bytes, in this process, which should not have done anything before."""
    torch.set_num_threads(1)
    batch, _, inputs, units = SHAPES[shape]
    run = layer(name, SHAPES[shape], engine)
    layer(name, (batch, WARM, inputs, units), engine)()
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    before = resident("VmRSS")
    run()
    return resident("VmHWM") - before


if __name__ == "__main__":
    print(peak(*sys.argv[1:]))
