"""The vendor's own layers: torch's fused LSTM, GRU and RNN with the same weights, where a cell is exactly theirs."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from rnnscope.core.cells import GRU, LSTM, Cell, Elman
from rnnscope.core.engines.fused import fused
from rnnscope.core.engines.reference import Unrolled

warnings.filterwarnings("ignore", "RNN module weights", module=__name__)  # cuDNN copies them: a cell has them its own way


def exact(cell: Cell) -> bool:
    """Whether torch has this very cell."""
    return type(cell) in (LSTM, GRU, Elman)


def vendor(cell: Cell, inputs: Tensor, **options) -> Unrolled:
    """As `unroll` where only the hidden state is asked for; else, or for another cell, the fused engine runs it."""
    start = options.get("start")
    if not exact(cell) or any(value for name, value in options.items() if name != "start"):
        return fused(cell, inputs, **options)
    state = cell.initial_state(inputs.shape[1]) if start is None else start
    begin = [state[name][None].contiguous() for name in cell.states]
    weights = _weights(cell)
    learning = torch.is_grad_enabled()  # cuDNN keeps nothing for a way back otherwise
    shape = (True, 1, 0.0, learning, False, False)  # biases, layers, dropout, training, directions, batch first
    if isinstance(cell, LSTM):
        hidden = torch.lstm(inputs, begin, weights, *shape)[0]
    elif isinstance(cell, GRU):
        hidden = torch.gru(inputs, begin[0], weights, *shape)[0]
    else:
        layer = torch.rnn_tanh if cell.settings.nonlinearity == "tanh" else torch.rnn_relu
        hidden = layer(inputs, begin[0], weights, *shape)[0]
    return Unrolled({"hidden": hidden}, {})


def _weights(cell: Cell) -> list[Tensor]:
    """weight_ih, weight_hh, bias_ih, bias_hh in torch's order of rows; a bias that torch has twice is its first."""
    if not isinstance(cell, GRU):
        return [cell.weight_x, cell.weight_h, cell.bias, torch.zeros_like(cell.bias)]
    of_x, of_h = ("reset", "update", "candidate_input"), ("reset", "update", "candidate_hidden")
    none = torch.zeros(2 * cell.units, dtype=cell.bias.dtype, device=cell.bias.device)
    return [
        torch.cat([cell.weight_x[cell.gate_rows(gate, "x")] for gate in of_x]),
        torch.cat([cell.weight_h[cell.gate_rows(gate, "h")] for gate in of_h]),
        torch.cat([cell.bias[cell.gate_rows(gate, "bias")] for gate in of_x]),
        torch.cat([none, cell.bias[cell.gate_rows("candidate_hidden", "bias")]]),
    ]
