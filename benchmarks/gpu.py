"""How fast the engine for CUDA is: ratios of forward and backward to torch's own layers (cuDNN), in turn in one process.

    python benchmarks/gpu.py [--shapes A B C D G] [--cells] [--out docs/gpu.md]

Float32, medians. Exit status 1 if there is no GPU.
"""

from __future__ import annotations

import argparse
import datetime
import shlex
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import rnnscope  # noqa: F401  before torch, as in engines.py

# isort: split
import torch
from engines import Page, in_turn
from layers import SHAPES, TORCH, Layer, TorchLayer
from machine import COPIED, Work, described

from rnnscope.core.cells import CELLS
from rnnscope.core.engines import cuda, cuda_chunk
from rnnscope.core.engines.cuda_bodies import BODIES, bodies_for, takes

SHAPES = SHAPES | {"G": (64, 1024, 64, 768)}
SECONDS, LOOP = 1.0, "A"  # of each run, after which it takes no further turn; where the loop under autograd runs too
TARGETS = {("rwa", shape, "pointwise"): 3.5 for shape in "CG"} | {("rwa", "C", "persistent"): 1.5}
COLUMNS = "shape|what       |engine    |       ms| us/step|  x floor|over   |       ms|     ratio| target| limit"

TEXT = """
Forward and backward, from the sum of all outputs to all weights, in float32, turn about, until the GPU has done; smaller
ratios are better.

- Shapes are (batch, time steps, inputs, units): {shapes}.
- `engine`: `persistent` is one kernel for a chunk of time steps, `pointwise` one for a time step between two matrix
  products, `torch` the cell's update in torch's own operations, all replayed as CUDA graphs; `reference` is the loop.
- `nn.lstm` is cuDNN's as torch comes, with products in TF32; ours are in float32 throughout.
- `us/step` is the time over the time steps there and back.
- `x floor` is the time over the least that the GPU could need, by its rates of matrix products (float32) and of copies,
  measured in the same run.
- `traced` keeps every signal as well, and takes the norms of the gradients of every state at every time step.
"""


class Graphics:
    """Rates of the GPU, for float32: `gemm` in operations a second and `copy` in bytes a second."""

    def __init__(self):
        side = 8192
        matrix, source = torch.randn(side, side, device="cuda"), torch.ones(COPIED, device="cuda")
        copied = torch.empty_like(source)
        runs = {"gemm": finished(lambda: matrix @ matrix), "copy": finished(lambda: copied.copy_(source))}
        spent = in_turn(runs, 0.5)
        self.gemm, self.copy = 2 * side**3 / spent["gemm"].seconds, 8 * COPIED / spent["copy"].seconds

    def floor(self, work: Work) -> float:
        """Seconds that forward and backward take at least: as `Machine.floor`, with all products at `gemm`."""
        products = (4 * work.of_x * work.units * work.inputs + 6 * work.of_h * work.units**2) / self.gemm
        moved = 4 * (2 * work.inputs + work.units * (2 * work.states + work.signals))
        return work.steps * work.batch * max(products, moved / self.copy)

    def __str__(self) -> str:
        return f"{torch.cuda.get_device_name()}: GEMM {self.gemm / 1e12:.1f} TFLOP/s, copy {self.copy / 1e12:.2f} TB/s"


def finished(run: Callable[[], object]) -> Callable[[], None]:
    """`run`, and a wait for the GPU."""

    def whole() -> None:
        run()
        torch.cuda.synchronize()

    return whole


def trained(name: str, shape: tuple[int, ...], engine: str, traced: bool = False) -> tuple[Callable[[], None], Work]:
    """Forward and backward of a cell with one of BODIES, or on the reference; and the work that it is."""
    layer = Layer(name, shape, "reference" if engine == "reference" else "fused", traced, "cuda")
    if engine in BODIES and not traced:  # which runs on the first that is ready
        layer.run = partial(cuda.run, engine)
    return finished(layer), layer.work


def engines(name: str, shape: str) -> list[str]:
    """What runs a cell, the fastest first; `LOOP` has the loop under autograd too."""
    (batch, _, *sizes), device = SHAPES[shape], torch.device("cuda")
    cell = CELLS[name](*sizes)
    able = cuda.ready(cell, torch.float32, device).bodies
    bodies = [body for body in bodies_for(cell, torch.float32, device) if able and takes(body, cell, batch, device)]
    return [*bodies, *(["reference"] if shape == LOOP else [])]


def rows(page: Page, shape: str, graphics: Graphics, cells: bool) -> None:
    """The rows of a shape."""
    sizes, main = SHAPES[shape], ("rwa", "lstm", "gru")
    runs, works = {(name, "torch"): finished(TorchLayer(name, sizes, "cuda")) for name in TORCH}, {}
    for name in main:
        for engine in engines(name, shape):
            runs[name, engine], works[name, engine] = trained(name, sizes, engine)
        key = f"{name} traced", engines(name, shape)[0]
        runs[key], works[key] = trained(name, sizes, key[1], traced=True)
    for name in (name for name in CELLS if cells and name not in main):
        for engine in engines(name, shape)[:1]:
            runs[name, engine], works[name, engine] = trained(name, sizes, engine)
    cuda_chunk.CHUNKS = len(runs)  # as if each were alone: none loses its graphs to another
    for run in 2 * list(runs.values()):  # compiles and captures
        run()
    spent = {key: took.seconds for key, took in in_turn(runs, SECONDS).items()}
    for (name, engine), work in works.items():
        base = ("nn.gru" if name == "gru" else "nn.lstm", "torch")
        if name.endswith(" traced"):
            base = (name.removesuffix(" traced"), engine)
        took, over = spent[name, engine], spent[base]
        target = TARGETS.get((name, shape, engine))
        numbers = f"{1e3 * took:.2f}", f"{1e6 * took / sizes[1] / 2:.1f}", f"{took / graphics.floor(work):.1f}"
        page.row(shape, name, engine, *numbers, base[0], f"{1e3 * over:.2f}", ratio=took / over, target=target, limit=None)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list("ABCDG"), help="these only")
    parser.add_argument("--cells", action="store_true", help="a row for every cell")
    parser.add_argument("--out", type=Path, help="write what is printed to this file, in Markdown")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("This machine has no GPU that torch can use.", file=sys.stderr)
        return 1
    page, began = Page(), time.perf_counter()
    graphics = Graphics()
    page.say(f"# Engines on a GPU\n\n{datetime.date.today()}, {graphics}; {described()}:\n")
    page.say(f"    python benchmarks/gpu.py {shlex.join(sys.argv[1:])}")
    page.say(TEXT.format(shapes=", ".join(f"{name} {SHAPES[name]}" for name in arguments.shapes)))
    page.table(COLUMNS)
    for shape in arguments.shapes:
        rows(page, shape, graphics, arguments.cells)
        if arguments.out:
            arguments.out.write_text("\n".join(page.lines).rstrip() + "\n", encoding="utf-8")
    print(f"\n{time.perf_counter() - began:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
