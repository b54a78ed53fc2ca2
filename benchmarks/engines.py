"""How fast the engines are: ratios of forward and backward to torch's own layers, measured in one process, in turn.

    python benchmarks/engines.py [--quick] [--cells] [--slow] [--app] [--threads 1 2] [--out docs/engines.md]

Float32, medians; the shapes are in layers.py. Exit status 1 if a ratio is beyond its limit,
or if an engine takes more cores than it was given.
"""

from __future__ import annotations

import argparse
import datetime
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import rnnscope  # noqa: F401  before torch, to whose threads it says how long to look for work

# isort: split
import memory
import torch
from layers import SHAPES, Layer, layer
from machine import Machine, described

from rnnscope.core.cells import CELLS

TURNS = 100  # of each run, at most
SECONDS, QUICK = 10.0, 1.5  # of each run, after which it takes no further turn
SPARE = 0.5  # cores beyond the threads asked for that count as none: threads of the layer before still look for work
SLOW = "CE"  # shapes where the reference takes up to a minute, and gigabytes
# what is measured, over what: targets and limits for each shape
ROWS = {
    ("rwa", "nn.lstm"): ((0.85, 0.55, 0.55, 0.42, 0.50, None), (1.2, 0.85, 0.85, 0.6, 0.85, 0.85)),
    ("lstm", "nn.lstm"): ((1.2, 0.9, 1.0, 0.85, 0.85, None), (1.8, 1.3, 1.5, 1.1, 1.2, 1.5)),
    ("gru", "nn.gru"): ((0.33, 0.6, 0.8, 0.14, 0.02, None), (0.5, 0.9, 1.1, 0.25, 0.05, 1.1)),
}
TRACED = ((1.25, 1.15, 1.15, 1.15, 1.15, None), (1.6,) * 6)
MEMORY = {"fused": (None, None), "checkpointed": (0.1, 0.3)}  # of E: target and limit
# columns as wide as their names; numbers begin with a space
TIMES = "shape|what       |engine   |  cores|       ms| x floor|over   |       ms| x floor|     ratio| target| limit"
PEAKS = "shape|what|engine      |    MB|over   |    MB|     ratio| target| limit"

TEXT = """
Forward and backward, from the sum of all outputs to all weights, in float32, all in one process. A cell takes turns with
itself traced and with torch's layer, the cells of `--cells` with each other and with it. `ms` is the
median of at most {turns} turns and about {seconds:g} s, of one turn where that takes longer; the ratio is that of the
medians: smaller is better. **Bold** is beyond the limit, and then the exit status is 1.

- Shapes are (batch, time steps, inputs, units): {shapes}.
- `engine`: `fused` is a cell on its compiled kernels, `reference` the loop under autograd, for a cell that has none.
- `cores` are seconds of processors over seconds, of all turns: half a core more than the threads asked for is bold too.
- `traced` keeps every signal as well, and takes the norms of the gradients with respect to every state at every time step;
  it stands over the same without.
- `x floor` is the time over the least that this machine could need, by its rates of matrix products and of copies, measured
  in the same run on as many threads: 1 is as fast as BLAS and memory go. The formula is in `benchmarks/machine.py`.
- `--cells` gives every cell a row; cells that read a layer below them are given a random one. Cells without kernels are
  left out at C and E, where one turn takes up to a minute and gigabytes, unless `--slow` asks for them.
- Peak memory is what one forward and backward adds to the resident memory of a fresh process. `checkpointed` keeps the
  states at the boundaries of chunks only.
"""


class Page:
    """What is printed, which is what is written; `beyond` says whether anything was beyond its limit."""

    def __init__(self):
        self.lines: list[str] = []
        self.beyond = False
        self._columns: list[str] = []

    def say(self, text: str) -> None:
        print(text, flush=True)
        self.lines.append(text)

    def table(self, columns: str) -> None:
        """Begin a table."""
        self._columns = columns.split("|")
        self.say(f"| {' | '.join(self._columns)} |")
        ruled = ("-" * (len(name) - 1) + (":" if name[0] == " " else "-") for name in self._columns)
        self.say(f"| {' | '.join(ruled)} |")

    def row(self, *words: str, ratio: float, target: float | None, limit: float | None) -> None:
        """One row; the last columns are the ratio, its target and its limit."""
        words += (self.limited(ratio, limit, 3), f"{target or '-'}", f"{limit or '-'}")
        places = zip(self._columns, words, strict=True)
        padded = (word.rjust(len(name)) if name[0] == " " else word.ljust(len(name)) for name, word in places)
        self.say(f"| {' | '.join(padded)} |")

    def limited(self, value: float, limit: float | None, digits: int) -> str:
        """A number, in bold beyond its limit."""
        beyond = limit is not None and value > limit
        self.beyond |= beyond
        return f"**{value:.{digits}f}**" if beyond else f"{value:.{digits}f}"


def main() -> int:
    """Measure, print, and say by the exit status whether every ratio is within its limit."""
    arguments, page = parsed(), Page()
    page.say(f"# Engines\n\n{datetime.date.today()}, {described()}:\n")
    page.say(f"    python benchmarks/engines.py {shlex.join(sys.argv[1:])}")
    shapes = ", ".join(f"{name} {shape}" for name, shape in SHAPES.items())
    page.say(TEXT.format(turns=TURNS, seconds=arguments.seconds, shapes=shapes))
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        machine = Machine([SHAPES[shape] for shape in arguments.shapes])
        page.say(f"## {threads} thread{'s' * (threads > 1)}\n\n{machine}.\n")
        page.table(TIMES)
        for shape in arguments.shapes:
            times(page, shape, machine, arguments)
        page.say("")
    if "E" in arguments.shapes and sys.platform == "linux":
        page.say("## Peak memory\n")
        page.table(PEAKS)
        peaks(page)
        page.say("")
    if arguments.app:
        import whole_app

        page.say(f"## The whole app\n\n{whole_app.TEXT}\n")
        page.say("\n".join(whole_app.lines()))
    if arguments.out:
        arguments.out.write_text("\n".join(page.lines).rstrip() + "\n", encoding="utf-8")
    return int(page.beyond)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="shapes A and D, fewer turns: half a minute")
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, help="these only")
    parser.add_argument("--cells", action="store_true", help="a row for every cell")
    parser.add_argument("--slow", action="store_true", help="with --cells: those without kernels at C and E too")
    parser.add_argument("--app", action="store_true", help="the whole app against a bare script: minutes")
    parser.add_argument("--threads", nargs="+", type=int, default=[1], help="a table for each number")
    parser.add_argument("--out", type=Path, help="write what is printed to this file, in Markdown")
    arguments = parser.parse_args()
    arguments.shapes = arguments.shapes or list("AD" if arguments.quick else SHAPES)
    arguments.seconds = QUICK if arguments.quick else SECONDS
    return arguments


def times(page: Page, shape: str, machine: Machine, arguments: argparse.Namespace) -> None:
    """The rows of a shape. Few layers take turns at a time: many cost each other their buffers."""
    place = list(SHAPES).index(shape)
    for (name, base), (targets, limits) in ROWS.items():
        runs = {key: layer(key, SHAPES[shape]) for key in (base, name)}
        runs[f"{name} traced"] = Layer(name, SHAPES[shape], traced=True)
        wanted = {(name, base): (targets[place], limits[place])}
        wanted[f"{name} traced", name] = TRACED[0][place], TRACED[1][place]
        rows(page, shape, machine, runs, wanted, arguments.seconds)
    if not arguments.cells:
        return
    others = {name: Layer(name, SHAPES[shape]) for name in CELLS if (name, "nn.lstm") not in ROWS}
    fast = {name: run for name, run in others.items() if run.engine == "fused" or shape not in SLOW or arguments.slow}
    pairs = {(name, "nn.lstm"): (None, None) for name in fast}
    rows(page, shape, machine, {"nn.lstm": layer("nn.lstm", SHAPES[shape])} | fast, pairs, arguments.seconds)


def rows(page: Page, shape: str, machine: Machine, runs: dict, wanted: dict, seconds: float) -> None:
    """A row for each pair of runs that are `wanted`: pair -> its target and its limit."""
    spent = in_turn(runs, seconds)
    for (name, base), (target, limit) in wanted.items():
        pair = [(key, spent[key].seconds) for key in (name, base)]
        of, over = ((f"{1000 * took:.1f}", f"{took / machine.floor(runs[key].work):.1f}") for key, took in pair)
        cores = page.limited(spent[name].cores, torch.get_num_threads() + SPARE, 1)
        words = (shape, name, runs[name].engine, cores, *of, base, *over)
        page.row(*words, ratio=spent[name].seconds / spent[base].seconds, target=target, limit=limit)


class Spent(NamedTuple):
    """Seconds of a run, the median, and how many cores were at work on it."""

    seconds: float
    cores: float


def in_turn(runs: dict[str, Callable[[], None]], seconds: float) -> dict[str, Spent]:
    """Of each, all in turn so that noise meets all alike; the first turn counts where it is the only one."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(1 + TURNS):
        for name, run in runs.items():
            if sum(took for took, _ in spent[name]) < seconds:
                began, worked = time.perf_counter(), time.process_time()
                run()
                spent[name].append((time.perf_counter() - began, time.process_time() - worked))
    found = {}
    for name, each in spent.items():
        took, worked = zip(*(each[1:] or each), strict=True)
        found[name] = Spent(median(took), sum(worked) / sum(took))  # of all turns: the clock of processors is coarse
    return found


def peaks(page: Page) -> None:
    """The rows of memory, at E."""
    base = memory.measured("nn.lstm", "torch", "E")
    for name in ("rwa", "lstm"):
        for engine, (target, limit) in MEMORY.items():
            peak = memory.measured(name, engine, "E")
            words = ("E", name, engine, f"{peak / 1e6:.0f}", "nn.lstm", f"{base / 1e6:.0f}")
            page.row(*words, ratio=peak / base, target=target, limit=limit)


if __name__ == "__main__":
    sys.exit(main())
