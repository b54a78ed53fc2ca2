"""save_numbers(): everything a Plot shows as a table, to draw it again elsewhere."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from rnnscope.core.files import write_whole
from rnnscope.views.plot import Plot

HEADER = ("run", "quantity", "series", "axis", "x", "value", "low", "high")


def save_numbers(plot: Plot, path: str | Path) -> None:
    """Write the plot's numbers as CSV in UTF-8, whole or not at all; a gap (NaN) is an empty field.

    Floats are written so that reading them gives the same value back. Raises OSError as the system gives it.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(HEADER)
    table.writerows([_field(value) for value in row] for row in plot.numbers())
    write_whole(path, text.getvalue().encode("utf-8", "replace"))


def _field(value):
    return "" if isinstance(value, float) and math.isnan(value) else value
