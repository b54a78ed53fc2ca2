"""Widths for a number of parameters: against all widths one by one, for every cell and every network."""

import sys
from itertools import pairwise

import pytest

from rnnscope import cli
from rnnscope.core.formats import load
from rnnscope.core.settings import SettingsError
from rnnscope.core.widths import WIDEST, parameters_of, units_for

UP_TO = 10


def counts_of(configuration):
    """Width -> parameters, of all possible widths up to UP_TO, from models that were really made."""
    modules = getattr(configuration.cell_settings, "modules", 1)
    widths = range(modules, UP_TO + 1)
    return {units: parameters_of(configuration.model_copy(update={"units": units})) for units in widths}


def test_the_width_is_the_nearest(case_of_each_cell):
    """No other width comes nearer, whether the wanted number is that of a width or between two."""
    configuration = case_of_each_cell.model().configuration
    counts = counts_of(configuration)
    assert list(counts.values()) == sorted(set(counts.values()))  # more units, more parameters: the search is exact
    first, *rest = counts.values()
    between = {(3 * a + b) // 4 for a, b in pairwise(counts.values())} | {
        (a + 2 * b) // 3 for a, b in pairwise(counts.values())
    }
    for parameters in {first, rest[-1], *between}:
        nearest = min(counts, key=lambda units: (abs(counts[units] - parameters), units))
        assert units_for(configuration, parameters) == nearest
    with pytest.raises(SettingsError, match=rf"^parameters: expected at least {first:,}, those of {min(counts)}, "):
        units_for(configuration, first - 1)


def test_what_is_counted_is_what_is_trained(case_of_each_cell):
    model = case_of_each_cell.model()
    assert parameters_of(model.configuration) == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("parameters", [0, -7])
@pytest.mark.parametrize("cell", ["lstm", "clockwork"])
def test_no_parameters_are_too_few(cell, parameters, make_model):
    with pytest.raises(SettingsError, match=rf"expected at least .* got {parameters}$"):
        units_for(make_model(cell).configuration, parameters)


def test_too_many(make_model):
    """An Elman network on two inputs with one output has H (2 + H) + H + H + 1 parameters."""
    configuration, most = make_model("elman").configuration, WIDEST * (2 + WIDEST) + 2 * WIDEST + 1
    assert units_for(configuration, most) == WIDEST
    with pytest.raises(SettingsError, match=rf"expected at most {most:,}, those of {WIDEST:,} units; got {most + 1:,}"):
        units_for(configuration, most + 1)


def test_of_two_as_near_the_smaller(make_model):
    """On two bits the Elman network has H^2 + 5 H + 2 parameters: 26 with 3 units and 38 with 4."""
    configuration = make_model("elman", "flip_flop", bits=2).configuration
    assert [units_for(configuration, parameters) for parameters in (26, 31, 32, 33, 38)] == [3, 3, 3, 4, 4]


def test_modules_that_a_layer_above_needs(make_model):
    """Clockwork layers above another cell have four modules, so four units are the fewest."""
    configuration = make_model("lstm", network_settings={"layers": 2, "above": "clockwork"}, units=8).configuration
    with pytest.raises(SettingsError, match=r"those of 4, the fewest units possible"):
        units_for(configuration, 10)


@pytest.fixture
def train(monkeypatch, capsys, tmp_path):
    """Call `rnnscope train` with a GRU on two updates: the file, exit status, stdout and the last line of stderr."""

    def train(*options):
        out = tmp_path / "it.safetensors"
        few = ("--iterations", "2", "--batch", "2", "--length", "5", "--device", "cpu", "--cell", "gru")
        monkeypatch.setattr(sys, "argv", ["rnnscope", "train", "--out", str(out), *few, *map(str, options)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        printed = capsys.readouterr()
        return out, stop.value.code or 0, printed.out, (printed.err.splitlines() or [""])[-1]

    return train


def test_train_takes_parameters_in_place_of_units(train):
    out, status, printed, _ = train("--parameters", 1234)
    model = load(out)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert status == 0
    assert model.configuration.units == units_for(model.configuration, 1234)
    assert printed.splitlines()[0] == f"{model.configuration.units} units: {count:,} parameters, the nearest to 1,234"
    assert len(printed.splitlines()) == 2
    assert load(train()[0]).configuration.units == 64  # with neither


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--parameters", 1234, "--units", 8), "--parameters: expected this or --units, got both: 1,234 and 8"),
        (("--parameters", 3), "parameters: expected at least 15, those of 1, the fewest units possible; got 3"),
        (("--parameters", 10**12), "parameters: expected at most "),
        (("--parameters", "many"), "--parameters"),
    ],
)
def test_train_refuses_in_one_line(train, options, words):
    out, status, printed, error = train(*options)
    assert status
    assert printed == ""
    assert error.startswith("rnnscope: ")
    assert words in error
    assert not out.exists()
