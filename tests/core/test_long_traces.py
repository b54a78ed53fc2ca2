"""Traces in pieces of time and in files: the numbers of those in one piece and in memory."""

import numpy as np
import pytest
import torch

from rnnscope.core import recording, store
from rnnscope.core.engines.kernel_cache import prepare
from rnnscope.core.recording import record, record_batch
from rnnscope.core.store import FOLDER, Files
from rnnscope.core.tasks import task
from rnnscope.core.tasks.adding import Adding
from rnnscope.core.tasks.task import PROBE_SEQUENCES

T, B = 70, 5
LENGTHS = np.array([70, 33, 32, 5, 1])  # ends within pieces, at their ends, and in the first
STACKS = [{}, {"layers": 2}, {"layers": 2, "input_layers": 1, "output_layers": 1}]
RUNS = [(name, "reference") for name in ("lstm", "gru", "rwa", "elman", "slstm", "lru", "dt", "grid")]
RUNS += [(name, engine) for name in ("lstm", "gru", "rwa", "elman") for engine in ("fused", "checkpointed", "vendor")]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.fixture
def in_pieces(monkeypatch, tmp_path):
    """Pieces of LEAST time steps, in files if asked for: (files)."""

    def shorten(files):
        monkeypatch.setenv(FOLDER, str(tmp_path))
        monkeypatch.setattr(recording, "PIECE", 1)
        monkeypatch.setattr(store, "IN_MEMORY", 0 if files else 2**30)

    return shorten


def same(found, expected, rtol=3e-6):
    """Signals, outputs and loss to the last bit; norms of gradients to rounding."""
    for field in ("inputs", "outputs", "loss", "targets"):
        np.testing.assert_array_equal(getattr(found, field), getattr(expected, field), err_msg=field)
    assert (list(found.layers), found.layer) == (list(expected.layers), expected.layer)
    for name, layer in expected.layers.items():
        assert list(found.layers[name].signals) == list(layer.signals)
        for signal, values in layer.signals.items():
            np.testing.assert_array_equal(found.layers[name].signals[signal], values, err_msg=f"{name} {signal}")
        assert list(found.layers[name].gradients) == list(layer.gradients)
        for part, norms in layer.gradients.items():
            np.testing.assert_allclose(found.layers[name].gradients[part], norms, rtol=rtol, err_msg=f"{name} {part}")


@pytest.mark.parametrize("files", [True, False])
@pytest.mark.parametrize("settings", STACKS, ids=str)
@pytest.mark.parametrize(("name", "engine"), RUNS)
def test_pieces_give_what_the_whole_gives(name, engine, settings, files, in_pieces, make_model):
    """With targets of every time step, of the end, and none; of unlike lengths and alike."""
    model = make_model(name, network_settings=settings)
    if engine != "reference":
        for cell in model.network.cells:
            prepare(cell, torch.float32, wait=True)
    model.network.engine = engine
    inputs, done = noise(T, B, 2), []
    asked = [{"targets": noise(T, B, 1, seed=1), "lengths": LENGTHS}, {"targets": noise(B, 1)}, {"lengths": LENGTHS}]
    expected = [record(model, inputs, **one) for one in asked]
    in_pieces(files)
    for whole, one in zip(expected, asked, strict=True):
        done.clear()
        trace = record(model, inputs, **one, between=done.append)
        assert isinstance(trace.store, Files) == files
        same(trace, whole)
        assert len(done) == -(-T // recording.LEAST) * (2 if "targets" in one else 1)
        assert done == sorted(done)
        assert done[-1] == 1


def test_norms_in_float64(in_pieces, make_model):
    """Where rounding is far below 1e-6: nothing is lost between pieces."""
    model, weights = make_model("gru", dtype=torch.float64, network_settings={"layers": 2}), np.zeros((T, B))
    weights[40] = 1  # in the third of five pieces: those behind it have no gradient
    arguments = noise(T, B, 2), noise(T, B, 1, seed=1)
    expected = record(model, *arguments, weights=weights)
    in_pieces(True)
    found = record(model, *arguments, weights=weights)
    same(found, expected, rtol=1e-7)
    assert not found.gradients["state"][41:].any()
    assert found.gradients["state"][:40].all()


def test_networks_that_go_in_one_piece(case, in_pieces, make_model):
    """They end up in files all the same, and say when they are done."""
    model, batch, done = case.model(), case.batch(), []
    expected = record_batch(model, batch)
    in_pieces(True)
    found = record_batch(model, batch, done.append)
    same(found, expected)
    assert isinstance(found.store, Files)
    assert model.network.resumes == (case.network == "stack")
    if expected.attended:
        np.testing.assert_array_equal(found.attended.weights, expected.attended.weights)
    assert done[-1] == 1


def test_a_cell_that_keeps_time_goes_in_one_piece(in_pieces, make_model):
    model, done = make_model("clockwork", units=6), []
    expected = record(model, noise(T, B, 2), noise(B, 1))
    in_pieces(True)
    same(record(model, noise(T, B, 2), noise(B, 1), between=done.append), expected)
    assert done == [0.5, 1]


def test_looking_in_pieces_changes_nothing(in_pieces, make_model):
    model = make_model("lstm", network_settings={"layers": 2}).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    in_pieces(True)
    record(model, noise(T, B, 2), noise(B, 1))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert (model.training, model.network.engine) == (True, None)


def test_an_engine_nobody_has_chosen_yet_stays_unchosen(in_pieces, monkeypatch, make_model):
    """Long sequences run on kernels meanwhile."""
    model, used = make_model("rwa"), []
    in_pieces(True)
    monkeypatch.setattr(recording, "WORTH", T)
    monkeypatch.setattr(type(model.network), "unroll", lambda self, *args, **more: used.append(self.engine) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        record(model, noise(T, 2))
    assert (used, model.network.engine) == (["fused"], None)


@pytest.mark.parametrize("name", ["lstm", "rwa"])
def test_a_hundred_thousand_time_steps(name, tmp_path, monkeypatch, make_model):
    """With nothing but a forget gate at 0.9999, or equal attention: closed forms of the memory."""
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setattr(store, "IN_MEMORY", 2**20)
    steps, model = 100_000, make_model(name, units=2)
    cell = model.network.cells[0]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        gates = ("forget", "output", "input", "candidate") if name == "lstm" else ("gate", "input_value")
        for gate in gates:
            cell.bias[cell.gate_rows(gate, "bias")] = np.log(0.9999 / 0.0001)
    trace = record(model, np.zeros((steps, 1, 2)), np.zeros((1, 1)))
    t = np.arange(1, steps + 1)
    if name == "lstm":
        expected = (1 - 0.9999**t) / 0.0001 * 0.9999
        np.testing.assert_allclose(trace.signals["cell"][:, 0, 1], expected, rtol=5e-3)
    else:
        np.testing.assert_allclose(trace.signals["denominator"][:, 0, 1], t, rtol=1e-6)
        np.testing.assert_allclose(trace.signals["newest_weight"][:, 0, 0], 1 / t, rtol=1e-5)
    assert isinstance(trace.store, Files)
    assert trace.gradients["state"].shape == (steps, 1)


@pytest.mark.parametrize(("length", "sequences"), [(10, PROBE_SEQUENCES), (11, 7), (40, 2), (80, 1), (81, 1)])
def test_the_probe_of_long_sequences_is_smaller(length, sequences, monkeypatch):
    monkeypatch.setattr(task, "PROBE_STEPS", 80)
    adding = Adding(length=length)
    probe = adding.probe()
    assert probe.inputs.shape == (length, sequences, 2)
    np.testing.assert_array_equal(probe.inputs, adding.evaluation().inputs[:, :sequences])
    assert probe.inputs.base is None, "the others are not kept"
