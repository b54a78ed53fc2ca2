"""A stack by chunks: the numbers of a run over the whole sequence, in bounded memory, with progress and a way out."""

import sys

import numpy as np
import pytest
import torch

from rnnscope.core.cells import CELLS
from rnnscope.core.engines.kernel_cache import prepare
from rnnscope.core.memory import chunks, portions
from rnnscope.core.memory.chunks import LEAST, MOST, lone_layer
from rnnscope.core.memory.connectivity import connections
from rnnscope.core.memory.state_jacobian import PROBES
from rnnscope.core.sequences import sequences_for

BY_CHUNKS = ("state_jacobian", "direct_weight", "connectivity")
ALONE = [
    name for name in CELLS if name not in ("clockwork", "depth_gated")
]  # the one keeps time, the other needs a layer below
RUNS = [(name, "reference") for name in ALONE]
RUNS += [(name, engine) for name in ("lstm", "gru", "rwa") for engine in ("fused", "checkpointed", "vendor")]
LENGTHS = np.array([70, 33, 32, 5, 1])  # ends within chunks, at their ends, and in the first


@pytest.fixture
def in_short_chunks(monkeypatch):
    """Chunks of LEAST time steps, all sequences at once: (model, sequences)."""

    def shorten(model, batch):
        graphs = batch * PROBES * sum(cell.units for cell in model.network.cells) * portions.FLOATS * 4
        monkeypatch.setattr(chunks, "ROOM", 1)
        monkeypatch.setattr(portions, "MEMORY", graphs)

    return shorten


@pytest.fixture
def at_once(monkeypatch):
    """The measures as of any other network: nothing by chunks."""

    def switch():
        monkeypatch.setattr(portions, "MEMORY", 2**30)
        for name in ("state_jacobian", "direct_weight"):
            monkeypatch.setattr(sys.modules[f"rnnscope.core.memory.{name}"], "lone_layer", lambda model, chain: None)
        monkeypatch.setattr(sys.modules["rnnscope.core.memory.connectivity"], "all_layers", lambda model: ())

    return switch


def inputs(dtype=torch.float64):
    return torch.randn(70, 5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize(("name", "engine"), RUNS)
@pytest.mark.parametrize("which", BY_CHUNKS)
def test_chunks_give_what_the_whole_gives(name, which, engine, make_model, measure, in_short_chunks, at_once):
    """Also with unlike lengths; the probes are the same, so the norms agree to rounding."""
    model = make_model(name, units=3, dtype=torch.float64)
    if engine != "reference":
        prepare(model.network.cells[0], torch.float64, wait=True)
    model.network.engine, done = engine, []
    in_short_chunks(model, 5)
    found = measure(which, model, inputs(), done.append, lengths=LENGTHS)
    at_once()
    expected = measure(which, model, inputs(), lengths=LENGTHS)
    assert (found is None) == (expected is None)
    if found is not None:
        np.testing.assert_allclose(found.curves, expected.curves, rtol=1e-9)
        assert done == sorted(done)
        assert done[-1] == 1
        if which != "direct_weight":
            assert len(done) == 2 * -(-70 // LEAST) - 1


def test_layers_without_memory_around_it(make_model, measure, in_short_chunks, at_once):
    around = {"input_layers": 2, "output_layers": 1}
    model = make_model("lstm", dtype=torch.float64, network_settings=around)
    assert lone_layer(model, model.network.chains[""]) is model.network.cells[2]
    in_short_chunks(model, 5)
    found = [measure(which, model, inputs()) for which in BY_CHUNKS]
    at_once()
    for which, reach in zip(BY_CHUNKS, found, strict=True):
        np.testing.assert_allclose(reach.curves, measure(which, model, inputs()).curves, rtol=1e-9)


STACKS = {
    "three": {"layers": 3},
    "unlike": {"layers": 3, "above": "rwa gru"},
    "deep": {"layers": 2, "input_layers": 2, "output_layers": 1},
    "gates of the layer below": {"layers": 2, "above": "depth_gated"},
}


@pytest.mark.parametrize("length", [1, 7, 33, 69, 70, 200])
@pytest.mark.parametrize("stack", STACKS)
def test_connectivity_of_stacks_in_chunks_of_any_size(stack, length, make_model, in_short_chunks, at_once, monkeypatch):
    """Of all outputs at the ends, of which there are more than probes, and of one in the middle of the sequences."""
    model = make_model("lstm", "copy", units=3, dtype=torch.float64, network_settings=STACKS[stack])
    in_short_chunks(model, 1)
    monkeypatch.setattr(chunks, "LEAST", length)
    channels = model.network.inputs
    read, layout, _ = sequences_for(model, inputs().repeat(1, 1, channels)[..., :channels], LENGTHS)
    asked = [{}, {"time_step": 31, "unit": 2}, {"time_step": 0}, {"time_step": 69}]
    found = [connections(model, read, layout, **how) for how in asked]
    at_once()
    for how, norms in zip(asked, found, strict=True):
        np.testing.assert_allclose(norms, connections(model, read, layout, **how), rtol=1e-9, atol=1e-18)


@pytest.mark.parametrize("which", BY_CHUNKS)
def test_no_sequence_needs_to_be_as_long_as_the_array(which, make_model, measure, in_short_chunks):
    model = make_model("lstm", dtype=torch.float64)
    in_short_chunks(model, 2)
    short = measure(which, model, inputs()[:, :2], lengths=[20, 9])
    alone = measure(which, model, inputs()[:20, :2], lengths=[20, 9])
    np.testing.assert_allclose(short.curves[:20], alone.curves, rtol=1e-9)


def test_what_keeps_time_or_has_more_layers_is_no_lone_layer(make_model, case):
    for model in (make_model("clockwork"), make_model("lstm", network_settings={"layers": 2})):
        assert lone_layer(model, model.network.chains[""]) is None
    network = case.model().network
    lone = case.network == "stack" and network.settings.layers == 1
    for chain in network.chains.values():
        assert (lone_layer(case.model(), chain) is not None) == lone


@pytest.mark.parametrize("which", BY_CHUNKS)
def test_what_is_raised_within_a_sequence_ends_it(which, make_model, measure, in_short_chunks):
    model, done = make_model("lstm"), []
    in_short_chunks(model, 1)

    def stop(share):
        done.append(share)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(which, model, inputs()[:, :1], stop)
    assert len(done) == 1
    assert 0 < done[0] < 1


@pytest.mark.parametrize("name", ["lstm", "rwa", "gru"])
def test_a_hundred_thousand_time_steps(name, make_model, measure):
    """Forget and update gates at 0.9999 leave 0.9999^k, equal attention 1 - k / T, to the last of 100,000 time steps."""
    steps, model, done = 100_000, make_model(name, units=1), []
    cell, gate = model.network.cells[0], {"lstm": "forget", "gru": "update", "rwa": "gate"}[name]
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.bias[cell.gate_rows(gate, "bias")] = np.log(0.9999 / 0.0001)
    model.network.engine = "fused"
    prepare(cell, torch.float32, wait=True)
    reach = measure("direct_weight", model, torch.zeros(steps, 1, 2), done.append)
    lags = np.arange(steps)
    expected = (steps - lags) / steps if name == "rwa" else 0.9999**lags
    np.testing.assert_allclose(reach.mean, expected, rtol=2e-3)
    with torch.no_grad():  # its answer is its state, which the input changes a little
        cell.weight_x.fill_(1e-3)
        model.readout.weight.fill_(1)
    influence = measure("connectivity", model, torch.zeros(steps, 1, 2))
    if name == "gru":
        np.testing.assert_allclose(influence.mean, influence.mean[0] * expected, rtol=2e-2)
    assert np.isfinite(influence.mean).all()
    reach = measure("state_jacobian", model, torch.zeros(steps, 1, 2), done.append)
    assert np.isfinite(reach.mean).all()
    assert len(done) == 2 * (2 * -(-steps // MOST) - 1)
    if name == "gru":  # h alone, and h_t = 0.9999 h_(t-1): no probe matters
        np.testing.assert_allclose(reach.mean, expected, rtol=2e-2)


def test_a_gradient_that_vanished_stays_gone(make_model, measure, in_short_chunks):
    """What is denormal in float32 would never shrink on, by rounding, and is slow: the next chunk begins without it."""
    model = make_model("lstm", units=1)
    with torch.no_grad():
        model.network.cells[0].weight_h.zero_()
        model.network.cells[0].bias[1] = -5
    in_short_chunks(model, 1)
    raw = []
    reach = measure("state_jacobian", model, torch.zeros(200, 1, 2), raw.append)
    assert reach.curves[-1, 0, 0] == 0
    assert reach.curves[10, 0, 0] > 0


def test_all_other_cells_go_by_chunks(make_model):
    models = {name: make_model(name) for name in CELLS}
    assert [name for name, model in models.items() if lone_layer(model, model.network.chains[""])] == ALONE
