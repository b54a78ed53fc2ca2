"""Reach: how far back one model carries information, by one measure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FLOOR = 1e-30  # below this nothing is claimed: float32 gradients end at about 1e-38


@dataclass(frozen=True, eq=False)
class Reach:
    """A curve over lags k = 0..K-1, relative to lag 0, with its spread over sequences.

    mean       (K,) geometric mean over sequences
    low, high  (K,) mean divided and multiplied by the geometric standard deviation over sequences
    """

    measure: str
    lags: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def from_sequences(cls, measure: str, curves: np.ndarray) -> Reach:
        """From one curve per sequence (K, B), non-negative; NaN where a sequence is too short for a lag."""
        logs = np.log(np.maximum(curves, FLOOR))
        mean, spread = np.nanmean(logs, axis=1), np.nanstd(logs, axis=1)
        return cls(measure, np.arange(len(curves)), np.exp(mean), np.exp(mean - spread), np.exp(mean + spread))

    def falls_to(self, share: float) -> float | None:
        """The lag at which the mean falls to `share` of lag 0 for good, log-linear between lags; None if it never does.

        A curve may dip and recover (an LSTM's does, when most units forget and a few keep): what comes back was not lost.
        """
        logs = np.log(self.mean / self.mean[0])
        k = np.flatnonzero(logs > np.log(share))[-1] + 1
        if k == len(logs):
            return None
        return float(k - (np.log(share) - logs[k]) / (logs[k - 1] - logs[k]))

    @property
    def lag50(self) -> float | None:
        """Lag, in time steps, beyond which the mean stays at or below 50 %; None if it never does."""
        return self.falls_to(0.5)

    @property
    def lag1(self) -> float | None:
        """Lag, in time steps, beyond which the mean stays at or below 1 %; None if it never does."""
        return self.falls_to(0.01)
