"""How print looks: ink, palettes, sizes, and matplotlib set the same whatever its user has set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import RLock

import matplotlib
from matplotlib.colors import Colormap, LinearSegmentedColormap, ListedColormap

from rnnscope.views.palettes import vik
from rnnscope.views.plot import Style

TEXT, FAINT, WORDS, HAIRLINE, MARKED = "#1d2229", "#9aa3ad", "#5b6570", "#c3c9d0", "#D55E00"
NOTHING = "#e9ebee"  # NaN in a heatmap: no value of any palette
HEAD_SIZE, TEXT_SIZE, TICK_SIZE = 7, 6, 5.5  # points; Nature asks for 5 to 7
AXIS_WIDTH, CURVE_WIDTH = 0.5, 0.65  # points; CURVE_WIDTH is that of a Style of width 1
LINK_WIDTH, STRONG_WIDTH, RING_WIDTH = 0.4, 1.2, 0.9  # points
CLOUD = 0.6  # opacity of dots without values or words, which lie over one another
DOT, LEAST_DOT, LABELLED_DOT, RING = (
    0.8,
    0.5,
    2.5,
    0.7,
)  # mm: radii, and from a dot's edge to the ring around the chosen one
DASHES = {"solid": "solid", "dashed": (0, (4, 1.6)), "dotted": (0, (1.1, 1.3)), "dashdot": (0, (4, 1.4, 1.1, 1.4))}

SETTINGS = {
    "axes.unicode_minus": True,
    "font.family": ["DejaVu Sans"],
    "pdf.compression": 6,
    "path.simplify_threshold": 0.2,  # points in a PDF: 0.07 mm, less than a dot at 300 dpi
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "rnnscope",
    "text.hinting": "none",  # else letters of a PNG are wider than what the page was laid out for
    "text.parse_math": False,  # a run may be called "a$b$"
}
_LOCK = RLock()


@contextmanager
def print_settings() -> Iterator[None]:
    """Matplotlib's own defaults and SETTINGS, put back afterwards; one thread at a time, for they are global."""
    with _LOCK, matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        yield


def colour(style: Style) -> str:
    """The hex value of a Style's colour: a role of the print theme, or a hex value already."""
    return {"text": TEXT, "faint": FAINT}.get(style.colour, style.colour)


@cache
def palette(name: str) -> Colormap:
    """The map of a Heatmap's palette: vik, cividis, or from the paper up; NaN in a grey that none of them has."""
    if name == "signed":
        chosen = ListedColormap(vik(), "vik")
    elif name == "share":
        chosen = matplotlib.colormaps["cividis"]
    else:
        chosen = LinearSegmentedColormap.from_list("paper up", ["#ffffff", "#a9cbe3", "#2f7fb3", "#0b2e4f"])
    return chosen.with_extremes(bad=NOTHING)
