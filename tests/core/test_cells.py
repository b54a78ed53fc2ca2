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
OTHERS = [
    ("elman", {"nonlinearity": "relu"}),
    ("clockwork", {"modules": 3, "ratio": 3}),
    ("dt", {"transition_layers": 1}),
    ("dts", {"transition_layers": 4}),
]
VARIANTS = [*((name, {}) for name in CELLS), *OTHERS]
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


def elman(gate, x, s, cell):
    a = gate("preactivation", x, s["hidden"])
    if cell.settings.nonlinearity == "relu":
        return {"preactivation": a, "local_derivative": np.where(a > 0, 1.0, 0.0), "hidden": np.maximum(a, 0)}
    return {"preactivation": a, "local_derivative": np.cosh(a) ** -2, "hidden": np.tanh(a)}


def lstm(gate, x, s, cell):
    i, f, o = (sigmoid(gate(which, x, s["hidden"])) for which in ("input", "forget", "output"))
    g = np.tanh(gate("candidate", x, s["hidden"]))
    c = f * s.get("cell", 0) + i * g
    gates = {"input_gate": i, "forget_gate": f, "output_gate": o, "candidate": g, "write": i * g}
    logs = {"log_retention": np.log(f), "log_write": np.log(i), "timescale": -1 / np.log(f)}
    states = {"cell": c, "squashed_cell": np.tanh(c), "hidden": o * np.tanh(c)}
    return gates | logs | states | {"forget_preactivation": gate("forget", x, s["hidden"])}


def gru(gate, x, s, cell):
    h = s["hidden"]
    r, z = sigmoid(gate("reset", x, h)), sigmoid(gate("update", x, h))
    n = np.tanh(gate("candidate_input", x, h) + r * gate("candidate_hidden", x, h))
    gates = {"reset_gate": r, "update_gate": z, "candidate": n, "write": (1 - z) * n}
    logs = {"log_retention": np.log(z), "log_write": np.log(1 - z), "timescale": -1 / np.log(z)}
    return gates | logs | {"hidden": (1 - z) * n + z * h, "update_preactivation": gate("update", x, h)}


def rwa(gate, x, s, cell):
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


def lstm1997(gate, x, s, cell):
    a_i, h = gate("input", x, s["hidden"]), s["hidden"]
    i, o, g = sigmoid(a_i), sigmoid(gate("output", x, h)), np.tanh(gate("candidate", x, h))
    c = s.get("cell", 0) + i * g
    gates = {"input_gate": i, "output_gate": o, "candidate": g, "write": i * g, "input_preactivation": a_i}
    logs = {"log_retention": 0 * c, "log_write": np.log(i)}
    return gates | logs | {"cell": c, "squashed_cell": np.tanh(c), "hidden": o * np.tanh(c)}


def peephole(gate, x, s, cell):
    h, old = s["hidden"], s.get("cell", np.zeros_like(s["hidden"]))
    p_i, p_f, p_o = (gate(f"{which}_peephole", x, h) for which in ("input", "forget", "output"))
    i, a_f = sigmoid(gate("input", x, h) + p_i * old), gate("forget", x, h) + p_f * old
    f, g = sigmoid(a_f), np.tanh(gate("candidate", x, h))
    c = f * old + i * g
    o = sigmoid(gate("output", x, h) + p_o * c)
    gates = {"input_gate": i, "forget_gate": f, "output_gate": o, "candidate": g, "write": i * g}
    logs = {"log_retention": np.log(f), "log_write": np.log(i), "timescale": -1 / np.log(f), "forget_preactivation": a_f}
    peeps = {"input_peep": p_i * old, "forget_peep": p_f * old, "output_peep": p_o * c}
    return gates | logs | peeps | {"cell": c, "squashed_cell": np.tanh(c), "hidden": o * np.tanh(c)}


def cifg(gate, x, s, cell):
    a_i, h = gate("input", x, s["hidden"]), s["hidden"]
    i, o, g = sigmoid(a_i), sigmoid(gate("output", x, h)), np.tanh(gate("candidate", x, h))
    f = 1 - i
    c = f * s.get("cell", 0) + i * g
    gates = {"input_gate": i, "forget_gate": f, "output_gate": o, "candidate": g, "write": i * g}
    logs = {"log_retention": np.log(f), "log_write": np.log(i), "timescale": -1 / np.log(f), "input_preactivation": a_i}
    return gates | logs | {"cell": c, "squashed_cell": np.tanh(c), "hidden": o * np.tanh(c)}


def gru_cho(gate, x, s, cell):
    h, weight = s["hidden"], cell.weight_candidate.detach().numpy()
    r, z = sigmoid(gate("reset", x, h)), sigmoid(gate("update", x, h))
    n = np.tanh(gate("candidate_input", x, h) + (r * h) @ weight.T)
    gates = {"reset_gate": r, "update_gate": z, "candidate": n, "write": (1 - z) * n}
    logs = {"log_retention": np.log(z), "log_write": np.log(1 - z), "timescale": -1 / np.log(z)}
    return gates | logs | {"hidden": (1 - z) * n + z * h, "update_preactivation": gate("update", x, h)}


def discounted(s, value, logit, discount):
    """Naive discounted sums of exp(logit), without a running maximum, which is a maximum over discounted logits."""
    before = discount * s.get("sum_of_weights", 0)
    top = np.maximum(s.get("running_maximum", -np.inf) + np.log(discount), logit)
    n, d = discount * s.get("weighted_sum", 0) + value * np.exp(logit), before + np.exp(logit)
    with np.errstate(divide="ignore"):
        kept = {"retention": before / d, "log_retention": np.log(before / d)}
    written = {"newest_weight": np.exp(logit) / d, "log_write": np.log(np.exp(logit) / d), "log_mass": np.log(d)}
    sums = {"weighted_sum": n, "sum_of_weights": d, "running_maximum": top, "average": n / d}
    return n / np.exp(top), d / np.exp(top), sums | kept | written


def rda(gate, x, s, cell):
    h = s["hidden"]
    u, g, a = gate("input_value", x, h), gate("gate", x, h), gate("attention_logit", x, h)
    a_gamma = gate("discount", x, h)
    gamma, value = sigmoid(a_gamma), u * np.tanh(g)
    n, d, sums = discounted(s, value, a, gamma)
    gates = {"input_value": u, "gate": g, "attention_logit": a, "squashed_gate": np.tanh(g), "value": value}
    gates |= {"discount": gamma, "discount_preactivation": a_gamma}
    return gates | sums | {"numerator": n, "denominator": d, "hidden": np.tanh(sums["average"])}


def mingru(gate, x, s, cell):
    h, a = s["hidden"], gate("candidate", x, None)
    z, n = sigmoid(gate("update", x, None)), np.where(a >= 0, a + 0.5, sigmoid(a))
    gates = {"update_gate": z, "candidate": n, "write": z * n, "update_preactivation": gate("update", x, None)}
    logs = {"log_retention": np.log(1 - z), "log_write": np.log(z), "timescale": -1 / np.log(1 - z)}
    return gates | logs | {"hidden": (1 - z) * h + z * n}


def slstm(gate, x, s, cell):
    a, a_f, a_g, a_o = (gate(which, x, s["hidden"]) for which in ("input", "forget", "candidate", "output"))
    f, o, g = sigmoid(a_f), sigmoid(a_o), np.tanh(a_g)
    c, n, sums = discounted(s, g, a, f)
    gates = {"input_logit": a, "forget_gate": f, "output_gate": o, "candidate": g, "forget_preactivation": a_f}
    return gates | sums | {"cell": c, "normaliser": n, "hidden": o * sums["average"]}


def lru(gate, x, s, cell):
    of = {which: gate(which, x, None) for which in cell.gates}
    lam = np.exp(-np.exp(of["decay"]) + 1j * np.exp(of["phase"]))
    gamma = np.sqrt(1 - np.abs(lam) ** 2)
    mode = lam * s.get("mode", 0) + gamma * (of["real"] + 1j * of["imaginary"])
    weight = cell.weight_real.detach().numpy() + 1j * cell.weight_imaginary.detach().numpy()
    same = {"log_retention": np.log(np.abs(lam)), "log_write": np.log(gamma), "timescale": -1 / np.log(np.abs(lam))}
    same = {name: np.broadcast_to(value, mode.shape) for name, value in same.items()}
    parts = {"mode": mode, "real": mode.real, "imaginary": mode.imag, "modulus": np.abs(mode)}
    return parts | same | {"hidden": (mode @ weight.T).real}


def clockwork(gate, x, s, cell):
    """One dense product whose faster columns are masked out, for all units; then those that rest take back their h."""
    t, h, units = s.get("time", 0) + 1, s["hidden"], cell.units
    module = np.arange(units) * 0
    for n, part in enumerate(np.array_split(np.arange(units), cell.settings.modules)):
        module[part] = n
    dense = np.zeros((units, units))
    dense[module[:, None] <= module] = np.concatenate([block.detach().numpy().ravel() for block in cell.blocks])
    works = t % cell.settings.ratio**module == 0
    a = gate("preactivation", x, None) + h @ dense.T
    h = np.where(works, np.tanh(a), h)
    slope = np.where(works, np.cosh(a) ** -2, 0)
    return {
        "time": t,
        "active": works + 0 * h,
        "preactivation": np.where(works, a, 0),
        "local_derivative": slope,
        "hidden": h,
    }


def deep_transition(gate, x, s, cell):
    a, values = gate("preactivation", x, s["hidden"]), {}
    for n in range(cell.settings.transition_layers - 1):
        values[f"transition_{n + 1}"] = np.tanh(a)
        a = np.tanh(a) @ cell.weight_transition[n].detach().numpy().T + cell.bias_transition[n].detach().numpy()
        if cell.name.endswith("shortcuts"):
            a = a + s["hidden"] @ cell.weight_shortcut[n].detach().numpy().T
    return values | {"preactivation": a, "local_derivative": np.cosh(a) ** -2, "hidden": np.tanh(a)}


def depth_gated(gate, x, s, cell):
    """With nothing below."""
    d = sigmoid(gate("depth", x, None) + gate("depth_own", x, None) * s.get("cell", 0))
    return lstm(gate, x, s, cell) | {"depth_gate": d}


def grid(gate, x, s, cell):
    """With no memory from below."""
    along_time, v = lstm(gate, x, s, cell), np.split(cell.weight_depth.detach().numpy(), 4)
    h = along_time["hidden"]
    a = {
        which: gate(f"depth_{which}", x, None) + h @ v[n].T
        for n, which in enumerate(("input", "forget", "candidate", "output"))
    }
    i, f, o, g = sigmoid(a["input"]), sigmoid(a["forget"]), sigmoid(a["output"]), np.tanh(a["candidate"])
    c = i * g
    gates = {"input_gate": i, "forget_gate": f, "output_gate": o, "candidate": g, "forget_preactivation": a["forget"]}
    of_depth = gates | {"cell": c, "squashed_cell": np.tanh(c), "hidden": o * np.tanh(c)}
    return along_time | {f"depth_{name}": value for name, value in of_depth.items()} | {"entering_cell": 0 * h}


EQUATIONS = {
    "elman": elman,
    "lstm": lstm,
    "gru": gru,
    "rwa": rwa,
    "lstm1997": lstm1997,
    "peephole": peephole,
    "cifg": cifg,
    "gru_cho": gru_cho,
    "rda": rda,
    "mingru": mingru,
    "slstm": slstm,
    "lru": lru,
    "clockwork": clockwork,
    "dt": deep_transition,
    "dts": deep_transition,
    "depth_gated": depth_gated,
    "grid": grid,
}


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

    start = np.tanh(cell.start.detach().numpy()) if name in ("rwa", "rda") else 0
    values, history = {"hidden": np.zeros((4, 5)) + start}, []
    for x in inputs.numpy():
        values = EQUATIONS[name](gate, x, values, cell)
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
    "lstm1997": lambda i, h: 3 * (h * i + h * h + h),
    "peephole": lambda i, h: 4 * (h * i + h * h + h) + 3 * h,
    "cifg": lambda i, h: 3 * (h * i + h * h + h),
    "gru_cho": lambda i, h: 3 * (h * i + h * h + h),
    "rda": lambda i, h: 4 * i * h + 3 * h * h + 4 * h,
    "mingru": lambda i, h: 2 * (h * i + h),
    "slstm": lambda i, h: 4 * (h * i + h * h + h),
    "lru": lambda i, h: 2 * h * i + 2 * h * h + 2 * h,  # B and C are complex: two numbers each
    "clockwork": lambda i, h: h * i + h * h + h,  # of one module; more in test_clockwork.py
    "dt": lambda i, h: h * i + 2 * h * h + 2 * h,
    "dts": lambda i, h: h * i + 3 * h * h + 2 * h,
    "depth_gated": lambda i, h: 4 * (h * i + h * h + h) + h * i + 3 * h,
    "grid": lambda i, h: 8 * (h * i + h * h + h),
}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("inputs", "units"), [(1, 1), (1, 250), (7, 3)])
def test_parameter_count(name, inputs, units):
    settings = CELLS[name].Settings(**{"modules": 1} if name == "clockwork" else {})
    assert sum(p.numel() for p in CELLS[name](inputs, units, settings).parameters()) == COUNTS[name](inputs, units)


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
def test_coordinates_are_displaced_by_what_was_asked(name, by_hand):
    cell = drawn(name)
    state = by_hand(cell, noise(4, 6, 3))[-1]
    before = cell.coordinates(state)
    for scale in (0, 0.3):
        by = {part: scale * noise(*value.shape, seed=n) for n, (part, value) in enumerate(before.items())}
        moved = cell.displaced(state, by)
        assert set(moved) == set(cell.states)
        for part, value in cell.coordinates(moved).items():
            torch.testing.assert_close(value, before[part] + by[part], **EXACT, msg=part)
        if not scale:
            for part, value in state.items():
                torch.testing.assert_close(moved[part], value, **EXACT, msg=part)


@pytest.mark.parametrize("name", CELLS)
def test_coordinates_are_all_that_the_future_knows(name, by_hand):
    """Displaced to the coordinates of another, what a state shows now and of every later input is that of the other."""
    cell, inputs = drawn(name), noise(9, 6, 3)
    far, here = (by_hand(cell, noise(4, 6, 3, seed=seed))[-1] for seed in (1, 2))
    there, near = cell.coordinates(far), cell.coordinates(here)
    moved = cell.displaced(here, {part: there[part] - near[part] for part in there})
    assert (far["hidden"] - here["hidden"]).abs().max() > 0.1
    torch.testing.assert_close(moved["hidden"], far["hidden"], **EXACT)
    for one, other in zip(by_hand(cell, inputs, moved), by_hand(cell, inputs, far), strict=True):
        torch.testing.assert_close(one["hidden"], other["hidden"], **EXACT)
