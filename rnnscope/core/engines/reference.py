"""The reference engine: a plain loop over time under autograd; any cell, any dtype."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear

from rnnscope.core.cells.cell import Cell, Values


@dataclass
class Unrolled:
    """A cell run over a sequence: `states` and `signals`, each name -> (T, B, H). Entry t is after input t."""

    states: Values
    signals: Values


def unroll(cell: Cell, inputs: Tensor, *, record: bool = False, taps: Values | None = None) -> Unrolled:
    """Run `cell` over `inputs` (T, B, I) from its initial state.

    record  keep every state and signal, with the derived ones; otherwise only the state "hidden" is kept
    taps    state -> (T, B, H) zeros that are added to the state after each time step: the gradient with respect to a tap
            is the gradient with respect to that state alone, with all other parts of the state held fixed
    """
    preactivations = _input_side(cell, inputs)
    only_x = preactivations[..., : cell.first_h].unbind(0)
    with_h = preactivations[..., cell.first_h :].unbind(0)
    weight_h, constants = cell.weight_h.t(), cell.constants()
    state = cell.initial_state(inputs.shape[1])
    kept: dict[str, list[Tensor]] = {name: [] for name in (cell.states if record or taps else ("hidden",))}
    signals: dict[str, list[Tensor]] = {}
    for t in range(len(inputs)):
        columns = only_x[t].split(cell.units, -1) if cell.first_h else ()
        if cell.first_h < cell.columns:
            columns += torch.addmm(with_h[t], state["hidden"], weight_h).split(cell.units, -1)
        state, now = cell.update(dict(zip(cell.gates, columns + constants, strict=True)), state)
        if taps:
            state = {name: value + taps[name][t] for name, value in state.items()}
        for name, values in kept.items():
            values.append(state[name])
        if record:
            for name, value in now.items():
                signals.setdefault(name, []).append(value)
    states = {name: torch.stack(values) for name, values in kept.items()}
    if not record:
        return Unrolled(states, {})
    recorded = states | {name: torch.stack(values) for name, values in signals.items()}
    recorded |= cell.derived(recorded)
    return Unrolled(states, {name: recorded[name] for name in cell.signals})


def _input_side(cell: Cell, inputs: Tensor) -> Tensor:
    """Everything in the preactivations that does not depend on h, for all time steps at once: (T, B, gates fed * H)."""
    bias = cell.full_bias()
    fed_by_x = linear(inputs, cell.weight_x, bias[: cell.last_x])  # (T, B, last_x)
    only_h = bias[cell.last_x :]
    if not len(only_h):
        return fed_by_x
    return torch.cat([fed_by_x, only_h.expand(*inputs.shape[:2], -1)], -1)
