"""Pyramids: marks made ready for every zoom, so that no picture needs more than a column or a few points for each pixel.

Level k of a pyramid holds an entry for each block of 2^k time steps or points; level 0 is the data. All of it is numpy: it
may be built on any thread, and what is built never changes. Of what is short only level 0 is made until more is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnscope.views.plot import Heatmap, Lines, Mark, Plot

GAP = 0  # the code of a value that is not finite; the others are 1..255
LEAST = 32  # columns or blocks of the last level, about: no panel is narrower than so many pixels
WHOLE = 4096  # columns that are handed out at once, however few of them are in sight
SHORT = 4096  # time steps or points of which the levels are built when a zoom asks for them, which takes no time
CHUNK = 1 << 15  # values worked on at a time: they stay in the processor's cache
DENSE = 2  # points per pixel from which on a curve is drawn by its extremes in each column of pixels
MARGIN = 1.05  # pixels that a column is wide at least: a painter rounds


@dataclass(frozen=True, eq=False)
class Columns:
    """A Heatmap in 8 bits, `codes`; they and each level are (n, rows) uint8, time first.

    Of the values of a row in a block the smallest or the largest is kept, whichever is farther from the block's mean: a
    peak is seen at every zoom, up or down. Where both are as far, as in all blocks of two, it is the one farther from the
    mean of the block before (of the second, for the first); then the largest. What is not finite counts for nothing, and a
    block is a gap only where all of it is: `not_finite` tells how many values are infinite, or NaN where that is no gap.
    """

    mark: Heatmap
    codes: np.ndarray
    not_finite: int

    @classmethod
    def of(cls, mark: Heatmap) -> Columns:
        """Shade the values, and build the levels of what is long."""
        codes = shade(mark)
        lost = int(np.count_nonzero(codes == GAP))
        if lost and mark.gaps:
            lost = int(np.isinf(mark.values).sum())
        found = cls(mark, codes, lost)
        if len(codes) > SHORT:
            _ = found.levels
        return found

    @property
    def levels(self) -> tuple[np.ndarray, ...]:
        """All of them; level 0 is `codes`."""
        return _once(self, "levels", lambda: (self.codes, *_peaks(self.codes)))

    def shows(self, mark: Mark) -> bool:
        """Whether these are the same values between the same limits."""
        own = self.mark
        return (
            isinstance(mark, Heatmap)
            and (own.low, own.high, own.gaps) == (mark.low, mark.high, mark.gaps)
            and _same(own.values, mark.values)
        )

    def at(self, low: float, high: float, pixels: float) -> tuple[int, int, int]:
        """Level, first column and end of what is needed from low to high on the time axis, where a time step is so many
        pixels wide: of columns at least a pixel wide the finest there are.
        """
        level = 0
        while pixels * 2**level < MARGIN and level + 1 < len(self.levels):
            level += 1
        count = len(self.levels[level] if level else self.codes)
        if count <= WHOLE:
            return level, 0, count
        first, last = (int((edge - 0.5) // 2**level) for edge in (low, high))
        return level, min(max(first, 0), count), max(min(last + 1, count), 0)


@dataclass(frozen=True, eq=False)
class Curves:
    """Lines as the axis has them, x (N,) ascending, y (K, N), and the extremes of their blocks of 2^k points.

    What is not finite breaks a curve at every zoom: a column of pixels that holds any is joined to no other.

    even    whether the points lie at equal distances: else they are drawn as they are
    not_finite  how many values are infinite; NaN is a gap
    """

    mark: Lines
    log: bool
    x: np.ndarray
    y: np.ndarray
    even: bool
    not_finite: int

    @classmethod
    def of(cls, mark: Lines, log: bool) -> Curves:
        """Take over the curves, on a log axis if so, and build the levels of what is long."""
        x, y = np.asarray(mark.x, float), _on_axis(mark.y, log)
        even = len(x) > 1 and x[0] < x[-1] and bool(np.allclose(np.diff(x), (x[-1] - x[0]) / (len(x) - 1), rtol=1e-6))
        found = cls(mark, log, x, y, even, int(np.isinf(mark.y).sum()))
        if len(x) > SHORT:
            _ = found.levels, found.bands
        return found

    @property
    def levels(self) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]:
        """(smallest, largest, broken) of each level, (K, n); +inf and -inf where nothing is finite."""
        return _once(self, "levels", self._levels)

    @property
    def bands(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """(low, high) of each level, +inf and -inf where the curve or a limit is not finite; () without bands."""
        return _once(self, "bands", self._bands)

    def _levels(self) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]:
        known = np.isfinite(self.y)
        low, high = (self.y, self.y) if known.all() else (np.where(known, self.y, end) for end in (np.inf, -np.inf))
        return tuple(_extremes(low, high, ~known))

    def _bands(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        if self.mark.low is None:
            return ()
        low, high = _on_axis(self.mark.low, self.log), _on_axis(self.mark.high, self.log)
        known = np.isfinite(self.y) & np.isfinite(low) & np.isfinite(high)
        low, high = np.where(known, low, np.inf), np.where(known, high, -np.inf)
        return tuple(level[:2] for level in _extremes(low, high, ~known))

    def shows(self, mark: Mark, log: bool) -> bool:
        """Whether these are the same curves on the same axis."""
        own, arrays = self.mark, ("y", "low", "high")
        return (
            isinstance(mark, Lines)
            and log == self.log
            and np.array_equal(own.x, mark.x)
            and all(_same(getattr(own, name), getattr(mark, name)) for name in arrays)
        )

    def density(self, low: float, high: float, pixels: float) -> float:
        """Points per pixel where low to high on the axis are so many pixels; 0 if they have to be drawn as they are."""
        return (high - low) / self._distance / pixels if self.even and pixels else 0.0

    def points(self, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
        """x (n,) and y (K, n) of all points from low to high on the axis, and of some beside them: a dash pattern begins
        with the first, which has to stay the same while the picture is shifted.
        """
        part = self._part(low, high, 0)
        first = part.start - part.start % (1 << max((part.stop - part.start).bit_length() - 2, 0))
        return self.x[first : part.stop], self.y[:, first : part.stop]

    def columns(self, low: float, high: float, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The smallest and the largest of each curve (K, count), low to high on the axis cut into so many columns; each
        reaches half the way to its neighbours. +inf and -inf where there is nothing.
        """
        level = self._level(low, high, count)
        size = self._distance * 2**level
        middle = self.x[0] + (size - self._distance) / 2  # of the first block
        edges = np.ceil((np.linspace(low, high, count + 1) - middle) / size)
        edges = edges.clip(0, self.levels[level][0].shape[1]).astype(int)
        operations = (np.minimum, np.inf), (np.maximum, -np.inf), (np.logical_or, True)
        least, most, broken = (
            _cut(values, edges, *how) for values, how in zip(self.levels[level], operations, strict=True)
        )
        joined = ~(broken[:, 1:] | broken[:, :-1])
        with np.errstate(invalid="ignore"):  # of nothing and nothing
            rise = np.where(joined, (most[:, :-1] + least[:, 1:]) / 2, np.nan)
            fall = np.where(joined, (least[:, :-1] + most[:, 1:]) / 2, np.nan)
        for edge, half, farther in ((most, (rise, fall), np.fmax), (least, (fall, rise), np.fmin)):
            farther(edge[:, :-1], half[0], out=edge[:, :-1])
            farther(edge[:, 1:], half[1], out=edge[:, 1:])
        return least, most

    def outlines(self, curve: int, low: float, high: float, pixels: float) -> Iterator[tuple[np.ndarray, ...]]:
        """x, low and high of every part of a curve's band from low to high on the axis, which are so many pixels."""
        if not self.bands:
            return
        level = self._level(low, high, pixels)
        part = self._part(low, high, level)
        least, most = (values[curve, part] for values in self.bands[level])
        middles = np.arange(part.start, part.start + len(least)) * 2**level + 2**level // 2
        x, known = self.x[np.minimum(middles, len(self.x) - 1)], least <= most
        for start, stop in np.flatnonzero(np.diff(known, prepend=False, append=False)).reshape(-1, 2):
            yield x[start:stop], least[start:stop], most[start:stop]

    @property
    def _distance(self) -> float:
        return (self.x[-1] - self.x[0]) / (len(self.x) - 1)

    def _level(self, low: float, high: float, pixels: float) -> int:
        """The highest with two blocks per pixel."""
        level = max(int(self.density(low, high, pixels) / 2).bit_length() - 1, 0)
        return min(level, len(self.levels) - 1) if level else 0

    def _part(self, low: float, high: float, level: int) -> slice:
        first, end = (int(n) for n in np.searchsorted(self.x, (low, high)))
        return slice(max(first // 2**level - 1, 0), end // 2**level + 2)


Pyramid = Columns | Curves


def pyramids_of(plot: Plot, earlier: Sequence[Pyramid | None] = ()) -> list[Pyramid | None]:
    """A pyramid for each mark of each panel in turn, None for Points; those `earlier` ones that show the same are kept."""
    return [_of(mark, panel.y.log, earlier) for panel in plot.panels for mark in panel.marks]


def shade(mark: Heatmap) -> np.ndarray:
    """Codes (n, rows) uint8 of the values: 1..255 from low to high, GAP for what is not finite."""
    rows, count = mark.values.shape
    codes = np.empty((count, rows), np.uint8)
    scale, step = np.float32(254 / (mark.high - mark.low)), _step(rows)
    for start in range(0, count, step):
        values = mark.values[:, start : start + step].T
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.subtract(values, mark.low, dtype=np.float32)
            scaled *= scale
        np.clip(scaled, 0, 254, out=scaled)
        np.rint(scaled, out=scaled)
        scaled += 1
        if not (known := np.isfinite(values)).all():
            scaled[~known] = GAP
        codes[start : start + step] = scaled
    return codes


def log10(values):
    """log10 with everything that has none as NaN, which is drawn as a gap."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(values)
    return np.where(np.isfinite(logs), logs, np.nan)[()]


def _once(owner: Pyramid, name: str, make: Callable[[], Any]) -> Any:
    """What `make` makes, kept with its owner; functools' way has all owners wait for one lock in Python 3.11."""
    kept = vars(owner)
    if name not in kept:
        kept[name] = make()
    return kept[name]


def _of(mark: Mark, log: bool, earlier: Sequence[Pyramid | None]) -> Pyramid | None:
    if isinstance(mark, Heatmap):
        return next((old for old in earlier if isinstance(old, Columns) and old.shows(mark)), None) or Columns.of(mark)
    if isinstance(mark, Lines):
        return next((old for old in earlier if isinstance(old, Curves) and old.shows(mark, log)), None) or Curves.of(
            mark, log
        )
    return None


def _same(array: np.ndarray | None, other: np.ndarray | None) -> bool:
    """Whether both are the same memory, which nobody may write to; it cannot have been given away while one holds it."""
    if array is None or other is None or array is other:
        return array is other
    return not (array.flags.writeable or other.flags.writeable) and _place(array) == _place(other)


def _place(array: np.ndarray) -> tuple:
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype


def _on_axis(values: np.ndarray, log: bool) -> np.ndarray:
    """The values as the axis has them; what is not finite is NaN."""
    if log:
        return log10(values)
    known = np.isfinite(values)
    return np.asarray(values) if known.all() else np.where(known, values, np.nan)


def _peaks(codes: np.ndarray) -> Iterator[np.ndarray]:
    """All levels of a heatmap but the first."""
    low, high, total = codes - np.uint8(1), codes, codes  # a gap is above all others in `low`, and below them in `high`
    gaps = codes == GAP
    count = (~gaps).view(np.uint8) if gaps.any() else np.ones((len(codes), 1), np.uint8)
    size = 1
    while len(high) > LEAST:
        size *= 2
        wide = np.uint16 if 255 * size < 2**16 else np.uint32
        low, high = _pairs(np.minimum, low), _pairs(np.maximum, high)
        total, count = _pairs(np.add, total, wide), _pairs(np.add, count, wide)
        yield _farther(low, high, total, count)


def _farther(low: np.ndarray, high: np.ndarray, total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Of the smallest (less 1) and the largest code of each block the one farther from the mean, total / count."""
    found, step = np.empty_like(high), _step(high.shape[1])
    for start in range(0, len(high), step):
        here, around = slice(start, start + step), slice(max(start - 1, 0), start + step)
        smallest, largest = low[here] + np.uint8(1), high[here]
        ends = np.add(smallest, largest, dtype=np.float32)
        both, blocks = (np.multiply(values[around], k, dtype=np.float32) for values, k in ((total, 2), (count, 1)))
        (mean, before), (own, other) = _with_before(both, start), _with_before(blocks, start)
        own, other = ends * own, ends * other
        up = (own > mean) | ((own == mean) & (other >= before))
        found[here] = (largest - smallest) * up.view(np.uint8) + smallest
    return found


def _with_before(values: np.ndarray, start: int) -> tuple[np.ndarray, np.ndarray]:
    """Each value from `start` on, and what stands one place before it: before the first of all, the second."""
    if start:
        return values[1:], values[:-1]
    return values, np.concatenate([values[1:2], values[:-1]]) if len(values) > 1 else values


def _extremes(low: np.ndarray, high: np.ndarray, broken: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """All levels of curves."""
    yield low, high, broken
    while low.shape[1] > LEAST:
        low, high = _pairs(np.minimum, low, axis=1), _pairs(np.maximum, high, axis=1)
        broken = _pairs(np.logical_or, broken, axis=1)
        yield low, high, broken


def _cut(values: np.ndarray, edges: np.ndarray, operation: np.ufunc, nothing: float) -> np.ndarray:
    """(K, columns): what `operation` makes of the few values from each edge to the next; `nothing` of none."""
    first, last = edges[:-1], edges[1:] - 1
    found = values.take(first, axis=1, mode="clip")
    for offset in range(1, int((last - first).max()) + 1):
        operation(found, values.take(np.minimum(first + offset, last), axis=1, mode="clip"), out=found)
    found[:, last < first] = nothing
    return found


def _pairs(operation: np.ufunc, values: np.ndarray, kind: type | None = None, axis: int = 0) -> np.ndarray:
    """Each two neighbours made one; an odd one at the end twice."""
    half, odd = divmod(values.shape[axis], 2)
    shape = list(values.shape)
    shape[axis] = half + odd
    found = np.empty(shape, kind or values.dtype)
    source, target = np.moveaxis(values, axis, 0), np.moveaxis(found, axis, 0)
    operation(source[: 2 * half : 2], source[1 : 2 * half : 2], out=target[:half], dtype=kind)
    if odd:
        operation(source[-1], source[-1], out=target[-1], dtype=kind)
    return found


def _step(width: int) -> int:
    """How many rows of so many values are worked on at a time."""
    return max(1, CHUNK // width)
