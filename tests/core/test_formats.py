"""Model files: what is saved comes back bit for bit, and a save is whole or not at all."""

import os

import numpy as np
import pytest
import torch

from rnnscope.core.cells import CELLS
from rnnscope.core.formats import FORMATS, FileProblem, load, save
from rnnscope.core.snapshots import weights_of
from rnnscope.core.tasks import TASKS
from rnnscope.core.trace import History

HISTORIES = {"new": History(), "trained": History(np.float32([0.5, 1 / 3, 1e-30]), np.float32([3, np.pi, 1e30]))}


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("cell", CELLS)
def test_a_model_comes_back_as_it_was(cell, dtype, history, make_model, tmp_path):
    model = make_model(cell, "length", 5, dtype, training={"seed": 7, "learning_rate": 1 / 3}, length=17)
    model.history = HISTORIES[history]
    random = torch.get_rng_state()
    save(model, tmp_path / "it.safetensors")
    back = load(str(tmp_path / "it.safetensors"))
    assert torch.equal(torch.get_rng_state(), random)
    assert back.configuration == model.configuration
    assert type(back.task) is type(model.task)
    assert list(back.state_dict()) == list(model.state_dict())
    for (name, one), other in zip(model.named_parameters(), back.parameters(), strict=True):
        assert torch.equal(one, other), name
        assert (other.dtype, other.requires_grad, other.is_leaf) == (dtype, True, True)
    assert not back.training
    np.testing.assert_array_equal(back.history.loss, model.history.loss)
    np.testing.assert_array_equal(back.history.gradient_norm, model.history.gradient_norm)
    inputs = torch.randn(6, 2, 1, dtype=dtype, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model(inputs), back(inputs))
    with torch.no_grad():
        back.network.cells[0].bias.add_(1)  # its weights are its own:
    stored = load(tmp_path / "it.safetensors").network.cells[0].bias
    assert not torch.equal(stored, back.network.cells[0].bias)  # the file has the old ones
    save(back, tmp_path / "it.safetensors")
    assert torch.equal(load(tmp_path / "it.safetensors").network.cells[0].bias, back.network.cells[0].bias)


@pytest.mark.parametrize("task", TASKS)
def test_settings_of_task_and_cell_come_back(task, make_model, tmp_path):
    settings = {"adding": {"length": 9, "marks": "halves"}, "copy": {"symbols": 3}}.get(task, {})
    model = make_model("elman", task, cell_settings={"nonlinearity": "relu"}, **settings)
    save(model, tmp_path / "it.safetensors")
    back = load(tmp_path / "it.safetensors")
    assert back.configuration == model.configuration
    assert back.network.cells[0].settings.nonlinearity == "relu"
    assert back.task.model_dump() == model.task.model_dump()


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_ending_is_read_in_either_case(suffix, make_model, tmp_path):
    path = tmp_path / f"model{suffix.upper()}"
    save(make_model(), path)
    assert load(path).configuration.cell == "lstm"


@pytest.mark.parametrize("step", ["replace", "fsync", "fdopen"])
@pytest.mark.parametrize("older", [True, False])
def test_a_failed_save_leaves_what_was_there(step, older, make_model, tmp_path, monkeypatch):
    path = tmp_path / "it.safetensors"
    if older:
        save(make_model("gru"), path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, step, full)
        with pytest.raises(OSError, match="No space left"):
            save(make_model("lstm"), path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    save(make_model("lstm"), path)
    assert [file.name for file in tmp_path.iterdir()] == ["it.safetensors"]
    assert load(path).configuration.cell == "lstm"


def test_a_save_into_nowhere_is_an_os_error(make_model, tmp_path):
    with pytest.raises(OSError):
        save(make_model(), tmp_path / "missing" / "it.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(OSError):
        save(make_model(), tmp_path / "folder.safetensors")
    assert [file.name for file in tmp_path.iterdir()] == ["folder.safetensors"]


def test_what_is_saved_can_be_loaded(make_model, tmp_path):
    """A name that load() would refuse is refused when saving, before anything is written."""
    with pytest.raises(FileProblem, match=r"model\.pt: expected"):
        save(make_model(), tmp_path / "model.pt")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_snapshots_come_back_where_they_were_asked_for(dtype, make_model, tmp_path):
    model, path = make_model(dtype=dtype), tmp_path / "it.safetensors"
    for iteration in (0, 1, 30):
        with torch.no_grad():
            model.readout.bias.add_(0.1)
        model.snapshots = model.snapshots.added(iteration, weights_of(model))
    save(model, path)
    alone = path.stat().st_size
    assert load(path).snapshots.iterations == ()
    save(model, path, snapshots=True)
    assert path.stat().st_size > alone + model.snapshots.nbytes
    back = load(path)
    assert back.snapshots.iterations == (0, 1, 30)
    for iteration, weights in model.snapshots.weights.items():
        assert list(back.snapshots.weights[iteration]) == list(weights)
        for name, array in weights.items():
            assert back.snapshots.weights[iteration][name].dtype == array.dtype
            np.testing.assert_array_equal(back.snapshots.weights[iteration][name], array)
    save(back, path, snapshots=True)
    assert load(path).snapshots.iterations == (0, 1, 30)
