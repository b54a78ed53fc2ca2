"""The cells whose Jacobian is diagonal, minGRU and LRU: closed forms of their reach, and no product with h."""

import numpy as np
import pytest
import torch

from rnnscope.core.cells import CELLS, LRU, MinGRU
from rnnscope.core.engines import ENGINES
from rnnscope.core.reach import QUICK


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def drawn(kind, inputs=2, units=4, **settings):
    cell = kind(inputs, units, kind.Settings(**settings)).double()
    cell.initialise(torch.Generator().manual_seed(1))
    return cell


@pytest.mark.parametrize("name", ["mingru", "lru"])
def test_there_is_no_weight_of_h(name):
    assert CELLS[name](3, 5).weight_h.shape == (0, 5)


def test_the_jacobian_of_the_mingru_is_what_its_gate_keeps():
    cell, inputs = drawn(MinGRU), noise(6, 1, 2)
    states = ENGINES["reference"](cell, inputs, record=True).signals
    kept = 1 - states["update_gate"]
    taps = {"hidden": torch.zeros(6, 1, 4, dtype=torch.float64, requires_grad=True)}
    hidden = ENGINES["reference"](cell, inputs, taps=taps).states["hidden"]
    for t in range(1, 6):
        for unit in range(4):
            (row,) = torch.autograd.grad(hidden[t, 0, unit], taps["hidden"], retain_graph=True)
            expected = torch.zeros(4, dtype=torch.float64)
            expected[unit] = kept[t, 0, unit]
            torch.testing.assert_close(row[t - 1, 0], expected, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("which", QUICK)
def test_the_reach_of_a_mingru_that_writes_a_tenth(which, make_model, measure):
    model = make_model("mingru", dtype=torch.float64)
    model.network.cells[0] = cell = drawn(MinGRU)
    with torch.no_grad():
        cell.weight_x[cell.gate_rows("update", "x")] = 0
        cell.bias[cell.gate_rows("update", "bias")] = np.log(0.1 / 0.9)
    np.testing.assert_allclose(measure(which, model, noise(40, 5, 2)).mean, 0.9 ** np.arange(40), rtol=1e-9)


@pytest.mark.parametrize("which", QUICK)
def test_the_reach_of_an_lru_with_one_radius(which, make_model, measure):
    model = make_model("lru", dtype=torch.float64)
    model.network.cells[0] = drawn(LRU, r_min=0.9, r_max=0.9)
    np.testing.assert_allclose(measure(which, model, noise(40, 5, 2)).mean, 0.9 ** np.arange(40), rtol=1e-5)


def test_an_lru_answers_a_pulse_with_powers_of_lambda():
    cell = drawn(LRU, r_min=0.7, r_max=0.99)
    inputs = torch.zeros(50, 1, 2, dtype=torch.float64)
    inputs[0, 0, 1] = 1
    signals = {name: s.detach().numpy() for name, s in ENGINES["reference"](cell, inputs, record=True).signals.items()}
    nu, theta, b_real, b_imaginary = (
        value.detach().numpy() for value in (*cell.bias.view(2, 4), *cell.weight_x.view(2, 4, 2))
    )
    lam = np.exp(-np.exp(nu) + 1j * np.exp(theta))
    modes = np.sqrt(1 - np.abs(lam) ** 2) * (b_real + 1j * b_imaginary)[:, 1] * lam ** np.arange(50)[:, None]
    np.testing.assert_allclose(signals["real"][:, 0] + 1j * signals["imaginary"][:, 0], modes, rtol=1e-12, atol=1e-14)
    weight = (cell.weight_real - 1j * cell.weight_imaginary).detach().numpy()  # its conjugate would be seen as another h
    assert np.abs(signals["hidden"][:, 0] - (modes @ weight.T).real).max() > 0.01
    np.testing.assert_allclose(signals["hidden"][:, 0], (modes @ weight.conj().T).real, rtol=1e-11, atol=1e-13)


def test_input_of_unit_variance_gives_an_lru_modes_of_unit_variance():
    """That is what gamma is for: it undoes the 1 / (1 - |lambda|^2) by which a slow mode would sum up its input."""
    cell = drawn(LRU, inputs=1, units=3, r_min=0.9, r_max=0.99)
    with torch.no_grad():
        cell.weight_x.fill_(0.5**0.5)
    signals = ENGINES["reference"](cell, noise(4000, 8, 1), record=True).signals
    spread = signals["modulus"][1000:].square().mean((0, 1)).detach()
    torch.testing.assert_close(spread, torch.ones(3, dtype=torch.float64), rtol=0.1, atol=0)


@pytest.mark.parametrize("ring", [(0.9, 0.999), (0.2, 0.5), (0.001, 0.99999)])
def test_an_lru_starts_on_its_ring(ring):
    cell = LRU(3, 4000, LRU.Settings(r_min=ring[0], r_max=ring[1], phase=1.0))
    cell.initialise(torch.Generator().manual_seed(0))
    nu, theta = cell.bias.detach().view(2, 4000)
    radius, angle = torch.exp(-torch.exp(nu)), torch.exp(theta)
    assert ring[0] - 1e-5 <= radius.min() < radius.max() <= ring[1] + 1e-5
    low, high = ring[0] ** 2, ring[1] ** 2
    assert radius.square().mean().item() == pytest.approx((low + high) / 2, rel=0.03)  # uniform on the ring: r^2 is uniform
    assert radius.square().std().item() == pytest.approx((high - low) / 12**0.5, rel=0.05)
    assert 0 < angle.min() < angle.max() <= 1.0 + 1e-6
    assert angle.mean().item() == pytest.approx(0.5, rel=0.05)
    assert cell.weight_x.std().item() == pytest.approx(6**-0.5, rel=0.05)
    for weight in (cell.weight_real, cell.weight_imaginary):
        assert weight.std().item() == pytest.approx(4000**-0.5, rel=0.05)
