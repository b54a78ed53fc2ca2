"""A signal sent through very many symbols: what an LSTM and a recurrent weighted average leave of the first, measured."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rnnscope.core.cells import LSTM, RWA, Cell
from rnnscope.core.engines import ENGINES
from rnnscope.core.engines.kernel_cache import prepare

LENGTH = 100_000
SHORTEST, LONGEST = 2, 200_000  # beyond, two runs differ by less than float64 says of a cell state
OPEN = 0.9999  # how far the LSTM's gates are open


@dataclass(frozen=True, eq=False)
class Sent:
    """What one cell does to a sequence of T symbols, each +1 or -1.

    name, cell        in words, and its key in CELLS
    left              (T,) of what the first symbol gave to the memory, the share that is in it after each time step: the
                      difference between two runs, with the first symbol and with 0 in its place
    left_by_gradient  the same after the last time step by the other route: d memory_T / d x_1 over d memory_1 / d x_1
    shares            (T,) of the last memory, what each symbol holds: d memory_T / d x_t, as parts of 1
    expected          what `left` ends at by arithmetic, and `formula` in words
    """

    name: str
    cell: str
    left: np.ndarray
    left_by_gradient: float
    shares: np.ndarray
    expected: float
    formula: str


def telephone(length: int = LENGTH) -> tuple[Sent, Sent]:
    """Send `length` symbols through an LSTM whose gates are all 99.99 % open, and an RWA that attends to all alike.

    The memory of the LSTM is its cell state, c_t = 0.9999 c_(t-1) + 0.9999 tanh(x_t): T - 1 time steps after the first
    symbol was written 0.9999^(T-1) of it is left. That of the RWA is the average n_t / d_t, of which every symbol is 1 / t.
    Both are run in float64, one unit each, by compiled kernels where these can be made.
    Raises ValueError for a length that is not 2 to 200,000.
    """
    if not SHORTEST <= length <= LONGEST:
        raise ValueError(f"--length: expected {SHORTEST} to {LONGEST:,}, got {length}")
    # the first symbol has been kept by all time steps but its own
    lstm = f"LSTM, gates {100 * OPEN:g} % open", "lstm", OPEN ** (length - 1), f"{OPEN}^{length - 1:,}"
    rwa = "RWA, equal attention", "rwa", 1 / length, f"1/{length:,}"
    return _sent(open_lstm(), _cell_state, length, *lstm), _sent(even_rwa(), _average, length, *rwa)


def as_json(sent: tuple[Sent, ...]) -> str:
    """What `rnnscope telephone --json` prints: the ends of the curves."""
    models = [
        {
            "name": one.name,
            "cell": one.cell,
            "left": float(one.left[-1]),
            "left_by_gradient": one.left_by_gradient,
            "expected": one.expected,
            "formula": one.formula,
            "share_of_first": float(one.shares[0]),
            "share_of_last": float(one.shares[-1]),
        }
        for one in sent
    ]
    return json.dumps({"length": len(sent[0].left), "open": OPEN, "models": models}, allow_nan=False)


def open_lstm() -> LSTM:
    """One unit that reads x through its candidate, with all gates open whatever it reads, in float64."""
    cell = _empty(LSTM(1, 1))
    with torch.no_grad():
        for gate in ("input", "forget", "output"):
            cell.bias[cell.gate_rows(gate, "bias")] = math.log(OPEN) - math.log1p(-OPEN)
        cell.weight_x[cell.gate_rows("candidate", "x")] = 1
    return cell


def even_rwa() -> RWA:
    """One unit that averages x times a constant, with attention logits of 0 whatever it reads, in float64."""
    cell = _empty(RWA(1, 1))
    with torch.no_grad():
        cell.bias[cell.gate_rows("gate", "bias")] = 1
        cell.weight_x[cell.gate_rows("input_value", "x")] = 1
    return cell


def _empty(cell: Cell) -> Cell:
    """The cell in float64 with all parameters 0."""
    cell = cell.double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
    return cell


def _cell_state(cell: Cell, inputs: Tensor) -> Tensor:
    """(T, B, I) to (T, B, H)."""
    return ENGINES["fused"](cell, inputs, keep=("cell",)).states["cell"]


def _average(cell: Cell, inputs: Tensor) -> Tensor:
    """(T, B, I) to (T, B, H)."""
    states = ENGINES["fused"](cell, inputs, keep=("numerator", "denominator")).states
    return states["numerator"] / states["denominator"]


def _sent(cell: Cell, memory_of: Callable[[Cell, Tensor], Tensor], length: int, name: str, key: str, *check) -> Sent:
    prepare(cell, torch.float64, wait=True)
    symbols = 2.0 * np.random.default_rng(0).integers(0, 2, length) - 1
    inputs = torch.from_numpy(symbols)[:, None, None].repeat(1, 2, 1)  # (T, 2, 1): with the first symbol, and without it
    inputs[0, 1] = 0
    with torch.no_grad():
        memory = memory_of(cell, inputs)[..., 0].numpy()
    apart = memory[:, 0] - memory[:, 1]
    of_last, of_first = (_gradient(cell, memory_of, inputs[:end, :1]) for end in (length, 1))
    return Sent(name, key, apart / apart[0], float(of_last[0] / of_first[0]), of_last / of_last.sum(), *check)


def _gradient(cell: Cell, memory_of: Callable[[Cell, Tensor], Tensor], inputs: Tensor) -> np.ndarray:
    """Of the last memory with respect to each symbol of one sequence: (T, 1, 1) to (T,)."""
    inputs = inputs.clone().requires_grad_()
    with torch.enable_grad():
        last = memory_of(cell, inputs)[-1].sum()
    return torch.autograd.grad(last, inputs)[0][:, 0, 0].numpy()
