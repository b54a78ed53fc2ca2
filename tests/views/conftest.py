"""What the view tests share: Traces made by hand, so that every expected value is known without a model."""

import numpy as np
import pytest

from rnnscope.core.reach import Reach
from rnnscope.core.trace import Attended, Facts, History, Influence, Layer, Signal, Trace
from rnnscope.views.subject import Subject, style_of

LEGEND = {
    "forget_gate": Signal("f", "forget gate", 0, 1, gate=True),
    "candidate": Signal("g", "candidate", -1, 1, gate=True),
    "value": Signal("z", "gated value", gate=True),
    "hidden": Signal("h", "hidden state", -1, 1),
    "cell": Signal("c", "cell state"),
    "depth_gate": Signal("d", "depth gate", 0, 1, gate=True),
    "active": Signal("m", "whether the module works", 0, 1),
    "numerator": Signal("n", "numerator"),
    "denominator": Signal("d", "denominator", 0),
    "running_maximum": Signal("a_max", "running maximum"),
}


def _make_trace(seed=0, steps=6, batch=2, units=3, inputs=1, targets=True, lengths=None, layers=("layer 1",), **more):
    """`layers` names the layers, or says of each which way its memory flows; all have the same kinds of signals."""
    random = np.random.default_rng(seed)
    lengths = np.full(batch, steps) if lengths is None else np.array(lengths)
    behind = np.arange(steps)[:, None] >= lengths
    of_layer = {name: more.pop(name) for name in ("signals", "gradients", "parts") if name in more}
    along = layers if isinstance(layers, dict) else dict.fromkeys(layers, "forward")
    made = {name: _layer(random, (steps, batch, units), behind, targets, way, **of_layer) for name, way in along.items()}
    fields = {
        "inputs": random.random((steps, batch, inputs)) if isinstance(inputs, int) else inputs,
        "outputs": random.random((steps, batch, 1)),
        "loss": random.random((steps, batch)) + 0.01 if targets else None,
    } | more
    for name in ("inputs", "outputs", "loss"):
        fields[name] = _padded(fields[name], behind)
    return Trace(layers=made, lengths=lengths, **fields)


def _layer(random, shape, behind, targets, along, signals=(), gradients=None, parts=("hidden", "cell")):
    """A layer with random signals, those of `signals` in their place: None for none."""
    signals = {
        "forget_gate": random.random(shape),
        "candidate": random.uniform(-1, 1, shape),
        "value": random.normal(0, 2, shape),
        "hidden": random.uniform(-1, 1, shape),
        "log_retention": np.log(random.random(shape)),
        "log_write": np.log(random.random(shape)),
    } | dict(signals)
    signals = {name: _padded(value, behind) for name, value in signals.items() if value is not None}
    if gradients is None:
        gradients = {name: random.random(shape[:2]) + 0.01 for name in ("state", *parts)} if targets else {}
    legend = {k: s for k, s in LEGEND.items() if k in (*signals, "cell")}
    return Layer(signals, legend, {name: _padded(value, behind) for name, value in gradients.items()}, along)


def _padded(array, behind):
    """The array as numbers, NaN behind the end of each sequence."""
    if array is None:
        return None
    array = np.array(array, float)
    array[behind] = np.nan
    return array


def _make_subject(
    name="lstm",
    cell=1,
    again=0,
    trace=True,
    history=(),
    reaches=None,
    influence=None,
    picture=None,
    channels=None,
    baseline=0.25,
    growth=None,
    **more,
):
    """A Subject with a Trace of `make_trace(**more)`; trace=False for none."""
    trace = _make_trace(**more) if trace else None
    channels = channels or tuple(f"channel {n}" for n in range(trace.inputs.shape[2] if trace else 1))
    facts = Facts("handmade", channels, picture, "mean_squared_error", baseline, "guesses")
    history = History(np.array(history, np.float32), np.ones(len(history), np.float32))
    return Subject(name, style_of(cell, again), facts, history, trace, reaches or {}, influence, growth or {})


def _make_reach(measure="state_jacobian", half=2.0, lags=8):
    """A curve that falls to one half every `half` lags, its band a factor of 2 up and down."""
    k = np.arange(lags)
    mean = 0.5 ** (k / half)
    return Reach.from_sequences(measure, np.stack([mean / 2, mean, mean * 2], 1))


def _make_runs(steps=7, lengths=(7, 5), units=3):
    """A Subject of each kind of network that some view is for; two sequences of the given lengths."""
    random = np.random.default_rng(5)
    batch, shape = len(lengths), (steps, len(lengths), units)
    symbols = np.eye(5)[random.integers(0, 5, (steps, batch))]
    sums = {
        "numerator": random.normal(0, 2, shape),
        "denominator": random.random(shape) + 1,
        "running_maximum": np.ones(shape),
    }
    periods = np.array([1, 2, 2, 4])[:units]
    works = np.broadcast_to(np.arange(1, steps + 1)[:, None, None] % periods == 0, shape)
    parents = np.stack([_comb(steps, length) for length in lengths], 1)
    answers = 3
    weights = random.random((answers, steps, batch))
    several = {"forward 1": "forward", "backward 1": "backward", "forward 2": "forward", "backward 2": "backward"}
    kinds = {
        "lstm": {},
        "rwa": {"signals": sums},
        "clockwork": {"signals": {"active": works.astype(float)}},
        "deep": {"layers": ("layer 1", "layer 2"), "signals": {"depth_gate": random.random(shape)}},
        "both ways": {"layers": several},
        "tree": {"layers": {"nodes": "tree"}, "parents": parents, "inputs": symbols},
        "decoder": {
            "attended": Attended(weights / weights.sum(1, keepdims=True), np.array(lengths) - answers),
            "sources": np.array(lengths) - answers,
            "inputs": symbols,
        },
        "digit": {"picture": (1, steps)},
        "static": {"attended": Attended(weights[:1] / weights[:1].sum(1, keepdims=True), np.array(lengths) - 1)},
    }
    common = {"steps": steps, "lengths": lengths, "batch": batch, "units": units}
    mattered = Influence(3, 0, None, np.where(np.arange(steps) < lengths[0], 0.1 + random.random(steps), np.nan))
    reaches = {"state_jacobian": _make_reach()}
    grown = {0: {"state_jacobian": _make_reach(half=1.0)}, 3: reaches}
    facts = {"history": [3, 2, 1], "reaches": reaches, "influence": mattered, "growth": grown}
    return {
        kind: _make_subject(kind, again=n, seed=n, channels=_channels(more), **facts, **common, **more)
        for n, (kind, more) in enumerate(kinds.items())
    }


def _comb(steps, length):
    """A tree of an odd number of nodes: every parent has a leaf and the parent before it (T,)."""
    n = np.arange(steps)
    return np.where(n < length - 1, n + 2 - n % 2, -1)


def _channels(more):
    return ("7", "2", "space", "MAX", "9") if "inputs" in more else None


@pytest.fixture
def make_runs():
    """Build a Subject of each kind of network: kind -> Subject."""
    return _make_runs


@pytest.fixture
def make_trace():
    """Build a Trace: (seed, steps, batch, units, inputs, targets, lengths, layers, signals, gradients, parts, **fields)."""
    return _make_trace


@pytest.fixture
def make_subject():
    """Build a Subject: (name, cell, again, trace, history, reaches, picture, channels, **of make_trace)."""
    return _make_subject


@pytest.fixture
def make_reach():
    """Build a Reach: (measure, half, lags)."""
    return _make_reach
