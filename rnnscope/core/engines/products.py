"""Matrix products inside kernels: a tile of rows and columns at a time, whose sums stay in the processor's registers.

At a time step a product is small, and calling a BLAS for it costs more than it saves: one copies the weights anew at every
call, another has no fast path for few rows or for another maker's processors. Here the weights are packed once, in panels
of as many columns as two vectors hold, and LLVM is given vectors to multiply and add. One sequence reads its weights from
the cache faster than it could add to two vectors; there every fourth row of a panel has sums of its own. A gradient of
weights sums over the rows of two matrices that lie along: it is the same product with the left one turned, and the other
packed by the block, while its rows are added up for the biases.

A row's result is the same whatever rows stand beside it, unless it stands alone.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import reduce
from itertools import product as pairs

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

FEATURES = numba.config.CPU_FEATURES or llvmlite.binding.get_host_cpu_features().flatten()
BYTES = next((size for name, size in (("+avx512f", 64), ("+avx,", 32)) if name in FEATURES + ","), 16)  # of a vector
MOST = 8 if BYTES == 64 or platform.machine() in ("arm64", "aarch64") else 4  # rows of a tile: of 32 registers, or of 16
VECTORS = 2  # beside one another in a tile
INDEX = ir.IntType(64)


def packed(matrix: np.ndarray, empty: Callable = np.empty) -> np.ndarray:
    """(K, N) in panels of N, (panels, K, columns of a tile), with zeros beyond the last column.

    empty  (shape, precision) -> the array that it is put into
    """
    rows, columns, width = *matrix.shape, VECTORS * BYTES // matrix.itemsize
    whole, rest = divmod(columns, width)
    panels = empty((whole + (rest > 0), rows, width), matrix.dtype)
    panels[:whole] = matrix[:, : whole * width].reshape(rows, whole, width).swapaxes(0, 1)
    panels[whole:, :, :rest], panels[whole:, :, rest:] = matrix[:, whole * width :], 0
    return panels


class _Tile:
    """LLVM's instructions for a tile of so many rows, whose terms are dealt out among so many sums."""

    def __init__(self, builder: ir.IRBuilder, number: ir.Type, size: int, rows: int, sums: int):
        self.builder, self.size, self.lanes = builder, size, BYTES // size
        self.vector = ir.VectorType(number, self.lanes)
        self.nothing = ir.Constant(self.vector, ir.Undefined)
        self.rows, self.places, self.sums = range(rows), range(VECTORS), range(sums)
        zero = ir.Constant(self.vector, [0.0] * self.lanes)
        self.totals = {at: cgutils.alloca_once_value(builder, zero) for at in pairs(self.sums, self.rows, self.places)}

    def at(self, start: ir.Value, *factors: ir.Value) -> ir.Value:
        """The address as many numbers behind `start` as the product of the factors."""
        return self.builder.gep(start, [reduce(self.builder.mul, factors)])

    def part(self, start: ir.Value, place: int) -> ir.Value:
        """The address of a vector."""
        return self.builder.bitcast(self.at(start, INDEX(place * self.lanes)), self.vector.as_pointer())

    def spread(self, address: ir.Value) -> ir.Value:
        """A vector of one number."""
        single = self.builder.insert_element(self.nothing, self.builder.load(address), ir.IntType(32)(0))
        every = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(single, self.nothing, every)

    def add(self, numbers: list[ir.Value], row: ir.Value, s: int) -> None:
        """To sums s, for each of the numbers it times a row of the weights; "contract" allows it in one instruction."""
        weights = [self.builder.load(self.part(row, v), align=self.size) for v in self.places]
        for n, number in enumerate(map(self.spread, numbers)):
            for v in self.places:
                term = self.builder.fmul(number, weights[v], flags=["contract"])
                total = self.totals[s, n, v]
                self.builder.store(self.builder.fadd(self.builder.load(total), term, flags=["contract"]), total)

    def write(self, starts: list[ir.Value], onto: bool) -> None:
        """What has been added, to a row each; onto, to what is in it."""
        for (n, start), v in pairs(enumerate(starts), self.places):
            total = reduce(self.builder.fadd, (self.builder.load(self.totals[s, n, v]) for s in self.sums))
            if onto:
                total = self.builder.fadd(self.builder.load(self.part(start, v), align=self.size), total)
            self.builder.store(total, self.part(start, v), align=self.size)


def _tile(rows: int, onto: bool, turned: bool, sums: int = 1):
    """A function of left (A, K), a, packed (P, K, C), out (B, P C), b, p: of rows a, ... makes rows b, ... of panel p.

    onto    adds to these
    turned  takes left as (K, A)
    """

    @intrinsic
    def tile(typing, left, a, weights, out, b, p):
        def generate(context, builder, signature, arguments):
            emit = _Tile(builder, context.get_value_type(left.dtype), left.dtype.bitwidth // 8, rows, sums)
            start, first, panel = (arguments[n] for n in (1, 4, 5))
            given = ((signature.args[n], arguments[n]) for n in (0, 2, 3))
            arrays = [context.make_array(kind)(context, builder, value) for kind, value in given]
            (x, pitch), (w, depth), (y, wide) = ((a.data, builder.extract_value(a.shape, 1)) for a in arrays)
            columns, one, step = INDEX(VECTORS * emit.lanes), INDEX(1), INDEX(sums)
            along, across = (pitch, one) if turned else (one, pitch)
            left_rows = [emit.at(emit.at(x, start, across), INDEX(n), across) for n in emit.rows]
            out_rows = [emit.at(emit.at(y, first, wide), INDEX(n), wide) for n in emit.rows]
            parts = [emit.at(row, panel, columns) for row in out_rows]
            w, rest = emit.at(w, panel, depth, columns), builder.urem(depth, step)

            def add(k, s):
                emit.add([emit.at(row, k, along) for row in left_rows], emit.at(w, k, columns), s)

            with cgutils.for_range_slice(builder, INDEX(0), rest, one, inc=True) as (k, _):
                add(k, 0)
            with cgutils.for_range_slice(builder, rest, depth, step, inc=True) as (k, _):
                for s in emit.sums:
                    add(builder.add(k, INDEX(s)), s)
            emit.write(parts, onto)
            return context.get_dummy_value()

        return types.void(left, types.intp, weights, out, types.intp, types.intp), generate

    return tile


@intrinsic
def laid(typing, rows, k, panels, p, sums):
    """Fill panel p of `panels` (P, K, C) with rows k.. of `rows` (B, N), whose sum is added to that part of `sums` (N)."""

    def generate(context, builder, signature, arguments):
        emit = _Tile(builder, context.get_value_type(rows.dtype), rows.dtype.bitwidth // 8, 1, 1)
        given = ((signature.args[n], arguments[n]) for n in (0, 2, 4))
        x, out, total = (context.make_array(kind)(context, builder, value) for kind, value in given)
        pitch, depth = (builder.extract_value(a.shape, 1) for a in (x, out))
        columns, panel = INDEX(VECTORS * emit.lanes), arguments[3]
        start, to = emit.at(emit.at(x.data, arguments[1], pitch), panel, columns), emit.at(out.data, panel, depth, columns)
        with cgutils.for_range(builder, depth) as loop:
            for v in emit.places:
                seen = builder.load(emit.part(emit.at(start, loop.index, pitch), v), align=emit.size)
                builder.store(seen, emit.part(emit.at(to, loop.index, columns), v), align=emit.size)
                builder.store(builder.fadd(builder.load(emit.totals[0, 0, v]), seen), emit.totals[0, 0, v])
        emit.write([emit.at(total.data, panel, columns)], onto=True)
        return context.get_dummy_value()

    return types.void(rows, types.intp, panels, types.intp, sums), generate


def _product(onto: bool, turned: bool = False):
    """The function below; onto, it adds to what is in `out`; turned, it takes `left` as (K, A)."""
    eight, four, two, one = (_tile(rows, onto, turned) for rows in (8, 4, 2, 1))
    alone = _tile(1, onto, turned, sums=4)

    @njit(error_model="numpy", nogil=True, _nrt=False)
    def product(left, start, weights, out, first, last, back):
        """Fill rows first..last of `out` (B, P C) with as many of `left` (A, K), from `start` on, times what was `packed`.

        No array has gaps. The last panel comes first if `back` is true: of two that take turns, one finds in the cache what
        the other used last.
        """
        rows, panels = last - first, len(weights)
        if rows == 1:
            for n in range(panels):
                alone(left, start, weights, out, first, panels - 1 - n if back else n)
            return
        for n in range(panels):
            p, b = panels - 1 - n if back else n, 0
            while rows - b >= 8 and MOST == 8:
                eight(left, start + b, weights, out, first + b, p)
                b += 8
            while rows - b >= 4:
                four(left, start + b, weights, out, first + b, p)
                b += 4
            if rows - b >= 2:
                two(left, start + b, weights, out, first + b, p)
                b += 2
            if rows - b:
                one(left, start + b, weights, out, first + b, p)

    return product


product, added, turned = _product(onto=False), _product(onto=True), _product(onto=True, turned=True)
