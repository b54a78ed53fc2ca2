"""Gradient norms of a Trace against finite differences on the full Markov state, continued by hand."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from rnnscope.core.cells import CELLS
from rnnscope.core.recording import record

T, UNITS, NUDGE = 6, 3, 1e-5


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def differences(loss_after, state, parts):
    """d loss / d every unit of `parts` by central differences: 2 * P * H copies of the state in one batch."""
    rows = torch.eye(len(parts) * UNITS, dtype=torch.float64).view(-1, len(parts), UNITS)
    rows = NUDGE * torch.cat([rows, -rows])
    nudged = {name: value.expand(len(rows), -1) for name, value in state.items()}
    for p, part in enumerate(parts):
        nudged[part] = nudged[part] + rows[:, p]
    losses = loss_after(nudged)
    up, down = losses.view(2, len(parts), UNITS)
    return (up - down) / (2 * NUDGE)  # (P, H)


@pytest.mark.parametrize("at_end", [True, False])
def test_norms_are_finite_differences(lone_cell, at_end, make_model, by_hand):
    check_norms(make_model(lone_cell, units=UNITS, dtype=torch.float64), at_end, by_hand)


@pytest.mark.parametrize("at_end", [True, False])
def test_norms_are_finite_differences_with_relu(at_end, make_model, by_hand):
    settings = {"nonlinearity": "relu"}
    check_norms(make_model("elman", units=UNITS, dtype=torch.float64, cell_settings=settings), at_end, by_hand)


def check_norms(model, at_end, by_hand):
    cell, inputs = model.network.cells[0], noise(T, 1, 2)
    with torch.no_grad():
        cell.bias.add_(0.3)  # keeps relu units alive
    targets = noise(T, 1, 1, seed=1)
    trace = record(model, inputs, targets[-1] if at_end else targets)
    weights = torch.zeros(T, dtype=torch.float64)
    weights[-1 if at_end else slice(None)] = 1
    before = [{part: value.detach() for part, value in state.items()} for state in by_hand(cell, inputs)]
    assert set(trace.gradients) == {"state", *cell.states}
    for t in range(T):

        def loss_after(state, t=t):
            copies = len(state[cell.output])
            later = by_hand(cell, inputs.expand(-1, copies, -1), state, first=t + 1)
            seen = torch.stack([state[cell.output], *(after[cell.output] for after in later)])
            error = ((model.readout(seen)[..., 0] - targets[t:, :, 0]) ** 2).detach()
            return (error * weights[t:, None]).sum(0) / weights.sum()

        found = differences(loss_after, before[t], cell.states)
        for part, of_part in zip(cell.states, found, strict=True):
            norm = of_part.norm().item()
            assert trace.gradients[part][t, 0] == pytest.approx(norm, rel=1e-5, abs=1e-9), (part, t)
        still = {part: torch.zeros_like(value) for part, value in cell.coordinates(before[t]).items()}

        def loss_displaced(by, t=t):
            copies = len(next(iter(by.values())))
            near = {part: value.expand(copies, -1) for part, value in before[t].items()}
            return loss_after(cell.displaced(near, by), t)

        whole = differences(loss_displaced, still, list(still)).norm().item()
        assert trace.gradients["state"][t, 0] == pytest.approx(whole, rel=1e-5, abs=1e-9), t
    assert trace.gradients["state"][0, 0] > 1e-6


@pytest.mark.parametrize("cell", CELLS)
def test_each_sequence_has_the_gradient_of_its_share(cell, make_model):
    """The scored loss is an average over the batch: alone, a sequence has B times the gradient."""
    model = make_model(cell, dtype=torch.float64)
    inputs, targets = noise(9, 4, 2), noise(4, 1)
    together = record(model, inputs, targets)
    for b in range(4):
        alone = record(model, inputs[:, b], targets[b : b + 1])
        for part, norms in alone.gradients.items():
            np.testing.assert_allclose(4 * together.gradients[part][:, b], norms[:, 0], rtol=1e-5, err_msg=part)


@pytest.mark.parametrize("cell", CELLS)
def test_scored_weights_choose_the_loss(cell, make_model):
    """With all weight on one moment, the gradient is zero afterwards and that of a shorter sequence before."""
    model = make_model(cell)
    inputs, targets, weights = noise(9, 2, 2), noise(9, 2, 1), torch.zeros(9, 2)
    weights[4] = 3.0  # only the ratio of weights counts
    trace = record(model, inputs, targets, weights=weights)
    shorter = record(model, inputs[:5], targets[4])
    assert not trace.gradients["state"][5:].any()
    np.testing.assert_allclose(trace.gradients["state"][:5], shorter.gradients["state"], rtol=1e-5)
    np.testing.assert_allclose(trace.loss[:5], record(model, inputs[:5], targets[:5]).loss, rtol=1e-5)


@pytest.mark.parametrize(("task", "outputs"), [("digits", 10), ("length", 1)])
def test_gradient_of_a_readout_at_the_last_time_step(task, outputs, make_model):
    """Of a classification: V^T (p - onehot), by hand."""
    model = make_model("elman", task=task, dtype=torch.float64)
    inputs, classes = noise(5, 3, 1), torch.tensor([0, 1, 1])
    trace = record(model, inputs, classes)
    logits = torch.tensor(trace.outputs[-1]).double()
    if outputs == 1:
        error = torch.sigmoid(logits) - classes[:, None]
    else:
        error = torch.softmax(logits, -1) - functional.one_hot(classes, 10)
    expected = (error @ model.readout.weight.detach()).norm(dim=1) / 3
    np.testing.assert_allclose(trace.gradients["hidden"][-1], expected, rtol=1e-5)
