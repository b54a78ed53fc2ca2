"""Linear probes on states of which it is known what can be read from them."""

import sys

import numpy as np
import pytest
import torch

from rnnscope.core.memory import portions
from rnnscope.core.memory.decoding import SHUFFLES, _halves, decoding, linear_capacity, memory_capacity
from rnnscope.core.memory.state_jacobian import state_jacobian
from rnnscope.core.sequences import sequences_for


def uniform(*shape, seed=0):
    return np.random.default_rng(seed).random(shape)


def symbols(*shape, kinds, seed=0):
    return np.eye(kinds)[np.random.default_rng(seed).integers(0, kinds, shape)]


def prepared(model, inputs, **layout):
    return sequences_for(model, inputs, **layout)[:2]


def read(model, inputs, chain="", **layout):
    return decoding(model, *prepared(model, inputs, **layout), model.network.chains[chain])


def elman(make_model, weight_x, weight_h, task="length", nonlinearity="relu", bias=0.0):
    weight_x, weight_h = np.atleast_2d(weight_x), np.atleast_2d(weight_h)
    settings = {"nonlinearity": nonlinearity}
    model = make_model("elman", task, units=len(weight_h), dtype=torch.float64, cell_settings=settings)
    cell = model.network.cells[0]
    with torch.no_grad():
        cell.weight_x.copy_(torch.tensor(weight_x))
        cell.weight_h.copy_(torch.tensor(weight_h))
        cell.bias.copy_(torch.as_tensor(bias))
    return model


def delay_line(make_model, units, **options):
    """Its units hold the last inputs, none of them negative."""
    return elman(make_model, np.eye(units)[:, :1], np.eye(units, k=-1), **options)


def test_a_leaky_integrator_forgets_as_its_variance_says(make_model):
    """s = sum of a^k x_(T-k), inputs independent: R^2 = a^2k (1 - a^2) / (1 - a^2T)."""
    a, steps = 0.8, 12
    reach = read(elman(make_model, 1, a), uniform(steps, 3000, 1))
    expected = a ** (2 * np.arange(steps)) * (1 - a**2) / (1 - a ** (2 * steps))
    error = (reach.high - reach.low) / 4
    assert reach.lags.tolist() == list(range(steps))
    assert reach.total.low < expected.sum() < reach.total.high, "1, whose memory has one dimension"
    assert (np.abs(reach.mean - expected) < 4 * error).all()
    assert (error < 0.02).all()
    assert 0 < reach.floor < 0.01


@pytest.mark.parametrize("lengths", [None, np.arange(200) % 9 + 2])
def test_a_delay_line_is_read_in_full_and_no_further(make_model, lengths):
    reach = read(delay_line(make_model, 4), uniform(10, 200, 1), lengths=lengths)
    assert reach.lags.tolist() == list(range(10 if lengths is None else 6))  # as far as half of the sequences go
    np.testing.assert_allclose(reach.mean[:4], 1, atol=1e-9)
    assert (reach.mean[4:] < 0.06).all()
    assert reach.total.value == pytest.approx(4, abs=0.2), "as its memory capacity"
    given = np.isfinite(reach.curves[:, 0]).sum(1)
    np.testing.assert_array_equal(given, [200 if lengths is None else (lengths > k).sum() for k in reach.lags])


def test_the_mean_is_the_pooled_share(make_model):
    """1 - residual / total over all sequences, by a probe that least squares makes of each half by hand."""
    model = elman(make_model, 1, 0.5)
    inputs = uniform(3, 400, 1)
    reach = read(model, inputs)
    state, wanted = inputs[2, :, 0] + inputs[1, :, 0] / 2 + inputs[0, :, 0] / 4, inputs[1, :, 0]
    left, whole, halves = 0, np.zeros(400), _halves(np.full(400, 3))
    assert halves.sum() == 200
    for train in (halves, ~halves):
        slope, start = np.polyfit(state[train], wanted[train], 1)
        left += ((wanted - slope * state - start)[~train] ** 2).sum()
        whole[~train] = (wanted[~train] - wanted[train].mean()) ** 2
    np.testing.assert_allclose(reach.weights[1, 0], whole, rtol=1e-4, atol=1e-9)
    assert reach.mean[1] == pytest.approx(1 - left / whole.sum(), abs=1e-3)  # but for the penalty


def test_a_state_that_tells_one_symbol_of_three(make_model):
    """Right for a third, and for half of the rest: accuracy 2/3, where chance has 1/3. Nothing of the symbols before."""
    model = elman(make_model, [[1, 0, 0, 0, 0, 0]], 0, "temporal_order")
    inputs = np.pad(symbols(4, 3000, kinds=3), ((0, 0), (0, 0), (0, 3)))
    reach = read(model, inputs)
    assert reach.mean[0] == pytest.approx(0.5, abs=0.04)
    assert (reach.mean[1:] < 0.03).all()
    assert 0 < reach.floor < 0.05


def test_no_symbol_is_one_to_be_read_too(make_model):
    """A state that cannot tell no symbol from the first of six: 6/7 right, where chance has 1/7."""
    model = elman(make_model, np.diag([0, 1, 1, 1, 1, 1]), np.zeros((6, 6)), "temporal_order")
    inputs = symbols(3, 2000, kinds=7)[..., :6]  # the seventh is written as zeros
    assert read(model, inputs).mean[0] == pytest.approx(5 / 6, abs=0.03)


def test_a_latch_keeps_its_bit_though_its_gradient_vanishes(make_model):
    """h = tanh(2 h + u): at the fixed point 0.957504 a time step keeps 0.166372 of a change, and all of the sign."""
    model, steps = elman(make_model, 1, 2, nonlinearity="tanh"), 60
    inputs = np.zeros((steps, 40, 1))
    inputs[0] = np.random.default_rng(0).choice([-1.0, 1.0], (40, 1))
    reach = read(model, inputs)
    assert reach.lags.tolist() == [steps - 1]  # all others are alike
    np.testing.assert_allclose([reach.mean, reach.low, reach.high], 1, atol=1e-9)
    jacobian = state_jacobian(model, *prepared(model, inputs), model.network.chains[""])
    np.testing.assert_allclose(jacobian.mean[:30], 0.166372 ** np.arange(30), rtol=2e-4)
    assert 1e-8 < jacobian.mean[10] < 2e-8
    as_symbols = np.stack([inputs > 0, inputs < 0], -1)[:, :, 0].astype(float)
    two = elman(make_model, [[1, -1, 0, 0, 0, 0]], 2, "temporal_order", "tanh")
    assert read(two, np.pad(as_symbols, ((0, 0), (0, 0), (0, 4)))).mean.tolist() == [1]


def test_nothing_is_read_into_noise(make_model):
    """30 units that know the last input only, and 40 sequences: trained and read on the same ones it would be 30/40."""
    random = np.random.default_rng(0)
    model = elman(make_model, random.random((30, 1)), np.zeros((30, 30)), "length", "tanh", random.standard_normal(30))
    reach = read(model, uniform(41, 40, 1))
    assert reach.mean[0] > 0.99
    assert reach.mean[1:].mean() < 0.01
    assert (reach.mean[1:] <= max(reach.floor, 0)).mean() >= 0.85
    assert (reach.mean[1:] < 0.25).all()


@pytest.mark.parametrize("lengths", [np.full(31, 9), np.arange(31) // 4 + 1, np.r_[[1] * 15, [9] * 16]])
def test_both_halves_have_long_sequences(lengths):
    halves = _halves(lengths)
    for k in range(lengths.max()):
        assert abs((lengths > k)[halves].sum() - (lengths > k)[~halves].sum()) <= 1


def test_the_backward_direction_reads_from_the_other_end(make_model):
    settings = {"network": "bidirectional", "network_settings": {"layers": 1}, "dtype": torch.float64}
    model = make_model("gru", "length", **settings)
    forward, backward = model.network.cells
    backward.load_state_dict(forward.state_dict())
    inputs = uniform(8, 60, 1)
    there, back = read(model, inputs, "forward"), read(model, inputs[::-1].copy(), "backward")
    assert there.mean[0] > 0.5
    np.testing.assert_allclose(back.mean, there.mean, rtol=1e-6)


def test_every_network_is_read(case, monkeypatch):
    monkeypatch.setattr(sys.modules["rnnscope.core.memory.decoding"], "SHUFFLES", 10)
    model, batch = case.model(), case.batch(20)
    inputs, layout = prepared(model, batch.inputs, **vars(batch.layout))
    before = inputs.clone()
    for chain in model.network.chains.values():
        reach = decoding(model, inputs, layout, chain)
        assert (reach is None) == (chain.along == "tree")
        if reach is not None:
            assert np.isfinite(reach.mean).all()
            assert (reach.mean <= 1).all()
    assert torch.equal(inputs, before)


def test_lags_can_be_chosen(make_model):
    model, inputs = delay_line(make_model, 4), uniform(10, 50, 1)
    reach = decoding(model, *prepared(model, inputs), model.network.chains[""], lags=[1, 3, 30])
    assert reach.lags.tolist() == [1, 3]
    np.testing.assert_allclose(reach.mean, 1, atol=1e-9)


@pytest.mark.parametrize("inputs", [uniform(5, 7, 1), np.ones((5, 20, 1))])
def test_few_sequences_or_equal_ones_say_nothing(make_model, inputs):
    assert read(make_model("lstm", "length"), inputs) is None


def test_portions_give_the_same_and_tell_how_far_they_are(make_model, monkeypatch):
    model, inputs, lengths = make_model("lstm", "length"), uniform(6, 12, 1), [6] * 8 + [4] * 4
    together = read(model, inputs, lengths=lengths)
    assert np.array_equal(read(model, inputs, lengths=lengths).mean, together.mean)
    monkeypatch.setattr(portions, "MEMORY", 1)
    done = []
    alone = decoding(model, *prepared(model, inputs, lengths=lengths), model.network.chains[""], done.append)
    np.testing.assert_allclose(alone.mean, together.mean, rtol=1e-3)
    assert done == sorted(done)
    assert done[-1] == 1
    assert len(done) == 12 + 2  # portions of states, then lags up to 4 and beyond


def test_overflow_is_an_error(make_model):
    model = delay_line(make_model, 2).float()
    with torch.no_grad():
        model.network.cells[0].weight_h.fill_(1e20)
    with pytest.raises(ValueError, match="overflow"):
        read(model, uniform(9, 20, 1))


def test_there_are_shuffles_enough_for_a_quantile():
    assert 0.025 * SHUFFLES >= 2


def driven(weight, steps=4200, seed=0):
    """States of s = W s + e_1 u with a little noise, and u, without the first 200 time steps."""
    random = np.random.default_rng(seed)
    signal, states = random.uniform(-1, 1, steps), np.zeros((steps, len(weight)))
    for t in range(1, steps):
        states[t] = weight @ states[t - 1] + 1e-7 * random.standard_normal(len(weight))
        states[t, 0] += signal[t]
    return states[200:], signal[200:]


def test_the_capacity_of_a_delay_line_is_its_length():
    found = linear_capacity(*driven(np.eye(20, k=-1)), 60)
    np.testing.assert_allclose(found.delays[:20], 1, atol=1e-6)
    assert (np.abs(found.delays[20:]) < 0.01).all()
    assert found.total == pytest.approx(20, abs=0.05)
    assert found.past == pytest.approx(19, abs=0.05)


def test_the_capacity_of_a_ring():
    """W = rho C: MC_k = (1 - rho^2N) rho^(2 N floor(k / N)), which adds up to N."""
    size, rho, delays = 10, 0.95, 120
    found = linear_capacity(*driven(rho * np.roll(np.eye(size), 1, 0)), delays)
    expected = (1 - rho ** (2 * size)) * rho ** (2 * size * (np.arange(delays) // size))
    np.testing.assert_allclose(found.delays, expected, atol=0.06)
    np.testing.assert_allclose(found.delays.reshape(-1, size).mean(1), expected[::size], atol=0.02)
    assert found.total == pytest.approx(size, abs=0.1)


def test_noise_has_no_capacity():
    """On the time steps that it was fitted to it would be 100/500 for each delay."""
    random = np.random.default_rng(0)
    found = linear_capacity(random.standard_normal((500, 100)), random.standard_normal(500), 50)
    assert abs(found.delays.mean()) < 0.005
    assert abs(found.total) < 0.25
    assert linear_capacity(np.ones((500, 3)), random.standard_normal(500), 5).total == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("normal", [False, True])
def test_the_capacity_of_a_model(make_model, normal):
    """A delay line of five units, lifted so far that relu never cuts."""
    model = delay_line(make_model, 5, bias=np.eye(5)[0] * 10)
    found = memory_capacity(model, normal=normal, time_steps=2000, washout=20)
    assert len(found.delays) == 10
    np.testing.assert_allclose(found.delays, [1] * 5 + [0] * 5, atol=0.01)


def test_large_inputs_saturate_a_network(make_model):
    ring = 0.9 * np.roll(np.eye(6), 1, 0)
    model = elman(make_model, np.eye(6)[:, :1], ring, nonlinearity="tanh")
    small, large = (memory_capacity(model, scale=scale, delays=40, time_steps=2000).total for scale in (0.01, 30))
    assert small == pytest.approx(6, abs=0.2)
    assert large < 5


def test_the_capacity_of_a_deep_model_counts_all_its_state(make_model):
    model = make_model("lstm", "adding", units=3, network_settings={"layers": 2})
    found = memory_capacity(model, time_steps=1000)
    assert len(found.delays) == 2 * 2 * 2 * 3
    assert 1 < found.total < 12


@pytest.mark.parametrize(("network", "task"), [("bidirectional", "adding"), ("tree_lstm", "nested_lists")])
def test_capacity_is_of_networks_that_read_forward(make_model, network, task):
    with pytest.raises(ValueError, match="reads forward"):
        memory_capacity(make_model("lstm", task, network=network))
