"""The telephone: two measured routes to what is left of the first symbol, and the closed forms."""

import csv
import json
import math
import sys

import numpy as np
import pytest
import torch

from rnnscope import cli
from rnnscope.core import telephone as module
from rnnscope.core.telephone import LONGEST, OPEN, even_rwa, open_lstm, telephone
from rnnscope.views.plot import Lines
from rnnscope.views.subject import Style
from rnnscope.views.telephone import plain
from rnnscope.views.telephone import telephone as view


def test_a_hundred_thousand_symbols():
    """0.9999^99,999 and 1/100,000: by difference as far as float64 goes, by gradient to 1e-9."""
    lstm, rwa = telephone()
    steps = np.arange(100_000)
    np.testing.assert_allclose(lstm.left, OPEN**steps, rtol=1e-6)
    np.testing.assert_allclose(rwa.left, 1 / (1 + steps), rtol=1e-9)
    assert lstm.left_by_gradient == pytest.approx(OPEN**99_999, rel=1e-9)
    assert rwa.left_by_gradient == pytest.approx(1e-5, rel=1e-12)
    assert f"{lstm.left[-1]:.7f}" == f"{lstm.left_by_gradient:.7f}" == "0.0000454"
    for one in (lstm, rwa):
        assert one.left[-1] == pytest.approx(one.expected, rel=1e-6)
        assert one.left_by_gradient == pytest.approx(one.expected, rel=1e-9)
        assert one.shares.sum() == pytest.approx(1, rel=1e-12)
    assert (lstm.formula, rwa.formula) == ("0.9999^99,999", "1/100,000")
    np.testing.assert_allclose(rwa.shares, 1e-5, rtol=1e-9)
    geometric = (1 - OPEN) / -math.expm1(1e5 * math.log(OPEN))
    np.testing.assert_allclose(lstm.shares, geometric * OPEN ** steps[::-1], rtol=1e-8)


def test_the_longest_is_still_measured():
    """Of the LSTM's first symbol 2e-9 is left, where the cell state has about 16 digits."""
    lstm, rwa = telephone(LONGEST)
    np.testing.assert_allclose(lstm.left, OPEN ** np.arange(LONGEST), rtol=1e-3)
    assert lstm.left_by_gradient == pytest.approx(OPEN ** (LONGEST - 1), rel=1e-9)
    assert rwa.left[-1] == pytest.approx(1 / LONGEST, rel=1e-9)


@pytest.mark.parametrize("length", [2, 3, 40])
def test_short_ones(length):
    for one, left in zip(telephone(length), (OPEN ** (length - 1), 1 / length), strict=True):
        assert one.left.shape == one.shares.shape == (length,)
        assert one.left[0] == 1
        assert one.left[-1] == pytest.approx(left, rel=1e-12)
        assert one.left_by_gradient == pytest.approx(left, rel=1e-12)
        assert one.expected == left


def test_the_kernels_are_not_the_formula(monkeypatch):
    """Another engine gives the same; other weights do not."""
    expected = [one.left for one in telephone(50)]
    monkeypatch.setitem(module.ENGINES, "fused", module.ENGINES["reference"])
    for one, left in zip(telephone(50), expected, strict=True):
        np.testing.assert_allclose(one.left, left, rtol=1e-12)

    def forgetful():
        cell = open_lstm()
        with torch.no_grad():
            cell.bias[cell.gate_rows("forget", "bias")] = 0
        return cell

    monkeypatch.setattr(module, "open_lstm", forgetful)
    np.testing.assert_allclose(telephone(50)[0].left, 0.5 ** np.arange(50), rtol=1e-9, atol=1e-15)


def test_the_cells_are_as_they_are_called():
    """All gates of the LSTM at 0.9999, all logits of the RWA at 0, whatever is read."""
    inputs = torch.randn(20, 3, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    unroll = torch.no_grad()(module.ENGINES["reference"])
    gates = unroll(open_lstm(), inputs, record=True).signals
    for gate in ("input_gate", "forget_gate", "output_gate"):
        np.testing.assert_allclose(gates[gate], OPEN, rtol=1e-12)
    signals = unroll(even_rwa(), inputs, record=True).signals
    assert not signals["attention_logit"].any()
    weights = 1 / torch.arange(1, 21, dtype=torch.float64)[:, None, None].expand(20, 3, 1)
    np.testing.assert_allclose(signals["newest_weight"], weights, rtol=1e-12)


@pytest.mark.parametrize("length", [-1, 0, 1, 200_001])
def test_lengths_that_are_refused(length):
    with pytest.raises(ValueError, match=rf"^--length: expected 2 to 200,000, got {length}$"):
        telephone(length)


@pytest.mark.parametrize("steps", [2, 7, 100_000])
def test_the_plot_keeps_the_ends_and_few_points(steps):
    left = np.stack([OPEN ** np.arange(steps), 1 / np.arange(1, steps + 1)])
    shares = left[:, ::-1] / left.sum(1, keepdims=True)
    plot = view(["a", "b"], [Style(), Style()], left, shares)
    panels = list(plot.panels)
    assert len(panels) == 2
    for panel, values in zip(panels, (left, shares), strict=True):
        (lines,) = panel.marks
        assert isinstance(lines, Lines)
        assert (lines.x[0], lines.x[-1]) == (1, steps)
        assert len(lines.x) <= min(steps, 800)
        np.testing.assert_array_equal(lines.y, values[:, lines.x - 1])
        assert panel.y.low < values.min()
        assert values.max() <= panel.y.high
        assert [level for level, _ in panel.y.levels] == (values[:, -1] if values is left else values[:, 0]).tolist()


def test_numbers_as_they_are_printed():
    assert [plain(value) for value in (4.538e-5, 1e-5, 4.538e-9, 1.0, 0.5)] == [
        "0.0000454",
        "0.00001",
        "4.54e−9",
        "1",
        "0.5",
    ]


@pytest.fixture
def run(monkeypatch, capsys):
    """Call `rnnscope telephone ARGUMENTS`: exit status, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["rnnscope", "telephone", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code or 0, *capsys.readouterr()

    return run


def test_the_command_says_what_is_left(run):
    status, printed, errors = run()
    assert (status, errors) == (0, "")
    first, lstm, rwa, *shares = printed.splitlines()
    assert "100,000 symbols" in first
    assert lstm.startswith("LSTM, gates 99.99 % open  0.0000454 (4.53818e-05 from two runs, 4.53818e-05 by gradient; ")
    assert lstm.endswith("0.9999^99,999 = 4.53818e-05)")
    assert rwa.startswith("RWA, equal attention      0.00001 (1e-05 from two runs, 1e-05 by gradient; ")
    assert rwa.endswith("1/100,000 = 1e-05)")
    assert [line.split("  ")[-1] for line in shares[1:]] == ["4.54e−9 and 0.0001", "0.00001 and 0.00001"]


@pytest.mark.parametrize("suffix", [".pdf", ".svg", ".png"])
def test_the_command_saves_figure_and_numbers(run, tmp_path, suffix):
    out, numbers = tmp_path / f"telephone{suffix}", tmp_path / "telephone.csv"
    status, printed, _ = run("--length", 1000, "--out", out, "--numbers", numbers, "--json")
    assert status == 0
    lstm, rwa = json.loads(printed)["models"]
    assert out.stat().st_size > 1000
    with numbers.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    last = [float(row["value"]) for row in rows if row["x"] == "1000" and row["quantity"].startswith("left")]
    assert last == [lstm["left"], rwa["left"]]
    assert lstm["left"] == pytest.approx(OPEN**999, rel=1e-9)
    assert rwa["left_by_gradient"] == pytest.approx(1e-3, rel=1e-9)


@pytest.mark.parametrize("arguments", [("--length", 1), ("--out", "figure.gif"), ("--length", "long")], ids=str)
def test_the_command_refuses_in_one_line(run, arguments):
    status, printed, errors = run(*arguments)
    assert status
    assert printed == ""
    assert errors.startswith("rnnscope: ")
    assert len(errors.splitlines()) == 1
