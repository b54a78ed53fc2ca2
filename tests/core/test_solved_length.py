"""The solved length where a task is surely solved, surely not, or solved up to a known length."""

import contextlib
import sys

import numpy as np
import pytest

from rnnscope.core.evaluation import score
from rnnscope.core.memory.solved_length import solved_length
from rnnscope.core.sequences import sequences_for
from rnnscope.core.settings import SettingsError
from rnnscope.core.training import Diverged, train

module = sys.modules["rnnscope.core.memory.solved_length"]


@pytest.fixture
def measured(make_model):
    """Measure a model made from options: (**options of make_model, between=, delays=, seeds=) -> Reach or None."""

    def measured(between=lambda done: None, chain=None, model=None, options=None, **how):
        model = model or make_model(**(options or {}))
        inputs, layout, _ = sequences_for(model, np.zeros((5, 2, model.network.inputs)))
        chain = chain or next(iter(model.network.chains.values()))
        return solved_length(model, inputs, layout, chain, between, **how)

    return measured


# two numbers that are always both marked, in a row: after 80 updates the error is about 0.0005, at 9 time steps 0.15
SURE = {"cell": "lstm", "units": 8, "training": {"iterations": 80, "batch": 32, "learning_rate": 0.03}}
SHORT = {"delays": [2, 9], "seeds": 2}
NEVER = {"cell": "elman", "units": 2, "training": {"iterations": 1, "batch": 2}}


def test_what_is_surely_solved_and_what_is_surely_not(measured):
    done = []
    reach = measured(done.append, options=SURE, delays=[2, 9], seeds=2)
    assert reach.measure == "solved_length"
    assert reach.lags.tolist() == [0, 2, 9]
    assert reach.curves.tolist() == [[[1, 1]], [[1, 1]], [[0, 0]]]
    assert reach.mean.tolist() == [1, 1, 0]
    assert reach.lag50.value == pytest.approx(2, abs=0.1)
    assert done == sorted(done)
    assert len(done) == 2 * 2 * 80 + 1
    assert done[-1] == 1


def test_what_is_solved_as_far_as_was_tried(measured):
    assert measured(options=SURE, delays=[2], seeds=1).lag50.value is None  # beyond the last


def test_what_is_surely_not_solved_ends_after_two_delays(measured):
    done = []
    reach = measured(done.append, options=NEVER, delays=[5, 6, 7, 8], seeds=2)
    assert reach.lags.tolist() == [0, 5, 6]
    assert reach.curves.tolist() == [[[1, 1]], [[0, 0]], [[0, 0]]]
    assert 0 < reach.lag50.value < 0.1  # nothing but lag 0
    assert done == [1 / 8, 2 / 8, 3 / 8, 4 / 8, 1]


def test_lag50_is_the_longest_delay_that_is_solved(measured, monkeypatch):
    """With a training that solves up to 20 whatever the seed, and at 50 from one seed of three."""
    judged = []

    def solves(begun, fresh, between):
        judged.append((fresh.task_settings.length, fresh.training.seed))
        return judged[-1][0] <= 20 or judged[-1] == (50, 9)

    monkeypatch.setattr(module, "_solves", solves)
    reach = measured(options={"training": {"seed": 8}}, seeds=3)
    assert judged == [(length, seed) for length in (10, 20, 50, 100, 200) for seed in (8, 9, 10)]
    assert reach.lags.tolist() == [0, 10, 20, 50, 100, 200]
    assert reach.mean.tolist() == pytest.approx([1, 1, 1, 1 / 3, 0, 0])
    assert 20 < reach.lag50.value < 50
    assert reach.lag1.value == pytest.approx(50, abs=3)


def test_a_fresh_model_is_trained_as_its_configuration_says(make_model, measured, monkeypatch):
    """The verdict is that of a training by hand, of an untrained model of the same settings."""
    scores = []
    monkeypatch.setattr(module, "score", lambda model: scores.append(score(model)) or scores[-1])
    training = {"iterations": 3, "batch": 4, "seed": 5}
    measured(options={"cell": "rwa", "training": training, "marks": "halves"}, delays=[6], seeds=2)
    for seed, found in zip((5, 6), scores, strict=True):
        fresh = make_model("rwa", training=training | {"seed": seed}, marks="halves", length=6)
        list(train(fresh))
        assert found == score(fresh)


def test_the_model_itself_is_left_alone(make_model, measured):
    model = make_model(**NEVER)
    weights = [parameter.clone() for parameter in model.parameters()]
    measured(model=model, delays=[3])
    assert all((old == new).all() for old, new in zip(weights, model.parameters(), strict=True))
    assert len(model.history) == 0


def test_what_is_raised_between_ends_it(measured):
    done = []

    def stop(share):
        done.append(share)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measured(stop, options=SURE, delays=[2, 3])
    assert len(done) == 1


def test_it_goes_on_where_it_was_ended_and_comes_to_the_same(make_model, measured, monkeypatch):
    """Ended after every third update, no update is made twice, and a measurement that is complete needs none."""
    whole = measured(options=SURE, delays=[2, 9], seeds=2)
    model, updates = make_model(**SURE), []

    def counted(fresh):
        for update in train(fresh):
            updates.append(fresh.configuration.training.seed)
            yield update

    monkeypatch.setattr(module, "train", counted)
    found, tries, left = None, 0, 0

    def interrupt(done):
        nonlocal left
        left -= 1
        if not left:
            raise InterruptedError

    while found is None:
        tries, left = tries + 1, 3
        with contextlib.suppress(InterruptedError):
            found = measured(interrupt, model=model, **SHORT)
    assert tries > 50
    assert len(updates) == 2 * 2 * 80
    assert found.curves.tolist() == whole.curves.tolist()
    measured(model=model, **SHORT)
    assert len(updates) == 2 * 2 * 80
    monkeypatch.setattr(module, "_begun", {})
    measured(model=model, delays=[2], seeds=1)
    assert len(updates) == 2 * 2 * 80 + 80


def test_a_training_that_failed_is_not_gone_on_with(make_model, measured, monkeypatch):
    def fails(fresh):
        yield from train(fresh)
        raise MemoryError

    model = make_model(**SURE)
    monkeypatch.setattr(module, "train", fails)
    with pytest.raises(MemoryError):
        measured(model=model, delays=[2], seeds=1)
    monkeypatch.undo()
    done = []
    assert measured(done.append, model=model, delays=[2], seeds=1).mean.tolist() == [1, 1]
    assert len(done) == 80 + 1


def test_a_training_that_diverges_is_not_solved(measured, monkeypatch):
    def diverges(model):
        raise Diverged(1)
        yield

    monkeypatch.setattr(module, "train", diverges)
    assert measured(options=NEVER, delays=[5], seeds=1).curves.tolist() == [[[1]], [[0]]]


def test_none_without_a_length_and_for_a_second_direction(make_model, measured):
    assert measured(options={"task": "digits"}) is None
    model = make_model("gru", network="bidirectional", training=NEVER["training"])
    forward, backward = model.network.chains.values()
    assert measured(model=model, chain=backward) is None
    assert measured(model=model, chain=forward, delays=[3], seeds=1) is not None


@pytest.mark.parametrize("delays", [[], [5, 5], [9, 3], [0]], ids=str)
def test_delays_must_increase(delays, measured):
    with pytest.raises(ValueError, match=r"^delays: expected numbers of time steps that increase, got \["):
        measured(options=NEVER, delays=delays)


def test_refusals_name_what_is_wrong(measured):
    with pytest.raises(SettingsError, match=r"^length: expected .* 2; got 1"):
        measured(options=NEVER, delays=[1, 5])
    with pytest.raises(ValueError, match="seeds: expected at least 1, got 0"):
        measured(options=NEVER, delays=[5], seeds=0)
