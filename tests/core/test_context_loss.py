"""Inputs withheld: closed forms of linear networks, and runs of cut sequences one by one of all others."""

import numpy as np
import pytest
import torch

from rnnscope.core.comparison import compare, evaluated
from rnnscope.core.losses import LOSSES
from rnnscope.core.memory import portions
from rnnscope.core.memory.context_loss import context_loss
from rnnscope.core.sequences import sequences_for
from rnnscope.core.tasks import TASKS


def prepared(model, inputs, **layout):
    return sequences_for(model, inputs, **layout)[:2]


def measured(model, inputs, targets, between=lambda done: None, lags=None, **layout):
    inputs, layout = prepared(model, inputs, **layout)
    return context_loss(model, inputs, layout, model.network.chains[""], between, targets=targets, lags=lags)


def linear(make_model, weight_h, dtype=torch.float64):
    """Without negative weights and inputs relu is linear."""
    model = make_model("elman", "flip_flop", units=4, dtype=dtype, cell_settings={"nonlinearity": "relu"})
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.abs_()
        model.network.cells[0].weight_h.copy_(weight_h)
    return model


def noise(*shape):
    return np.random.default_rng(0).random(shape)


def test_a_linear_network_loses_what_its_matrices_would_have_brought(make_model):
    model = linear(make_model, torch.rand(4, 4, generator=torch.Generator().manual_seed(1)) / 3)
    inputs, targets = noise(15, 6, 3), noise(6, 3)
    cell = model.network.cells[0]
    w_x, w_h, bias, v, c = (
        p.detach().numpy() for p in (cell.weight_x, cell.weight_h, cell.bias, *model.readout.parameters())
    )
    state, power, losses = np.zeros((6, 4)), np.eye(4), []
    for lag in range(15):
        state = state + (inputs[14 - lag] @ w_x.T + bias.ravel()) @ power.T
        power = power @ w_h
        losses.append(((state @ v.T + c - targets) ** 2).mean(1))
    reach = measured(model, inputs, targets)
    assert reach.lags.tolist() == list(range(15))
    np.testing.assert_allclose(reach.curves[:, 0], np.array(losses) - losses[-1], rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(reach.mean, reach.curves[:, 0].mean(1), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("task", ["flip_flop", "temporal_order", "length"])
def test_as_each_sequence_cut_by_hand(make_model, task, monkeypatch):
    model = make_model("gru", task, dtype=torch.float64)
    batch, lengths, done = model.task.evaluation().first(8), np.array([20, 11, 20, 1, 7, 20, 15, 2]), []
    inputs, targets = batch.inputs[:20].astype(float), batch.targets[:20]
    monkeypatch.setattr(portions, "MEMORY", 1)  # a portion for each sequence
    reach = measured(model, inputs, targets, done.append, lengths=lengths)
    assert done == sorted(done)
    assert done[-1] == 1
    assert len(done) == 20 * 8

    def loss(b, first):
        outputs = model(torch.from_numpy(inputs[first : lengths[b], b : b + 1]))[-1:].detach()
        return LOSSES[model.task.loss](outputs, torch.as_tensor(targets[lengths[b] - 1, b])[None, None]).item()

    for lag in range(20):
        for b, length in enumerate(lengths):
            expected = loss(b, length - 1 - lag) - loss(b, 0) if lag < length else np.nan
            assert reach.curves[lag, 0, b] == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)
    ends = targets[lengths - 1, np.arange(8)]
    some = measured(model, inputs, ends, lags=[2, 7, 40], lengths=lengths)
    assert some.lags.tolist() == [2, 7]
    np.testing.assert_array_equal(some.curves, reach.curves[[2, 7]])


def test_no_more_is_lost_than_a_network_has(make_model):
    """A row of four units: inputs count up to lag 3 and then no more; without a past only the last one does."""
    shift = torch.eye(4, dtype=torch.float64).roll(1, 0).tril(-1)
    for weight, used in ((shift, 4), (torch.zeros(4, 4), 1)):
        model = linear(make_model, weight)
        with torch.no_grad():
            model.network.cells[0].weight_x[1:] = 0
            model.network.cells[0].bias.zero_()
        reach = measured(model, noise(12, 9, 3), np.zeros((9, 3)))
        assert (np.abs(reach.curves[used - 1 :]) <= 1e-12).all()
        assert used == 1 or (np.abs(reach.curves[: used - 1]) > 1e-6).all()


@pytest.mark.parametrize("cell", ["elman", "lstm", "rwa"])
@pytest.mark.parametrize("task", ["flip_flop", "temporal_order"])
def test_what_rounds_otherwise_is_below_the_floor(make_model, cell, task):
    """The same losses in float32 and float64, to a part of the floor."""
    made = [make_model(cell, task, dtype=dtype, units=24) for dtype in (torch.float32, torch.float64)]
    made[1].load_state_dict(made[0].state_dict())
    rough, exact = (evaluated(model, model.task, ["context_loss"], 20)["context_loss"] for model in made)
    assert 0 < rough.floor < 1e-4
    assert exact.floor < 1e-12
    np.testing.assert_allclose(rough.curves, exact.curves, rtol=0, atol=4 * rough.floor)
    assert np.sqrt(np.mean((rough.curves - exact.curves) ** 2)) < rough.floor


@pytest.mark.parametrize("task", TASKS)
def test_every_task_asks_for_its_last_answer_at_the_end(make_model, task):
    """That is where the loss is taken; trees and encoder-decoders, which do not read forward, are left out."""
    cell, network = ("lstm", "tree_lstm") if task == "nested_lists" else ("gru", "stack")
    model = make_model(cell, task, network=network)
    batch = model.task.evaluation().first(12)
    assert (batch.weights[batch.lengths - 1, np.arange(12)] > 0).all()
    found = evaluated(model, model.task, ["context_loss"], 12)
    assert list(found) == ([] if network == "tree_lstm" else ["context_loss"])


@pytest.mark.parametrize("network", ["bidirectional", "encoder_decoder"])
def test_only_networks_that_read_forward_have_it(make_model, network):
    model = make_model("gru", "dates" if network == "encoder_decoder" else "adding", network=network)
    assert evaluated(model, model.task, ["context_loss"], 5) == {}


def test_without_the_right_answers_it_has_no_meaning(make_model):
    model, other = make_model("gru", "digits"), make_model("gru", "permuted_digits")
    inputs, targets = noise(9, 5, 1), np.arange(5)
    assert not compare(model, inputs, measures=["context_loss"]).models[0].reaches
    given = compare(model, inputs, targets, measures=["context_loss"]).models[0].reaches["context_loss"]
    expected = measured(model, torch.from_numpy(inputs), targets)
    np.testing.assert_allclose(given.mean, expected.mean, atol=1e-6)
    mixed = compare({"one": model, "of another task": other}, measures=["context_loss"])
    assert [list(one.reaches) for one in mixed.models] == [["context_loss"], []]


@pytest.mark.parametrize(
    ("task", "targets", "words"),
    [
        ("flip_flop", np.zeros(5), r"shape \(5, 3\) or \(9, 5, 3\), got \(5,\)"),
        ("flip_flop", np.zeros((5, 2)), r"got \(5, 2\)"),
        ("digits", np.zeros((5, 10)), r"shape \(5,\) or \(9, 5\), got \(5, 10\)"),
        ("digits", np.zeros(5), r"whole numbers from 0 to 9, got \[0\.0"),
        ("digits", np.array([0, 1, 2, 3, 10]), r"from 0 to 9, got \[0, 1, 2, 3, 10\]"),
        ("length", np.array([0, 1, -1, 0, 0]), r"from 0 to 1, got"),
        ("digits", np.array(list("01234")), r"numbers; got array"),
        ("digits", [[1], [2, 3]], r"numbers; got \[\[1\], \[2, 3\]\]"),
        ("flip_flop", np.full((5, 3), np.nan), r"finite numbers, got \[\[nan"),
        ("flip_flop", np.ones((5, 3), complex), r"numbers; got array"),
    ],
)
def test_targets_that_do_not_fit_are_refused(make_model, task, targets, words):
    model = make_model("gru", task)
    with pytest.raises(ValueError, match=f"^mine: targets: expected .*{words}"):
        compare({"mine": model}, noise(9, 5, model.network.inputs), targets, measures=["context_loss"])


@pytest.mark.parametrize("kind", [">i4", np.uint8, np.uint16, np.uint64, np.int16])
def test_whole_numbers_of_any_kind_are_classes(make_model, kind):
    model, inputs, targets = make_model("gru", "digits"), noise(9, 5, 1), np.arange(5)
    given, expected = (measured(model, inputs, one).mean for one in (targets[::-1].astype(kind)[::-1], targets))
    np.testing.assert_array_equal(given, expected)


def test_overflow_is_an_error(make_model):
    model = linear(make_model, torch.full((4, 4), 1e20), dtype=torch.float32)
    with pytest.raises(ValueError, match="overflow"):
        measured(model, noise(9, 4, 3), np.zeros((4, 3)))
