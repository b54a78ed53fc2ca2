"""Cells that are one another in a special case, with the same numbers: routes that share no code with the equations."""

import pytest
import torch
from torch import nn

from rnnscope.core.cells import CELLS
from rnnscope.core.engines import ENGINES

T, B, INPUTS, UNITS = 30, 4, 3, 5


def noise(*shape, seed=5):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def drawn(name, **settings):
    """A cell with recurrent weights and biases that matter."""
    cell = CELLS[name](INPUTS, UNITS, CELLS[name].Settings(**settings)).double()
    cell.initialise(torch.Generator().manual_seed(3))
    with torch.no_grad():
        cell.weight_h.normal_(std=0.5, generator=torch.Generator().manual_seed(4))
        cell.bias.normal_(generator=torch.Generator().manual_seed(5))
    return cell


@torch.no_grad()
def copy_gates(source, target):
    """Every gate that both cells have, weights and bias."""
    for gate, fed_by in target.gates.items():
        if gate not in source.gates:
            continue
        for letter in fed_by:
            ours, theirs = (cell.weight_x if letter == "x" else cell.weight_h for cell in (target, source))
            ours[target.gate_rows(gate, letter)] = theirs[source.gate_rows(gate, letter)]
        if gate not in target.unbiased:
            target.bias[target.gate_rows(gate, "bias")] = source.bias[source.gate_rows(gate, "bias")]


@torch.no_grad()
def fix(cell, gate, preactivation):
    """Let `gate` be `preactivation` whatever the cell reads."""
    for letter in cell.gates[gate]:
        (cell.weight_x if letter == "x" else cell.weight_h)[cell.gate_rows(gate, letter)] = 0
    if gate not in cell.unbiased:
        cell.bias[cell.gate_rows(gate, "bias")] = preactivation


def signals_of(cell, inputs=None, engine="reference"):
    inputs = noise(T, B, INPUTS) if inputs is None else inputs
    return {name: signal.detach() for name, signal in ENGINES[engine](cell, inputs, record=True).signals.items()}


def test_a_peephole_lstm_without_peepholes_is_the_lstm():
    lstm, cell = drawn("lstm"), drawn("peephole")
    copy_gates(lstm, cell)
    with_peepholes = signals_of(cell)
    with torch.no_grad():
        cell.bias[-3 * UNITS :] = 0
    expected, found = signals_of(lstm), signals_of(cell)
    for name, signal in expected.items():
        torch.testing.assert_close(found[name], signal, rtol=1e-13, atol=1e-14, msg=name)
        assert (with_peepholes[name] - signal).abs().max() > 1e-3, name


def test_peepholes_have_gradients():
    cell = drawn("peephole")
    ENGINES["reference"](cell, noise(T, B, INPUTS)).states["hidden"].square().sum().backward()
    assert (cell.bias.grad[-3 * UNITS :].abs() > 1e-3).all()


def test_the_lstm_of_1997_is_the_lstm_that_forgets_nothing():
    lstm, cell = drawn("lstm"), drawn("lstm1997")
    copy_gates(cell, lstm)
    fix(lstm, "forget", 800)
    expected, found = signals_of(lstm), signals_of(cell)
    for name, signal in found.items():
        if name != "input_preactivation":
            torch.testing.assert_close(signal, expected[name], rtol=1e-12, atol=1e-13, msg=name)
    assert (found["log_retention"] == 0).all()


def test_the_coupled_lstm_is_the_lstm_whose_forget_gate_mirrors_the_input_gate():
    lstm, cell = drawn("lstm"), drawn("cifg")
    copy_gates(cell, lstm)
    with torch.no_grad():  # sigmoid(-a) = 1 - sigmoid(a)
        lstm.weight_x[lstm.gate_rows("forget", "x")] = -cell.weight_x[cell.gate_rows("input", "x")]
        lstm.weight_h[lstm.gate_rows("forget", "h")] = -cell.weight_h[cell.gate_rows("input", "h")]
        lstm.bias[lstm.gate_rows("forget", "bias")] = -cell.bias[cell.gate_rows("input", "bias")]
    expected, found = signals_of(lstm), signals_of(cell)
    for name, signal in found.items():
        if name != "input_preactivation":
            torch.testing.assert_close(signal, expected[name], rtol=1e-10, atol=1e-12, msg=name)


def test_chos_gru_without_reset_is_torchs():
    cell = drawn("gru_cho")
    fix(cell, "reset", 800)
    other = nn.GRU(INPUTS, UNITS).double()
    b, rows = cell.bias.detach(), {gate: cell.gate_rows(gate, "bias") for gate in cell.gates}
    x, h = (
        [weight[cell.gate_rows(gate, letter)] for gate in gates]
        for weight, letter, gates in (
            (cell.weight_x, "x", ("reset", "update", "candidate_input")),
            (cell.weight_h, "h", ("reset", "update")),
        )
    )
    biases = torch.cat([b[rows["reset"]], b[rows["update"]], b[rows["candidate_input"]]])
    other.load_state_dict(
        {
            "weight_ih_l0": torch.cat(x),
            "weight_hh_l0": torch.cat([*h, cell.weight_candidate]),
            "bias_ih_l0": biases,
            "bias_hh_l0": torch.zeros(3 * UNITS),
        }
    )
    inputs = noise(T, B, INPUTS)
    torch.testing.assert_close(signals_of(cell, inputs)["hidden"], other(inputs)[0].detach(), rtol=1e-11, atol=1e-12)
    fix(cell, "reset", -1)  # before and after the product differ now
    gru = drawn("gru")
    copy_gates(cell, gru)
    with torch.no_grad():
        gru.weight_h[gru.gate_rows("candidate_hidden", "h")] = cell.weight_candidate
        gru.bias[gru.gate_rows("candidate_hidden", "bias")] = 0
    fix(gru, "reset", -1)  # a reset alike for all units commutes with the product
    torch.testing.assert_close(signals_of(cell)["hidden"], signals_of(gru)["hidden"], rtol=1e-11, atol=1e-12)
    for either in (cell, gru):
        fix(either, "reset", torch.linspace(-2, 2, UNITS, dtype=torch.float64))
    assert (signals_of(cell)["hidden"] - signals_of(gru)["hidden"]).abs().max() > 0.01


def test_the_rda_without_discount_is_the_rwa():
    rwa, cell = drawn("rwa"), drawn("rda")
    copy_gates(rwa, cell)
    with torch.no_grad():
        cell.start.copy_(rwa.start)
    fix(cell, "discount", 800)
    expected, found = signals_of(rwa), signals_of(cell)
    assert (found["discount"] == 1).all()
    for name, signal in expected.items():  # not bit for bit: a BLAS may round by how many gates stand side by side
        torch.testing.assert_close(found[name], signal, rtol=1e-11, atol=1e-12, msg=name)


@pytest.mark.parametrize("f", [-1.0, 2.0])
def test_the_slstm_without_recurrence_holds_what_the_rda_averages(f):
    """c / n of an sLSTM is n / d of an RDA with the same logits, discounts and values."""
    slstm, rda = drawn("slstm"), drawn("rda")
    fix(slstm, "forget", f)
    fix(rda, "discount", f)
    with torch.no_grad():
        slstm.weight_h.zero_()
        rda.weight_h.zero_()
        rda.weight_x[rda.gate_rows("attention_logit", "x")] = slstm.weight_x[slstm.gate_rows("input", "x")]
        slstm.bias[slstm.gate_rows("input", "bias")] = 0  # a constant in every logit cancels, but not in log_mass
        rda.bias[rda.gate_rows("gate", "bias")] = slstm.bias[slstm.gate_rows("candidate", "bias")]
        rda.weight_x[rda.gate_rows("gate", "x")] = slstm.weight_x[slstm.gate_rows("candidate", "x")]
    fix(rda, "input_value", 1)
    one, other = signals_of(slstm), signals_of(rda)
    for name in ("average", "log_mass", "log_write", "log_retention", "newest_weight", "retention"):
        torch.testing.assert_close(one[name], other[name], rtol=1e-11, atol=1e-12, msg=name)


PRODUCTS_INSIDE = {"gru_cho", "lru", "clockwork", "dt", "dts", "grid"}


@pytest.mark.parametrize("name", [*sorted(PRODUCTS_INSIDE), "peephole", "mingru", "depth_gated"])
def test_cells_with_a_product_inside_say_so(name):
    """A cell is pointwise exactly if a unit of its output depends on that unit of preactivations and state alone."""
    cell = drawn(name)
    gates, parts = list(cell.gates), [*cell.states, *(f"lower_{part}" for part in cell.lower)]
    values = tuple(noise(1, UNITS, seed=n) for n in range(len(gates + parts)))

    def step(*values):
        fed, state = values[: len(gates)], values[len(gates) :]
        return cell.update(dict(zip(gates, fed, strict=True)), dict(zip(parts, state, strict=True)))[0][cell.output]

    jacobians = torch.autograd.functional.jacobian(step, values)
    mixed = max((j[0, :, 0] - torch.diag(j[0, :, 0].diag())).abs().max() for j in jacobians)
    assert (mixed == 0) == CELLS[name].pointwise


def test_all_other_cells_are_pointwise():
    assert {name for name in CELLS if not CELLS[name].pointwise} == PRODUCTS_INSIDE
