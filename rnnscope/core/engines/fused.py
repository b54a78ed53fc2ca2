"""The fused engine, here on the CPU: a cell's update and its adjoint as one compiled loop each, products by the chunk.

Only the states are kept, and of short runs the gates: preactivations, or their sigmoid or tanh where the way back needs no
more. Else the preactivations of a chunk of time steps are made again from the states by one product; the weights' gradients
are one product a chunk. The adjoint of every state at every time step falls out of the loop, and signals are written where
they arise; those that are kept anyway are not written twice.
Threads share out the sequences, or the units of a single one: then they meet at each time step.

Checkpointed, only the states between chunks are kept, and each chunk runs again on the way back: memory grows with the
square root of the time steps, or by 0.75 to 1.5 MB of preactivations where that is more; the results are the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from threading import Lock
from types import ModuleType

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from rnnscope.core.cells.cell import Cell, Values
from rnnscope.core.denormals import flushed
from rnnscope.core.engines.buffers import blank
from rnnscope.core.engines.cuda import cuda
from rnnscope.core.engines.kernel_cache import loaded
from rnnscope.core.engines.reference import NORMS, Unrolled, unroll

CHUNK = 3 * 2**16  # preactivations that are made at once, or up to twice as many: 0.75 MB stay in the second cache
KEPT = 2**27  # numbers of gates that are kept for the way back if a run has no more: 512 MB
WORTH = 2**17  # multiplications at a time step that a thread must have to be worth starting
UPDATE = 2**6  # multiplications that take as long as the update of a unit
PART = 2**16  # weights by h that a thread must have if the units of a single sequence are shared out
NEVER = -(2**62)  # parts that have arrived when nobody is to wait any more
_gang = Lock()  # parts of two runs in one pool could each wait for a thread that the other one has
_NONE = np.zeros((1, 1, 1))


def fused(
    cell: Cell,
    inputs: Tensor,
    *,
    record: bool = False,
    keep: Sequence[str] = (),
    taps: Values | None = None,
    start: Values | None = None,
    lower: Values | None = None,
    checkpoint: bool = False,
    **others,
) -> Unrolled:
    """As `unroll`, which it calls where it cannot do without: no kernel yet, a glimpse, another device, a signal kept.

    checkpoint  keep the states between chunks only, on the CPU
    """
    options = {"record": record, "keep": keep, "taps": taps, "start": start, "lower": lower} | others
    if inputs.is_cuda:
        return cuda(cell, inputs, **options)
    kernel = loaded(cell, inputs.dtype) if inputs.device.type == "cpu" else None
    wanted = tuple(dict.fromkeys([*(cell.states if record or taps else ()), cell.output, *keep]))
    gauge = (taps or {}).get(NORMS)
    plain = not others.get("glimpse") and set(wanted) <= set(cell.states) and (gauge is not None or not taps)
    if kernel is None or not plain:
        return unroll(cell, inputs, **options)
    inputs, start = inputs.contiguous(), cell.initial_state(inputs.shape[1]) if start is None else start
    constants = cell.constants()
    vectors = torch.stack(constants) if constants else inputs.new_zeros(0, cell.units)
    nothing = inputs.new_zeros(1).expand(*inputs.shape[:2], cell.units) if cell.lower else None
    below = [lower[name] if lower else nothing for name in cell.lower]
    plan = _Plan(cell, kernel, wanted, record, checkpoint, 1 if checkpoint or inputs.shape[1] != 1 else _parts(cell))
    weights = (cell.weight_x, cell.weight_h, cell.full_bias(), vectors)
    found = _Loop.apply(plan, gauge, inputs, *weights, *(start[name] for name in cell.states), *below)
    states = dict(zip(wanted, found, strict=False))
    if not record:
        return Unrolled(states, {})
    recorded = states | dict(zip([*kernel.SIGNALS, *kernel.GATES], found[len(wanted) :], strict=True))
    return Unrolled(states, {name: recorded[name].detach() for name in cell.signals})


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is run, and what is asked of it."""

    cell: Cell
    kernel: ModuleType
    wanted: tuple[str, ...]
    record: bool
    checkpoint: bool
    parts: int  # among which the units of a single sequence are shared out: they stand where else sequences stand
    arrived: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))  # by which the parts wait for one another

    def folded(self, values: Tensor) -> Tensor:
        """(..., B, H) as the kernels take it: (..., B parts, H / parts)."""
        return values if self.parts == 1 else values.unflatten(-1, (self.parts, -1)).flatten(-3, -2)

    def unfolded(self, values: Tensor) -> Tensor:
        """The inverse of `folded`."""
        return values if self.parts == 1 else values.flatten(-2).unsqueeze(-2)

    def by_part(self, rows: Tensor) -> Tensor:
        """Of something with a row for every unit of every gate: (gates, parts, H / parts, ...)."""
        return rows.unflatten(0, (len(rows) // self.cell.units, self.parts, self.cell.units // self.parts))

    def of_part(self, rows: Tensor, part: int) -> Tensor:
        """Those of a part, contiguous."""
        return (rows if self.parts == 1 else self.by_part(rows)[:, part].flatten(0, 1)).contiguous()

    def packed(self, weight_x: Tensor, weight_h: Tensor) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """For each part: what multiplies x, h, and the adjoints of what h feeds, of all parts as these lie."""

        def together(shape: tuple[int, ...], _) -> np.ndarray:
            return blank(weight_h, *shape, together=True).numpy()  # for all of it is read at every time step

        units, parts = self.cell.units, self.parts
        rows = weight_h.detach().numpy().reshape(len(weight_h) // units, parts, units // parts, units)
        rows = rows.swapaxes(0, 1).reshape(parts, len(weight_h) // parts, units)
        there = [self.kernel.packed(part.T, together) for part in rows]
        zeros = _width(there[0]) - rows.shape[1]
        whole = np.pad(rows, ((0, 0), (0, zeros), (0, 0))) if zeros else rows
        whole = _rows(whole).reshape(-1, parts, units // parts)
        again = [self.kernel.packed(whole[:, part], together) for part in range(parts)]
        of_x = [self.kernel.packed(self.of_part(weight_x.detach(), part).numpy().T) for part in range(parts)]
        return list(zip(of_x, there, again, strict=True))

    def scratch(self, packed: list[tuple[np.ndarray, ...]], batch: int) -> np.ndarray:
        """Room for what passes between h and the gates at a time step, and at the next."""
        return self.cell.weight_h.new_zeros(2, batch * self.parts, _width(packed[0][1])).numpy()

    def rows(self, batch: int) -> list[tuple[int, int]]:
        """First and last + 1 of the sequences or parts of each share: as many as torch has threads, if each is worth it."""
        work = batch * (self.cell.weight_h.numel() + UPDATE * self.cell.units)
        shares = max(1, min(torch.get_num_threads(), batch, work // WORTH), self.parts)
        return list(pairwise(batch * self.parts * n // shares for n in range(shares + 1)))


class _Loop(torch.autograd.Function):
    """The states wanted, each (T, B, H), and the signals, from a gauge, inputs, weights, states before, what is below."""

    @staticmethod
    def forward(ctx, plan, gauge, inputs, weight_x, weight_h, bias, vectors, *rest):
        """All time steps, chunk by chunk; `rest` is the state before, then what is below."""
        cell, (steps, batch) = plan.cell, inputs.shape[:2]
        rest = [plan.folded(x) for x in rest]
        weights, packed = (weight_x, weight_h, bias, vectors), plan.packed(weight_x, weight_h)
        given = plan, inputs, *weights, rest, packed, plan.scratch(packed, batch)
        shares = [_Chunks(*given, *rows) for rows in plan.rows(batch)]
        states = shares[0].room(len(cell.states), 1 + (shares[0].steps if plan.checkpoint else steps))
        lanes = states[0].shape[1:]
        found = [blank(inputs, steps, *lanes) for _ in plan.wanted if plan.checkpoint]
        signals = [blank(inputs, steps, *lanes) for _ in plan.kernel.SIGNALS if plan.record]
        keep = any(ctx.needs_input_grad) and not plan.checkpoint and steps * batch * cell.columns <= KEPT
        seen = plan.kernel.GATES if plan.record else {}
        whole = {*seen.values(), *(plan.kernel.READ if keep else ())}
        gates = range(cell.columns // cell.units)
        kept = [blank(inputs, steps if gate in whole else 1, *lanes) for gate in gates]
        ctx.plan, ctx.shares, ctx.rest = plan, shares, len(rest)
        arrays = tuple(map(_arrays, (states, found, kept, signals)))
        for state, before in zip(arrays[0], _arrays(rest), strict=False):
            state[0] = before
        ctx.between = _each(lambda chunks: chunks.forward(*arrays), shares, plan)
        saved = () if plan.checkpoint else states
        ctx.save_for_backward(inputs, *weights, *rest, *saved, *(kept if keep else ()))
        ctx.set_materialize_grads(False)
        if not plan.checkpoint:
            found = [states[cell.states.index(name)][1:] for name in plan.wanted]
        signals += [kept[n] for n in seen.values()]
        found, signals = ([plan.unfolded(x) for x in values] for values in (found, signals))
        ctx.mark_non_differentiable(*signals)
        return *found, *signals

    @staticmethod
    @once_differentiable
    def backward(ctx, *gradients):
        """Gradients of everything that `forward` took, from those of the states, the newest chunk first."""
        plan, cell, shares = ctx.plan, ctx.plan.cell, ctx.shares
        inputs, _, _, _, vectors, *others = ctx.saved_tensors  # as they were, or this raises
        rest, saved, (steps, batch) = others[: ctx.rest], others[ctx.rest :], inputs.shape[:2]
        count, most = len(cell.states), shares[0].steps
        states = shares[0].room(count, most + 1) if plan.checkpoint else saved[:count]
        kept = saved[count:] or shares[0].room(cell.columns // cell.units, most)
        lanes = states[0].shape[1:]
        to_x = inputs.new_empty(steps, lanes[0], inputs.shape[2]) if ctx.needs_input_grad[2] else None
        to_lower = [blank(inputs, steps, *lanes) for _ in cell.lower]
        pairs = zip(plan.wanted, gradients, strict=False)
        of_states = {name: plan.folded(x.resolve_neg()) for name, x in pairs if x is not None}
        nothing = inputs.new_zeros(1, *lanes)
        adjoints = [blank(inputs, most, *lanes) if name in of_states else nothing for name in cell.states]
        carried = [before.new_zeros(2, *lanes) for before in rest[:count]]  # of a time step and of the next one
        back = inputs.new_zeros(lanes[0], _width(shares[0].again))
        sums = inputs.new_zeros(lanes[0], len(vectors), lanes[1])
        double = inputs.new_empty(0, dtype=torch.float64)
        squares = blank(double, steps, lanes[0], 1 + count) if ctx.needs_input_grad[1] else None
        given = [(a.numpy(), of_states[n].numpy()) for n, a in zip(cell.states, adjoints, strict=True) if n in of_states]
        lists = tuple(map(_arrays, (to_lower, states, adjoints, carried)))
        arrays = *lists, back.numpy(), sums.numpy(), None if squares is None else squares.numpy()
        to_inputs, made = None if to_x is None else to_x.numpy(), _arrays(kept)

        def work(share: tuple) -> list[Tensor]:
            chunks, between = share
            return chunks.backward(given, between, made, bool(saved[count:]), to_inputs, *arrays)

        found = _each(work, list(zip(shares, ctx.between, strict=True)), plan)
        to_weights = [sum(more, first) for first, *more in zip(*found, strict=True)]
        to_start = [adjoint[0] for adjoint in carried]
        to_start[0] += back[:, : lanes[1]]
        if plan.parts > 1:
            to_x = None if to_x is None else to_x.sum(1, keepdim=True)
        to_vectors = sums.view(batch, plan.parts, *sums.shape[1:]).sum(0).transpose(0, 1).reshape(vectors.shape)
        norms = squares if squares is None or plan.parts == 1 else squares.sum(1, keepdim=True).sqrt_()
        return None, norms, to_x, *to_weights, to_vectors, *(plan.unfolded(x) for x in (*to_start, *to_lower))


class _Chunks:
    """The way of some sequences, first..last, there and back, by chunks of time steps: what one thread does.

    What the inputs give to a chunk, and the adjoints of its preactivations, (C, last - first, gates fed * H, and zeros up
    to whole panels), are its own; other arrays are those of all sequences. Where the units of a single sequence are parted,
    it is the way of a part, and the weights and biases are its rows. Views are numpy's: each of torch's lets go of Python's
    lock, for which the threads would queue.
    """

    def __init__(self, plan, inputs, weight_x, weight_h, bias, vectors, rest, packed, scratch, first, last):
        cell, steps, parts = plan.cell, len(inputs), plan.parts
        self.plan, self.inputs, self.mine, self.scratch = plan, inputs.detach().numpy(), slice(first, last), scratch
        self.start = 0 if parts > 1 else first  # of those whose inputs and hidden states it reads
        self.columns, self.last_x, self.first_h = (n // parts for n in (cell.columns, cell.last_x, cell.first_h))
        length = max(1, CHUNK // max(1, (last - first) * self.columns))
        longest = max(length, math.isqrt(steps)) if plan.checkpoint else length
        self.steps = -(-steps // max(1, steps // longest))  # as even as it goes, at most twice as long
        part, units = first if parts > 1 else 0, cell.units // parts
        self.weight_x, self.weight_h, bias = (plan.of_part(x.detach(), part) for x in (weight_x, weight_h, bias))
        self.of_x, self.there, self.again = packed[part]
        self.panel = self.of_x.shape[2]  # columns of it
        self.bias = pad(bias, (0, -self.columns % self.panel)).numpy()
        constants = vectors.detach().narrow(1, part * units, units).contiguous().numpy()
        self.given = constants, _arrays([x.contiguous() for x in rest[len(cell.states) :]])
        self.lanes = inputs.shape[1] * parts, units
        self.whose = first, first, last, plan.arrived
        self.gates = blank(self.weight_x, self.steps, last - first, len(self.bias)).numpy()

    def room(self, count: int, steps: int) -> list[Tensor]:
        """Room for so many values of every unit at so many time steps: (steps, B parts, H / parts) each."""
        return [blank(self.weight_x, steps, *self.lanes) for _ in range(count)]

    def forward(self, states: Sequence, found: Sequence, kept: Sequence, signals: Sequence) -> list[list[np.ndarray]]:
        """Fill all these; checkpointed, `states` holds one chunk, and those before each chunk are returned."""
        checkpoint, names, between, mine = self.plan.checkpoint, self.plan.cell.states, [], self.mine
        for begin, end in self.spans():
            if checkpoint:
                between.append([state[0, mine].copy() for state in states])
            seen = tuple(z[begin:end] if len(z) > 1 else z for z in kept)
            self.advance(begin, end, seen, states, signals)
            if checkpoint:
                for name, whole in zip(self.plan.wanted, found, strict=True):
                    whole[begin:end, mine] = states[names.index(name)][1 : end - begin + 1, mine]
                for state in states:
                    state[0, mine] = state[end - begin, mine]
        return between

    def backward(
        self, given, between, kept, whole: bool, to_x, to_lower, states, adjoints, carried, back, sums, squares
    ) -> list[Tensor]:
        """Gradients of the weights by x and h and of the bias; those of the rest are filled in.

        whole  `kept` has all time steps; else it is room for those of a chunk, which are made again
        """
        kernel, mine, checkpoint = self.plan.kernel, self.mine, self.plan.checkpoint
        run, sums_of = (kernel.backward, _NONE) if squares is None else (kernel.gauged, squares)
        fixed = self.scratch, self.again, *self.given, to_lower, states, adjoints, carried, back, sums
        units, inputs, (skipped, past) = self.plan.cell.units, self.inputs.shape[2], divmod(self.first_h, self.panel)
        hidden = states[0].reshape(len(states[0]), -1, units)  # of the sequences, where lanes are parts
        rooms = [blank(self.weight_x, kernel.DEPTH * n).numpy() for n in (max(inputs, units), len(self.bias))]
        shapes = (inputs, _width(self.of_x)), (units, len(self.bias) - skipped * self.panel), len(self.bias)
        found = [np.zeros(shape, self.inputs.dtype) for shape in shapes]
        for n, (begin, end) in reversed(list(enumerate(self.spans()))):
            for values, gradient in given:
                values[: end - begin, mine] = gradient[begin:end, mine]
            place, gates = 0 if checkpoint else begin, self.gates[: end - begin]
            seen = tuple(z[: end - begin] if not whole else z[begin:end] if len(z) > 1 else z for z in kept)
            if checkpoint:
                for state, first in zip(states, between[n], strict=True):
                    state[0, mine] = first
                self.advance(begin, end, seen, states, ())
            columns, before = torch.from_numpy(_rows(gates)[:, : self.columns]), hidden[place : place + end - begin]
            if not checkpoint and not whole:
                self.enter(begin, end)
                seen_h = before[:, self.start : self.start + gates.shape[1]].reshape(-1, units)
                columns[:, self.first_h :].addmm_(torch.from_numpy(seen_h), self.weight_h.t())
                kernel.keep(gates, seen, *self.whose[:3])
            run(gates, seen, *fixed, sums_of, begin, place, *self.whose)
            if squares is not None and self.plan.parts == 1:
                np.sqrt(squares[begin:end, mine], out=squares[begin:end, mine])
            kernel.collect(gates, self.inputs[begin:end], before, *rooms, *found, self.start)
            if to_x is not None:
                made_x = torch.mm(columns[:, : self.last_x], self.weight_x).numpy()
                to_x[begin:end, mine] = made_x.reshape(*gates.shape[:2], inputs)
        by_x, by_h, bias = (torch.from_numpy(x.T) for x in found)
        by_h = by_h[past : past + self.columns - self.first_h]
        return [self.whole(x) for x in (by_x[: self.last_x], by_h, bias[: self.columns])]

    def whole(self, rows: Tensor) -> Tensor:
        """What is meant for the rows of this part among the rows of all, zero for the others."""
        if self.plan.parts == 1:
            return rows
        whole = rows.new_zeros(len(rows) * self.plan.parts, *rows.shape[1:])
        self.plan.by_part(whole)[:, self.mine.start] = rows.unflatten(0, (-1, self.lanes[1])) if len(rows) else rows
        return whole

    def spans(self) -> Iterator[tuple[int, int]]:
        """First and last time step + 1 of each chunk."""
        edges = range(0, len(self.inputs), self.steps)
        return ((begin, min(begin + self.steps, len(self.inputs))) for begin in edges)

    def advance(self, begin: int, end: int, kept: tuple, states: Sequence, signals: Sequence) -> None:
        """Run the cell over a chunk, from the states before it on."""
        self.enter(begin, end)
        run = self.plan.kernel.traced if signals else self.plan.kernel.forward
        arrays = self.gates[: end - begin], kept, self.scratch, self.there, *self.given, states, signals
        run(*arrays, begin, 0 if self.plan.checkpoint else begin, *self.whose)

    def enter(self, begin: int, end: int) -> None:
        """Fill in what the inputs and the biases give."""
        arrays = self.gates[: end - begin], self.inputs[begin:end], self.of_x, self.bias
        self.plan.kernel.enter(*arrays, self.last_x, self.start)


def _rows(values: np.ndarray) -> np.ndarray:
    """(T, B, ...) as (T B, ...)."""
    return values.reshape(math.prod(values.shape[:-1]), values.shape[-1])


def _width(packed: np.ndarray) -> int:
    """Columns of what a kernel multiplies, with those that are zero: (panels, K, columns of a panel)."""
    return packed.shape[0] * packed.shape[2]


def _arrays(tensors: Sequence[Tensor]) -> tuple[np.ndarray, ...]:
    return tuple(tensor.detach().numpy() for tensor in tensors)


def _parts(cell: Cell) -> int:
    """Among how many threads the units of a single sequence are shared out: as many as divide them, if each is worth it."""
    most = min(torch.get_num_threads(), cell.weight_h.numel() // PART)
    return next((parts for parts in range(most, 1, -1) if cell.units % parts == 0), 1)


def _each(work: Callable, shares: Sequence, plan: _Plan) -> list:
    """What `work` gives for each share, all at once: the first here, where torch does its products alone meanwhile.

    As torch has it, a thread that asks it for its number of threads for the first time meanwhile has one from then on.
    """
    threads, together = torch.get_num_threads(), _gang if plan.parts > 1 else nullcontext()
    with together, flushed():
        plan.arrived[:] = 0
        others = []
        torch.set_num_threads(1)
        try:
            others.extend(_pool(len(shares) - 1).submit(_part, work, share, plan) for share in shares[1:])
            return [work(shares[0]), *(other.result() for other in others)]
        except BaseException:
            plan.arrived[:] = NEVER
            raise
        finally:
            torch.set_num_threads(threads)
            wait(others)


def _part(work: Callable, share: object, plan: _Plan) -> object:
    """What `work` gives for a share; if it fails, the others, which would wait for it, wait no more."""
    try:
        with torch.no_grad():
            return work(share)
    except BaseException:
        plan.arrived[:] = NEVER
        raise


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "rnnscope-fused", _alone)


def _alone() -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
