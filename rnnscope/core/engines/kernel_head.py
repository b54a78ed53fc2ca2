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

from rnnscope.core.engines.products import packed, product


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
SQUARED = {squared}  # adjoints of each unit whose squares are summed for norms
LINE = 64 // F().itemsize  # numbers in a line of the cache
AHEAD = 4  # time steps
NEAR = 4096 // F().itemsize  # numbers at a time step of which the processor has the next ones ready by itself
INFINITY, NAN = math.inf, math.nan
# no references are counted: each count would wait until all that was written before has arrived
OPTIONS = {{"error_model": "numpy", "fastmath": {{"contract"}}, "nogil": True, "_nrt": False}}
KERNEL = OPTIONS | {{"cache": True, "pipeline_class": Apart}}


@njit(**OPTIONS | {{"fastmath": {{"contract", "reassoc"}}}})
def squared(values):
    """Sum of squares; where it is not clear of what underflows and overflows, in float64."""
    short = F(0)
    for k in range(len(values)):
        short += values[k] * values[k]
    if F(1e-24) < short < F(INFINITY):
        return np.float64(short)
    total = 0.0
    for k in range(len(values)):
        total += np.float64(values[k]) * np.float64(values[k])
    return total


def place(context, builder, signature, arguments):
    """Where the first entry of an array is."""
    return context.make_array(signature.args[0])(context, builder, arguments[0]).data


def entry(context, builder, signature, arguments):
    """Where an entry of an array is."""
    array, index = context.make_array(signature.args[0])(context, builder, arguments[0]), arguments[1]
    return cgutils.get_item_pointer(context, builder, signature.args[0], array, cgutils.unpack_tuple(builder, index))


def asking(*how):
    """A function that asks for the line of an entry, which is soon to be read or written."""

    @intrinsic
    def asked(typing, values, index):
        def generate(context, builder, signature, arguments):
            address = builder.bitcast(entry(context, builder, signature, arguments), cgutils.voidptr_t)
            words = [ir.IntType(32)(n) for n in how]
            kind = ir.FunctionType(ir.VoidType(), [address.type, *(word.type for word in words)])
            builder.call(builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind), [address, *words])
            return context.get_dummy_value()

        return types.void(values, index), generate

    return asked


fetched = asking(0, 2, 1)  # to be read, into the second cache, data
claimed = asking(1, 3, 1)  # to be written, into the first


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
def added(typing, counter):
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
    goal, looks = (added(arrived) // parts + 1) * parts, 0
    while 0 <= seen(arrived) < goal:
        looks += 1
        if looks > {looks}:
            yield_core()
'''
