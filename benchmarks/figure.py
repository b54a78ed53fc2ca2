"""What a figure for print costs: a heatmap and curves as PDF, SVG and PNG, against matplotlib's own calls in the same run.

    python benchmarks/figure.py [--quick]

256 units and 8 curves of 10,000 time steps each, on a double column at 300 dpi; medians, turn about, without the first
turn. Exit status 1 if the PDF takes longer than its limit.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from screen import UNITS, heatmap, lines, mark

from rnnscope.figures.save import FORMATS, save_figure
from rnnscope.views.plot import Plot

STEPS = 10_000
TURNS, QUICK_TURNS = 10, 3
WIDTH, HEIGHT, DPI = 183, 110, 300  # mm, mm
SECONDS, LIMIT, MEGABYTES = 0.8, 3.0, 0.8  # of the PDF: target, limit, target
TABLE = "{:6}{:>8}{:>8}{:>8}{:>8}{:>8}"


def main(turns: int) -> int:
    """Print the table; 1 if the PDF is beyond a limit."""
    panels, walks = heatmap(UNITS, STEPS, 0), lines(STEPS, 0)
    plot = Plot("benchmark", panels.rows + walks.rows)
    print(f"{UNITS} x {STEPS:,} and {len(mark(walks).y)} curves, {WIDTH} x {HEIGHT} mm, {DPI} dpi, {turns} turns")
    print(TABLE.format("", "s", "plain", "ratio", "MB", "plain"))
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for suffix in FORMATS:
            path = Path(folder) / f"figure{suffix}"
            beside = io.BytesIO()
            acts = (
                lambda path=path: save_figure(plot, path, WIDTH, HEIGHT, DPI),
                lambda suffix=suffix, beside=beside: plain(mark(panels).values, mark(walks), suffix[1:], beside),
            )
            ours, theirs = in_turn(acts, turns)
            size, other = path.stat().st_size / 1e6, len(beside.getvalue()) / 1e6
            row = [f"{value:.2f}" for value in (ours, theirs, theirs / ours, size, other)]
            failed = suffix == ".pdf" and ours > LIMIT
            good &= not failed
            print(TABLE.format(suffix[1:].upper(), *row) + "  FAILED" * failed, flush=True)
    print(f"PDF: target {SECONDS} s and {MEGABYTES} MB, limit {LIMIT} s")
    return 0 if good else 1


def plain(values, walks, kind: str, content: io.BytesIO) -> None:
    """The same numbers by matplotlib's own calls."""
    content.seek(0)
    content.truncate()
    figure = Figure(figsize=(WIDTH / 25.4, HEIGHT / 25.4), dpi=DPI)
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2)
    above.imshow(values, aspect="auto", vmin=-1, vmax=1)
    below.plot(walks.x, walks.y.T)
    figure.savefig(content, format=kind, dpi=DPI)


def in_turn(acts: tuple[Callable[[], None], ...], turns: int) -> list[float]:
    """Medians of each in seconds."""
    spent: list[list[float]] = [[] for _ in acts]
    for _ in range(1 + turns):
        for act, times in zip(acts, spent, strict=True):
            began = time.perf_counter()
            act()
            times.append(time.perf_counter() - began)
    return [median(times[1:]) for times in spent]


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="three turns")
    sys.exit(main(QUICK_TURNS if options.parse_args().quick else TURNS))
