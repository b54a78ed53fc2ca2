"""The reference engine: a plain loop over time under autograd; any cell, any dtype."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

from rnnscope.core.cells.cell import Cell, Values

Glimpse = Callable[[Values], Tensor]
NORMS = "norms"  # among taps: where the norms of the states' gradients go


@dataclass
class Unrolled:
    """A cell run over time: `states` that were kept, and `signals`, each name -> (T, B, H). Entry t is after input t."""

    states: Values
    signals: Values


def unroll(
    cell: Cell,
    inputs: Tensor,
    *,
    record: bool = False,
    keep: Sequence[str] = (),
    taps: Values | None = None,
    start: Values | None = None,
    lower: Values | None = None,
    glimpse: Glimpse | None = None,
) -> Unrolled:
    """Run `cell` over `inputs` (T, B, I).

    record   keep every state and signal, with the derived ones; otherwise the states hold `cell.output` and `keep` only
    keep     further states or signals that are wanted among the states
    taps     state -> (T, B, H), added to the state after each time step: the gradient with respect to a tap is the gradient
             with respect to that state alone, with all other parts of the state held fixed. Or NORMS -> (T, B, 1 + states)
             zeros, whose gradient is set to `state_norms` of these gradients, which need then not be kept
    start    the state before the first time step; by default the cell's own
    lower    what `cell.lower` names, of the layer below, each (T, B, H); by default zeros
    glimpse  what a time step reads beside its input, as a function of the state before it: (B, E). The last E inputs are
             its place and must be 0
    """
    steps, batch = inputs.shape[:2]
    preactivations = cell.input_side(inputs)
    only_x = preactivations[..., : cell.first_h].unbind(0)
    with_h = preactivations[..., cell.first_h :].unbind(0)
    weight_h, constants = cell.weight_h.t(), cell.constants()
    state = cell.initial_state(batch) if start is None else start
    nothing = inputs.new_zeros(()).expand(steps, batch, cell.units)
    done: Values = {}
    taps = attached(cell, taps, nothing, done)
    beneath = {f"lower_{name}": lower[name] if lower else nothing for name in cell.lower}
    wanted = dict.fromkeys([*(cell.states if record or taps else ()), cell.output, *keep])
    kept: dict[str, list[Tensor]] = {name: [] for name in wanted}
    signals: dict[str, list[Tensor]] = {}
    for t in range(steps):
        columns = only_x[t].split(cell.units, -1) if cell.first_h else ()
        if cell.first_h < cell.columns:
            columns += torch.addmm(with_h[t], state["hidden"], weight_h).split(cell.units, -1)
        if glimpse:
            seen = glimpse(state)
            read = linear(seen, cell.weight_x[:, -seen.shape[-1] :]).split(cell.units, -1)
            fed = len(read)
            columns = (*(own + more for own, more in zip(columns[:fed], read, strict=True)), *columns[fed:])
        gates = dict(zip(cell.gates, columns + constants, strict=True))
        state, now = cell.at(t + 1)(gates, state | {name: values[t] for name, values in beneath.items()})
        if taps:
            state = {name: value + taps[name][t] for name, value in state.items()}
        for name, values in kept.items():
            values.append(state[name] if name in state else now[name])
        if record:
            for name, value in now.items():
                signals.setdefault(name, []).append(value)
    states = {name: torch.stack(values) for name, values in kept.items()}
    done |= {name: values.detach() for name, values in states.items()}
    if not record:
        return Unrolled(states, {})
    recorded = states | {name: torch.stack(values) for name, values in signals.items()}
    start = cell.initial_state(batch) if start is None else start
    before = {name: torch.cat([start[name][None], states[name][:-1]]) for name in cell.states}
    recorded |= cell.derived(recorded, before)
    return Unrolled(states, {name: recorded[name] for name in cell.signals})


def attached(cell: Cell, taps: Values | None, nothing: Tensor, done: Values) -> Values:
    """Taps as values to add to the states, each (T, B, H) as `nothing`; `done` must hold all states before going back."""
    if not taps or NORMS not in taps:
        return taps or {}
    return dict(zip(cell.states, _Norms.apply(taps[NORMS], nothing, cell, done), strict=True))


class _Norms(torch.autograd.Function):
    """Zeros for each state, and on the way back the norms of their gradients."""

    @staticmethod
    def forward(ctx, gauge, nothing, cell, done):
        """One zero for each state."""
        ctx.cell, ctx.done, ctx.like = cell, done, gauge
        ctx.set_materialize_grads(False)
        return tuple(nothing.clone() for _ in cell.states)

    @staticmethod
    @once_differentiable
    def backward(ctx, *gradients):
        """Norms of the gradients that have come."""
        parts = zip(ctx.cell.states, gradients, strict=True)
        zeros = torch.zeros_like(next(iter(ctx.done.values())))
        norms = state_norms(ctx.cell, ctx.done, {name: zeros if part is None else part for name, part in parts})
        return norms.to(ctx.like), None, None, None


def state_norms(cell: Cell, states: Values, gradients: Values) -> Tensor:
    """Norms over units of gradients with respect to the state as a whole, in `Cell.coordinates`, and to each part of it.

    states, gradients  state -> (T, B, H); returns (T, B, 1 + states) float64
    """
    whole = sum(_squared_norm(part) for part in cell.in_coordinates(states, gradients).values())
    return torch.stack([whole, *(_squared_norm(gradients[name]) for name in cell.states)], -1).sqrt()


def _squared_norm(part: Tensor) -> Tensor:
    """Sum over units of squares: (T, B, H) to (T, B), in float64, where small gradients do not underflow."""
    return _exact(part).square().sum(-1)


def _exact(part: Tensor) -> Tensor:
    return (part.cpu() if part.device.type == "mps" else part).double()  # MPS has no float64
