"""What the core tests share: small models, and a plain loop over time that does not go through an engine."""

import pytest
import torch

from rnnscope.core.configuration import Configuration
from rnnscope.core.model import Model
from rnnscope.core.settings import make


def _make_model(
    cell="lstm", task="adding", units=4, dtype=torch.float32, cell_settings=None, training=None, **task_settings
):
    values = {
        "cell": cell,
        "units": units,
        "task": task,
        "cell_settings": cell_settings or {},
        "task_settings": task_settings,
        "training": {"device": "cpu"} | (training or {}),
    }
    return Model(make(Configuration, values)).to(dtype)


def _by_hand(cell, inputs, state=None, nudge=lambda state, t: state, first=0):
    """States after each time step from `first` on, gate by gate with `cell.update`: a list of name -> (B, H)."""
    state = cell.initial_state(inputs.shape[1]) if state is None else state
    states = []
    for t in range(first, len(inputs)):
        gates = {}
        for gate, source in cell.gates.items():
            gates[gate] = inputs.new_zeros(inputs.shape[1], cell.units)
            if "x" in source:
                gates[gate] = gates[gate] + inputs[t] @ cell.weight_x[cell.gate_rows(gate, "x")].T
            if "h" in source:
                gates[gate] = gates[gate] + state["hidden"] @ cell.weight_h[cell.gate_rows(gate, "h")].T
            if gate not in cell.unbiased:
                gates[gate] = gates[gate] + cell.bias[cell.gate_rows(gate, "bias")]
        state = nudge(cell.update(gates, state)[0], t)
        states.append(state)
    return states


@pytest.fixture
def make_model():
    """Build a model of CELLS and TASKS: (cell, task, units, dtype, cell_settings, training, **task_settings)."""
    return _make_model


@pytest.fixture
def by_hand():
    """The plain loop: (cell, inputs (T, B, I), state before `first`) -> states."""
    return _by_hand
