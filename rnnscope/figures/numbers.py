"""save_numbers(): everything a Plot shows as a table, to draw it again elsewhere."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from rnnscope.core.files import write_whole
from rnnscope.views.plot import Plot

HEADER = ("run", "quantity", "series", "axis", "x", "value", "low", "high")
PART = 10_000  # rows that are written at once


def save_numbers(plot: Plot, path: str | Path, between: Callable[[float], None] = lambda done: None) -> None:
    """Write the plot's numbers as CSV in UTF-8, whole or not at all; a gap (NaN) is an empty field.

    between  called after each PART with the share that is written, 0..1; what it raises ends the writing
    Floats are written so that reading them gives the same value back. Raises OSError as the system gives it.
    """
    write_whole(path, _parts(plot, between))


def _parts(plot: Plot, between: Callable[[float], None]) -> Iterator[bytes]:
    yield _text([HEADER])
    rows, written = plot.numbers(), 0
    while part := list(islice(rows, PART)):
        yield _text([_field(value) for value in row] for row in part)
        written += len(part)
        between(written / plot.size)


def _text(rows: Iterable[Sequence]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def _field(value):
    return "" if isinstance(value, float) and math.isnan(value) else value
