"""Reach: how far back one model carries information, by one measure, with what the sequences leave uncertain."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

QUICK = ("state_jacobian", "direct_weight")  # measures that are taken without being asked for
TRAINING = "solved_length"  # the measure that trains fresh models, for minutes to hours
DELAYS, SEEDS = (10, 20, 50, 100, 200, 500, 1000), 3  # how many at most: one for each delay and seed
FLOOR = 1e-30  # below this nothing is claimed: float32 gradients end at about 1e-38
RESAMPLES = 1000
PLACES = 1000  # lags at which curves are resampled, evenly on a log axis; between them intervals are interpolated
ROUNDING = 1e-10  # squared residual of a log that means nothing
FITTED = 64  # lags on which the laws are fitted, evenly on a log axis


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval, of a lag in time steps; None in place of one: beyond the last lag, if anywhere."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Law:
    """Which of two laws a curve follows more closely between lag 1 and its end or floor.

    name      "exponential", e^(rate k), or "power law", k^exponent
    rate      slope on semilog axes, per time step
    exponent  slope on log-log axes
    fit       R^2 of this law, of logs; where it is far from 1 neither describes the curve
    better    the other law's sum of squared residuals, of logs, over this one's: at least 1
    share     share of bootstrap resamples in which this law is the closer one, 0.5..1 where it is no accident
    """

    name: str
    rate: float
    exponent: float
    fit: float
    better: float
    share: float


@dataclass(frozen=True, eq=False)
class Reach:
    """A curve over lags with its 95 % interval over sequences, and over models where it joins several.

    lags       (K,) increasing, the first is what "lag 0" means below; 0..K-1 unless the measure left some out
    mean       (K,) over sequences: geometric where the measure is a share of lag 0
    low, high  (K,) ends of the interval; NaN with a single sequence
    floor      below this nothing is claimed
    lag50, lag1  in time steps, the lag beyond which the mean stays at or below 50 % and 1 % of lag 0
    total      sum of the mean over all lags above the floor, in straight lines across those left out: of decoding the
               linear memory capacity (Jaeger, Short term memory in echo state networks, 2001)
    law        None where fewer than 4 lags are above the floor, or all values there are alike
    curves, weights  (K, M, B) for M models and B sequences, what all of this was made of: `Reach.from_sequences`
    along      "tree" where a lag counts nodes on the way up to the root; else "forward" or "backward" in time
    """

    measure: str
    lags: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    floor: float
    lag50: Estimate
    lag1: Estimate
    total: Estimate
    law: Law | None
    curves: np.ndarray
    weights: np.ndarray
    geometric: bool
    along: Literal["forward", "backward", "tree"] = "forward"

    @classmethod
    def from_sequences(
        cls,
        measure: str,
        curves: np.ndarray,
        *,
        lags: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        geometric: bool = True,
        floor: float = FLOOR,
    ) -> Reach:
        """From one curve per sequence, (K, B), or per model and sequence, (K, M, B); NaN where a sequence is too short.

        lags       (K,), 0..K-1 by default
        weights    of the same shape, how much each value counts; all alike by default
        geometric  average logs, which needs values that are not negative; else the values themselves

        The interval is the bootstrap's over sequences, and over models independently of them (Owen, The pigeonhole
        bootstrap, 2007), from a fixed seed; its percentiles are widened for small samples (Hesterberg, What teachers should
        know about the bootstrap, 2015): from 10 on they hold the truth about 95 times in 100, with 5 still 89 times.
        """
        curves = curves[:, None] if curves.ndim == 2 else curves
        given = np.where(np.isfinite(curves), 1.0 if weights is None else weights.reshape(curves.shape), 0.0)
        values = np.log(np.maximum(curves, FLOOR)) if geometric else curves
        parts = np.where(given > 0, values, 0.0) * given
        back = np.exp if geometric else np.asarray
        places = _spread(len(curves), PLACES)
        drawn = _resampled(parts[places], given[places])  # (R, places)
        mean = parts.sum((1, 2)) / given.sum((1, 2))
        ends = _ends(curves.shape[1:])
        lags = np.arange(len(mean)) if lags is None else lags
        low, high = (back(np.interp(lags, lags[places], end)) for end in _quantiles(drawn, ends))
        curve, resampled = back(mean), back(drawn)
        low, high = np.minimum(low, curve), np.maximum(high, curve)  # the last digit may say otherwise
        falls = [_estimate(curve, lags, resampled, lags[places], share, floor, ends) for share in (0.5, 0.01)]
        sums = _total(curve, lags, floor), *_quantiles(_total(resampled, lags[places], floor), ends)
        total = Estimate(*(float(end) if np.isfinite(end) else None for end in sums))
        law = _law(curve[places], resampled, lags[places], floor)
        return cls(measure, lags, curve, low, high, floor, *falls, total, law, curves, given, geometric)

    @classmethod
    def joined(cls, reaches: list[Reach]) -> Reach:
        """Of several models of a kind on the same sequences, by the same measure."""
        first = reaches[0]
        curves, weights = (np.concatenate([getattr(r, name) for r in reaches], axis=1) for name in ("curves", "weights"))
        floor = max(reach.floor for reach in reaches)
        options = {"lags": first.lags, "weights": weights, "geometric": first.geometric, "floor": floor}
        return replace(cls.from_sequences(first.measure, curves, **options), along=first.along)


def _spread(count: int, most: int) -> np.ndarray:
    """At most so many of the places 0..count-1, evenly on a log axis: all where there are no more, with both ends."""
    if count <= most:
        return np.arange(count)
    return np.unique(np.r_[0, np.round(np.geomspace(1, count - 1, most - 1)).astype(int)])


def _resampled(parts: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Means of bootstrap resamples of values times weights and weights, (K, M, B) each: (R, K)."""
    random = np.random.default_rng(0)
    models, sequences = (random.multinomial(n, np.full(n, 1 / n), RESAMPLES) for n in parts.shape[1:])
    counts = (models[:, :, None] * sequences[:, None, :]).reshape(RESAMPLES, -1).astype(float)
    above, below = (counts @ array.reshape(len(array), -1).T for array in (parts, given))
    with np.errstate(invalid="ignore"):
        drawn = above / below
    return np.where(np.isnan(drawn), np.nanmean(drawn, axis=0), drawn)  # a lag that few sequences have


def _ends(shape: tuple[int, int]) -> tuple[float, float] | None:
    """Where the interval ends among the resamples of so many models and sequences, about 0.025 and 0.975; None of one."""
    n = shape[0] if shape[0] > 1 else shape[1]
    if n == 1:
        return None
    from scipy.special import ndtr
    from scipy.stats import t as student

    tail = float(ndtr(math.sqrt(n / (n - 1)) * student.ppf(0.025, n - 1)))
    return tail, 1 - tail


def _quantiles(drawn: np.ndarray, ends: tuple[float, float] | None) -> np.ndarray:
    """Of resamples (R, ...): (2, ...)."""
    if ends is None:
        return np.full((2, *drawn.shape[1:]), np.nan)
    return np.quantile(drawn, ends, axis=0, method="inverted_cdf")  # of values that may be infinite


def _estimate(curve, lags, resampled, places, share: float, floor: float, ends: tuple[float, float] | None) -> Estimate:
    value, low, high = falls_to(curve, lags, share, floor), *_quantiles(falls_to(resampled, places, share, floor), ends)
    return Estimate(*(float(lag) if np.isfinite(lag) else None for lag in (value, low, high)))


def _total(curves: np.ndarray, lags: np.ndarray, floor: float) -> np.ndarray:
    """Sum of each curve (..., K) over all whole lags from the first to the last, where it is above its floor."""
    gaps = np.diff(lags)
    shares = 1 + np.r_[0, gaps - 1] / 2 + np.r_[gaps - 1, 0] / 2  # of each lag and half of those left out around it
    return np.where(curves > floor, curves, 0) @ shares


def falls_to(curves: np.ndarray, lags: np.ndarray, share: float, floor: float = FLOOR) -> np.ndarray:
    """The lag at which each curve (..., K) falls to `share` of its first for good, log-linear between; or inf.

    A curve may dip and recover (an LSTM's does, when most units forget and a few keep): what comes back was not lost. What
    falls below a floor that was measured falls there in a straight line: its log says nothing. What begins at or below 0
    has nothing to fall from: inf.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = curves / np.where(curves > 0, curves, np.nan)[..., :1]
        logs = np.log(np.maximum(shares, FLOOR))
    above = logs > np.log(share)
    after = above.shape[-1] - np.argmax(above[..., ::-1], axis=-1)  # the first lag of the rest that stays below
    end = np.minimum(after, len(lags) - 1)
    straight = (_at(curves, end) <= floor) & (floor > FLOOR)
    with np.errstate(divide="ignore", invalid="ignore"):
        by_log, by_share = (
            (_at(values, end - 1) - edge) / (_at(values, end - 1) - _at(values, end))
            for values, edge in ((logs, np.log(share)), (shares, share))
        )
        found = lags[end - 1] + np.where(straight, by_share, by_log) * (lags[end] - lags[end - 1])
    return np.where(after == len(lags), np.inf, found)


def _at(curves: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Of each curve (..., K) the value at its own place (...)."""
    return np.take_along_axis(curves, np.asarray(places)[..., None], -1)[..., 0]


def _law(curve: np.ndarray, resampled: np.ndarray, lags: np.ndarray, floor: float) -> Law | None:
    """Fit both laws to the logs at the same lags, from lag 1 to where the curve first meets its floor."""
    ended = np.flatnonzero(~(curve > floor))
    inside = np.flatnonzero((lags > 0) & (np.arange(len(lags)) < (ended[0] if len(ended) else len(lags))))
    if len(inside) < 4:
        return None
    inside = inside[np.unique(np.searchsorted(lags[inside], np.geomspace(lags[inside][0], lags[inside][-1], FITTED)))]
    logs = np.log(np.maximum(np.vstack([curve[inside], resampled[:, inside]]), FLOOR)).T  # (fitted, 1 + R)
    slopes, left = [], []
    for x in (lags[inside].astype(float), np.log(lags[inside])):
        line = np.stack([x, np.ones_like(x)], 1)
        fit = np.linalg.lstsq(line, logs, rcond=None)[0]
        slopes.append(fit[0])
        left.append(np.square(logs - line @ fit).sum(0) + ROUNDING * len(x))
    power = left[1] < left[0]
    apart = max(left[0][0], left[1][0]) / min(left[0][0], left[1][0])
    if apart == 1 or np.ptp(logs[:, 0]) < ROUNDING:
        return None
    name, share = ("exponential", "power law")[int(power[0])], float(np.mean(power[1:] == power[0]))
    fit = 1 - min(left[0][0], left[1][0]) / np.square(logs[:, 0] - logs[:, 0].mean()).sum()
    return Law(name, float(slopes[0][0]), float(slopes[1][0]), float(fit), float(apart), share)
