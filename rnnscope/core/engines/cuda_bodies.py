"""What the CUDA engine does to a chunk of time steps: three bodies, all made from the cell's one update.

A body works in place on buffers of K time steps. Preactivations z (K, B, G H) have columns for all G gates, fed or not.

    advance(z, weight_h, states)
        z lacks what h gives; of states (S, K + 1, B, H) the first are given, and the others filled in
    retreat(z, weight_h, states, adjoints, carried)
        z is whole, and becomes its adjoint; states (S, K, B, H) are those before each time step
        adjoints (S, K, B, H), given those of the outputs, become those of the states after each time step
        carried (S, B, H) is the adjoint that the time steps after the chunk hand to it, and becomes what it hands on
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from rnnscope.core.cells.cell import Cell
from rnnscope.core.engines import triton_kernels


@dataclass(frozen=True)
class Body:
    """All time steps of a chunk, forward and backward."""

    advance: Callable[[Tensor, Tensor, Tensor], None]
    retreat: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], None]


def by_torch(cell: Cell, like: Tensor) -> Body:
    """The update and its adjoint as torch's own operations: any device."""
    gates = len(cell.gates)

    def update(*values: Tensor) -> tuple[Tensor, ...]:
        new, _ = cell.update(
            dict(zip(cell.gates, values, strict=False)), dict(zip(cell.states, values[gates:], strict=True))
        )
        return tuple(new[name] for name in cell.states)

    def adjoint(*values: Tensor) -> tuple[Tensor, ...]:
        count = gates + len(cell.states)
        return torch.func.vjp(update, *values[:count])[1](values[count:])

    examples = [torch.ones_like(like) for _ in (*cell.gates, *cell.states, *cell.states)]
    advanced, pulled = _traced(update, examples[: -len(cell.states)]), _traced(adjoint, examples)

    def forward(z: Tensor, states: Tensor, t: int) -> None:
        torch.stack(advanced(*z[t].split(cell.units, -1), *states[:, t]), out=states[:, t + 1])

    def backward(z: Tensor, states: Tensor, adjoints: Tensor, carried: Tensor, t: int) -> None:
        adjoints[:, t] += carried
        found = pulled(*z[t].split(cell.units, -1), *states[:, t], *adjoints[:, t])
        torch.cat(found[:gates], -1, out=z[t])
        torch.stack(found[gates:], out=carried)

    return _between_products(cell, forward, backward)


def pointwise(cell: Cell, like: Tensor) -> Body:
    """One Triton kernel a time step and direction, between the matrix products."""
    return _between_products(cell, *triton_kernels.pointwise(cell, like.dtype))


def persistent(cell: Cell, like: Tensor) -> Body:
    """One Triton kernel a chunk and direction, with the matrix products inside."""
    return Body(*triton_kernels.persistent(cell, like.dtype))


BODIES: dict[str, Callable[[Cell, Tensor], Body]] = {"persistent": persistent, "pointwise": pointwise, "torch": by_torch}


def bodies_for(cell: Cell, dtype: torch.dtype, device: torch.device) -> list[str]:
    """Keys of BODIES that may run such a cell there, the fastest first."""
    if find_spec("triton") is None or not (device.type == "cuda" or triton_kernels.interpreted()):
        return ["torch"]
    few = cell.units <= triton_kernels.HELD and dtype == torch.float32
    return [name for name in BODIES if few or name != "persistent"]


def takes(body: str, cell: Cell, batch: int, device: torch.device) -> bool:
    """Whether a body runs so many sequences there."""
    return body != "persistent" or triton_kernels.hold(cell.units, batch, device)


def _between_products(cell: Cell, forward: Callable[..., None], backward: Callable[..., None]) -> Body:
    """A body of one time step t at a time: forward(z, states, t) and backward(z, states, adjoints, carried, t)."""
    of_h = slice(cell.first_h, cell.columns)

    def advance(z: Tensor, weight_h: Tensor, states: Tensor) -> None:
        for t in range(len(z)):
            if len(weight_h):
                z[t][:, of_h].addmm_(states[0, t], weight_h.t())
            forward(z, states, t)

    def retreat(z: Tensor, weight_h: Tensor, states: Tensor, adjoints: Tensor, carried: Tensor) -> None:
        for t in reversed(range(len(z))):
            backward(z, states, adjoints, carried, t)
            if len(weight_h):
                carried[0].addmm_(z[t][:, of_h], weight_h)

    return Body(advance, retreat)


def _traced(function: Callable[..., tuple[Tensor, ...]], examples: list[Tensor]) -> torch.fx.GraphModule:
    """Only the operations that the results need, without the cell."""
    module = make_fx(function)(*examples)
    module.graph.eliminate_dead_code()
    module.recompile()
    return module
