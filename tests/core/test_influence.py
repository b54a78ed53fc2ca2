"""Influence: the gradient of one output with respect to the inputs of one sequence, against differences."""

import numpy as np
import pytest
import torch

from rnnscope.core.memory.influence import influence


@pytest.mark.parametrize(("cell", "task"), [("lstm", "adding"), ("rwa", "length")])
def test_it_is_what_differences_say(cell, task, make_model):
    model = make_model(cell, task, 4, torch.float64, length=9)
    batch = model.task.probe().first(3)
    sequence, last = 1, int(batch.lengths[1])
    t = last - 2
    found = influence(model, batch, sequence, t)
    assert (found.sequence, found.time_step, found.values.shape) == (sequence, t, batch.inputs.shape[:1])
    inputs, step = torch.from_numpy(batch.inputs).double(), 1e-6
    layout = batch.layout
    for moment in range(last):
        changes = []
        for channel in range(inputs.shape[2]):
            up, down = inputs.clone(), inputs.clone()
            up[moment, sequence, channel] += step
            down[moment, sequence, channel] -= step
            with torch.no_grad():
                one, other = (model(moved, layout)[t - 1, sequence] for moved in (up, down))
            changes.append((one - other) / (2 * step))
        assert found.values[moment] == pytest.approx(torch.stack(changes).norm().item(), rel=1e-4, abs=1e-9)
    assert not found.values[t:last].any()
    assert np.isnan(found.values[last:]).all()


def test_behind_the_end_the_last_time_step_is_meant(make_model):
    model = make_model("gru", "length", length=9)
    batch = model.task.probe()
    shortest = int(np.argmin(batch.lengths))
    last = int(batch.lengths[shortest])
    here, beyond = (influence(model, batch, shortest, t) for t in (last, last + 1))
    assert here.time_step == beyond.time_step == last
    np.testing.assert_array_equal(here.values, beyond.values)


def test_of_one_output_and_all_together(make_model):
    model = make_model("lstm", "reber", 5, torch.float64)
    batch, outputs = model.task.probe().first(2), model.readout.out_features
    each = [influence(model, batch, 1, 6, n).values for n in range(outputs)]
    np.testing.assert_allclose(influence(model, batch, 1, 6).values ** 2, np.square(each).sum(0), rtol=1e-5)
    with pytest.raises(ValueError, match=f"unit: expected 0 to {outputs - 1}, got {outputs}"):
        influence(model, batch, 1, 6, outputs)


def test_it_tells_how_far_it_is_and_can_be_ended(make_model):
    model, told = make_model("lstm", length=12), []
    before = model.network.engine
    influence(model, model.task.probe(), 0, 12, None, told.append)
    assert told == sorted(told)
    assert told[-1] == 1

    def end(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        influence(model, model.task.probe(), 0, 12, None, end)
    assert model.network.engine == before
