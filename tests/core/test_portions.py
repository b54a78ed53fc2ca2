"""Measuring a few sequences at a time: the same numbers, with progress and a way out."""

import numpy as np
import pytest

from rnnscope.core.memory import portions
from rnnscope.core.reach import QUICK


@pytest.fixture
def one_by_one(monkeypatch):
    monkeypatch.setattr(portions, "MEMORY", 1)


@pytest.mark.parametrize("cell", ["elman", "lstm", "rwa"])
def test_one_sequence_at_a_time_gives_the_same_direct_weight(make_model, measure, cell, one_by_one, monkeypatch):
    model = make_model(cell=cell, units=3, length=9)
    batch = model.task.evaluation().first(5)
    alone = measure("direct_weight", model, batch.inputs)
    monkeypatch.undo()
    together = measure("direct_weight", model, batch.inputs)
    if cell == "elman":
        assert alone is together is None
    else:
        np.testing.assert_allclose(alone.mean, together.mean, rtol=1e-6)
        np.testing.assert_allclose(alone.high, together.high, rtol=1e-6)


@pytest.mark.parametrize("which", QUICK)
def test_progress_ends_at_one(make_model, which, measure, one_by_one):
    model, done = make_model(cell="lstm", units=3, length=9), []
    measure(which, model, model.task.evaluation().first(4).inputs, between=done.append)
    assert done == [0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize("which", QUICK)
def test_what_is_raised_between_two_portions_ends_the_measurement(make_model, which, measure, one_by_one):
    model, done = make_model(cell="lstm", units=3, length=9), []

    def stop(share):
        done.append(share)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(which, model, model.task.evaluation().first(4).inputs, between=stop)
    assert done == [0.25]
