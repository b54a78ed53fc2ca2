"""Widths for a number of parameters: against all widths one by one, for every cell and every network."""

import pytest

from rnnscope.core.settings import SettingsError
from rnnscope.core.widths import WIDEST, parameters_of, units_for

UP_TO = 14


def counts_of(configuration):
    """Width -> parameters, of all possible widths up to UP_TO, from models that were really made."""
    modules = getattr(configuration.cell_settings, "modules", 1)
    widths = range(modules, UP_TO + 1)
    return {units: parameters_of(configuration.model_copy(update={"units": units})) for units in widths}


def test_the_width_is_the_nearest(case_of_each_cell):
    """For every number of parameters: no other width comes nearer, and each width is found from its own count."""
    configuration = case_of_each_cell.model().configuration
    counts = counts_of(configuration)
    assert list(counts.values()) == sorted(set(counts.values()))  # more units, more parameters: the search is exact
    first, *_, last = counts.values()
    for parameters in {*counts.values(), *range(first, last, max(1, (last - first) // 20))}:
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
