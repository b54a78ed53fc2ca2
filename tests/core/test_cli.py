"""The command line, called in this process: what it prints, and refusals of one line that name the culprit."""

import sys

import numpy as np
import pytest

from rnnscope import cli
from rnnscope.core.cells import CELLS
from rnnscope.core.engines import ENGINES
from rnnscope.core.formats import FORMATS, load
from rnnscope.core.memory import MEASURES
from rnnscope.core.tasks import TASKS
from rnnscope.views import VIEWS


@pytest.fixture
def run(monkeypatch, capsys):
    """Call `rnnscope ARGUMENTS`: exit status, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["rnnscope", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        printed = capsys.readouterr()
        return stop.value.code or 0, printed.out, printed.err

    return run


TINY = ("--units", 3, "--iterations", 2, "--batch", 4, "--device", "cpu")
NEEDED = {"clockwork": "modules=3", "depth_gated": "layers=2"}  # cells that do not do with 3 units in one layer otherwise


@pytest.mark.parametrize(("cell", "task"), [*((cell, "adding") for cell in CELLS), *(("gru", task) for task in TASKS)])
def test_train_then_info(cell, task, run, tmp_path):
    out = tmp_path / "it.safetensors"
    length = ("--length", 5) if "length" in TASKS[task].model_fields else ()
    needed = ("--set", NEEDED[cell]) if cell in NEEDED else ()
    status, printed, _ = run("train", "--out", out, "--cell", cell, "--task", task, *length, *needed, *TINY)
    assert status == 0
    assert len(printed.splitlines()) == 1
    assert str(out) in printed
    model = load(out)
    assert (model.configuration.cell, model.configuration.task, model.configuration.units) == (cell, task, 3)
    assert model.configuration.training.batch == 4
    assert not length or model.task.length == 5
    assert len(model.history) == 2
    assert np.isfinite([model.history.loss, model.history.gradient_norm]).all()
    status, printed, errors = run("info", out)
    assert (status, errors) == (0, "")
    count = sum(parameter.numel() for parameter in model.parameters())
    for words in (CELLS[cell].name, TASKS[task].name, "3 units", f"{count:,}", "2 iterations", "hidden (h)"):
        assert words in printed


def test_settings_reach_the_cell_the_task_and_the_training(run, tmp_path):
    out = tmp_path / "it.safetensors"
    of_models = ("--set", "marks=halves", "--set", "length=7", "--set", "forget_bias=-2.5")
    of_training = ("--learning-rate", 0.25, "--clip", 0.5, "--seed", 11)
    assert run("train", "--out", out, *TINY, *of_models, *of_training)[0] == 0
    configuration = load(out).configuration
    assert (configuration.task_settings.marks, configuration.task_settings.length) == ("halves", 7)
    assert configuration.cell_settings.forget_bias == -2.5
    training = configuration.training
    assert (training.learning_rate, training.clip, training.seed, training.iterations) == (0.25, 0.5, 11, 2)


def test_diverged_training_is_saved_and_said(run, tmp_path):
    out = tmp_path / "it.safetensors"
    explode = ("--cell", "elman", "--set", "nonlinearity=relu", "--clip", 1e6, "--learning-rate", 10, "--batch", 4)
    status, _, errors = run("train", "--out", out, "--length", 100, "--device", "cpu", "--iterations", 50, *explode)
    assert status == 1
    assert errors.splitlines()[-1].startswith("rnnscope: the loss or its gradient became NaN or infinite at iteration ")
    model = load(out)
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    assert np.isfinite(model.history.loss).all()


REFUSALS = [
    (("--units", 0), "units: expected greater than or equal to 1; got 0"),
    (("--length", 0), "length: expected greater than or equal to 2; got 0"),
    (("--cell", "transformer"), "--cell: expected one of elman, lstm"),
    (("--task", "chess"), "--task: expected one of adding"),
    (("--set", "colour=red"), "colour: there is no such setting"),
    (("--set", "length"), "--set: expected NAME=VALUE, got 'length'"),
    (("--set", "length=long"), "length: expected "),
    (("--set", "forget_bias=nan"), "forget_bias: expected "),
    (("--task", "digits", "--length", 5), "length: there is no such setting"),
    (("--iterations", 0), "iterations: expected "),
    (("--batch", -1), "batch: expected "),
    (("--learning-rate", 0), "learning_rate: expected greater than 0; got 0"),
    (("--clip", "nan"), "clip: expected "),
    (("--seed", -1), "seed: expected "),
    (("--device", "abacus"), "device: expected 'auto', 'cpu', 'cuda' or 'mps'; got 'abacus'"),
    (("--units", "many"), "--units"),
    (("--no-such-option",), "--no-such-option"),
    (("surprise",), "surprise"),
    (("--out", "model.pt"), "model.pt: "),
    (("--out", "missing/folder/it.safetensors"), "missing/folder/it.safetensors: "),
]


def refused(outcome):
    status, printed, errors = outcome
    assert status not in (0, None)
    assert printed == ""
    assert len(errors.splitlines()) == 1, errors
    assert errors.startswith("rnnscope: ")
    return errors


@pytest.mark.parametrize(("arguments", "named"), REFUSALS, ids=str)
def test_train_refuses_in_one_line(arguments, named, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert named in refused(run("train", "--out", "it.safetensors", "--iterations", 1, *arguments))
    assert not list(tmp_path.iterdir())


def test_train_needs_out(run):
    assert "--out" in refused(run("train"))


def test_info_refuses_in_one_line(run, tmp_path):
    bad = tmp_path / "bad.safetensors"
    bad.write_text("no model\n" * 9)
    assert f"{bad}: expected a safetensors file" in refused(run("info", bad))
    assert "missing.safetensors: there is no such file" in refused(run("info", tmp_path / "missing.safetensors"))
    assert str(tmp_path) in refused(run("info", tmp_path))


def test_info_without_a_file_lists_every_table(run):
    status, out, err = run("info")
    assert (status, err) == (0, "")
    for table in (CELLS, TASKS, VIEWS, MEASURES, ENGINES, FORMATS):
        assert any(line.endswith("  " + ", ".join(table)) for line in out.splitlines())


def test_an_unknown_command_is_refused_by_name(run):
    assert "dance" in refused(run("dance"))


@pytest.mark.parametrize("command", [(), ("open",), ("train",), ("info",)], ids=str)
def test_help(command, run):
    status, printed, errors = run(*command, "--help")
    assert (status, errors) == (0, "")
    assert "Usage: " in printed


def test_a_bug_is_not_dressed_up_as_the_users_mistake(monkeypatch):
    def broken(**options):
        raise KeyError("a bug")

    monkeypatch.setattr(sys, "argv", ["rnnscope"])
    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(KeyError, match="a bug"):
        cli.main()


def test_snapshots_are_saved_where_they_are_asked_for(run, tmp_path):
    out, without = tmp_path / "it.safetensors", tmp_path / "without.safetensors"
    for path, more in ((out, ["--snapshots"]), (without, [])):
        training = ("--length", 5, "--units", 3, "--iterations", 6, "--batch", 4, "--device", "cpu")
        assert run("train", "--out", path, *training, *more)[0] == 0
    assert load(out).snapshots.iterations == (0, 1, 2, 3, 4, 5, 6)
    assert load(without).snapshots.iterations == ()
    np.testing.assert_array_equal(load(out).history.loss, load(without).history.loss)
    for path, words in ((out, "7, of iterations 0 to 6"), (without, "none")):
        (line,) = (line for line in run("info", path)[1].splitlines() if line.startswith("snapshots"))
        assert line.endswith(f"  {words}")
