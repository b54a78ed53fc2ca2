"""A cell's update and its adjoint as Triton kernels: one time step between matrix products, or many with them inside."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections.abc import Callable
from functools import cache
from types import ModuleType

import torch
from torch import Tensor

from rnnscope.core.cells.cell import Cell
from rnnscope.core.engines.emitting import OPERATIONS, Emitted, backward_lines, forward_lines
from rnnscope.core.engines.kernel_cache import TYPES, folder
from rnnscope.core.files import write_whole

aten = torch.ops.aten

BLOCK = 256  # units of all sequences that one program of a time step takes
ROWS = WIDTH = 16  # sequences, and their units, that one program of many time steps takes: the fewest of a product
HELD = 256  # units of a cell for which it can keep the recurrent weights of its own at hand

WORDS = OPERATIONS | {
    aten.abs.default: "tl.abs({0})",
    aten.exp.default: "tl.exp({0})",
    aten.log.default: "tl.log({0})",
    aten.relu.default: "tl.where({0} <= F(0), F(0), {0})",
    aten.maximum.default: "tl.where({0} >= {1}, {0}, tl.where({0} != {0}, {0}, {1}))",
    aten.minimum.default: "tl.where({0} <= {1}, {0}, tl.where({0} != {0}, {0}, {1}))",
    aten.where.self: "tl.where({0}, {1}, {2})",
    aten.logical_and.default: "{0} & {1}",
    aten.logical_not.default: "~{0}",
}

HEAD = '''"""Emitted by rnnscope from the update of the {name}; not to be edited."""

import triton
import triton.language as tl


@triton.jit
def sigmoid(x):
    return F(1) / (F(1) + tl.exp(-x))


@triton.jit
def tanh(x):
    z = x * x
    p = (F(-9.64399179425052238628e-1) * z - F(9.92877231001918586564e1)) * z - F(1.61468768441708447952e3)
    q = ((z + F(1.12811678491632931402e2)) * z + F(2.23548839060100448583e3)) * z + F(4.84406305325125486048e3)
    size = tl.abs(x)
    far = F(1) - F(2) / (tl.exp(size + size) + F(1))
    return tl.where(size < F(0.625), x + x * z * (p / q), tl.where(x > F(0), far, -far))


@triton.jit
def log1p(x):
    u = F(1) + x
    d = u - F(1)
    return tl.where(d == F(0), x, tl.log(u) * tl.where(d == x, F(1), x / d))


@triton.jit
def plus(x, y):
    return x + y


@triton.jit
def arrive(arrived):
    tl.debug_barrier()
    tl.atomic_add(arrived, 1, sem="release")


@triton.jit
def wait(arrived, goal):
    while tl.atomic_add(arrived, 0, sem="acquire") < goal:
        pass
'''  # tanh after Cephes (Moshier 1989), log1p after Kahan: both from what Triton has on every device and in its interpreter

ONE = """

@triton.jit(do_not_specialize=["t"])
def {direction}_step({arguments}, t, batch, plane, UNITS: tl.constexpr, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = i < batch * UNITS
    before = t.to(tl.int64) * batch
    z += (before + i // UNITS) * {gates} * UNITS + i % UNITS
    states += before * UNITS + i
"""

MANY = """

@triton.jit(do_not_specialize=["steps"])
def {direction}_loop(
    {arguments}, weight, arrived, steps, batch, plane,
    UNITS: tl.constexpr, PARTS: tl.constexpr, DEPTH: tl.constexpr, WIDTH: tl.constexpr,
):
    b = tl.program_id(0) * {rows} + tl.arange(0, {rows})[:, None]
    arrived, peers = arrived + tl.program_id(0), tl.num_programs(1)
    k = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)[None, :]
    part, depth = tl.arange(0, PARTS)[:, None, None] * DEPTH, tl.arange(0, DEPTH)
    i, j = part + depth[None, :, None], part + depth[None, None, :]
    inside, whole, square = (b < batch) & (k < UNITS), (b < batch) & (j < UNITS), (i < UNITS) & (k < UNITS)
    weight += {element}
"""


def pointwise(cell: Cell, dtype: torch.dtype) -> tuple[Callable, Callable]:
    """One time step t of the buffers, forward(z, states, t) and backward(z, states, adjoints, carried, t).

    The shapes are those of a body of the CUDA engine; the product with the recurrent weights is the caller's.
    """
    kernels = _imported(_source(cell, TYPES[dtype]), interpreted())

    def launch(kernel, z: Tensor, states: Tensor, *others) -> None:
        batch, units = states.shape[2:]
        programs = -(-batch * units // BLOCK)
        kernel[(programs,)](z, states, *others, batch, states.stride(0), UNITS=units, BLOCK=BLOCK)

    def forward(z: Tensor, states: Tensor, t: int) -> None:
        launch(kernels.forward_step, z, states, t)

    def backward(z: Tensor, states: Tensor, adjoints: Tensor, carried: Tensor, t: int) -> None:
        launch(kernels.backward_step, z, states, adjoints, carried, adjoints.stride(0), t)

    return forward, backward


def persistent(cell: Cell, dtype: torch.dtype) -> tuple[Callable, Callable]:
    """All time steps of the buffers in one launch: advance(z, weight_h, states), retreat(z, weight_h, states, ...).

    For at most HELD units, and as many sequences as the device can `hold`: the programs that share sequences wait for each
    other after every time step.
    """
    kernels, of_h = _imported(_source(cell, TYPES[dtype]), interpreted()), slice(cell.first_h, cell.columns)

    def launch(kernel, z: Tensor, weight_h: Tensor, states: Tensor, *others) -> None:
        batch, units = states.shape[2:]
        size = max(16, 1 << (units - 1).bit_length())
        warps = max(4, size // 32)
        parts = min(warps, size // 16)
        sizes = {"UNITS": units, "PARTS": parts, "DEPTH": size // parts, "WIDTH": size if interpreted() else WIDTH}
        grid = -(-batch // ROWS), -(-units // sizes["WIDTH"])
        numbers = z.new_zeros(grid[0], dtype=torch.int32), len(z), batch, states.stride(0)
        kernel[grid](z, states, *others, weight_h, *numbers, **sizes, num_warps=warps, launch_cooperative_grid=True)

    def advance(z: Tensor, weight_h: Tensor, states: Tensor) -> None:
        launch(kernels.forward_loop, z, weight_h, states)

    def retreat(z: Tensor, weight_h: Tensor, states: Tensor, adjoints: Tensor, carried: Tensor) -> None:
        launch(kernels.backward_loop, z, weight_h, states, adjoints, carried, adjoints.stride(0))
        carried[0].addmm_(z[0][:, of_h], weight_h)

    return advance, retreat


def hold(units: int, batch: int, device: torch.device) -> bool:
    """Whether all programs of a launch of many time steps run at once, one on each of the device's processors."""
    programs = -(-batch // ROWS) * -(-units // WIDTH)
    return device.type != "cuda" or programs <= torch.cuda.get_device_properties(device).multi_processor_count


def interpreted() -> bool:
    """Whether Triton is told to run its kernels in Python, on the CPU."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def _source(cell: Cell, dtype: str) -> str:
    """Python source of a cell's four kernels. Raises Unemittable."""
    forward, backward = forward_lines(cell, WORDS), backward_lines(cell, WORDS)
    text = HEAD.format(name=cell.name)
    for head, lines in (
        (_one("forward", "z, states", cell), _forward_step(forward)),
        (_one("backward", "z, states, adjoints, carried, above", cell), _backward_step(cell, backward)),
        (_many("forward", "z, states", cell, "k * UNITS + i"), _forward_loop(cell, forward)),
        (_many("backward", "z, states, adjoints, carried, above", cell, "i * UNITS + k"), _backward_loop(cell, backward)),
    ):
        text += head + "\n".join(_within(lines)) + "\n"
    numbers = re.sub(r"\bF\(([^()]*)\)", rf"tl.full((), \1, tl.{dtype})", text)
    return re.sub(r"\bINFINITY\b", 'float("inf")', numbers)


def _one(direction: str, arguments: str, cell: Cell) -> str:
    loads = [f"z{n} = tl.load(z + {n} * UNITS, inside)" for n, _ in enumerate(cell.gates)]
    loads += [f"s{n} = tl.load(states + {n} * plane, inside)" for n, _ in enumerate(cell.states)]
    head = ONE.format(direction=direction, arguments=arguments, gates=len(cell.gates))
    return head + "\n".join(_within(loads)) + "\n"


def _many(direction: str, arguments: str, cell: Cell, element: str) -> str:
    """`element` is where the weights of a gate have what factor j gives to result k."""
    head = MANY.format(direction=direction, arguments=arguments, gates=len(cell.gates), element=element, rows=ROWS)
    loads = [f"w{row} = tl.load(weight + {row} * UNITS * UNITS, square, 0.0)" for row, _ in enumerate(_fed_by_h(cell))]
    return head + "\n".join(_within(loads)) + "\n"


def _forward_step(emitted: Emitted) -> list[str]:
    stores = [f"tl.store(states + batch * UNITS + {n} * plane, {new}, inside)" for n, new in enumerate(emitted.results)]
    return emitted.lines + stores


def _backward_step(cell: Cell, emitted: Emitted) -> list[str]:
    loads, stores, gates = ["adjoints += before * UNITS + i", "carried += i"], [], len(cell.gates)
    for n, result in enumerate(emitted.results[gates:]):
        place = f"carried + {n} * batch * UNITS"
        loads.append(f"a{n} = tl.load(adjoints + {n} * above, inside) + tl.load({place}, inside)")
        stores += [f"tl.store(adjoints + {n} * above, a{n}, inside)", f"tl.store({place}, {result}, inside)"]
    stores += [f"tl.store(z + {n} * UNITS, {result}, inside)" for n, result in enumerate(emitted.results[:gates])]
    return loads + emitted.lines + stores


def _forward_loop(cell: Cell, emitted: Emitted) -> list[str]:
    gates, count = len(cell.gates), len(cell.states)
    begin = ["before = states + b * UNITS + j", "states += b * UNITS + k", f"z += b * {gates} * UNITS + k"]
    begin += [f"s{n} = tl.load(states + {n} * plane, inside, 0.0)" for n in range(count)]
    body = [f"z{n} = tl.load(z + {n} * UNITS, inside, 0.0)" for n in range(gates)]
    body += ["wait(arrived, step * peers)", f"h = {_of_others('before', 'whole')}"]
    body += [f"z{n} += tl.reduce({_product('h', row)}, 0, plus)" for row, n in enumerate(_fed_by_h(cell))]
    names = ", ".join(f"s{n}" for n in range(count))
    values = ", ".join(f"tl.where(inside, {new}, 0.0)" for new in emitted.results)
    body += [*emitted.lines, f"{names} = {values}", *_moved("+=", gates, "z"), *_moved("+=", 1, "states", "before")]
    body += [f"tl.store(states + {n} * plane, s{n}, inside)" for n in range(count)]
    return [*begin, "for step in tl.range(0, steps, num_stages=1):", *_within([*body, "arrive(arrived)"])]


def _backward_loop(cell: Cell, emitted: Emitted) -> list[str]:
    """The product of a time step's adjoints is what the one before it, in time, begins with."""
    gates = len(cell.gates)
    begin = ["last = (steps - 1).to(tl.int64) * batch * UNITS", f"z += last * {gates} + b * {gates} * UNITS"]
    begin += [f"after, z = z + batch * {gates} * UNITS + j, z + k"]
    begin += [f"{name} += last + b * UNITS + k" for name in ("states", "adjoints")] + ["carried += b * UNITS + k"]
    body, after, end = [f"z{n} = tl.load(z + {n} * UNITS, inside, 0.0)" for n in range(gates)], [], []
    for n, result in enumerate(emitted.results[gates:]):
        begin.append(f"c{n} = tl.load(carried + {n} * batch * UNITS, inside, 0.0)")
        body.append(f"s{n} = tl.load(states + {n} * plane, inside, 0.0)")
        body.append(f"a{n} = tl.load(adjoints + {n} * above, inside, 0.0) + c{n}")
        after.append(f"c{n} = tl.where(inside, {result}, 0.0)")
        end.append(f"tl.store(carried + {n} * batch * UNITS, c{n}, inside)")
    body.append("wait(arrived, step * peers)")
    body.append(f"sums = tl.full((PARTS, {ROWS}, WIDTH), 0.0, tl.float32)")
    for row, n in enumerate(_fed_by_h(cell)):
        body += [f"d = {_of_others(f'after + {n} * UNITS', 'whole & (step > 0)')}", f"sums += {_product('d', row)}"]
    body += ["a0 += tl.reduce(sums, 0, plus)", *emitted.lines]
    body += [f"tl.store(z + {n} * UNITS, {result}, inside)" for n, result in enumerate(emitted.results[:gates])]
    body += ["arrive(arrived)", *(f"tl.store(adjoints + {n} * above, a{n}, inside)" for n, _ in enumerate(cell.states))]
    body += [*after, *_moved("-=", gates, "z", "after"), *_moved("-=", 1, "states", "adjoints")]
    return [*begin, "for step in tl.range(0, steps, num_stages=1):", *_within(body), *end]


def _of_others(place: str, inside: str) -> str:
    """What other programs stored since this one began: not from the cache of its own processor."""
    return f'tl.load({place}, {inside}, 0.0, cache_modifier=".cg")'


def _product(factor: str, row: int) -> str:
    """With a gate's weights, in PARTS to be added; three in TF32 are as exact as one in float32."""
    return f'tl.dot({factor}, w{row}, input_precision="tf32x3")'


def _moved(sign: str, planes: int, *pointers: str) -> list[str]:
    return [f"{pointer} {sign} batch * {planes} * UNITS" for pointer in pointers]


def _fed_by_h(cell: Cell) -> list[int]:
    """The gates that the recurrent weights feed, in the order of their rows."""
    return [n for n, source in enumerate(cell.gates.values()) if "h" in source]


def _within(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]


@cache
def _imported(source: str, interpreted: bool) -> ModuleType:
    """The module of a source, on disk because Triton reads it there. One that it interprets is none that it compiles."""
    path = folder() / f"rnnscope_triton_{hashlib.sha256(source.encode()).hexdigest()[:20]}.py"
    write_whole(path, source.encode())
    spec = importlib.util.spec_from_file_location(f"{path.stem}_{'interpreted' if interpreted else 'compiled'}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
