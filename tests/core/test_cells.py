"""Every cell against torch's fused one with copied weights, and every signal against its equation in numpy."""

import numpy as np
import pytest
import torch
from torch import nn

from rnnscope.core.cells import CELLS
from rnnscope.core.engines import ENGINES

# torch's rows, as our gates: the input side, then the hidden side
ROWS = {
    "elman": (["preactivation"], ["preactivation"]),
    "lstm": (["input", "forget", "candidate", "output"],) * 2,
    "gru": (["reset", "update", "candidate_input"], ["reset", "update", "candidate_hidden"]),
}
TORCH = {"elman": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
VARIANTS = [*((name, {}) for name in CELLS), ("elman", {"nonlinearity": "relu"})]
EXACT = {"rtol": 1e-11, "atol": 1e-12}


def drawn(name, inputs=3, units=5, dtype=torch.float64, seed=3, **settings):
    cell = CELLS[name](inputs, units, CELLS[name].Settings(**settings)).to(dtype)
    cell.initialise(torch.Generator().manual_seed(seed))
    with torch.no_grad():
        cell.bias.normal_(generator=torch.Generator().manual_seed(seed + 1))
    return cell


def noise(*shape, seed=5, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def gathered(cell, name, values):
    """`values` (ours, like weight_x, weight_h, bias) as torch's weight_ih, weight_hh and the two gates' biases."""
    of_x, of_h = ROWS[name]
    x, h, bias = values
    return (
        torch.cat([x[cell.gate_rows(gate, "x")] for gate in of_x]),
        torch.cat([h[cell.gate_rows(gate, "h")] for gate in of_h]),
        torch.cat([bias[cell.gate_rows(gate, "bias")] for gate in of_x]),
        torch.cat([bias[cell.gate_rows(gate, "bias")] for gate in of_h]),
    )


def twin(cell, name):
    """torch's cell with the weights of ours; a bias that we have once is shared out unevenly between torch's two."""
    options = {"nonlinearity": cell.settings.nonlinearity} if name == "elman" else {}
    other = TORCH[name](cell.inputs, cell.units, dtype=torch.float64, **options)
    x, h, b_x, b_h = gathered(cell, name, [p.detach() for p in (cell.weight_x, cell.weight_h, cell.bias)])
    shared = torch.cat([torch.full((cell.units,), float(a == b)) for a, b in zip(*ROWS[name], strict=True)])
    new = {"weight_ih_l0": x, "weight_hh_l0": h, "bias_ih_l0": b_x - 0.7 * shared * b_x}
    other.load_state_dict(new | {"bias_hh_l0": b_h - 0.3 * shared * b_h})
    return other


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("steps", "batch", "units"), [(7, 4, 5), (1, 1, 1)])
@pytest.mark.parametrize(("name", "settings"), [v for v in VARIANTS if v[0] in TORCH], ids=str)
def test_outputs_and_gradients_are_torchs(name, settings, steps, batch, units, engine):
    cell = drawn(name, units=units, **settings)
    other = twin(cell, name)
    ours, theirs = (noise(steps, batch, 3).requires_grad_() for _ in range(2))
    upstream = noise(steps, batch, units, seed=9)
    hidden = ENGINES[engine](cell, ours).states["hidden"]
    expected = other(theirs)[0]
    torch.testing.assert_close(hidden, expected, **EXACT)
    (hidden * upstream).sum().backward()
    (expected * upstream).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, **EXACT)
    grads = gathered(cell, name, [p.grad for p in (cell.weight_x, cell.weight_h, cell.bias)])
    for grad, parameter in zip(grads, other.parameters(), strict=True):
        torch.testing.assert_close(grad, parameter.grad, **EXACT)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def elman(gate, x, s, settings):
    a = gate("preactivation", x, s["hidden"])
    if settings.get("nonlinearity") == "relu":
        return {"preactivation": a, "local_derivative": np.where(a > 0, 1.0, 0.0), "hidden": np.maximum(a, 0)}
    return {"preactivation": a, "local_derivative": np.cosh(a) ** -2, "hidden": np.tanh(a)}


def lstm(gate, x, s, settings):
    i, f, o = (sigmoid(gate(which, x, s["hidden"])) for which in ("input", "forget", "output"))
    g = np.tanh(gate("candidate", x, s["hidden"]))
    c = f * s.get("cell", 0) + i * g
    gates = {"input_gate": i, "forget_gate": f, "output_gate": o, "candidate": g, "write": i * g}
    logs = {"log_retention": np.log(f), "log_write": np.log(i), "timescale": -1 / np.log(f)}
    states = {"cell": c, "squashed_cell": np.tanh(c), "hidden": o * np.tanh(c)}
    return gates | logs | states | {"forget_preactivation": gate("forget", x, s["hidden"])}


def gru(gate, x, s, settings):
    h = s["hidden"]
    r, z = sigmoid(gate("reset", x, h)), sigmoid(gate("update", x, h))
    n = np.tanh(gate("candidate_input", x, h) + r * gate("candidate_hidden", x, h))
    gates = {"reset_gate": r, "update_gate": z, "candidate": n, "write": (1 - z) * n}
    logs = {"log_retention": np.log(z), "log_write": np.log(1 - z), "timescale": -1 / np.log(z)}
    return gates | logs | {"hidden": (1 - z) * n + z * h, "update_preactivation": gate("update", x, h)}


def rwa(gate, x, s, settings):
    """Naive sums of exp(a), without a running maximum; what is recorded relative to it is divided by it at the end."""
    h, before = s["hidden"], s.get("sum_of_weights", 0)
    u, g, a = gate("input_value", x, h), gate("gate", x, h), gate("attention_logit", x, h)
    value = u * np.tanh(g)
    top = np.maximum(s.get("running_maximum", -np.inf), a)
    n, d = s.get("weighted_sum", 0) + value * np.exp(a), before + np.exp(a)
    with np.errstate(divide="ignore"):
        kept = {"retention": before / d, "log_retention": np.log(before / d)}
    written = {"newest_weight": np.exp(a) / d, "log_write": np.log(np.exp(a) / d), "log_mass": np.log(d)}
    sums = {"numerator": n / np.exp(top), "denominator": d / np.exp(top), "running_maximum": top, "average": n / d}
    gates = {"input_value": u, "gate": g, "attention_logit": a, "squashed_gate": np.tanh(g), "value": value}
    return gates | sums | kept | written | {"hidden": np.tanh(n / d), "weighted_sum": n, "sum_of_weights": d}


EQUATIONS = {"elman": elman, "lstm": lstm, "gru": gru, "rwa": rwa}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("name", "settings"), VARIANTS, ids=str)
def test_every_signal_is_its_equation(name, settings, engine):
    cell, inputs = drawn(name, **settings), noise(9, 4, 3)
    weight_x, weight_h, bias = (p.detach().numpy() for p in (cell.weight_x, cell.weight_h, cell.bias))

    def gate(which, x, h):
        source, total = cell.gates[which], 0
        if "x" in source:
            total = total + x @ weight_x[cell.gate_rows(which, "x")].T
        if "h" in source:
            total = total + h @ weight_h[cell.gate_rows(which, "h")].T
        return total if which in cell.unbiased else total + bias[cell.gate_rows(which, "bias")]

    start = np.tanh(cell.start.detach().numpy()) if name == "rwa" else 0
    values, history = {"hidden": np.zeros((4, 5)) + start}, []
    for x in inputs.numpy():
        values = EQUATIONS[name](gate, x, values, settings)
        history.append(values)
    run = ENGINES[engine](cell, inputs, record=True)
    assert list(run.signals) == list(cell.signals)
    for signal, recorded in run.signals.items():
        expected = np.stack([values[signal] for values in history])
        np.testing.assert_allclose(recorded.detach().numpy(), expected, rtol=1e-10, atol=1e-12, err_msg=signal)
    for state, recorded in run.states.items():
        expected = np.stack([values[state] for values in history])
        np.testing.assert_allclose(recorded.detach().numpy(), expected, rtol=1e-10, atol=1e-12, err_msg=state)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("scale", [1, 40])
@pytest.mark.parametrize(("name", "settings"), VARIANTS, ids=str)
def test_signals_have_their_shape_and_stay_within_their_bounds(name, settings, scale, engine):
    cell = drawn(name, dtype=torch.float32, **settings)
    signals = ENGINES[engine](cell, scale * noise(40, 6, 3, dtype=torch.float32), record=True).signals
    for signal, about in cell.signals.items():
        assert signals[signal].shape == (40, 6, 5), signal
        assert not signals[signal].isnan().any(), signal
        assert about.low is None or signals[signal].min() >= about.low, signal
        assert about.high is None or signals[signal].max() <= about.high, signal


COUNTS = {
    "elman": lambda i, h: h * i + h * h + h,
    "lstm": lambda i, h: 4 * (h * i + h * h + h),
    "gru": lambda i, h: 3 * (h * i + h * h + h) + h,
    "rwa": lambda i, h: 3 * i * h + 2 * h * h + 3 * h,
}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("inputs", "units"), [(1, 1), (1, 250), (7, 3)])
def test_parameter_count(name, inputs, units):
    assert sum(p.numel() for p in CELLS[name](inputs, units).parameters()) == COUNTS[name](inputs, units)


@pytest.mark.parametrize("name", TORCH)
def test_weights_are_drawn_as_torch_draws_them(name):
    cell = CELLS[name](3, 25)
    cell.initialise(torch.Generator().manual_seed(0))
    if name == "lstm":
        with torch.no_grad():
            cell.bias[25:50] -= 1  # the second of i, f, g, o: the forget bias
    for parameter in cell.parameters():
        assert parameter.abs().max() <= 0.2 + 1e-6
        assert parameter.std().item() == pytest.approx(0.2 / 3**0.5, rel=0.2)


@pytest.mark.parametrize("name", CELLS)
def test_coordinates_have_an_inverse(name, by_hand):
    cell = drawn(name)
    state = by_hand(cell, noise(4, 6, 3))[-1]
    back = cell.from_coordinates(cell.coordinates(state), state)
    assert set(back) == set(cell.states)
    for part, value in state.items():
        torch.testing.assert_close(back[part], value, **EXACT, msg=part)
