"""The buffers of a chunk of time steps, at fixed addresses, and the graphs that were captured over them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

import torch
from torch import Tensor

from rnnscope.core.cells.cell import Cell
from rnnscope.core.engines.cuda_bodies import BODIES

STEPS = 64  # time steps of a full chunk, a power of two
CHUNKS = 8  # how many kinds of cell, batch and stream keep their buffers and graphs
_chunks: OrderedDict[tuple, Chunk] = OrderedDict()
_lock = Lock()


class Chunk:
    """Up to STEPS time steps of a cell, forward and backward. Fill in what is needed, call, and copy what was made.

    inputs, to_inputs    (STEPS, B, I)
    states               (S, STEPS + 1, B, H), the first before the chunk
    adjoints, carried    (S, STEPS, B, H) and (S, B, H), as a body has them
    weights, to_weights  weight_x, weight_h and the bias of every gate; gradients are added up until they are set to 0
    """

    def __init__(self, cell: Cell, body: str, batch: int, like: Tensor):
        units, count = cell.units, len(cell.states)
        shapes = (cell.weight_x.shape, cell.weight_h.shape, (len(cell.gates) * units,))
        self.lock = Lock()
        self.inputs, self.to_inputs = (like.new_zeros(STEPS, batch, cell.inputs) for _ in range(2))
        self.states, self.adjoints = (
            like.new_zeros(count, STEPS + 1, batch, units),
            like.new_zeros(count, STEPS, batch, units),
        )
        self.carried = like.new_zeros(count, batch, units)
        self.weights, self.to_weights = ([like.new_zeros(shape) for shape in shapes] for _ in range(2))
        self._z = like.new_zeros(STEPS, batch, len(cell.gates) * units)
        self._of_x, self._of_h = slice(0, cell.last_x), slice(cell.first_h, cell.columns)
        self._body = BODIES[body](cell, self.carried[0])
        self._graphs: dict[tuple, torch.cuda.CUDAGraph] = {}
        if like.is_cuda:
            self._side, self._pool = torch.cuda.Stream(), torch.cuda.graph_pool_handle()

    def advance(self, steps: int) -> None:
        """States after each of the first time steps, from the state before them and the inputs."""
        self._launch(self._advance, steps)

    def retreat(self, steps: int, to_inputs: bool) -> None:
        """Adjoints of the states after each, and what the chunk adds to the gradients of the weights, and of the inputs."""
        self._launch(self._retreat, steps, to_inputs)

    def _advance(self, steps: int) -> None:
        self._body.advance(self._preactivations(steps), self.weights[1], self.states[:, : steps + 1])

    def _retreat(self, steps: int, to_inputs: bool) -> None:
        (weight_x, weight_h, _), z = self.weights, self._preactivations(steps)
        columns, fed, before = (part.flatten(0, 1) for part in (z, self.inputs[:steps], self.states[0, :steps]))
        by_x, by_h = columns[:, self._of_x], columns[:, self._of_h]
        by_h.addmm_(before, weight_h.t())
        self._body.retreat(z, weight_h, self.states[:, :steps], self.adjoints[:, :steps], self.carried)
        self.to_weights[0].addmm_(by_x.t(), fed)
        self.to_weights[1].addmm_(by_h.t(), before)
        self.to_weights[2] += columns.sum(0)
        if to_inputs:
            torch.mm(by_x, weight_x, out=self.to_inputs[:steps].flatten(0, 1))

    def _preactivations(self, steps: int) -> Tensor:
        """What the inputs and the biases give, of every gate: (steps, B, gates * H)."""
        weight_x, _, bias = self.weights
        edge, z = self._of_x.stop, self._z[:steps]
        columns = z.flatten(0, 1)
        torch.addmm(bias[:edge], self.inputs[:steps].flatten(0, 1), weight_x.t(), out=columns[:, :edge])
        columns[:, edge:] = bias[edge:]
        return z

    def _launch(self, work: Callable[..., None], *options) -> None:
        """Replay the graph of `work`. The first time it runs as it is, which warms up, and is captured afterwards."""
        if not self.inputs.is_cuda:
            work(*options)
            return
        key = (work.__name__, *options)
        if key in self._graphs:
            self._graphs[key].replay()
            return
        here = torch.cuda.current_stream()
        self._side.wait_stream(here)
        with torch.cuda.stream(self._side):
            work(*options)
            self._side.synchronize()  # waits for the device, once for each graph
            self._graphs[key] = self._captured(work, *options)
        here.wait_stream(self._side)

    def _captured(self, work: Callable[..., None], *options) -> torch.cuda.CUDAGraph:
        """Not by `torch.cuda.graph`, which may collect Python's garbage: that is for the window's thread alone."""
        graph = torch.cuda.CUDAGraph()
        graph.capture_begin(self._pool, capture_error_mode="thread_local")
        try:
            work(*options)
        finally:
            graph.capture_end()
        return graph


@contextmanager
def held(cell: Cell, body: str, inputs: Tensor) -> Iterator[Chunk]:
    """The chunk for inputs (T, B, I) on the present stream, with one of BODIES; its user has it alone."""
    with torch.cuda.device_of(inputs):
        stream = torch.cuda.current_stream().cuda_stream if inputs.is_cuda else 0
        shape = (cell.inputs, cell.units, inputs.shape[1])
        key = (body, type(cell), cell.settings, shape, inputs.dtype, inputs.device, stream)
        with _lock:
            if key not in _chunks:
                _chunks[key] = Chunk(cell, body, inputs.shape[1], inputs)
            _chunks.move_to_end(key)
            while len(_chunks) > CHUNKS:
                _chunks.popitem(last=False)
            chunk = _chunks[key]
        with chunk.lock:
            yield chunk


def fits(cell: Cell, batch: int) -> bool:
    """Whether the buffers are small enough for the kernels, which count in 32 bits."""
    return (STEPS + 1) * batch * cell.units * max(len(cell.gates), len(cell.states)) < 2**31


def spans(steps: int) -> Iterator[tuple[int, int]]:
    """First and last time step + 1 of each chunk: full ones, then powers of two, so that a few graphs serve any length."""
    begin = 0
    while begin < steps:
        end = begin + min(STEPS, 1 << (steps - begin).bit_length() - 1)
        yield begin, end
        begin = end
