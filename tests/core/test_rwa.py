"""What only the RWA promises: no overflow, logits that matter up to a constant, uniform attention, the authors' start."""

import math

import pytest
import torch

from rnnscope.core.cells import RWA
from rnnscope.core.engines import ENGINES

RELATIVE_TO_THE_LOGITS = {"attention_logit", "running_maximum", "log_mass"}


class Shifted(RWA):
    """Adds `shift` to every logit, after rounding it to a multiple of 1/64 so that the sum is exact in float32."""

    shift = 0.0

    def update(self, gates, state):
        logit = torch.round(gates["attention_logit"] * 64) / 64 + self.shift
        return super().update(gates | {"attention_logit": logit}, state)


def drawn(kind=RWA, units=6, inputs=3):
    cell = kind(inputs, units)
    cell.initialise(torch.Generator().manual_seed(1))
    return cell


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("engine", ENGINES)
def test_logits_of_20000_stay_finite_with_their_gradients(engine):
    cell = drawn()
    with torch.no_grad():
        cell.weight_x[cell.gate_rows("attention_logit", "x")] = 2e4
        cell.weight_h[cell.gate_rows("attention_logit", "h")] = 0
    signs = torch.tensor([1.0, -1, -1, 1, 0, 1, -1]).repeat(5)
    inputs = (signs[:, None, None] * torch.tensor([1.0, 0, 0]) + torch.zeros(35, 2, 3)).requires_grad_()
    run = ENGINES[engine](cell, inputs, record=True)
    logits = run.signals["attention_logit"]
    assert (logits.min(), logits.max()) == (-2e4, 2e4)
    for name, signal in run.signals.items():
        assert signal[1:].isfinite().all(), name
    run.states["hidden"].square().sum().backward()
    for value in (inputs, *cell.parameters()):
        assert value.grad.isfinite().all()
    assert cell.weight_x.grad.abs().max() > 0
    weight_at_end = torch.exp(logits[0, 0, 0] - run.signals["log_mass"][-1, 0, 0])
    assert weight_at_end.item() == pytest.approx(1 / 15, rel=2e-3)  # 3 of every 7 moments share the weight


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shift", [16384.0, -16384.0])
def test_a_constant_in_every_logit_changes_nothing(shift, engine):
    cell, inputs = drawn(Shifted), 3 * noise(60, 4, 3)
    plain = ENGINES[engine](cell, inputs, record=True).signals
    cell.shift = shift
    shifted = ENGINES[engine](cell, inputs, record=True).signals
    torch.testing.assert_close(shifted["hidden"], plain["hidden"], rtol=0, atol=0)
    for name in sorted(set(plain) - RELATIVE_TO_THE_LOGITS):
        torch.testing.assert_close(shifted[name], plain[name], rtol=1e-5, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("engine", ENGINES)
def test_without_logit_weights_every_moment_weighs_the_same(engine):
    cell = drawn()
    with torch.no_grad():
        cell.weight_x[cell.gate_rows("attention_logit", "x")] = 0
        cell.weight_h[cell.gate_rows("attention_logit", "h")] = 0
    signals = ENGINES[engine](cell, noise(50, 4, 3), record=True).signals
    t = torch.arange(1, 51.0)[:, None, None].expand(50, 4, 6)
    torch.testing.assert_close(signals["newest_weight"], 1 / t, rtol=1e-5, atol=0)
    torch.testing.assert_close(signals["retention"], (t - 1) / t, rtol=1e-5, atol=0)
    torch.testing.assert_close(signals["denominator"], t)
    torch.testing.assert_close(signals["average"], signals["value"].cumsum(0) / t)


def test_it_starts_as_the_authors_start_it():
    inputs, units = 4, 60
    cell = drawn(units=units, inputs=inputs)
    glorot = {"xh": math.sqrt(6 / (inputs + 2 * units)), "x": math.sqrt(6 / (inputs + units))}
    for gate, source in cell.gates.items():
        for letter in source:
            weight = (cell.weight_x if letter == "x" else cell.weight_h)[cell.gate_rows(gate, letter)]
            assert 0.95 * glorot[source] < weight.abs().max() <= glorot[source], (gate, letter)
            assert weight.std().item() == pytest.approx(glorot[source] / 3**0.5, rel=0.1)
    assert not cell.bias.any()
    assert cell.bias.shape == (2 * units,)  # none for the logit
    assert cell.start.std().item() == pytest.approx(1, rel=0.3)
    state = cell.initial_state(3)
    torch.testing.assert_close(state["hidden"], torch.tanh(cell.start).expand(3, -1))
    assert not state["numerator"].any()
    assert not state["denominator"].any()


def test_the_learned_start_has_a_gradient():
    cell = drawn().double()
    inputs = noise(3, 2, 3).double()

    def loss(start):
        with torch.no_grad():
            cell.start.copy_(start)
        return ENGINES["reference"](cell, inputs).states["hidden"].square().sum()

    start = cell.start.detach().clone()
    loss(start).backward()
    for unit, nudge in enumerate(1e-5 * torch.eye(6, dtype=torch.float64)):
        expected = (loss(start + nudge) - loss(start - nudge)).item() / 2e-5
        assert cell.start.grad[unit].item() == pytest.approx(expected, rel=1e-6, abs=1e-10)
