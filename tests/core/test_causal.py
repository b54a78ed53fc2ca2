"""Replaced inputs: closed forms of linear networks, and runs one by one of all others."""

import numpy as np
import pytest
import torch

from rnnscope.core.memory import portions
from rnnscope.core.memory.causal import _others, causal, spread
from rnnscope.core.sequences import sequences_for


def noise(*shape, seed=0, dtype=torch.float64):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def prepared(model, inputs, **layout):
    return sequences_for(model, inputs, **layout)[:2]


def elman(make_model, weight_h, nonlinearity="relu", task="flip_flop", dtype=torch.float64, units=5):
    """Without negative weights, so that relu is linear for inputs that are not negative."""
    model = make_model("elman", task, units=units, dtype=dtype, cell_settings={"nonlinearity": nonlinearity})
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.abs_()
        if weight_h is not None:
            model.network.cells[0].weight_h.copy_(weight_h)
    return model


def shift(units):
    """h_t of unit n is h_(t-1) of unit n - 1."""
    return torch.eye(units, dtype=torch.float64).roll(1, 0).tril(-1)


def distance(loss, features, others):
    """By numpy, from outputs (O,) each."""
    if loss == "mean_squared_error":
        return np.linalg.norm(features - others)
    if loss == "binary_cross_entropy":
        return abs(1 / (1 + np.exp(-features[0])) - 1 / (1 + np.exp(-others[0])))
    first, second = (np.exp(y) / np.exp(y).sum() for y in (features, others))
    return np.abs(first - second).sum() / 2


def test_a_linear_network_changes_by_its_matrices(make_model):
    """Of two sequences each can only be given the other's input: the change is |V W_h^k W_x (x' - x)|."""
    model = elman(make_model, None)
    inputs, layout = prepared(model, noise(20, 2, model.network.inputs))
    reach = causal(model, inputs, layout, model.network.chains[""])
    cell, power, expected = model.network.cells[0], torch.eye(5, dtype=torch.float64), []
    for k in range(20):
        moved = model.readout.weight @ power @ cell.weight_x @ (inputs[19 - k, 0] - inputs[19 - k, 1])
        expected.append(moved.norm().item())
        power = power @ cell.weight_h
    assert reach.lags.tolist() == list(range(20))
    for curve in (reach.curves[:, 0, 0], reach.curves[:, 0, 1], reach.mean, reach.low, reach.high):
        np.testing.assert_allclose(curve, expected, rtol=1e-9)


def test_every_network_as_run_one_by_one(case):
    """Each input of each sequence replaced by each other sequence's, one at a time."""
    model = case.model(dtype=torch.float64)
    batch = case.batch()
    inputs, layout = prepared(model, batch.inputs, **vars(batch.layout))
    if layout.parents is not None:
        assert causal(model, inputs, layout, model.network.chains[""]) is None
        return
    chains = list(model.network.chains.values())
    for n, chain in enumerate(chains):
        backward, width = chain.along == "backward", model.network.width // len(chains)
        own = slice(n * width, (n + 1) * width)
        ends = 0 * layout.lengths if backward else layout.lengths - 1
        reach = causal(model, inputs, layout, chain, draws=3)
        with torch.no_grad():
            before = model.network.run(inputs, layout).outputs
        checked = 0
        for lag, curve in zip(reach.lags, reach.curves[:, 0], strict=True):
            able = np.flatnonzero(layout.lengths > lag)
            assert np.isfinite(curve[able]).all()
            assert np.isnan(np.delete(curve, able)).all()
            if len(able) == 3:
                continue  # 3 draws of 2 others
            at = np.full_like(ends, lag) if backward else ends - lag
            for b in able:
                found = []
                for other in set(able) - {b}:
                    changed = inputs.clone()
                    changed[at[b], b] = inputs[at[other], other]
                    with torch.no_grad():
                        seen = before[ends[b], b].clone()
                        seen[own] = model.network.run(changed, layout).outputs[ends[b], b, own]
                        outputs = [model.readout(y).numpy() for y in (before[ends[b], b], seen)]
                    found.append(distance(model.task.loss, *outputs))
                np.testing.assert_allclose(curve[b], np.mean(found), rtol=1e-7, atol=1e-13)
                checked += 1
        assert checked > 1


@pytest.mark.parametrize("memory", [portions.MEMORY, 2**21, 1])
@pytest.mark.parametrize("engine", ["reference", "vendor"])
def test_what_is_never_read_changes_nothing_exactly(make_model, engine, memory, monkeypatch):
    """In float32: nothing beyond lag 0 without a past, nothing beyond lag 2 where three layers of 20 units hand it on."""
    monkeypatch.setattr(portions, "MEMORY", memory)
    for weight, reaching in ((torch.zeros(60, 60), 1), (torch.kron(shift(3), noise(20, 20)), 3)):
        model = elman(make_model, weight, "tanh", "temporal_order", torch.float32, units=60)
        with torch.no_grad():
            model.network.cells[0].weight_x[20:] = 0
            model.network.cells[0].weight_h.mul_(0.05)
        model.network.engine = engine
        inputs, layout = prepared(model, noise(11, 13, 6, dtype=torch.float32))
        reach = causal(model, inputs, layout, model.network.chains[""])
        assert (reach.curves[:reaching] > reach.floor).all()
        assert (reach.curves[reaching:] == 0).all()
        assert (reach.low[reaching:] == 0).all()
        assert (reach.high[reaching:] == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_floor_is_rounding(make_model, dtype):
    model = elman(make_model, torch.zeros(5, 5), dtype=dtype)
    inputs, layout = prepared(model, noise(4, 6, model.network.inputs))
    outputs = model(inputs)[-1].detach().double()
    floor = causal(model, inputs, layout, model.network.chains[""]).floor
    assert floor == pytest.approx(8 * torch.finfo(dtype).eps * outputs.square().sum(-1).mean().sqrt().item(), rel=1e-5)


def test_a_total_variation_distance_reaches_1(make_model):
    """A readout that is sure of whichever symbol came last: another symbol turns everything over."""
    model = make_model("elman", "temporal_order", units=6, dtype=torch.float64)
    cell = model.network.cells[0]
    with torch.no_grad():
        for parameter in (cell.weight_h, cell.bias, model.readout.weight):
            parameter.zero_()
        cell.weight_x.copy_(10 * torch.eye(6))
        model.readout.weight[:, :4] = 1000 * torch.eye(4)
    symbols = torch.eye(6, dtype=torch.float64)[torch.arange(8) % 4].expand(5, -1, -1)
    inputs, layout = prepared(model, symbols)
    reach = causal(model, inputs, layout, model.network.chains[""], draws=7)
    np.testing.assert_allclose(reach.mean, [6 / 7, 0, 0, 0, 0], atol=1e-12)  # one of the 7 others has the same symbol


def test_lags_at_which_all_sequences_are_alike_are_left_out(make_model):
    model = make_model("lstm", "copy", length=30, symbols=3)
    batch = model.task.evaluation().first(20)
    inputs, layout = prepared(model, batch.inputs)
    varied = np.flatnonzero(batch.inputs.std(1).any(-1))
    reach = causal(model, inputs, layout, model.network.chains[""])
    assert reach.lags.tolist() == sorted(len(inputs) - 1 - varied)
    assert causal(model, inputs[:, :1].expand(-1, 4, -1), layout.part(slice(4)), model.network.chains[""]) is None


def test_less_than_two_sequences_say_nothing(make_model):
    model = make_model("lstm")
    inputs, layout = prepared(model, noise(5, 1, 2))
    assert causal(model, inputs, layout, model.network.chains[""]) is None


def test_others_are_others_that_are_long_enough():
    there = np.array([9, 3, 5, 5, 9, 1]) > np.arange(5)[:, None]
    others = _others(there, 4)
    assert others.shape == (4, 5, 6)
    for k, able in enumerate(there):
        for b in np.flatnonzero(able):
            drawn = others[:, k, b]
            assert able[drawn].all()
            assert b not in drawn
            assert len(set(drawn)) == min(4, able.sum() - 1)


def test_portions_give_the_same_and_tell_how_far_they_are(make_model, monkeypatch):
    model = make_model("lstm", dtype=torch.float64)
    inputs, layout = prepared(model, noise(12, 15, 2), lengths=[12, 5, 9] * 5)
    together = causal(model, inputs, layout, model.network.chains[""])
    monkeypatch.setattr(portions, "MEMORY", 1)
    done = []
    kept = inputs.clone()
    alone = causal(model, inputs, layout, model.network.chains[""], done.append)
    np.testing.assert_allclose(alone.curves, together.curves, rtol=1e-9)
    assert done == sorted(done)
    assert done[-1] == 1
    assert len(done) > 10
    assert torch.equal(inputs, kept)


def test_overflow_is_an_error(make_model):
    model = elman(make_model, torch.full((5, 5), 1e20), dtype=torch.float32)
    inputs, layout = prepared(model, noise(9, 4, model.network.inputs))
    with pytest.raises(ValueError, match="overflow"):
        causal(model, inputs, layout, model.network.chains[""])


def test_lags_are_spread():
    assert spread(64, 32, 64).tolist() == list(range(64))
    found = spread(10_000, 32, 64)
    assert found[:32].tolist() == list(range(32))
    assert found[-1] == 9999
    assert 55 <= len(found) <= 64
    ratios = found[45:] / found[44:-1]
    assert np.ptp(ratios) < 0.03
    assert spread(0, 32, 64).tolist() == []
