"""What the machine can do, measured: the rate of matrix products and of copies; and what of it a layer cannot avoid.

The floor of forward and backward of a layer over T time steps of B sequences, with weights W_x and W_h (numbers of their
entries), inputs of I and units of H, is the longer of

    products   (4 W_x + 2 W_h) T B / GEMM  +  4 W_h T B / GEMV     floating point operations over operations a second
    memory     4 T B (2 I + 2 H states + H signals) / copy         bytes over bytes a second

Each entry of a weight costs 2 operations for what it gives to a time step of a sequence and 2 for its gradient, one of W_h
2 more for the adjoint of h; only x is given, so that nothing goes back to it. Products of all time steps at once run at
GEMM, the best of torch.mm at the shapes of the table; with one sequence, h W_h^T and dz W_h wait for one another, so they
run at GEMV, the best of BLAS for vectors at those very shapes (with more sequences at GEMM as well, which is generous).
Inputs are read twice, states written once and read once, signals, where they are recorded, written once. Products that a
cell makes inside its update, and all that is done element by element, count nothing: the floor is below what is possible.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numba
import numpy as np
import torch
from threadpoolctl import threadpool_limits

CHUNK = 2**20  # entries of the larger side of a product of many time steps
COPIED = 2**27  # entries that are copied: 512 MB, more than caches hold
TRIES = 10


@dataclass(frozen=True)
class Work:
    """One layer on one shape; `of_x` and `of_h` count gates, `signals` what is recorded beside the states."""

    batch: int
    steps: int
    inputs: int
    units: int
    of_x: int
    of_h: int
    states: int
    signals: int = 0


class Machine:
    """Rates of torch as it is set now, for float32: `gemm` in operations a second and `copy` in bytes a second."""

    def __init__(self, shapes):
        products = [product for _, _, _, units in shapes for gates in (2, 4) for product in _products(units, gates)]
        self.gemm = max(products)
        source = torch.ones(COPIED)
        copied = torch.empty_like(source)
        self.copy = 8 * COPIED / fastest(lambda: copied.copy_(source), 3)

    def floor(self, work: Work) -> float:
        """Seconds that forward and backward take at least, as above."""
        rows, once = work.steps * work.batch, work.units * work.units * work.of_h
        apart = gemv(work.units, work.of_h) if work.batch == 1 and work.of_h else self.gemm
        products = (4 * work.of_x * work.units * work.inputs + 2 * once) / self.gemm + 4 * once / apart
        moved = 4 * (2 * work.inputs + work.units * (2 * work.states + work.signals))
        return rows * max(products, moved / self.copy)

    def __str__(self) -> str:
        return f"GEMM {self.gemm / 1e9:.0f} GFLOP/s, copy {self.copy / 1e9:.1f} GB/s"


def described() -> str:
    """The machine class and what runs on it."""
    cores = f"{os.cpu_count()} cores {_processor()} ({torch.backends.cpu.get_cpu_capability()})"
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{cores}, {system}, torch {torch.__version__}, numba {numba.__version__}"


def fastest(run: Callable[[], object], tries: int = TRIES) -> float:
    """Seconds of the fastest try, after one that does not count."""
    times = []
    for _ in range(tries + 1):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return min(times[1:])


@cache
def gemv(units: int, gates: int) -> float:
    """Operations a second of h W_h^T and of dz W_h for one sequence, one after the other as through time."""
    random = np.random.default_rng(0)
    weight = random.standard_normal((gates * units, units), dtype=np.float32)
    turns = max(20, 2**23 // weight.size)
    spent = 0.0
    _dots(np.ones(1, np.float32), np.ones((1, 1), np.float32), np.ones(1, np.float32), 1)  # loads the BLAS that is limited
    with threadpool_limits(1, "blas"):
        for matrix in (weight.T.copy(), weight):
            vector, out = np.ones(len(matrix), np.float32), np.empty(matrix.shape[1], np.float32)
            spent += fastest(lambda matrix=matrix, vector=vector, out=out: _dots(vector, matrix, out, turns))
    return 4 * weight.size * turns / spent


@numba.njit(nogil=True)
def _dots(vector, matrix, out, turns):
    for _ in range(turns):
        np.dot(vector, matrix, out)


def _products(units: int, gates: int):
    """Operations a second of preactivations and of a weight's gradient, of a chunk of time steps."""
    rows, columns = CHUNK // (gates * units), gates * units
    states, weight, adjoints = torch.randn(rows, units), torch.randn(units, columns), torch.randn(rows, columns)
    for left, right in ((states, weight), (adjoints.t(), states)):
        yield 2 * rows * units * columns / fastest(lambda left=left, right=right: left @ right)


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())
