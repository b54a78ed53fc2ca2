"""The measures of memory against closed forms, and the sampled Jacobian against the exact one."""

import numpy as np
import pytest
import torch

from rnnscope.core.attention import retention_logs, time_scales
from rnnscope.core.cells import CELLS, Cell
from rnnscope.core.memory.state_jacobian import PROBES
from rnnscope.core.reach import QUICK
from rnnscope.core.recording import record
from rnnscope.core.trace import Signal


class Linear(Cell):
    """h_t = W_x x_t + W_h h_(t-1)."""

    name = "linear"
    gates = {"preactivation": "xh"}
    states = ("hidden",)
    signals = {"hidden": Signal("h", "hidden state")}

    def update(self, gates, state):
        return {"hidden": gates["preactivation"]}, {}


def noise(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def fixed_forget(make_model, f, units=4):
    """An LSTM whose forget gate is `f` whatever it reads."""
    model = make_model("lstm", units=units)
    rows = model.network.cells[0].gate_rows("forget", "bias")
    with torch.no_grad():
        model.network.cells[0].weight_x[rows] = 0
        model.network.cells[0].weight_h.zero_()
        model.network.cells[0].bias[rows] = float(np.log(f) - np.log1p(-f))
    return model


def equal_attention(model):
    with torch.no_grad():
        model.network.cells[0].weight_x[model.network.cells[0].gate_rows("attention_logit", "x")] = 0
        model.network.cells[0].weight_h[model.network.cells[0].gate_rows("attention_logit", "h")] = 0
    return model


def test_jacobian_of_a_scaled_rotation(make_model, measure):
    """W_h = 0.9 Q: every probe shrinks by exactly 0.9 per time step, so the sampled norm is exact."""
    cell = Linear(2, 6)
    with torch.no_grad():
        cell.weight_x.fill_(1)
        cell.bias.zero_()
        cell.weight_h.copy_(0.9 * torch.linalg.qr(noise(6, 6))[0])
    model = make_model("elman", units=6)
    model.network.cells[0] = cell
    inputs = noise(60, 5, 2)
    reach = measure("state_jacobian", model, inputs)
    for curve in (reach.mean, reach.low, reach.high):
        np.testing.assert_allclose(curve, 0.9 ** np.arange(60), rtol=1e-5)
    assert reach.lag50.value == pytest.approx(np.log(0.5) / np.log(0.9), rel=1e-4)
    assert reach.lag1.value == pytest.approx(np.log(0.01) / np.log(0.9), rel=1e-4)
    assert measure("direct_weight", model, inputs) is None  # no gates


@pytest.mark.parametrize("f", [0.6, 0.97])
def test_direct_weight_of_a_fixed_forget_gate(f, make_model, measure):
    inputs = noise(40, 5, 2)
    reach = measure("direct_weight", fixed_forget(make_model, f), inputs)
    for curve in (reach.mean, reach.low, reach.high):  # every sequence is alike: no spread
        np.testing.assert_allclose(curve, f ** np.arange(40), rtol=1e-4)


def test_time_scales_of_fixed_gates_and_of_equal_attention(make_model):
    inputs = noise(50, 5, 2)
    for f, expected in ((0.9, 9.4912), (0.99, 99.4992)):
        np.testing.assert_allclose(time_scales(record(fixed_forget(make_model, f), inputs)), expected, rtol=1e-4)
    np.testing.assert_allclose(time_scales(record(equal_attention(make_model("rwa")), inputs)), 49 / np.log(50), rtol=1e-4)
    assert np.isposinf(time_scales(record(make_model("lstm1997"), inputs))).all()
    assert time_scales(record(make_model("elman"), inputs)) is None
    assert np.isnan(time_scales(record(make_model("lstm"), inputs[:1]))).all()


def test_direct_weight_of_equal_attention(make_model, measure):
    inputs = noise(50, 5, 2)
    reach = measure("direct_weight", equal_attention(make_model("rwa")), inputs)
    for curve in (reach.mean, reach.low, reach.high):
        np.testing.assert_allclose(curve, (50 - np.arange(50)) / 50, rtol=1e-4)


def test_a_hundred_thousand_time_steps_at_0_9999(make_model, measure):
    """0.9999^100000 = 4.54e-5, which a float32 gate would miss by 0.2 %."""
    model = fixed_forget(make_model, 0.9999, units=1)
    bias = model.network.cells[0].bias[model.network.cells[0].gate_rows("forget", "bias")].detach().expand(100_001, 1, 1)
    gates = {name: torch.sigmoid(bias) for name in ("input_gate", "candidate")}
    logs = model.network.cells[0].derived(gates | {"forget_preactivation": bias}, {})["log_retention"].numpy()
    assert logs.dtype == np.float32
    kept = np.exp(retention_logs(logs)[:, 0, 0])
    assert kept[0] == pytest.approx(0.9999**100_000, rel=1e-4)
    assert kept[50_000] == pytest.approx(0.9999**50_000, rel=1e-4)
    reach = measure("direct_weight", model, noise(300, 2, 2))
    assert reach.mean[-1] == pytest.approx(0.9999**299, rel=1e-6)


def exact_jacobians(cell, inputs, by_hand):
    """d coordinates of s_T / d coordinates of s_(T-k), for k = 0..T-1, of one sequence (T, 1, I)."""
    states = [{part: value.detach() for part, value in state.items()} for state in by_hand(cell, inputs)]

    def flat(state):
        return torch.cat(list(cell.coordinates(state).values()), 1)[0]

    def end(vector, t):
        near = cell.coordinates(states[t])
        by = {name: part - near[name] for name, part in zip(near, vector.split(cell.units), strict=True)}
        state = cell.displaced(states[t], by)
        return flat([state, *by_hand(cell, inputs, state, first=t + 1)][-1])

    ends = range(len(inputs) - 1, -1, -1)
    return [torch.autograd.functional.jacobian(lambda v, t=t: end(v, t), flat(states[t])).numpy() for t in ends]


def test_sampled_jacobian_is_the_exact_one(lone_cell, make_model, measure, by_hand):
    model, copies = make_model(lone_cell, units=3, dtype=torch.float64), 500
    inputs = noise(8, 1, 2, dtype=torch.float64)
    random = np.random.default_rng(0)
    expected, error = [], []
    for jacobian in exact_jacobians(model.network.cells[0], inputs, by_hand):
        probes = random.standard_normal((20_000, PROBES, len(jacobian)))
        squares = ((probes @ jacobian) ** 2).sum((1, 2)) / (probes**2).sum((1, 2))
        expected.append(np.log(squares).mean() / 2)
        error.append(np.log(squares).std() / 2 * np.sqrt(1 / copies + 1 / len(probes)))
    reach = measure("state_jacobian", model, inputs.expand(-1, copies, -1))
    assert abs(expected[-1]) > 0.1  # it is no identity
    assert max(error) < 0.02
    assert (np.abs(np.log(reach.mean) - expected) <= 5 * np.array(error) + 1e-6).all()


@pytest.mark.parametrize("which", QUICK)
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("steps", "batch"), [(1, 1), (1, 3), (2, 1)])
def test_every_measure_begins_at_1(name, which, steps, batch, dtype, make_model, measure):
    inputs = noise(steps, batch, 2, dtype=dtype)
    reach = measure(which, make_model(name, units=1, dtype=dtype), inputs)
    assert (reach is None) == (which == "direct_weight" and "log_retention" not in CELLS[name].signals)
    if reach is not None:
        assert reach.measure == which
        assert reach.lags.tolist() == list(range(steps))
        assert reach.mean[0] == 1
        assert batch == 1 or (reach.low[0], reach.high[0]) == (1, 1)


@pytest.mark.parametrize("which", QUICK)
@pytest.mark.parametrize("name", CELLS)
def test_unlike_lengths_are_measured_as_alone(name, which, measure, make_model):
    """200 copies of a short and 200 of a long sequence, so that the probes' sampling error is small."""
    model, copies = make_model(name, units=3), 200
    long, short = noise(9, 1, 2).expand(-1, copies, -1), noise(5, 1, 2, seed=1).expand(-1, copies, -1)
    alone = [measure(which, model, inputs) for inputs in (long, short)]
    padded = torch.cat([short, torch.full((4, copies, 2), 7.0)])
    both = measure(which, model, torch.cat([long, padded], 1), lengths=np.repeat([9, 5], copies))
    if both is None:
        assert alone == [None, None]
        return
    error = sum(np.log(reach.high / reach.mean).max() for reach in alone) / 2 + 1e-5  # half an interval is 2 of them
    expected = np.log(alone[0].mean)
    np.testing.assert_allclose(np.log(both.mean[5:]), expected[5:], rtol=0, atol=5 * error)
    expected = (expected[:5] + np.log(alone[1].mean)) / 2
    np.testing.assert_allclose(np.log(both.mean[:5]), expected, rtol=0, atol=5 * error)


@pytest.mark.parametrize("padding", [1e3, np.nan, np.inf], ids=str)
@pytest.mark.parametrize("which", QUICK)
@pytest.mark.parametrize("name", CELLS)
def test_padding_leaks_into_no_measure(name, which, measure, padding, make_model):
    model, inputs, lengths = make_model(name), noise(9, 3, 2), np.array([9, 4, 1])
    plain = measure(which, model, inputs, lengths=lengths)
    inputs[torch.arange(9)[:, None] >= torch.from_numpy(lengths)] = padding
    padded = measure(which, model, inputs, lengths=lengths)
    assert (plain is None) == (padded is None)
    for curve in ("mean", "low", "high") if plain else ():
        np.testing.assert_array_equal(getattr(padded, curve), getattr(plain, curve))


@pytest.mark.parametrize("which", QUICK)
@pytest.mark.parametrize("name", CELLS)
def test_measuring_changes_nothing(name, which, measure, make_model):
    model, inputs = make_model(name).train().requires_grad_(False), noise(6, 3, 2)
    random, weights = torch.get_rng_state(), [p.clone() for p in model.parameters()]
    with torch.no_grad():
        quiet = measure(which, model, inputs)
    again = measure(which, model.requires_grad_(True), inputs)
    assert (quiet is None) == (again is None)
    assert quiet is None or np.array_equal(quiet.mean, again.mean)
    assert torch.equal(torch.get_rng_state(), random)
    assert model.training
    assert all(torch.equal(p, old) and p.grad is None for p, old in zip(model.parameters(), weights, strict=True))
