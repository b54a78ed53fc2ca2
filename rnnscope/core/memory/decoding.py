"""How well an earlier input can be read from the state: linear probes on sequences that they have not seen."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from rnnscope.core.layout import Layout
from rnnscope.core.memory.causal import OVERFLOW, inputs_before
from rnnscope.core.memory.portions import Between, in_portions, nothing
from rnnscope.core.model import Model
from rnnscope.core.networks import Chain
from rnnscope.core.reach import FLOOR, Reach

PENALTIES = np.logspace(-6, 6, 13)  # of ridge regression, on standardised states, as sums over sequences
SHUFFLES = 100
Probe = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
FEWEST = 8  # sequences
TOGETHER = 16  # lags are read between two moments at which a measurement can be ended


def decoding(
    model: Model,
    inputs: torch.Tensor,
    layout: Layout,
    chain: Chain,
    between: Between = nothing,
    *,
    lags: np.ndarray | None = None,
) -> Reach | None:
    """What a linear probe reads of x_(T-k) from the full state at T, on held-out sequences; 1 is all. None for trees.

    Values: pooled R^2 of a ridge regression whose penalty leave-one-out picks within the training half, all channels'
    squares together, against the mean of the training half. Symbols (of each vector at most one entry is 1): accuracy of a
    logistic regression with penalty |w|^2 / 2, as (accuracy - chance) / (1 - chance), where chance always says the most
    frequent symbol. States are standardised; one half of the sequences trains the probe and the other is read, both ways.
    The state is the memory as in `state_jacobian`, each sequence's at the end of the chain.

    lags  time steps, by default the first 64 at which sequences differ, then evenly on a log axis, 96 in all, as far back
          as half of the sequences and at least 8 of them go; None with fewer
    The floor is what 97.5 % of scores stay below when states are shuffled against inputs, `SHUFFLES` times over all lags.
    With fewer sequences than about 4 times the state's size the probe finds less than is there and not more: curves are low
    and ragged, below 0 where it is misled, and comparable only on the same sequences between states of one size.
    However small a part of the state counts if it stands out from rounding. Inputs that depend on one another are read from
    one another. Raises ValueError when states overflow.
    """
    fewest = max(FEWEST, -(-len(layout.lengths) // 2))
    if chain.along == "tree" or len(layout.lengths) < fewest:
        return None
    lags, places, read = inputs_before(inputs, layout, chain, lags, fewest=fewest, dense=64, most=96)
    if not len(lags):
        return None
    states = in_portions(
        model,
        inputs,
        lambda part: _states(model, inputs[:, part], layout.part(part), chain),
        lambda done: between(done / 2),
    ).T  # (B, N)
    if not np.isfinite(states).all():
        raise ValueError(OVERFLOW)
    there = places >= 0
    probe, wanted = _probe_for(read.cpu().double().numpy(), there)
    halves, random = _halves(layout.lengths), np.random.default_rng(0)
    residual, total, shuffled = np.zeros(there.shape), np.zeros(there.shape), []
    of = np.arange(SHUFFLES) * len(lags) // SHUFFLES  # which lag each shuffle is of
    for same in _alike(there):
        able = np.flatnonzero(there[same[0]])
        mixed = [wanted[lag, random.permutation(able)] for lag in of[np.isin(of, same)]]
        left, whole = probe(states[able], np.stack([*wanted[same][:, able], *mixed], 1), halves[able])
        residual[np.ix_(same, able)], total[np.ix_(same, able)] = left[:, : len(same)].T, whole[:, : len(same)].T
        shuffled += [*(1 - left.sum(0) / whole.sum(0))[len(same) :]]
        between(0.5 + (same[-1] + 1) / len(lags) / 2)
    total = np.maximum(total, 1e-12 * total.max(1, keepdims=True))  # a weight of 0 would hide what is left
    curves = np.where(there, 1 - residual / total, np.nan)
    floor = max(FLOOR, float(np.quantile(shuffled, 0.975)))
    return Reach.from_sequences("decoding", curves, lags=lags, weights=total, geometric=False, floor=floor)


def _states(model: Model, inputs: torch.Tensor, layout: Layout, chain: Chain) -> np.ndarray:
    """The memory at the end of the chain: (N, B). Waits for the device."""
    with torch.no_grad():
        ran = model.network.run(inputs, layout, record=True)
        return torch.cat(model.network.end(chain, ran, layout), -1).cpu().double().numpy().T


def _alike(there: np.ndarray) -> Iterator[np.ndarray]:
    """Places among the lags of `there` (K, B) that have the same sequences, a few of them at a time."""
    counts = there.sum(1)
    for count in np.unique(counts)[::-1]:  # the further back, the fewer
        same = np.flatnonzero(counts == count)
        yield from np.array_split(same, -(-len(same) // TOGETHER))


def _halves(lengths: np.ndarray) -> np.ndarray:
    """Which half each sequence is in, (B,) bool: by chance, and both have as many sequences of any length or above."""
    halves = np.empty(len(lengths), bool)
    halves[np.lexsort((np.random.default_rng(0).permutation(len(lengths)), lengths))] = np.arange(len(lengths)) % 2
    return halves


def _probe_for(read: np.ndarray, there: np.ndarray) -> tuple[Probe, np.ndarray]:
    """How inputs (K, B, I) are to be read, and as what: values as they are, symbols as codes (K, B), I where all are 0."""
    known = read[there]
    if known.shape[1] > 1 and np.isin(known, (0, 1)).all() and (known.sum(1) <= 1).all():
        return _symbols, np.where(read.any(-1), read.argmax(-1), read.shape[-1])
    return _values, read


def _values(states: np.ndarray, targets: np.ndarray, halves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squares that are left of targets (B, m, I), and that the training half's mean leaves: each (B, m)."""
    left, whole = np.zeros((2, *targets.shape[:2]))
    for train in (halves, ~halves):
        guess = ridge(states, targets.reshape(len(targets), -1), train).reshape(-1, *targets.shape[1:])
        left[~train] = ((targets[~train] - guess) ** 2).sum(-1)
        whole[~train] = ((targets[~train] - targets[train].mean(0)) ** 2).sum(-1)
    return left, whole


def _symbols(states: np.ndarray, codes: np.ndarray, halves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """1 where a code of (B, m) is read wrong, and how often chance is wrong: each (B, m)."""
    from sklearn.linear_model import LogisticRegression

    left = np.zeros(codes.shape)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)  # symbols they are, rare or not
        for train in (halves, ~halves):
            seen, unseen = _standardised(states, train)
            for known, asked, wrong in zip(codes[train].T, codes[~train].T, left.T, strict=True):
                probe, several = LogisticRegression(tol=1e-3, max_iter=10_000), (known != known[0]).any()
                wrong[~train] = asked != (probe.fit(seen, known).predict(unseen) if several else known[0])
    chance = [np.bincount(column).max() / len(column) for column in codes.T]
    return left, np.broadcast_to(1 - np.array(chance), codes.shape)


@dataclass(frozen=True, eq=False)
class Capacity:
    """Linear memory capacity: `delays` (K,) holds MC_k for k = 0..K-1, each 0..1 up to its error.

    `total` and `past` are the sums over k >= 0 and over k >= 1. Here input t has entered before state t is read, so MC_0
    needs no memory; a delay line of N units has 1 for k = 0..N-1. Neither sum exceeds the size of the state.
    """

    delays: np.ndarray

    @property
    def total(self) -> float:
        """Sum over k >= 0."""
        return float(self.delays.sum())

    @property
    def past(self) -> float:
        """Sum over k >= 1."""
        return float(self.delays[1:].sum())


def memory_capacity(
    model: Model,
    *,
    delays: int | None = None,
    channel: int = 0,
    scale: float = 1.0,
    normal: bool = False,
    time_steps: int = 4000,
    washout: int = 200,
    seed: int = 0,
) -> Capacity:
    """`linear_capacity` of a network that reads random numbers in one channel and 0 in the others, in one long run.

    Random numbers are uniform on -scale..scale or `normal` with that standard deviation: small ones show the memory of the
    network near its linear regime, large ones that of a saturated one. The state is the full state of all its layers.

    delays  how many k, by default twice the size of the state, at most a quarter of the time steps
    Raises ValueError for a network that does not read forward in time only, and when states overflow.
    """
    network, random = model.network, np.random.default_rng(seed)
    chain = next(iter(network.chains.values()))
    if network.needs or any(each.along != "forward" for each in network.chains.values()):
        raise ValueError(f"memory capacity: expected a network that reads forward in time only, got the {network.name}")
    drawn = random.standard_normal if normal else lambda count: random.uniform(-1, 1, count)
    signal = scale * drawn(washout + time_steps)
    inputs = model.readout.weight.new_zeros(len(signal), 1, network.inputs)
    inputs[:, 0, channel] = torch.as_tensor(signal)
    with torch.no_grad():
        ran = network.run(inputs, Layout(np.array([len(signal)])), record=True)
        parts = []
        for name in chain.layers:
            cell, states = network.layers[name], ran.layers[name].signals
            parts += cell.coordinates({part: states[part] for part in cell.states}).values()
    states = torch.cat(parts, -1)[:, 0].cpu().double().numpy()
    if not np.isfinite(states).all():
        raise ValueError(OVERFLOW)
    delays = min(2 * states.shape[1], time_steps // 4) if delays is None else delays
    return linear_capacity(states[washout:], inputs[washout:, 0, channel].cpu().double().numpy(), delays)


def linear_capacity(states: np.ndarray, inputs: np.ndarray, delays: int) -> Capacity:
    """How much of u(t-k) a linear readout of the state at t gives, k = 0..delays-1 (Jaeger, Short term memory, GMD 2001).

    MC_k is the squared correlation of u(t-k) with what a ridge regression, trained on one half of the time, says of it in
    the other half, both ways; less what it is for shuffled inputs, as (r^2 - null) / (1 - null). In the half that it has
    seen, noise alone would have a capacity of its dimension over its time steps for every k.

    states (T, N), inputs (T,) independent in time, state t after input t
    """
    time_steps, random = len(inputs) - delays + 1, np.random.default_rng(0)
    columns = [inputs[delays - 1 - k : len(inputs) - k] for k in range(delays)]
    columns += [random.permutation(columns[0]) for _ in range(20)]
    targets, states = np.stack(columns, 1), states[delays - 1 :]
    squares = np.zeros(targets.shape[1])
    halves = np.arange(time_steps) < time_steps // 2
    for train in (halves, ~halves):
        guess, right = (part - part.mean(0) for part in (ridge(states, targets, train), targets[~train]))
        powers = (guess**2).sum(0) * (right**2).sum(0)
        squares += np.divide((guess * right).sum(0) ** 2, powers, out=np.zeros_like(powers), where=powers > 0) / 2
    null = squares[delays:].mean()
    return Capacity((squares[:delays] - null) / (1 - null))


def ridge(states: np.ndarray, targets: np.ndarray, train: np.ndarray) -> np.ndarray:
    """What ridge regressions of states (n, N) on targets (n, m), made where `train` is true, say elsewhere: (n', m)."""
    from sklearn.linear_model import RidgeCV

    seen, unseen = _standardised(states, train)
    found = RidgeCV(PENALTIES, alpha_per_target=True).fit(seen, targets[train])
    return found.predict(unseen).reshape(len(unseen), -1)


def _standardised(states: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of states (n, N) to train on and the rest, both with mean 0 and variance 1 in the first."""
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(states[train])
    return scaler.transform(states[train]), scaler.transform(states[~train])
