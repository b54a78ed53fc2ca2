"""What only the discounted averages promise, RDA and sLSTM: geometric attention, no overflow, softmax in closed form."""

import pytest
import torch
from torch.nn.functional import logsigmoid

from rnnscope.core.cells import CELLS
from rnnscope.core.engines import ENGINES

LOGIT = {"rda": "attention_logit", "slstm": "input"}  # gate -> signal of the same number
RECORDED = {"rda": "attention_logit", "slstm": "input_logit"}
DISCOUNT = {"rda": "discount", "slstm": "forget"}


def drawn(name, units=4, inputs=3, dtype=torch.float64):
    cell = CELLS[name](inputs, units)
    cell.initialise(torch.Generator().manual_seed(1))
    return cell.to(dtype)


def noise(*shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(2), dtype=dtype)


@torch.no_grad()
def fix(cell, gate, preactivation):
    cell.weight_x[cell.gate_rows(gate, "x")] = 0
    cell.weight_h[cell.gate_rows(gate, "h")] = 0
    if gate not in cell.unbiased:
        cell.bias[cell.gate_rows(gate, "bias")] = preactivation


def run(name, cell, inputs, engine="reference"):
    with torch.no_grad():
        return ENGINES[engine](cell, inputs, record=True).signals


def weights(signals, t):
    """Weight of the moments 0..t at t, from what was written and kept: (t + 1, B, H)."""
    later = signals["log_retention"][1 : t + 1].flip(0).cumsum(0).flip(0)
    after = torch.cat([later, torch.zeros_like(signals["log_write"][:1])])
    return torch.exp(signals["log_write"][: t + 1] + after)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", LOGIT)
def test_attention_is_softmax_of_logits_less_discounts(name, engine):
    cell = drawn(name)
    with torch.no_grad():
        cell.weight_h.normal_(generator=torch.Generator().manual_seed(3))
        cell.bias.normal_(generator=torch.Generator().manual_seed(4))
    signals = run(name, cell, 2 * noise(40, 3, 3), engine)
    a_gamma = signals["discount_preactivation" if name == "rda" else "forget_preactivation"]
    scores = signals[RECORDED[name]] - logsigmoid(a_gamma).cumsum(0)
    for t in (0, 1, 20, 39):
        expected = torch.softmax(scores[: t + 1], 0)
        torch.testing.assert_close(weights(signals, t), expected, rtol=1e-9, atol=1e-13)
        torch.testing.assert_close(signals["newest_weight"][t], expected[-1], rtol=1e-9, atol=1e-13)
        torch.testing.assert_close(signals["retention"][t], 1 - expected[-1], rtol=1e-9, atol=1e-13)
    torch.testing.assert_close(signals["log_mass"], torch.logcumsumexp(scores, 0) - scores + signals[RECORDED[name]])


@pytest.mark.parametrize("gamma", [0.5, 0.9, 0.97])
@pytest.mark.parametrize("name", LOGIT)
def test_constant_logit_and_discount_give_geometric_attention(name, gamma):
    cell, steps = drawn(name), 1000
    fix(cell, LOGIT[name], 0.7)
    fix(cell, DISCOUNT[name], torch.logit(torch.tensor(gamma, dtype=torch.float64)))
    signals = run(name, cell, noise(steps, 2, 3))
    lags = torch.arange(steps - 1, -1, -1, dtype=torch.float64)[:, None, None]
    found = weights(signals, steps - 1)
    geometric = (gamma**lags * (1 - gamma) / (1 - gamma**steps)).expand_as(found)
    torch.testing.assert_close(found, geometric, rtol=1e-9, atol=1e-15)
    mean_lag = (found * lags).sum(0)
    torch.testing.assert_close(mean_lag, torch.full_like(mean_lag, gamma / (1 - gamma)), rtol=1e-9, atol=0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("discount", [-60.0, 0.0, 20.0])
@pytest.mark.parametrize("name", LOGIT)
def test_logits_of_20000_stay_finite_with_their_gradients(name, discount, engine):
    cell = drawn(name, dtype=torch.float32)
    fix(cell, LOGIT[name], 0)
    fix(cell, DISCOUNT[name], discount)
    with torch.no_grad():
        cell.weight_x[cell.gate_rows(LOGIT[name], "x")] = 2e4
    signs = torch.tensor([1.0, -1, -1, 1, 0, 1, -1]).repeat(5)
    inputs = (signs[:, None, None] * torch.tensor([1.0, 0, 0]) + torch.zeros(35, 2, 3)).requires_grad_()
    found = ENGINES[engine](cell, inputs, record=True)
    logits = found.signals[RECORDED[name]]
    assert (logits.min(), logits.max()) == (-2e4, 2e4)
    for signal, values in found.signals.items():
        assert values[1:].isfinite().all(), signal
        assert not values.isnan().any(), signal
    found.states["hidden"].square().sum().backward()
    for value in (inputs, *cell.parameters()):
        assert value.grad.isfinite().all()
    assert cell.weight_x.grad.abs().max() > 0


@pytest.mark.parametrize("name", LOGIT)
def test_a_constant_in_every_logit_only_moves_the_mass(name):
    cell = drawn(name)
    if name == "rda":  # its logit has no bias
        cell.weight_x.data[cell.gate_rows("attention_logit", "x")] = 0
    inputs = noise(30, 2, 3)
    plain = run(name, cell, inputs)

    class Shifted(type(cell)):
        def update(self, gates, state):
            return super().update(gates | {LOGIT[name]: gates[LOGIT[name]] + 100}, state)

    cell.__class__ = Shifted
    shifted = run(name, cell, inputs)
    for signal in ("hidden", "average", "newest_weight", "log_retention", "log_write"):
        torch.testing.assert_close(shifted[signal], plain[signal], rtol=1e-9, atol=1e-12, msg=signal)
    torch.testing.assert_close(shifted["log_mass"], plain["log_mass"] + 100)


@pytest.mark.parametrize("name", LOGIT)
def test_what_is_kept_is_known_where_it_is_nearly_everything(name):
    """A share of 2e-9 is written, which is nothing beside 1 in float32."""
    cell = drawn(name, dtype=torch.float32)
    fix(cell, DISCOUNT[name], 20)
    fix(cell, LOGIT[name], 0)
    with torch.no_grad():
        cell.weight_x[cell.gate_rows(LOGIT[name], "x"), 0] = -20
    inputs = torch.zeros(3, 1, 3)
    inputs[1:, 0, 0] = 1
    kept = run(name, cell, inputs)["log_retention"][1]
    torch.testing.assert_close(kept, torch.full_like(kept, -2.0611536e-9), rtol=1e-4, atol=0)
