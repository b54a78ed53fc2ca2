"""Snapshots: their schedule, their bounds, and that a model at one is what it was then, bit for bit."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch

from rnnscope.core import snapshots
from rnnscope.core.formats import load, save
from rnnscope.core.recording import record_batch
from rnnscope.core.snapshots import PER_OCTAVE, Snapshots, due, nearest, weights_of
from rnnscope.core.trace import History
from rnnscope.core.training import Diverged, train, with_snapshots

SPARSER = [PER_OCTAVE / 2**n for n in range(9)]


def trained(model, **settings):
    """Train a model with snapshots and keep its history; how it ended."""
    model.configuration = model.configuration.model_copy(
        update={"training": model.configuration.training.model_copy(update=settings)}
    )
    losses, norms, trouble = [], [], None
    try:
        for update in with_snapshots(model, train(model)):
            losses.append(float(update.loss))
            norms.append(float(update.gradient_norm))
    except Diverged as error:
        trouble = error
    model.history = model.history.extended(np.array(losses, np.float32), np.array(norms, np.float32))
    model.eval()
    return trouble


@pytest.mark.parametrize("per_octave", SPARSER)
def test_the_schedule_has_the_rounded_powers_and_each_sparser_one_is_part_of_it(per_octave):
    exponents = range(math.ceil(15 * per_octave) + 1)
    expected = {0} | {n for n in (round(2 ** (k / per_octave)) for k in exponents) if n <= 20_000}
    assert {n for n in range(20_001) if due(n, per_octave)} == expected
    assert all(due(n, per_octave) for n in range(20_001) if due(n, per_octave / 2))


def test_ten_million_iterations_make_few_snapshots():
    assert sum(due(n) for n in range(5001)) == 82
    octaves = math.log2(10_000_000)
    assert PER_OCTAVE * octaves < snapshots.MOST


def of_size(count):
    return {"weight": np.zeros(count, np.float32)}


def test_beyond_the_bound_every_second_one_goes_and_the_first_stays(monkeypatch):
    monkeypatch.setattr(snapshots, "LARGEST", 100 * 40)
    taken, largest = Snapshots(), 0
    for iteration in range(7, 5000):
        if due(iteration, taken.per_octave) or iteration == 7:
            taken = taken.added(iteration, of_size(10))
            largest = max(largest, len(taken))
    assert largest > 50
    assert taken.nbytes <= 100 * 40
    assert taken.iterations == (7, *(n for n in range(8, 5000) if due(n, taken.per_octave)))
    monkeypatch.setattr(snapshots, "LARGEST", 20 * 40)
    fewer = taken.added(5000, of_size(10))
    assert fewer.per_octave < taken.per_octave
    assert fewer.iterations == (7, *(n for n in range(8, 5001) if due(n, fewer.per_octave)))


def test_their_number_is_bounded_too(monkeypatch):
    monkeypatch.setattr(snapshots, "MOST", 20)
    taken = Snapshots()
    for iteration in range(1000):
        taken = taken.added(iteration, of_size(1))
        assert len(taken) <= 20
        assert taken.iterations[0] == 0


def test_two_are_the_least_and_what_is_larger_has_none(monkeypatch):
    monkeypatch.setattr(snapshots, "LARGEST", 80)
    taken = Snapshots()
    for iteration in (0, 1, 2, 3, 2000, 65_536):
        taken = taken.added(iteration, of_size(10))
        assert len(taken) <= 2
    assert taken.iterations == (0, 1)
    assert not taken.added(5, of_size(11))


def test_an_iteration_taken_again_replaces_what_came_after():
    taken = Snapshots().added(0, of_size(1)).added(4, of_size(1)).added(8, of_size(1)).added(4, of_size(2))
    assert taken.iterations == (0, 4)
    assert taken.weights[4]["weight"].size == 2


def test_they_cannot_be_written_to():
    given = of_size(3)
    taken = Snapshots().added(0, given)
    with pytest.raises(ValueError, match="read-only"):
        taken.weights[0]["weight"][0] = 1
    with pytest.raises(TypeError):
        taken.weights[0]["other"] = 1
    given["weight"] += 1  # what was given stays as writeable as it was


@pytest.mark.parametrize(("iteration", "found"), [(0, 2), (1, 2), (2, 2), (3, 2), (7, 4), (8, 8), (99, 8)])
def test_the_nearest_is_the_last_one_that_is_not_later(iteration, found):
    assert nearest((2, 4, 8), iteration) == found
    assert nearest((), iteration) is None


@pytest.mark.parametrize(("engine", "cell"), [("reference", "lstm"), ("vendor", "lstm"), ("reference", "rwa")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_trace_at_an_iteration_is_that_of_a_model_trained_so_far(engine, cell, dtype, make_model, tmp_path):
    settings = {"iterations": 40, "batch": 3, "engine": engine}
    model = make_model(cell, length=9, dtype=dtype)
    trained(model, **settings)
    assert model.snapshots.iterations == tuple(n for n in range(40) if due(n))
    save(model, tmp_path / "it.safetensors", snapshots=True)
    loaded = load(tmp_path / "it.safetensors")
    loaded.network.engine = model.network.engine
    for iteration in (0, 1, 8, 23, 38, 40):
        fresh = make_model(cell, length=9, dtype=dtype)
        fresh.network.engine = engine
        if iteration:
            trained(fresh, **settings | {"iterations": iteration})
        expected = record_batch(fresh, fresh.task.probe())
        for one in (model, loaded):
            then = one.at(iteration)
            assert len(then.history) == iteration
            found = record_batch(then, then.task.probe())
            for name, values in expected.signals.items():
                np.testing.assert_array_equal(found.signals[name], values, err_msg=f"{name} at {iteration}")
            np.testing.assert_array_equal(found.gradients["state"], expected.gradients["state"])


def test_between_snapshots_it_is_the_last_before_and_from_the_end_on_the_model_itself(make_model):
    model = make_model(length=9)
    trained(model, iterations=40, batch=3)
    assert len(model.at(14).history) == 13
    assert len(model.at(39).history) == 38
    assert model.at(40) is model.at(1000) is model
    with torch.no_grad():
        model.readout.bias.add_(1)
    assert not torch.equal(model.at(38).readout.bias, model.readout.bias)


def test_training_on_counts_on(make_model):
    model = make_model(length=9)
    trained(model, iterations=20, batch=3)
    before = model.snapshots.weights
    end = weights_of(model)
    trained(model, iterations=20, batch=3)
    assert model.snapshots.iterations == tuple(n for n in range(40) if due(n) or n == 20)
    for iteration, weights in before.items():
        np.testing.assert_array_equal(model.snapshots.weights[iteration]["readout.bias"], weights["readout.bias"])
    np.testing.assert_array_equal(model.snapshots.weights[20]["readout.bias"], end["readout.bias"])


def test_without_snapshots_one_cannot_go_back(make_model):
    model = make_model(length=9)
    model.history = History(np.ones(10, np.float32), np.ones(10, np.float32))
    with pytest.raises(ValueError, match="iteration: expected 10, got 3: no snapshots"):
        model.at(3)


def test_after_divergence_all_snapshots_are_from_before(make_model):
    model = make_model("elman", length=300, cell_settings={"nonlinearity": "relu"})
    trouble = trained(model, iterations=500, batch=4, learning_rate=10)
    assert trouble.iteration > 1
    last = model.snapshots.iterations[-1]
    assert last < trouble.iteration - 1
    assert all(np.isfinite(array).all() for weights in model.snapshots.weights.values() for array in weights.values())


def test_training_itself_is_the_same_with_snapshots(make_model):
    one, other = make_model(length=9), make_model(length=9)
    trained(one, iterations=20, batch=3)
    other.configuration = one.configuration
    losses = [float(update.loss) for update in train(other)]
    np.testing.assert_array_equal(one.history.loss, np.array(losses, np.float32))


def test_a_copy_has_snapshots_of_its_own():
    kept = Snapshots().added(0, {"w": np.arange(3.0)}).added(1, {"w": np.ones(3)})
    for again in (copy.deepcopy(kept), pickle.loads(pickle.dumps(kept))):
        assert again.iterations == (0, 1)
        assert again.per_octave == kept.per_octave
        assert np.array_equal(again.weights[0]["w"], kept.weights[0]["w"])
        assert not np.shares_memory(again.weights[0]["w"], kept.weights[0]["w"])
