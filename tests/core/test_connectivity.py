"""Connectivity against closed forms, and against the Jacobian that torch makes of whole networks."""

import numpy as np
import pytest
import torch

from rnnscope.core.layout import Layout
from rnnscope.core.memory import portions
from rnnscope.core.memory.connectivity import PROBES, connections, connectivity
from rnnscope.core.memory.lags import by_lag, lags_of
from rnnscope.core.sequences import sequences_for


def positive(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rectified(make_model, task="flip_flop", **settings):
    """An Elman model with relu that is linear, since all it multiplies is positive."""
    settings = {"cell_settings": {"nonlinearity": "relu"}, "units": 5, "dtype": torch.float64} | settings
    model = make_model("elman", task, **settings)
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.abs_()
    return model


def closed_form(model, steps):
    """V W_h^k W_x for each lag k: (K, O, I)."""
    cell, made = model.network.cells[0], []
    power = torch.eye(cell.units, dtype=torch.float64)
    for _ in range(steps):
        made.append(model.readout.weight @ power @ cell.weight_x)
        power = power @ cell.weight_h
    return torch.stack(made).detach().numpy()


def jacobian(model, inputs, layout, ends):
    """d outputs at `ends` / d inputs, by torch, sequence by sequence as they lie: (T, B, O, I)."""
    each = torch.arange(len(ends))

    def outputs(x):
        return model.readout(model.network.run(x, layout).outputs[torch.as_tensor(ends), each])

    whole = torch.autograd.functional.jacobian(outputs, inputs)  # (B, O, T, B, I)
    return whole[each, :, :, each].permute(2, 0, 1, 3).numpy()  # (T, B, O, I)


def prepared(model, inputs, **layout):
    return sequences_for(model, inputs, **layout)[:2]


@pytest.mark.parametrize("unit", [None, 0, 2])
def test_a_linear_network_has_the_norm_of_its_matrices(make_model, unit):
    model = rectified(make_model)
    inputs, layout = prepared(model, positive(12, 3, model.network.inputs), lengths=[12, 7, 12])
    matrices = closed_form(model, 12)
    expected = np.linalg.norm(matrices if unit is None else matrices[:, unit], axis=(1, 2) if unit is None else 1)
    reach = connectivity(model, inputs, layout, model.network.chains[""], unit=unit)
    np.testing.assert_allclose(reach.mean, expected, rtol=1e-12)
    assert reach.lags.tolist() == list(range(12))
    found = connections(model, inputs, layout, unit=unit)
    np.testing.assert_allclose(found[:7, 1], expected[:7][::-1], rtol=1e-12)
    np.testing.assert_array_equal(np.isnan(found), ~layout.within(12))


def test_a_time_step_in_the_middle(make_model):
    model = rectified(make_model)
    inputs, layout = prepared(model, positive(12, 3, model.network.inputs), lengths=[12, 5, 12])
    found = connections(model, inputs, layout, time_step=8)
    expected = np.linalg.norm(closed_form(model, 9), axis=(1, 2))
    np.testing.assert_allclose(found[:9, 0], expected[::-1], rtol=1e-12)
    assert (found[9:, [0, 2]] == 0).all()  # what comes later
    assert np.isnan(found[:, 1]).all()  # it ends before
    reach = connectivity(model, inputs, layout, model.network.chains[""], time_step=8)
    np.testing.assert_allclose(reach.mean, expected, rtol=1e-12)


def test_every_network_has_the_norm_of_its_jacobian(case):
    model = case.model(dtype=torch.float64)
    batch = case.batch()
    inputs, layout = prepared(model, batch.inputs, **vars(batch.layout))
    whole = jacobian(model, inputs, layout, layout.lengths - 1)
    expected = np.where(layout.within(len(inputs)), np.linalg.norm(whole[:, :, 0], axis=-1), np.nan)
    np.testing.assert_allclose(connections(model, inputs, layout, unit=0), expected, rtol=1e-9, atol=1e-15)
    if model.readout.out_features <= PROBES:
        expected = np.where(layout.within(len(inputs)), np.linalg.norm(whole, axis=(2, 3)), np.nan)
        np.testing.assert_allclose(connections(model, inputs, layout), expected, rtol=1e-9, atol=1e-15)
    for chain in model.network.chains.values():
        reach = connectivity(model, inputs, layout, chain, unit=0)
        assert reach.lags.tolist() == list(range(lags_of(layout, chain, len(inputs)).max() + 1))
        assert np.isfinite(reach.mean).all()
        if len(model.network.chains) == 1:
            curves = by_lag(np.linalg.norm(whole[:, :, 0], axis=-1), lags_of(layout, chain, len(inputs)))
            np.testing.assert_allclose(reach.curves[:, 0], curves, rtol=1e-9, atol=1e-15)


def test_each_direction_is_what_its_half_of_the_readout_sees(make_model):
    model = make_model("gru", "adding", network="bidirectional", network_settings={"layers": 2}, dtype=torch.float64)
    inputs, layout = prepared(model, positive(7, 3, 2), lengths=[7, 4, 7])
    whole = jacobian(model, inputs, layout, layout.lengths - 1)
    parts = []
    for direction, other, ends in (("forward", slice(4, 8), [6, 3, 6]), ("backward", slice(0, 4), [0, 0, 0])):
        chain = model.network.chains[direction]
        reach = connectivity(model, inputs, layout, chain)
        before = model.readout.weight.detach().clone()
        with torch.no_grad():
            model.readout.weight[:, other] = 0
        part = jacobian(model, inputs, layout, np.array(ends))
        with torch.no_grad():
            model.readout.weight.copy_(before)
        expected = by_lag(np.linalg.norm(part, axis=(2, 3)), lags_of(layout, chain, 7))
        np.testing.assert_allclose(reach.curves[:, 0], expected, rtol=1e-9)
        parts.append(part)
    within = layout.within(7)
    np.testing.assert_allclose(sum(parts)[within], whole[within], rtol=1e-9)  # one answer: the parts make up the whole


def test_many_outputs_are_sampled_without_bias(make_model):
    """500 copies of a sequence: the mean square over probes is the exact one, within 5 standard errors."""
    model = rectified(make_model, "copy", units=4)
    assert model.readout.out_features > PROBES
    inputs, layout = prepared(model, positive(6, 1, model.network.inputs).expand(-1, 500, -1))
    squares = connections(model, inputs, layout) ** 2
    exact = np.linalg.norm(closed_form(model, 6), axis=(1, 2))[::-1] ** 2
    error = squares.std(1) / np.sqrt(500)
    assert (np.abs(squares.mean(1) - exact) < 5 * error).all()
    assert (squares.std(1) <= 1.2 * exact * np.sqrt(2 / PROBES)).all()  # what the docstring says: 50 % of squares
    assert (error / exact < 0.03).all()


def test_portions_give_the_same(make_model, monkeypatch):
    model = make_model("lstm", "copy", units=4)
    inputs, layout = prepared(model, positive(9, 5, model.network.inputs))
    together = connections(model, inputs, layout)
    monkeypatch.setattr(portions, "MEMORY", 1)
    done = []
    alone = connections(model, inputs, layout, between=done.append)
    np.testing.assert_allclose(alone, together, rtol=1e-5)
    assert done == [0.2, 0.4, 0.6, 0.8, 1]


def test_nothing_changes(make_model):
    model = make_model("lstm").train().requires_grad_(False)
    inputs, layout = prepared(model, positive(6, 3, 2))
    random, chain = torch.get_rng_state(), model.network.chains[""]
    with torch.no_grad():
        quiet = connectivity(model, inputs, layout, chain)
    again = connectivity(model.requires_grad_(True), inputs, layout, chain)
    assert np.array_equal(quiet.mean, again.mean)
    assert torch.equal(torch.get_rng_state(), random)
    assert not inputs.requires_grad
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_tree_has_no_time_step_to_look_from(make_model):
    model = make_model("lstm", "nested_lists", network="tree_lstm")
    batch = model.task.evaluation().first(3)
    inputs, layout = prepared(model, batch.inputs, **vars(batch.layout))
    assert connectivity(model, inputs, layout, model.network.chains[""], time_step=0) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time_step": 6}, "time_step: expected 0 to 5, got 6"),
        ({"time_step": -1}, "time_step: expected 0 to 5, got -1"),
        ({"unit": 1}, "unit: expected 0 to 0, got 1"),
    ],
)
def test_what_is_not_there(make_model, options, message):
    model = make_model("lstm")
    with pytest.raises(ValueError, match=message):
        connections(model, positive(6, 3, 2).float(), Layout(np.full(3, 6)), **options)


def test_overflow_is_an_error(make_model):
    model = rectified(make_model, dtype=torch.float32)
    with torch.no_grad():
        model.network.cells[0].weight_h.fill_(1e20)
    inputs, layout = prepared(model, positive(9, 2, model.network.inputs))
    with pytest.raises(ValueError, match="overflow"):
        connectivity(model, inputs, layout, model.network.chains[""])
