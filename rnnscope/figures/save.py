"""save_figure(): a Plot as a PDF, SVG or PNG file, the same bytes for the same plot."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path

from rnnscope.core.files import write_whole
from rnnscope.figures.painting import paint
from rnnscope.figures.theme import print_settings
from rnnscope.views.plot import Plot

FORMATS = {  # suffix -> what matplotlib writes about the file; None leaves out what would differ from run to run
    ".pdf": {"CreationDate": None, "ModDate": None},
    ".svg": {"Date": None},
    ".png": {"Software": None},
}
SMALLEST, LARGEST = 20, 500  # mm
COARSEST, FINEST = 50, 1200  # dpi


def save_figure(
    plot: Plot,
    path: str | Path,
    width_mm: float = 183,
    height_mm: float | None = None,
    dpi: int = 300,
    between: Callable[[float], None] = lambda done: None,
) -> None:
    """Paint `plot` and write it, whole or not at all; the suffix says in which format.

    width_mm, height_mm  size of the page, 20 to 500; by default a double column, as high as its rows ask for
    dpi                  of heatmaps, and of all of a PNG, 50 to 1200; curves and text are vectors elsewhere
    between              as `paint` has it; what it raises leaves no file
    Raises ValueError that names what does not fit, OSError as the system gives it.
    """
    path = Path(path)
    check(path, width_mm, height_mm, dpi)
    suffix = path.suffix.lower()
    content = io.BytesIO()
    with print_settings():
        figure = paint(plot, width_mm, height_mm, dpi, between)
        figure.savefig(content, format=suffix[1:], dpi=dpi, metadata=FORMATS[suffix])
    write_whole(path, content.getvalue())


def check(path: str | Path, width_mm: float = 183, height_mm: float | None = None, dpi: int = 300) -> None:
    """Raise the ValueError that `save_figure` would raise for these, before there is a plot."""
    suffix = Path(path).suffix
    if suffix.lower() not in FORMATS:
        raise ValueError(f"{path}: expected a name that ends in {', '.join(FORMATS)}; got {suffix or 'no ending'}")
    for name, size in (("width", width_mm), ("height", height_mm)):
        if size is not None and not (math.isfinite(size) and SMALLEST <= size <= LARGEST):
            raise ValueError(f"{name}: expected {SMALLEST} to {LARGEST} mm, got {size:g}")
    if not COARSEST <= dpi <= FINEST:
        raise ValueError(f"dpi: expected {COARSEST} to {FINEST}, got {dpi:g}")
