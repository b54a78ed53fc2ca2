"""The commands compare and figure, run as from a shell."""

import csv
import json
import re
import sys

import numpy as np
import pytest
import torch

from rnnscope import cli
from rnnscope.core.comparison import compare
from rnnscope.core.formats import load, save
from rnnscope.core.recording import record_batch
from rnnscope.core.snapshots import weights_of
from rnnscope.views import VIEWS


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command line: (*arguments) -> exit status, stdout, stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["rnnscope", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capsys.readouterr()

    return call


@pytest.fixture(scope="module")
def saved(tmp_path_factory, make_model, networks):
    """A folder with lstm, elman and rwa for one task, a digits model, and a folder for each view of some networks."""
    folder = tmp_path_factory.mktemp("models")
    for cell in ("lstm", "elman", "rwa"):
        save(make_model(cell, length=8, iterations=20), folder / f"{cell}.safetensors", snapshots=True)
    save(make_model("gru", "digits"), folder / "digits.safetensors")
    for view, models in networks.items():
        (folder / view).mkdir()
        for name, model in models.items():
            save(model, folder / view / f"{name}.safetensors")
    return folder


def test_compare_prints_a_table(run, saved):
    status, out, err = run("compare", saved / "lstm.safetensors", saved / "elman.safetensors", "--sequences", 3)
    assert (status, err) == (0, "")
    table, said = out.split("\n\n")
    assert said.startswith("On these 3 sequences the gradient falls to 1 % at lag ")
    header, *rows = (line.split("  ") for line in table.splitlines())
    assert header[0] == "run"
    assert [row[0].strip() for row in rows] == ["lstm", "lstm", "elman"]


def test_compare_json_is_one_document_of_the_documented_shape(run, saved, tmp_path):
    files = [saved / "lstm.safetensors", saved / "elman.safetensors"]
    status, out, err = run("compare", *files, "--json", "--sequences", 3, "--out", tmp_path / "reach.pdf")
    assert (status, err) == (0, "")
    assert out.count("\n") == 1
    lstm, elman = json.loads(out)["models"]
    assert (lstm["name"], lstm["cell"], lstm["task"]) == ("lstm", "lstm", "adding")
    assert set(lstm["measures"]) == {"state_jacobian", "direct_weight"}
    assert set(elman["measures"]) == {"state_jacobian"}
    for measure in (*lstm["measures"].values(), *elman["measures"].values()):
        assert measure["lags"] == list(range(8))
        assert len(measure["mean"]) == len(measure["low"]) == len(measure["high"]) == 8
    measured = compare({"lstm": load(files[0])}, sequences=3).models[0].reaches["state_jacobian"]
    assert lstm["measures"]["state_jacobian"]["mean"] == measured.mean.tolist()
    assert (tmp_path / "reach.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("threads", [1, 2])
def test_compare_says_to_the_last_bit_what_python_says(run, make_model, tmp_path, threads):
    """Whatever the order of models and measures, the threads that torch has, and the engine that a model ran on before."""
    measures = ("state_jacobian", "direct_weight", "connectivity", "decoding", "causal", "context_loss")
    for cell, units in (("lstm", 48), ("gru", 33), ("rwa", 100)):  # where shares of a product round otherwise
        save(make_model(cell, units=units, length=40), tmp_path / f"{cell}.safetensors")
    files = sorted(tmp_path.glob("*.safetensors"))
    asked = [option for measure in measures for option in ("--measure", measure)]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        said = {model["name"]: model for model in json.loads(run("compare", *files, "--json", *asked)[1])["models"]}
        torch.set_num_threads(3 - threads)
        models = {file.stem: load(file) for file in reversed(files)}
        for model in models.values():
            model.network.engine = "reference"
        found = json.loads(compare(models, measures=measures[::-1]).json())["models"]
    finally:
        torch.set_num_threads(before)
    assert [model["name"] for model in found] == ["rwa", "lstm", "gru"]
    for model in found:
        assert said[model["name"]] == model


def test_compare_says_where_a_measure_has_no_meaning(run, saved):
    status, out, err = run("compare", saved / "elman.safetensors", "--measure", "direct_weight", "--sequences", 2)
    assert (status, err) == (0, "")
    assert out.endswith("\n\nNone of these measures has a meaning for these models.\n")


def test_compare_saves_only_what_is_asked(run, saved, tmp_path):
    assert run("compare", saved / "lstm.safetensors", "--sequences", 2)[0] == 0
    assert list(tmp_path.iterdir()) == []
    assert run("compare", saved / "lstm.safetensors", "--sequences", 2, "--numbers", tmp_path / "n.csv")[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["n.csv"]
    assert len((tmp_path / "n.csv").read_text().splitlines()) == 1 + 2 * 8


@pytest.mark.parametrize("view", VIEWS)
def test_figure_saves_every_view_of_models_side_by_side(run, saved, tmp_path, view):
    out, numbers = tmp_path / "figure.svg", tmp_path / "numbers.csv"
    files = [saved / f"{cell}.safetensors" for cell in ("lstm", "elman", "rwa")]
    files = sorted((saved / view).iterdir()) if (saved / view).is_dir() else files
    status, printed, err = run("figure", *files, "--view", view, "--out", out, "--numbers", numbers, "--width", 120)
    assert (status, err) == (0, "")
    names = [file.stem for file in files]
    assert printed == f"{out}: {view} of {', '.join(names)}\n"
    text = out.read_text(encoding="utf-8")
    assert 'width="340' in text
    assert all(re.search(rf"(>|, ){name}\b", text) for name in names)
    assert len(numbers.read_text().splitlines()) > (6 if view == "time_scales" else 20)


def test_figure_takes_the_cursor(run, saved, tmp_path):
    where = ("--time-step", 5, "--sequence", 7, "--unit", 2, "--height", 60)
    status, _, err = run("figure", saved / "lstm.safetensors", "--view", "attention", "--out", tmp_path / "a.svg", *where)
    assert (status, err) == (0, "")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "t\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}5" in text
    assert ">unit 2<" in text


def test_figure_goes_back_to_an_iteration(run, saved, tmp_path, make_model):
    """Names, and numbers, are those of the snapshot; of an iteration without one, of the last before."""
    model, other = make_model(length=8, iterations=20), make_model(length=8, seed=1)
    model.snapshots = model.snapshots.added(16, weights_of(other))
    save(model, tmp_path / "two.safetensors", snapshots=True)
    there = tmp_path / "n.csv"
    for iteration, weights in ((3, model), (16, other), (19, other), (20, model)):
        where = ("--view", "hidden", "--out", tmp_path / "a.svg", "--numbers", there, "--iteration", iteration)
        status, printed, err = run("figure", tmp_path / "two.safetensors", *where)
        assert (status, err) == (0, "")
        taken = {3: 0, 19: 16}.get(iteration, iteration)
        assert printed.endswith(f"hidden of two @ {taken}\n")
        assert f">two @ {taken}<" in (tmp_path / "a.svg").read_text(encoding="utf-8")
        expected = record_batch(weights, model.task.probe()).signals["hidden"][4, 0, 1]
        row = next(row for row in csv.reader(there.read_text().splitlines()) if row[2:5] == ["unit 1", "time", "5"])
        assert float(row[5]) == pytest.approx(expected, rel=1e-4)


def test_the_growth_is_what_compare_measures(run, saved, tmp_path):
    files = [saved / "lstm.safetensors", "--view", "growth", "--out", tmp_path / "a.svg", "--numbers", tmp_path / "n.csv"]
    assert run("figure", *files)[0] == 0
    written = csv.reader((tmp_path / "n.csv").read_text().splitlines())
    rows = [row for row in written if row[1] == "lag at 50 % of the gradient"]
    measured = compare(load(saved / "lstm.safetensors").at(4), measures=["state_jacobian"]).models[0]
    lag = measured.reaches["state_jacobian"].lag50
    row = next(row for row in rows if float(row[4]) == 4)
    np.testing.assert_allclose([float(value) for value in row[5:8]], [lag.value, lag.low, lag.high], rtol=1e-6)
    assert [float(row[4]) for row in rows] == [0, 4, 11, 20]


LSTM, DIGITS = "lstm.safetensors", "digits.safetensors"


@pytest.mark.parametrize(
    ("command", "files", "options", "named"),
    [
        ("figure", [LSTM], ["--view", "nope", "--out", "x.pdf"], "--view: expected one of input, hidden,"),
        ("figure", [LSTM], ["--view", "loss", "--out", "x.jpg"], "x.jpg: expected a name that ends in .pdf, .svg, .png"),
        ("figure", [LSTM, DIGITS], ["--view", "loss", "--out", "x.pdf"], "digits: made for the task digits"),
        ("figure", [LSTM, "none.safetensors"], ["--view", "loss", "--out", "x.pdf"], "there is no such file"),
        ("figure", [LSTM], ["--view", "loss", "--out", "x.pdf", "--width", "3"], "width: expected 20 to 500 mm"),
        ("figure", [LSTM], ["--view", "loss", "--out", "x.pdf", "--height", "999"], "height: expected 20 to 500 mm"),
        ("figure", [LSTM], ["--view", "loss", "--out", "x.pdf", "--dpi", "9"], "dpi: expected 50 to 1200"),
        ("figure", [LSTM], ["--view", "loss", "--out", "x.pdf", "--time-step", "9"], "--time-step: expected 1 to 8"),
        ("figure", [LSTM], ["--view", "loss", "--out", "x.pdf", "--time-step", "0"], "--time-step: expected 1 to 8"),
        ("figure", [LSTM], ["--view", "loss", "--out", "x.pdf", "--sequence", "9"], "--sequence: expected 1 to 8"),
        ("figure", [LSTM], ["--view", "loss", "--out", "x.pdf", "--unit", "3"], "--unit: expected 0 to 2"),
        (
            "figure",
            [LSTM],
            ["--view", "loss", "--out", "x.pdf", "--iteration", "21"],
            "--iteration: expected 0 to 20, got 21",
        ),
        ("figure", [DIGITS], ["--view", "loss", "--out", "x.pdf", "--iteration", "0"], "digits holds no snapshots"),
        ("figure", [DIGITS], ["--view", "growth", "--out", "x.pdf"], "growth: digits holds no snapshots"),
        ("figure", [LSTM], ["--view", "loss", "--out", "no/x.pdf"], "its folder does not exist"),
        ("figure", [LSTM], ["--view", "loss", "--out", "x.pdf", "--numbers", "no/x.csv"], "its folder does not exist"),
        ("figure", [LSTM], ["--view", "loss"], "--out"),
        ("compare", [LSTM, DIGITS], ["--out", "x.pdf"], "compare models of one task"),
        ("compare", [LSTM], ["--json", "--out", "x"], "no ending"),
        ("compare", ["none.safetensors"], ["--out", "x.jpg"], "x.jpg: expected a name"),  # before anything is read
        ("compare", [LSTM], ["--sequences", "0"], "--sequences"),
        ("compare", [], [], "files"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    run, saved, tmp_path, monkeypatch, command, files, options, named
):
    monkeypatch.chdir(tmp_path)
    status, out, err = run(command, *(saved / file for file in files), *options)
    assert status not in (0, None)
    assert out == ""
    assert err.startswith("rnnscope: ")
    assert err.count("\n") == 1
    assert named in err
    assert list(tmp_path.iterdir()) == []
