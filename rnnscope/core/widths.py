"""units_for(): how wide a model has to be for so many parameters, so that unlike cells can be compared at equal size."""

from __future__ import annotations

from bisect import bisect_left

import torch

from rnnscope.core.configuration import Configuration
from rnnscope.core.model import Model
from rnnscope.core.settings import SettingsError, limits, make

NARROWEST, WIDEST = map(int, limits(Configuration.model_fields["units"]))


def parameters_of(configuration: Configuration) -> int:
    """Number of trainable parameters of a model, with its readout; nothing is allocated."""
    with torch.device("meta"):
        model = Model(configuration)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def units_for(configuration: Configuration, parameters: int) -> int:
    """The number of hidden units with which a model comes nearest to so many parameters; of two as near the smaller.

    The units of the configuration do not matter, but it must be valid. Widths that the cell or the network cannot have
    count as too few. Raises SettingsError where even the narrowest model has more, or the widest fewer.
    """
    wanted, widths = max(1, parameters), range(NARROWEST, WIDEST + 1)
    place = bisect_left(widths, wanted, key=lambda units: _count(configuration, units))
    if place == len(widths):
        most = _count(configuration, WIDEST)
        raise SettingsError(f"parameters: expected at most {most:,}, those of {WIDEST:,} units; got {parameters:,}")
    enough = _count(configuration, widths[place])
    fewer = _count(configuration, widths[place - 1]) if place else 0
    if not fewer and parameters < enough:
        raise SettingsError(
            f"parameters: expected at least {enough:,}, those of {widths[place]}, the fewest units possible; "
            f"got {parameters:,}"
        )
    return widths[place] if enough - wanted < wanted - fewer or not fewer else widths[place - 1]


def _count(configuration: Configuration, units: int) -> int:
    """Parameters of the configuration with so many units; 0 where it cannot have them."""
    try:
        return parameters_of(make(Configuration, configuration.model_dump() | {"units": units}))
    except SettingsError:
        return 0
