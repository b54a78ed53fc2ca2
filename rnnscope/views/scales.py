"""Limits that stay put: round numbers, shared by all runs."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from rnnscope.core.trace import Trace
from rnnscope.views.plot import Axis


def round_up(value: float, steps: tuple[float, ...] = (1, 2, 5)) -> float:
    """The next of 1, 2, 5, 10, ... at or above a positive value; 1 for anything that is not positive and finite."""
    if not (value > 0 and math.isfinite(value)):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in steps if value <= step * power * (1 + 1e-9)), 10 * power)


def largest(arrays: Iterable[np.ndarray]) -> float:
    """Largest finite magnitude in all arrays; 0 if there is none."""
    return float(max(map(_largest, arrays), default=0))


def decades(arrays: Iterable[np.ndarray], most: int = 12) -> tuple[float, float]:
    """Whole powers of ten around all positive finite values, at most `most` decades below the largest."""
    positive = [array[np.isfinite(array) & (array > 0)] for array in arrays]
    positive = [array for array in positive if array.size]
    if not positive:
        return 1e-3, 1.0
    high = math.ceil(math.log10(max(array.max() for array in positive)))
    low = math.floor(math.log10(min(array.min() for array in positive)))
    low = max(min(low, high - 1), high - most)
    return 10.0**low, 10.0**high


def time_axis(traces: Iterable[Trace], sequence: int) -> Axis:
    """The linked time axis, as long as the longest of the traces' own sequences of this number, without their padding."""
    steps = max((int(trace.lengths[sequence]) for trace in traces), default=1)
    return Axis("time", "time step", 0.5, steps + 0.5)


def time_steps(trace: Trace) -> np.ndarray:
    """1..T, the positions on a time axis."""
    return np.arange(1, trace.time_steps + 1)


def _largest(array: np.ndarray) -> float:
    """Of one array: without copies where all of it is finite, as long traces mostly are."""
    ends = (array.max(), -array.min()) if array.size else (0,)
    return max(0, *ends) if np.isfinite(ends).all() else np.abs(array[np.isfinite(array)]).max(initial=0)
