"""The engine for CUDA: chunks of time steps in buffers at fixed addresses, each launched as one graph.

As on the CPU, only the states are kept, and the preactivations of a chunk are made again from them on the way back. What a
chunk does has several bodies; `ready` finds the first of them that agree with the reference on the device at hand.
Nothing waits for the device, but for the capture of a new graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rnnscope.core.cells.cell import Cell, Values
from rnnscope.core.engines.cuda_bodies import bodies_for, takes
from rnnscope.core.engines.cuda_chunk import fits, held, spans
from rnnscope.core.engines.emitting import Unemittable, backward_lines, forward_lines
from rnnscope.core.engines.reference import NORMS, Unrolled, attached, unroll

TOLERANCES = {torch.float32: 1e-4, torch.float64: 1e-9}  # of the largest entry, for a body to be trusted
CHECKED = 70, 3  # time steps and sequences that a body is tried on
MANY = 2**31  # sequences: a body that takes so many takes any batch


@dataclass(frozen=True)
class Verdict:
    """Which of the bodies run a cell, the fastest first, and why those before them do not."""

    bodies: tuple[str, ...]
    refusals: str


NOBODY = Verdict((), "")
_verdicts: dict[tuple, Verdict] = {}


def cuda(
    cell: Cell,
    inputs: Tensor,
    *,
    record: bool = False,
    keep: Sequence[str] = (),
    taps: Values | None = None,
    start: Values | None = None,
    **others,
) -> Unrolled:
    """As `unroll`, which it calls where it cannot do without: no body that is `ready`, a glimpse, a signal kept."""
    verdict, batch = _verdicts.get(_identity(cell, inputs.dtype, inputs.device), NOBODY), inputs.shape[1]
    body = next((name for name in verdict.bodies if takes(name, cell, batch, inputs.device)), "")
    able = body and fits(cell, batch) and not others.get("glimpse") and {cell.output, *keep} <= set(cell.states)
    if not able or (taps and NORMS not in taps):
        return unroll(cell, inputs, record=record, keep=keep, taps=taps, start=start, **others)
    done: Values = {}
    zeros = attached(cell, taps, inputs.new_zeros(()).expand(*inputs.shape[:2], cell.units), done)
    ran = run(body, cell, inputs, record=record, keep=keep, taps=zeros, start=start)
    done |= {name: values.detach() for name, values in ran.states.items()}
    return ran


def ready(cell: Cell, dtype: torch.dtype, device: torch.device) -> Verdict:
    """Find bodies for such cells on a device; this takes seconds, once. From then on `cuda` runs them with these."""
    device = torch.empty(0, device=device).device  # with its number
    identity = _identity(cell, dtype, device)
    if identity not in _verdicts:
        _verdicts[identity] = _judge(cell, dtype, device)
    return _verdicts[identity]


def run(
    body: str,
    cell: Cell,
    inputs: Tensor,
    *,
    record: bool = False,
    keep: Sequence[str] = (),
    taps: Values | None = None,
    start: Values | None = None,
) -> Unrolled:
    """As `unroll`, with one of BODIES, on whatever device it can do. Taps are 0: only their gradients count."""
    start = cell.initial_state(inputs.shape[1]) if start is None else start
    bias = torch.cat([cell.full_bias(), *cell.constants()])
    begin, tapped = (tuple(values[name] for name in cell.states) if values else () for values in (start, taps))
    found = _Loop.apply(cell, body, inputs, cell.weight_x, cell.weight_h, bias, *begin, *tapped)
    states = dict(zip(cell.states, found, strict=True))
    wanted = dict.fromkeys([*(cell.states if record or taps else ()), cell.output, *keep])
    return Unrolled({name: states[name] for name in wanted}, _signals(cell, inputs, states, start) if record else {})


@torch.no_grad()
def _signals(cell: Cell, inputs: Tensor, states: Values, start: Values) -> Values:
    """Every signal of every time step, by one update of all time steps at once."""
    recorded = {name: value.detach() for name, value in states.items()}
    before = {name: torch.cat([start[name][None], value[:-1]]) for name, value in recorded.items()}
    columns = cell.input_side(inputs).flatten(0, 1)  # (T B, gates fed * H)
    columns[:, cell.first_h :].addmm_(before["hidden"].flatten(0, 1), cell.weight_h.t())
    gates = dict(zip(cell.gates, columns.split(cell.units, -1) + cell.constants(), strict=True))
    _, signals = cell.update(gates, {name: value.flatten(0, 1) for name, value in before.items()})
    shape = (*inputs.shape[:2], cell.units)
    recorded |= {name: value.expand(len(columns), -1).reshape(shape) for name, value in signals.items()}
    recorded |= cell.derived(recorded, before)
    return {name: recorded[name] for name in cell.signals}


class _Loop(torch.autograd.Function):
    """All states, each (T, B, H), from inputs, weights, and the states before; taps are 0, only their gradients count."""

    @staticmethod
    def forward(ctx, cell, body, inputs, weight_x, weight_h, bias, *rest):
        """All time steps, chunk by chunk; `rest` is the state before, then the taps."""
        (steps, batch), count = inputs.shape[:2], len(cell.states)
        states = inputs.new_empty(count, steps + 1, batch, cell.units)
        for state, before in zip(states, rest, strict=False):
            state[0] = before
        with held(cell, body, inputs) as chunk:
            _copy((weight_x, weight_h, bias), chunk.weights)
            for begin, end in spans(steps):
                chunk.inputs[: end - begin] = inputs[begin:end]
                chunk.states[:, 0] = states[:, begin]
                chunk.advance(end - begin)
                states[:, begin + 1 : end + 1] = chunk.states[:, 1 : end - begin + 1]
        ctx.cell, ctx.body, ctx.tapped = cell, body, len(rest) > count
        ctx.save_for_backward(inputs, weight_x, weight_h, bias, states)
        ctx.set_materialize_grads(False)
        return tuple(state[1:] for state in states)

    @staticmethod
    @once_differentiable
    def backward(ctx, *gradients):
        """Gradients of everything that `forward` took, from those of the states, the newest chunk first."""
        inputs, weight_x, weight_h, bias, states = ctx.saved_tensors
        to_inputs = torch.empty_like(inputs) if ctx.needs_input_grad[2] else None
        taps = torch.empty_like(states[:, 1:]) if ctx.tapped else ()
        with held(ctx.cell, ctx.body, inputs) as chunk:
            _copy((weight_x, weight_h, bias), chunk.weights)
            for sums in (chunk.carried, *chunk.to_weights):
                sums.zero_()
            for begin, end in reversed(list(spans(len(inputs)))):
                steps = end - begin
                chunk.inputs[:steps] = inputs[begin:end]
                chunk.states[:, :steps] = states[:, begin:end]
                for adjoint, gradient in zip(chunk.adjoints, gradients, strict=True):
                    adjoint[:steps] = 0 if gradient is None else gradient[begin:end]
                chunk.retreat(steps, to_inputs is not None)
                if ctx.tapped:
                    taps[:, begin:end] = chunk.adjoints[:, :steps]
                if to_inputs is not None:
                    to_inputs[begin:end] = chunk.to_inputs[:steps]
            return None, None, to_inputs, *(sums.clone() for sums in chunk.to_weights), *chunk.carried.clone(), *taps


def _copy(values: Sequence[Tensor], buffers: Sequence[Tensor]) -> None:
    for value, buffer in zip(values, buffers, strict=True):
        buffer.copy_(value)


def _identity(cell: Cell, dtype: torch.dtype, device: torch.device) -> tuple:
    return type(cell), cell.settings, cell.units, dtype, device


def _judge(cell: Cell, dtype: torch.dtype, device: torch.device) -> Verdict:
    """Try the bodies in turn."""
    kind = type(cell)
    plain = cell.pointwise and not cell.lower and kind.at is Cell.at and kind.input_side is Cell.input_side
    if not plain or dtype not in TOLERANCES:
        return Verdict((), f"no body for a {cell.name} in {dtype}")
    try:
        forward_lines(cell), backward_lines(cell)
    except Unemittable as error:
        return Verdict((), f"no body for a {cell.name}: {error}")
    trusted, refusals = [], []
    for body in bodies_for(cell, dtype, device):
        try:
            apart = _apart(body, cell, dtype, device)
        except Exception as error:  # whatever a compiler or driver says: the reference still runs
            refusals.append(f"{body}: {type(error).__name__}: {error}")
            continue
        if apart > TOLERANCES[dtype]:
            refusals.append(f"{body}: {apart:.1e} of the largest entry from the reference")
            continue
        trusted.append(body)
        if takes(body, cell, MANY, device):
            break
    return Verdict(tuple(trusted), "; ".join(refusals))


def _apart(body: str, cell: Cell, dtype: torch.dtype, device: torch.device) -> float:
    """How far outputs and gradients, the second time, are from the reference's in float64, against the largest entry."""
    random = torch.Generator().manual_seed(0)
    twin = type(cell)(cell.inputs, cell.units, cell.settings)
    twin.initialise(random)
    inputs, weights = (torch.randn(*CHECKED, size, generator=random) for size in (cell.inputs, cell.units))

    def outcome(engine: Callable[..., Unrolled], *place) -> list[Tensor]:
        own, fed, scored = deepcopy(twin).to(*place), inputs.to(*place).requires_grad_(), weights.to(*place)
        taps = {name: torch.zeros_like(scored).requires_grad_() for name in cell.states}
        states = engine(own, fed, taps=taps).states
        score = sum((value * scored).sum() for value in states.values())
        leaves = [fed, *own.parameters(), *taps.values()]
        found = torch.autograd.grad(score, leaves, materialize_grads=True, allow_unused=True)
        return [value.detach().cpu().double() for value in (*states.values(), *found)]

    def ours(*arguments, **options) -> Unrolled:
        return run(body, *arguments, **options)

    with torch.enable_grad():
        expected = outcome(unroll, torch.device("cpu"), torch.float64)
        _, found = outcome(ours, device, dtype), outcome(ours, device, dtype)
    pairs = [(one, other) for one, other in zip(found, expected, strict=True) if other.numel()]
    scales = (max(other.abs().max().item(), 1e-3) for _, other in pairs)
    return max(((one - other).abs().max().item()) / scale for (one, other), scale in zip(pairs, scales, strict=True))
