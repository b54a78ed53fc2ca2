"""What every module of kernels begins with: how it is compiled, and what the kernels ask of the processor."""

from __future__ import annotations

import os

LOOKS = 2**14  # at the other parts, tens of microseconds: longer than a time step of any part that has a core
YIELDING = "sched_yield" if os.name == "posix" else "SwitchToThread"  # by which the system lets another thread run

HEAD = '''"""Emitted by rnnscope from the update of the {name}; not to be edited."""

import math

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.extending import intrinsic

from rnnscope.core.engines.products import BYTES, VECTORS, added, laid, packed, product, turned


class Apart(CompilerBase):
    """Compiles for arrays that do not overlap, so that loops over many of them need not check it."""

    def define_pipelines(self):
        """The usual ones."""
        self.state.flags.noalias = True
        return [DefaultPassBuilder.define_nopython_pipeline(self.state)]


F = np.{dtype}
SIGNALS = {signals}  # that are written beside the states
GATES = {gates}  # others, which are what is kept of a gate, and the places of these
READ = {read}  # places of what is kept of gates and the way back reads
LINE = 64 // F().itemsize  # numbers in a line of the cache
AHEAD = 4  # time steps
BLOCK = 16  # rows that are multiplied together, or those of one time step
DEPTH = 192  # rows, at most, whose products are summed together: 24 KB of a panel stay in the first cache
WIDTH = VECTORS * BYTES // F().itemsize  # columns of a panel
NEAR = 4096 // F().itemsize  # numbers at a time step of which the processor has the next ones ready by itself
INFINITY, NAN = math.inf, math.nan
# Divisions by the same number may share its inverse. No references are counted: each count would wait until all that was
# written before has arrived.
OPTIONS = {{"error_model": "numpy", "fastmath": {{"contract", "arcp"}}, "nogil": True, "_nrt": False}}
KERNEL = OPTIONS | {{"cache": True, "pipeline_class": Apart}}


@njit(inline="always", **OPTIONS)
def clear(total):
    """Whether a sum of squares is clear of what underflows and overflows."""
    return F(1e-24) < total < F(INFINITY)


@intrinsic
def summed(typing, total, value):
    """`total` and the square of `value`; in a loop by as many sums as a vector has places."""

    def generate(context, builder, signature, arguments):
        square = builder.fmul(arguments[1], arguments[1], flags=["contract"])
        return builder.fadd(arguments[0], square, flags=["contract", "reassoc"])

    return total(total, value), generate


def place(context, builder, signature, arguments):
    """Where the first entry of an array is."""
    return context.make_array(signature.args[0])(context, builder, arguments[0]).data


def entry(context, builder, signature, arguments):
    """Where an entry of an array is."""
    array, index = context.make_array(signature.args[0])(context, builder, arguments[0]), arguments[1]
    return cgutils.get_item_pointer(context, builder, signature.args[0], array, cgutils.unpack_tuple(builder, index))


@intrinsic
def fetched(typing, values, index):
    """Ask for the line of an entry, which is soon to be read, into the second cache."""

    def generate(context, builder, signature, arguments):
        address = builder.bitcast(entry(context, builder, signature, arguments), cgutils.voidptr_t)
        how = [ir.IntType(32)(n) for n in (0, 2, 1)]  # to be read, the second cache, data
        kind = ir.FunctionType(ir.VoidType(), [address.type, *(word.type for word in how)])
        builder.call(builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind), [address, *how])
        return context.get_dummy_value()

    return types.void(values, index), generate


@intrinsic
def streamed(typing, values, index, value):
    """Store an entry past the caches, for rows of whole lines only: nobody is to read it soon.

    It is there for other threads once this one has taken a lock, as every kernel does that returns to Python.
    """

    def generate(context, builder, signature, arguments):
        store = builder.store(arguments[2], entry(context, builder, signature, arguments), align=64)
        store.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))
        return context.get_dummy_value()

    return types.void(values, index, values.dtype), generate


@intrinsic
def counted(typing, counter):
    """What the first entry of `counter` was before 1 was added, with no other thread in between."""

    def generate(context, builder, *call):
        one = context.get_constant(types.int64, 1)
        return builder.atomic_rmw("add", place(context, builder, *call), one, "seq_cst")

    return types.int64(counter), generate


@intrinsic
def seen(typing, counter):
    """The first entry of `counter` as other threads have left it."""
    return types.int64(counter), lambda context, builder, *call: builder.load_atomic(
        place(context, builder, *call), "acquire", 8
    )


yield_core = types.ExternalFunction("{yielding}", types.int32())


@njit(nogil=True, _nrt=False)
def meet(arrived, parts):
    """Wait for the other parts, which run at the same time: first by looking only, then by offering the core.

    Nobody waits any more once `arrived` is negative.
    """
    goal, looks = (counted(arrived) // parts + 1) * parts, 0
    while 0 <= seen(arrived) < goal:
        looks += 1
        if looks > {looks}:
            yield_core()
'''
