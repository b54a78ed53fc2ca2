"""What every past moment weighs now: RWA's attention, and the same question put to gated cells."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from rnnscope.core.trace import Trace

_LOGS = ("log_retention", "log_write")
_LEAST = np.finfo(float).tiny
CACHED = 2**16  # numbers that are worked on at once
Of = Callable[[np.ndarray], np.ndarray]


def attention(logits: np.ndarray, t: int) -> np.ndarray:
    """Weight that moments 0..t have at time step t in an RWA: softmax of the logits over moments, per unit.

    logits  (T, ...), as the signal "attention_logit" stores them, once
    Returns (t + 1, ...) float64; every column sums to 1.
    Source: the closed form of the running numerator and denominator, Ostmeyer and Cowell 2017.
    """
    past = logits[: t + 1].astype(np.float64)
    weights = np.exp(past - past.max(axis=0))
    return weights / weights.sum(axis=0)


def weights_of_past(trace: Trace, t: int, sequence: int, of: Of = np.asarray) -> np.ndarray | None:
    """Weight of each moment in the memory at time step t: (T, H) float64, or None for a cell without gates.

    What was written at j times what has been kept since: i_j f_(j+1) ... f_t for the LSTM, (1 - z_j) z_(j+1) ... z_t for
    the GRU, and for the RWA its `attention`. It is the element-wise weighted sum that a gated memory is (Levy et al., Long
    short-term memory as a dynamically computed element-wise weighted sum, ACL 2018). The direct path only: what a moment
    changes in later gates is not in it. NaN for moments that have not been read at t: those behind it, those before it
    where a layer reads backward, and in a tree the nodes that are not below node t.

    of  what is wanted of the weights of some moments, (n, H) to (n, ...), where all of them would not fit the cache
    """
    return _of_past(trace, t, sequence, of, "log_write")


def left_of_past(trace: Trace, t: int, sequence: int, of: Of = np.asarray) -> np.ndarray | None:
    """Share of the memory after each moment that is left at time step t: (T, H) float64, NaN as in `weights_of_past`.

    The product of what has been kept since: 1 at t itself. None for a cell without gates.
    """
    return _of_past(trace, t, sequence, of)


def _of_past(trace: Trace, t: int, sequence: int, of: Of, *more: str) -> np.ndarray | None:
    """`of` the exponentials of what `_logs_of_past` finds plus `more` signals."""
    if not {"log_retention", *more} <= {*trace.signals}:
        return None
    kept, *added = (trace.signals[name][:, sequence] for name in ("log_retention", *more))
    found = np.full((len(kept), *of(kept[:0]).shape[1:]), np.nan)
    for moments, logs in _logs_of_past(trace, t, sequence, kept):
        for signal in added:
            logs += signal[moments]
        found[moments] = of(np.exp(logs, out=logs))
    return found


def _logs_of_past(trace: Trace, t: int, sequence: int, kept: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Some moments, and the logs of what is left of them at t, (n, H), until those before t are through."""
    along, length = trace.layers[trace.layer].along, int(trace.lengths[sequence])
    if t >= length:
        return
    if along == "tree":
        below, above = _subtree(trace.parents[: t + 1, sequence], t)
        yield np.flatnonzero(below), up_to_root(kept[: t + 1, None], above[:, None])[below, 0]
        return
    back = np.arange(t, length) if along == "backward" else np.arange(t, -1, -1)  # as far as it has read, the newest first
    some, since = max(1, CACHED // kept.shape[1]), 0.0
    for moments in (back[begin : begin + some] for begin in range(0, len(back), some)):
        part = kept[moments]
        logs = since + retention_logs(part[::-1])[::-1]
        since = logs[-1] + part[-1]  # before it is handed on, which may change it
        yield moments, logs


def spread_of_past(trace: Trace, sequence: int) -> np.ndarray | None:
    """Mean lag, in time steps, and entropy, in nats, of the weights of the past at each time step: (2, T, H) float64.

    Of `weights_of_past` made to sum to 1, as a running average's do by themselves; None for other cells and for trees. The
    newest moment weighs w_t of all, those before it keep their proportions and share 1 - w_t:

        lag_t = (1 - w_t) (lag_(t-1) + 1)     S_t = (1 - w_t) S_(t-1) - w_t ln w_t - (1 - w_t) ln (1 - w_t)

    With equal weights at time step t these are (t - 1) / 2 and ln t. NaN where the layer does not work, and where nothing
    has been written yet.
    """
    along = trace.layers[trace.layer].along
    if along == "tree" or not {*_LOGS} <= {*trace.signals}:
        return None
    logs = [trace.signals[name][: trace.lengths[sequence], sequence].astype(np.float64) for name in _LOGS]
    order = slice(None, None, -1 if along == "backward" else 1)
    kept, written = (np.exp(log[order]) for log in logs)
    kept[0] = 0  # before the first moment there is nothing
    whole = _recurrence(kept, written)[0]
    new = np.divide(written, whole, out=np.ones_like(whole), where=whole != 0)
    old = 1 - new
    chosen = -sum(share * np.log(np.maximum(share, _LEAST)) for share in (new, old))  # 0 ln 0 is 0
    spread = np.full((2, *trace.signals[_LOGS[0]][:, sequence].shape), np.nan)
    found = np.where(whole > 0, _recurrence(old, old, chosen), np.nan)
    spread[:, : len(kept)] = found[:, order]
    return spread


def time_scales(trace: Trace) -> np.ndarray | None:
    """Time steps in which each unit's gates alone let its memory fall to 1/e: -1 / mean ln f, (H,) float64.

    The mean is over all time steps of all sequences but those before which there is no memory, as the first; in a tree over
    all nodes but the roots. Geometric, since shares are multiplied: 1 - mean f would say something else (Mahto et al.,
    Multi-timescale representation learning in LSTM language models, ICLR 2021). An RWA keeps ever more of its memory: its
    time scales grow with the sequences, as (T - 1) / ln T where all moments weigh alike.

    inf for a unit that keeps everything, NaN where no memory is kept. None for a cell without gates.
    """
    if "log_retention" not in trace.signals:
        return None
    logs = trace.signals["log_retention"]  # (T, B, H)
    begins = 0 if trace.layers[trace.layer].along == "forward" else trace.lengths - 1
    moments = np.arange(len(logs))[:, None]
    counted = ((moments != begins) & (moments < trace.lengths))[..., None] & np.isfinite(logs)
    total, count = logs.sum((0, 1), np.float64, where=counted), counted.sum((0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(count > 0, np.abs(count / total), np.nan)


def _recurrence(kept: np.ndarray, *added: np.ndarray) -> np.ndarray:
    """y_t = kept_t y_(t-1) + added_t from y = 0 on, for each that is added: (T, ...) each to (N, T, ...).

    In as many spans as they have time steps: within all spans at once, then from span to span (Blelloch 1990).
    """
    steps, side = len(kept), math.isqrt(len(kept) - 1) + 1
    spans = np.zeros((1 + len(added), side * side, *kept.shape[1:]))
    for span, values in zip(spans, (kept, *added), strict=True):
        span[:steps] = values
    through, y = np.split(spans.reshape(len(spans), side, side, *kept.shape[1:]), [1])
    for n in range(1, side):
        y[:, :, n] += through[:, :, n] * y[:, :, n - 1]
        through[:, :, n] *= through[:, :, n - 1]  # since the span began
    for span in range(1, side):
        y[:, span] += through[:, span] * y[:, span - 1, -1:]
    return spans[1:, :steps]


def _subtree(parents: np.ndarray, root: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of the nodes 0..root lie below it or are it, and their parents with -1 for it: (root + 1,) each."""
    below = np.zeros(root + 1, bool)
    below[root] = True
    for node in range(root - 1, -1, -1):
        below[node] = 0 <= parents[node] <= root and below[parents[node]]
    above = np.where(below, parents, -1)
    above[root] = -1
    return below, above


def up_to_root(log_retention: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """Log of the share of the memory of a node that is left at its root: the sum of `log_retention` on the way up.

    log_retention  (T, B, ...), what the parent of a node keeps of it; the root's is not read
    parents        (T, B), children before their parents, -1 for the root; (T, B, ...) as in Layout
    """
    up, each = np.zeros_like(log_retention, dtype=np.float64), np.arange(parents.shape[1])
    for node in range(len(parents) - 1, -1, -1):
        has = parents[node] >= 0
        up[node, has] = up[parents[node, has], each[has]] + log_retention[node, has]
    return up


def retention_logs(log_retention: np.ndarray) -> np.ndarray:
    """Log of the share of the memory after moment j that is left after the last one: sum of `log_retention` behind j.

    log_retention  (T, ...); the result has its shape, is 0 at the end and never exceeds 0.
    """
    after = np.zeros_like(log_retention, dtype=np.float64)
    after[:-1] = np.cumsum(log_retention[:0:-1], axis=0, dtype=np.float64)[::-1]
    return after
