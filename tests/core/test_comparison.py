"""compare(): the same sequences for every model, and a table that any JSON reader takes."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch

from rnnscope.core.cells import CELLS
from rnnscope.core.comparison import SEQUENCES, compare, evaluated, reaches
from rnnscope.core.engines import kernel_cache
from rnnscope.core.memory import MEASURES, portions
from rnnscope.core.reach import QUICK, TRAINING, Reach
from rnnscope.core.settings import SettingsError
from rnnscope.core.tasks import TASKS


def strict(text):
    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def same(one, other):
    assert list(one) == list(other)
    for measure in one:
        np.testing.assert_array_equal(one[measure].mean, other[measure].mean)


def test_every_model_meets_the_given_sequences(make_model):
    models = {f"my {cell}": make_model(cell) for cell in CELLS}
    inputs = np.random.default_rng(0).random((11, 5, 2), dtype=np.float32)
    comparison = compare(models, inputs)
    assert [model.name for model in comparison.models] == list(models)
    for compared, model in zip(comparison.models, models.values(), strict=True):
        same(compared.reaches, reaches(model, torch.from_numpy(inputs)))
    with_gates = {cell for cell in CELLS if "log_retention" in CELLS[cell].signals}
    measured = {compared.cell for compared in comparison.models if "direct_weight" in compared.reaches}
    assert measured == with_gates


@pytest.mark.parametrize("task", TASKS)
def test_by_default_they_meet_the_first_ones_evaluation(task, make_model):
    shorter = {"length": 8} if "length" in TASKS[task].model_fields else {}
    first, second = make_model("gru", task, **shorter), make_model("lstm", task, **shorter)
    batch = first.task.evaluation().first(SEQUENCES)
    comparison = compare([first, second])
    assert [model.name for model in comparison.models] == ["gru 1", "lstm 2"]
    for compared, model in zip(comparison.models, (first, second), strict=True):
        same(compared.reaches, reaches(model, batch.inputs, lengths=batch.lengths))
        assert compared.task == task


def test_models_that_cannot_read_the_sequences_are_refused_by_name(make_model):
    models = {"reader of two": make_model("gru"), "reader of one": make_model("gru", "length")}
    with pytest.raises(ValueError, match=r"^reader of one: reads 1 inputs a time step, .* have 2"):
        compare(models)
    with pytest.raises(ValueError, match=r"^reader of two: reads 2 .* have 3"):
        compare(models, np.zeros((4, 2, 3), np.float32))
    with pytest.raises(ValueError, match=r"^models: expected at least one"):
        compare([])


def test_json_has_the_documented_shape(make_model):
    comparison = compare({cell: make_model(cell, length=12) for cell in CELLS})
    table = strict(comparison.json())
    assert set(table) == {"models", "kinds"}
    assert table["kinds"] == []
    assert [model["name"] for model in table["models"]] == list(CELLS)
    for entry, compared in zip(table["models"], comparison.models, strict=True):
        assert set(entry) == {"name", "cell", "task", "measures"}
        assert (entry["cell"], entry["task"]) == (compared.cell, "adding")
        assert set(entry["measures"]) == set(compared.reaches) <= set(QUICK)
        for name, found in entry["measures"].items():
            assert set(found) == {
                "lags",
                "mean",
                "low",
                "high",
                "lag50",
                "lag1",
                "total",
                "law",
                "floor",
                "seeds",
                "sequences",
            }
            assert found["lags"] == list(range(12))
            reach = compared.reaches[name]
            assert found["mean"] == reach.mean.tolist()
            assert (found["low"], found["high"]) == (reach.low.tolist(), reach.high.tolist())
            for part in ("lag50", "lag1", "total"):
                assert found[part] == asdict(getattr(reach, part))
            assert all(
                low <= mean <= high for low, mean, high in zip(*(found[c] for c in ("low", "mean", "high")), strict=True)
            )


def test_a_model_that_explodes_is_measured_or_named(make_model):
    """Its states overflow float32 (4^100): the table stays JSON, or the error says whose fault it is."""
    model = make_model("elman", cell_settings={"nonlinearity": "relu"})
    with torch.no_grad():
        model.network.cells[0].weight_h.copy_(4 * torch.eye(4))
        model.network.cells[0].bias.fill_(1)
    try:
        text = compare([model]).json()
    except ValueError as error:
        text, said = None, str(error)
    if text is None:
        assert said.startswith("elman 1: ")
    else:
        curve = strict(text)["models"][0]["measures"]["state_jacobian"]
        assert curve["mean"][1] == pytest.approx(4, rel=1e-3)
        assert curve["lag50"]["value"] is None


def test_models_that_differ_by_their_seed_alone_are_joined(make_model):
    models = {f"lstm {seed}": make_model("lstm", training={"seed": seed}, length=9) for seed in range(3)}
    comparison = compare(models | {"wider": make_model("lstm", units=5, length=9)})
    (kind,) = comparison.kinds
    assert kind.name == "lstm × 3 seeds"
    curves = [comparison.models[n].reaches["direct_weight"].mean for n in range(3)]
    joined = kind.reaches["direct_weight"]
    np.testing.assert_allclose(joined.mean, np.exp(np.log(curves).mean(0)), rtol=1e-12)
    assert joined.curves.shape == (9, 3, SEQUENCES)
    assert [entry["name"] for entry in json.loads(comparison.json())["kinds"]] == ["lstm × 3 seeds"]


def test_the_frames_hold_what_the_reaches_hold(make_model):
    comparison = compare({"one": make_model("gru", length=12), "two": make_model("elman", length=12)})
    frame = comparison.frame.set_index(["model", "measure"])
    assert list(frame.index) == [("one", "state_jacobian"), ("one", "direct_weight"), ("two", "state_jacobian")]
    reach = comparison.models[1].reaches["state_jacobian"]
    row = frame.loc[("two", "state_jacobian")]
    assert (row.lag50, row.lag50_low, row.lag50_high) == (reach.lag50.value, reach.lag50.low, reach.lag50.high)
    assert (row.law_name, row.rate, row.law_share) == (reach.law.name, reach.law.rate, reach.law.share)
    assert (row.cell, row.sequences, row.seeds) == ("elman", SEQUENCES, 1)
    curves = comparison.curves
    of_two = curves[(curves.model == "two") & (curves.measure == "state_jacobian")]
    np.testing.assert_array_equal(
        of_two[["lags", "mean", "low", "high"]], np.stack([reach.lags, reach.mean, reach.low, reach.high], 1)
    )


def test_an_unknown_measure_is_refused(make_model):
    with pytest.raises(SettingsError, match=r"^measures: .*state_jacobian.*got 'guess'"):
        compare(make_model("gru"), measures=["guess"])
    assert list(compare(make_model("gru"), measures="direct_weight").models[0].reaches) == ["direct_weight"]


@pytest.mark.parametrize("name", ["targets", "lengths", "sources", "parents"])
def test_what_belongs_to_inputs_is_refused_without_them(make_model, name):
    with pytest.raises(ValueError, match=f"^{name}: expected inputs, too"):
        compare(make_model("gru"), **{name: np.ones(3, int)})


def test_where_no_measure_has_a_meaning_the_tables_are_empty(make_model):
    nothing = compare(make_model("gru"), np.zeros((5, 3, 2)), measures=["context_loss"])
    assert nothing.models[0].reaches == {}
    assert list(nothing.curves) == ["model", "measure", "lags", "mean", "low", "high"]
    assert len(nothing.curves) == len(nothing.frame) == 0


@pytest.mark.parametrize("inputs", [np.array([["a", "b"]]), [[1.0, 2.0], [3.0]], {"a": 1}])
def test_inputs_that_are_no_numbers_are_refused_by_name(make_model, inputs):
    with pytest.raises(ValueError, match=r"^inputs: expected an array of numbers; got"):
        reaches(make_model("gru"), inputs)
    with pytest.raises(ValueError, match=r"^inputs: expected an array of numbers"):
        compare(make_model("gru"), inputs)


@pytest.mark.parametrize("measure", [name for name in MEASURES if name != TRAINING])
def test_ended_at_any_point_everything_is_as_before(make_model, measure, monkeypatch):
    monkeypatch.setattr(portions, "MEMORY", 1)  # many portions
    model = make_model("lstm", length=5)
    model.network.engine, threads = "reference", torch.get_num_threads()
    weights = [parameter.clone() for parameter in model.parameters()]
    count, points, complete = 0, 0, False

    def between(done):
        nonlocal count
        count += 1
        if count > points:
            raise InterruptedError

    while not complete:
        points, count = points + 1, 0
        try:
            evaluated(model, model.task, [measure], 9, between)
            complete = True
        except InterruptedError:
            assert count == points + 1
        assert (model.network.engine, torch.get_num_threads()) == ("reference", threads)
        assert bool((torch.full((4,), 1e-40) * 0.5).any()), "denormal numbers are kept again"
        assert all(parameter.grad is None for parameter in model.parameters())
    assert points > 1
    assert all((old == new).all() for old, new in zip(weights, model.parameters(), strict=True))


def test_missing_kernels_are_waited_for_with_a_way_out(make_model, tmp_path, monkeypatch):
    """And then they are used: the numbers are those of any later measurement."""
    for name, empty in (("_kernels", {}), ("_compiling", {})):
        monkeypatch.setattr(kernel_cache, name, empty)
    monkeypatch.setenv(kernel_cache.FOLDER, str(tmp_path))
    model, done = make_model("mingru", length=9), []

    def stop(share):
        done.append(share)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        reaches(model, np.ones((9, 3, 2)), between=stop)
    assert done == [0.0]
    assert not list(tmp_path.glob("*.done"))
    first = reaches(model, np.ones((9, 3, 2)), between=done.append)
    assert len([share for share in done if not share]) > 2
    assert list(tmp_path.glob("*.done"))
    same(first, reaches(model, np.ones((9, 3, 2))))


def test_lags_of_trees_are_known_as_such(make_model):
    tree = make_model("lstm", "nested_lists", network="tree_lstm")
    in_order, both = make_model("lstm", "nested_lists"), make_model("lstm", network="bidirectional")
    assert {reach.along for reach in evaluated(tree, tree.task, QUICK, 3).values()} == {"tree"}
    assert {reach.along for reach in evaluated(in_order, in_order.task, QUICK, 3).values()} == {"forward"}
    assert {reach.along for reach in evaluated(both, both.task, QUICK, 3).values()} == {"forward", "backward"}
    joined = Reach.joined([evaluated(tree, tree.task, QUICK, 3)["state_jacobian"]] * 2)
    assert joined.along == "tree"
