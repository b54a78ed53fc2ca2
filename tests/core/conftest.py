"""What the core tests share: small models, networks with tasks that fit, and a plain loop over time without an engine."""

from dataclasses import dataclass
from itertools import product
from typing import get_args

import numpy as np
import pytest
import torch

from rnnscope.core.cells import CELLS, Cell
from rnnscope.core.configuration import Configuration
from rnnscope.core.memory import MEASURES
from rnnscope.core.model import Model
from rnnscope.core.networks import NETWORKS
from rnnscope.core.sequences import sequences_for
from rnnscope.core.settings import SettingsError, make
from rnnscope.core.tasks import TASKS, Batch
from rnnscope.core.trace import Signal

ALONE = [name for name, cell in CELLS.items() if not cell.lower or issubclass(cell.lowest, cell)]  # with nothing below


def _make_model(
    cell="lstm",
    task="adding",
    units=4,
    dtype=torch.float32,
    cell_settings=None,
    network="stack",
    network_settings=None,
    training=None,
    **task_settings,
):
    cell_settings, network_settings = dict(cell_settings or {}), dict(network_settings or {})
    if cell == "clockwork":
        cell_settings.setdefault("modules", min(units, 3))
    if cell not in ALONE and "layers" in NETWORKS[network].Settings.model_fields:
        network_settings.setdefault("layers", 2)
    values = {
        "cell": cell,
        "units": units,
        "task": task,
        "cell_settings": cell_settings,
        "network": network,
        "network_settings": network_settings,
        "task_settings": task_settings,
        "training": {"device": "cpu"} | (training or {}),
    }
    return Model(make(Configuration, values)).to(dtype)


def _by_hand(cell, inputs, state=None, nudge=lambda state, t: state, first=0):
    """States after each time step from `first` on, gate by gate with the cell's update: a list of name -> (B, H)."""
    state = cell.initial_state(inputs.shape[1]) if state is None else state
    nothing = {f"lower_{name}": inputs.new_zeros(inputs.shape[1], cell.units) for name in cell.lower}
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
        state = nudge(cell.at(t + 1)(gates, state | nothing)[0], t)
        states.append(state)
    return states


@pytest.fixture
def make_model():
    """Build a model of CELLS, NETWORKS and TASKS: (cell, task, units, dtype, cell_settings, ..., **task_settings)."""
    return _make_model


@pytest.fixture(params=ALONE)
def lone_cell(request):
    """Each of CELLS that can stand alone, without a layer below it."""
    return request.param


@dataclass(frozen=True)
class Case:
    """A network with cell, settings and task that fit together, and sequences of unlike lengths for it."""

    network: str
    network_settings: dict
    cell: str
    task: str
    task_settings: dict

    def model(self, **options):
        """A small model of it."""
        options = {"units": 3, "network": self.network, "network_settings": self.network_settings} | options
        return _make_model(self.cell, self.task, **options, **self.task_settings)

    def batch(self, sequences=4, seed=0):
        """Drawn from the task; where the answer may end anywhere, some sequences are cut short, one as far as it goes."""
        batch = TASKS[self.task](**self.task_settings).draw(np.random.default_rng(seed), sequences)
        if batch.parents is not None:
            return batch
        shortest = 1 + (0 if batch.sources is None else batch.sources)
        lengths = shortest + (batch.lengths - shortest) * np.arange(sequences)[::-1] // max(1, sequences - 1)
        t = np.arange(len(batch.inputs))[:, None]
        weights = np.where(t == lengths - 1, 1, (t < lengths) * batch.weights).astype(np.float32)
        inputs = np.where((t < lengths)[..., None], batch.inputs, 0)
        return Batch(inputs, batch.targets, weights, lengths, batch.sources)

    @staticmethod
    def alone(batch, b):
        """Sequence `b` of a batch, without padding."""
        length, part = batch.lengths[b], slice(b, b + 1)
        layout = batch.layout.part(part)
        arrays = (values[:length, part] for values in (batch.inputs, batch.targets, batch.weights))
        parents = None if layout.parents is None else layout.parents[:length]
        return Batch(*arrays, layout.lengths, layout.sources, parents)


def _variants(kind):
    """Settings to be tried: as they are, every other choice, and all numbers of layers raised."""
    yield {}
    for name, field in kind.model_fields.items():
        yield from ({name: choice} for choice in get_args(field.annotation) if choice != field.default)
    if deeper := {name: max(1, 2 * field.default) for name, field in kind.model_fields.items() if field.annotation is int}:
        yield deeper


SMALL = {"length": 5, "depth": 2, "arguments": 3, "symbols": 2, "copied": 2, "years": 2}


def _fits(network, cell, task, **settings):
    values = {"network": network, "cell": cell, "task": task, "units": 4} | settings
    try:
        return make(Configuration, values).task_settings
    except SettingsError:
        return None


def _cases(network, cells, variants):
    """With a task that asks for one answer, and with one that asks for more, where there are such tasks that fit."""
    for cell, network_settings in product(cells, variants):
        found = {}
        for task, kind in TASKS.items():
            small = {name: SMALL[name] for name in kind.model_fields if name in SMALL}
            for more in _variants(kind):
                settings = small | {name: value for name, value in more.items() if isinstance(value, str)}
                fitting = _fits(network, cell, task, task_settings=settings, network_settings=network_settings)
                if fitting is not None:
                    found.setdefault(fitting.answers_once, Case(network, network_settings, cell, task, settings))
        yield from found.values()


CASES = [
    case
    for network, kind in NETWORKS.items()
    for case in _cases(network, kind.joins or ("lstm", "rwa", "grid"), list(_variants(kind.Settings)))
]
_ALL = [case for network in NETWORKS for case in _cases(network, CELLS, [{"layers": 2}, {}])]
EACH_CELL = list({(case.network, case.cell): case for case in _ALL}.values())


def _name(case):
    chosen = [*case.network_settings.values(), case.cell, case.task, case.task_settings.get("answers", "")]
    return "-".join(filter(None, map(str, [case.network, *chosen])))


@pytest.fixture(params=CASES, ids=_name)
def case(request):
    """Every network with its settings, some of the cells that it joins, and tasks that fit."""
    return request.param


@pytest.fixture(params=EACH_CELL, ids=_name)
def case_of_each_cell(request):
    """Every network with every cell that it joins."""
    return request.param


@pytest.fixture
def by_hand():
    """The plain loop: (cell, inputs (T, B, I), state before `first`) -> states."""
    return _by_hand


def _measure(name, model, inputs, between=lambda done: None, chain="", **layout):
    inputs, layout, _ = sequences_for(model, inputs, **layout)
    return MEASURES[name](model, inputs, layout, model.network.chains[chain], between)


@pytest.fixture
def measure():
    """Measure one chain of a model by one of MEASURES: (name, model, inputs, between, chain, lengths=...) -> Reach."""
    return _measure


class Leaky(Cell):
    """h_t = a h_(t-1) + (1 - a) tanh(W x + U h), a = exp(-softplus(b)): what a user might write."""

    name = "leaky"
    gates = {"candidate": "xh", "leak": ""}
    states = ("hidden",)
    signals = {"hidden": Signal("h", "hidden state", -1, 1)}

    def update(self, gates, state):
        a = torch.exp(-torch.nn.functional.softplus(gates["leak"]))
        return {"hidden": a * state["hidden"] + (1 - a) * torch.tanh(gates["candidate"])}, {}


class Softmax(Leaky):
    """Mixes units, so no scalar loop can say it."""

    def update(self, gates, state):
        return {"hidden": torch.softmax(gates["candidate"], -1)}, {}


class Alternating(Leaky):
    """Keeps time: no one loop body serves all time steps."""

    def at(self, t):
        return self.update if t % 2 else lambda gates, state: (state, {})


@pytest.fixture
def users_cells():
    """What a user might write: one that has kernels, and two that no kernel can say."""
    return {"leaky": Leaky, "softmax": Softmax, "alternating": Alternating}
