"""From a cell's pointwise update to the lines of a scalar loop: traced and differentiated by torch, printed as Python.

Nobody writes a gradient by hand: the adjoint is `torch.func.vjp` of the same update.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch._decomp import core_aten_decompositions
from torch.fx.experimental.proxy_tensor import make_fx

from rnnscope.core.cells.cell import Cell, Values

aten = torch.ops.aten


class Unemittable(Exception):
    """The update does something that the emitter has no words for; the message names it."""


Operations = Mapping[object, str]
OPERATIONS: Operations = {  # what is not a number stays so, as in torch
    aten.add.Tensor: "{0} + {1}",
    aten.add.Scalar: "{0} + {1}",
    aten.sub.Tensor: "{0} - {1}",
    aten.sub.Scalar: "{0} - {1}",
    aten.rsub.Scalar: "{1} - {0}",
    aten.mul.Tensor: "{0} * {1}",
    aten.mul.Scalar: "{0} * {1}",
    aten.div.Tensor: "{0} / {1}",
    aten.div.Scalar: "{0} / {1}",
    aten.neg.default: "-{0}",
    aten.abs.default: "abs({0})",
    aten.reciprocal.default: "F(1) / {0}",
    aten.exp.default: "exp({0})",
    aten.log.default: "log({0})",
    aten.log1p.default: "log1p({0})",
    aten.sigmoid.default: "sigmoid({0})",
    aten.tanh.default: "tanh({0})",
    aten.relu.default: "F(0) if {0} <= F(0) else {0}",
    aten.maximum.default: "{1} if {0} < {1} or {1} != {1} else {0}",
    aten.minimum.default: "{1} if {0} > {1} or {1} != {1} else {0}",
    aten.where.self: "{1} if {0} else {2}",
    aten.eq.Tensor: "{0} == {1}",
    aten.eq.Scalar: "{0} == {1}",
    aten.gt.Tensor: "{0} > {1}",
    aten.gt.Scalar: "{0} > {1}",
    aten.lt.Tensor: "{0} < {1}",
    aten.lt.Scalar: "{0} < {1}",
    aten.ge.Tensor: "{0} >= {1}",
    aten.ge.Scalar: "{0} >= {1}",
    aten.le.Tensor: "{0} <= {1}",
    aten.le.Scalar: "{0} <= {1}",
    aten.logical_and.default: "{0} and {1}",
    aten.logical_not.default: "not {0}",
    aten.full_like.default: "{1}",
    aten.zeros_like.default: "F(0)",
    aten.ones_like.default: "F(1)",
    aten.scalar_tensor.default: "{0}",
    aten.full.default: "{1}",
    aten.copy_.default: "{1}",
    aten.clone.default: "{0}",
    aten.detach.default: "{0}",
    aten.alias.default: "{0}",
    aten.expand.default: "{0}",
}

NOTHING = "F(-0.0)"  # to add it changes no bit
KNOWN = {f"exp({NOTHING})": "F(1)"}  # compilers do not see through the kernels' own functions
SIMPLER = {aten.pow.Tensor_Scalar: lambda x, power: x * x if power == 2 else NotImplemented}


@dataclass(frozen=True)
class Emitted:
    """Scalar expressions by name, in order, and what each result is called."""

    values: dict[str, str]
    results: list[str]

    @property
    def lines(self) -> list[str]:
        """The statements."""
        return [f"{name} = {value}" for name, value in self.values.items()]

    def named(self, value: str) -> str:
        """What an expression is called: the name that it has got, or as it is."""
        return next((name for name, found in self.values.items() if found == value), value)

    def uses(self, name: str) -> list[str]:
        """The expressions in which a name occurs."""
        return [value for value in self.values.values() if re.search(rf"\b{name}\b", value)]

    def knowing(self, known: Mapping[str, str]) -> Emitted:
        """The same with what is known of some names in place of how they are found, and without what is of no use then."""
        values, needed = {}, set(self.results)
        for name, value in reversed(self.values.items()):
            if name in needed:
                values[name] = known.get(name, value)
                needed.update(re.findall(r"\w+", values[name]))
        return Emitted(dict(reversed(values.items())), self.results)


def signals_of(cell: Cell) -> list[str]:
    """What a traced kernel writes beside the states, in this order."""
    return [name for name in cell.signals if name not in cell.states]


def forward_lines(cell: Cell, operations: Operations = OPERATIONS, traced: bool = False) -> Emitted:
    """The new states, from gates `z0, ...`, states `s0, ...` and lower `l0, ...`; traced, every one of `signals_of` too."""

    def update(*values: Tensor) -> tuple[Tensor, ...]:
        gates, state = _named(cell, values)
        new, signals = cell.update(gates, state)
        if traced:
            signals |= new
            signals |= cell.derived(signals, state)
        return tuple(new[name] for name in cell.states) + tuple(signals[name] for name in signals_of(cell) if traced)

    return _emit(update, _arguments(cell), operations)


def backward_lines(cell: Cell, operations: Operations = OPERATIONS, gauged: bool = False, again: bool = False) -> Emitted:
    """The adjoints of gates, states and lower, in this order, from the same and the new states' adjoints `a0, ...`.

    Gauged, the adjoints of the new states in each of the cell's coordinates follow; with `again`, the new states do.
    """
    names = _arguments(cell)

    def update(*values: Tensor) -> tuple[Tensor, ...]:
        new, _ = cell.update(*_named(cell, values))
        return tuple(new[name] for name in cell.states)

    def adjoint(*values: Tensor) -> tuple[Tensor, ...]:
        adjoints = values[len(names) :]
        new, pull = torch.func.vjp(update, *values[: len(names)])
        states, gradients = (dict(zip(cell.states, part, strict=True)) for part in (new, adjoints))
        coordinates = cell.in_coordinates(states, gradients).values() if gauged else ()
        return *pull(adjoints), *coordinates, *(new if again else ())

    return _emit(adjoint, names + _numbered("a", cell.states), operations)


def _arguments(cell: Cell) -> list[str]:
    return _numbered("z", cell.gates) + _numbered("s", cell.states) + _numbered("l", cell.lower)


def _numbered(letter: str, names: Iterable[str]) -> list[str]:
    return [f"{letter}{n}" for n, _ in enumerate(names)]


def _named(cell: Cell, values: Sequence[Tensor]) -> tuple[Values, Values]:
    """Gates, and states with what lies below, as `Cell.update` takes them."""
    names = [*cell.gates, *cell.states, *(f"lower_{name}" for name in cell.lower)]
    parts = list(zip(names, values, strict=True))
    return dict(parts[: len(cell.gates)]), dict(parts[len(cell.gates) :])


def _emit(function: Callable[..., tuple[Tensor, ...]], names: Sequence[str], operations: Operations) -> Emitted:
    """Trace `function` on as many (2, 3) tensors as there are names; every tensor becomes one scalar."""
    random = torch.Generator().manual_seed(0)
    examples = [torch.rand(2, 3, generator=random) + 0.1 for _ in names]
    graph = make_fx(function, decomposition_table={**core_aten_decompositions(), **SIMPLER})(*examples).graph
    graph.eliminate_dead_code()
    words, lines, given = {}, {}, iter(names)
    for node in graph.nodes:
        if node.op == "placeholder":
            words[node] = next(given)
        elif node.op == "output":
            results = [_word(value, words) for value in node.args[0]]
            return Emitted({name: value for value, name in lines.items()}, results)
        elif node.target not in operations or not _pointwise(node):
            raise Unemittable(str(node.target))
        else:
            value = operations[node.target].format(*(_word(value, words) for value in node.args))
            value = KNOWN.get(value, value.removesuffix(f" + {NOTHING}"))
            words[node] = value if value.isidentifier() or value == NOTHING else lines.setdefault(value, f"v{len(lines)}")
    raise Unemittable("an update without results")


def _pointwise(node) -> bool:
    """Whether a value keeps the shape of the examples, or is a single number: no sums, no matrices."""
    return tuple(node.meta["val"].shape) in ((2, 3), ()) and node.kwargs.get("alpha", 1) == 1


def _word(value, words: Mapping) -> str:
    """A value of the graph, a number, or what stands for an argument that no expression uses."""
    if isinstance(value, torch.fx.Node):
        return words[value]
    if isinstance(value, (int, float)):
        return f"F({value!r})" if abs(value) != float("inf") else f"F({'-' if value < 0 else ''}INFINITY)"
    return "F(0)"
