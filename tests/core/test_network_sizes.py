"""How many weights a network has, what it is called, and comparisons of unlike networks."""

import json

import numpy as np
import pytest

from rnnscope.core.comparison import compare, reaches
from rnnscope.core.networks import NETWORKS

H = 5


def gru(inputs):
    return 3 * (H * inputs + H * H + H) + H


def lstm(inputs):
    return 4 * (H * inputs + H * H + H)


# network, its settings, cell, task, the task's settings, weights without the readout (I inputs), features of the readout
SIZES = [
    ("stack", {}, "gru", "adding", {}, lambda i: gru(i), H),
    ("stack", {"layers": 3}, "gru", "adding", {}, lambda i: gru(i) + 2 * gru(H), H),
    ("stack", {"layers": 3, "above": "lstm gru"}, "gru", "adding", {}, lambda i: gru(i) + lstm(H) + gru(H), H),
    (
        *("stack", {"input_layers": 2, "output_layers": 1}, "gru", "adding", {}),
        lambda i: H * i + H + (H * H + H) + gru(H) + (H * H + H),
        H,
    ),
    ("stack", {"layers": 2}, "depth_gated", "adding", {}, lambda i: lstm(i) + lstm(H) + H * H + 3 * H, H),
    ("stack", {"layers": 2}, "grid", "adding", {}, lambda i: 2 * lstm(i) + H * i + H + 2 * lstm(H), H),
    ("bidirectional", {}, "gru", "adding", {}, lambda i: 2 * gru(i), 2 * H),
    ("bidirectional", {"layers": 3}, "gru", "adding", {}, lambda i: 2 * gru(i) + 4 * gru(2 * H), 2 * H),
    ("static_attention", {"layers": 2}, "gru", "adding", {}, lambda i: gru(i) + gru(H) + H * H + 2 * H, H),
    ("encoder_decoder", {"context": "state"}, "gru", "dates", {}, lambda i: 2 * gru(i), H),
    ("encoder_decoder", {"context": "every_step"}, "gru", "dates", {}, lambda i: gru(i) + gru(i + H), H),
    ("encoder_decoder", {}, "gru", "dates", {}, lambda i: gru(i) + gru(i + H) + 2 * H * H + 2 * H, H),
    ("recursive", {}, "elman", "nested_lists", {"arguments": 4}, lambda i: H * i + 4 * H * H + H, H),
    ("tree_lstm", {}, "lstm", "nested_lists", {"arguments": 4}, lambda i: lstm(i), H),
]


def _named(value):
    return "weights" if callable(value) else str(value)


def test_every_network_is_counted():
    assert {size[0] for size in SIZES} == set(NETWORKS)


@pytest.mark.parametrize(("network", "settings", "cell", "task", "options", "count", "width"), SIZES, ids=_named)
def test_parameter_counts(network, settings, cell, task, options, count, width, make_model):
    model = make_model(cell, task, H, network=network, network_settings=settings, **options)
    inside = sum(parameter.numel() for parameter in model.network.parameters())
    assert inside == count(model.task.inputs)
    assert model.network.width == width
    assert sum(p.numel() for p in model.parameters()) - inside == (width + 1) * model.task.outputs


def test_trees_are_compared_with_the_sequences_they_are_written_as(make_model):
    """By default on the first one's evaluation; every model is measured along its own memory."""
    models = {
        "tree": make_model("lstm", "nested_lists", network="tree_lstm"),
        "recursive": make_model("elman", "nested_lists", network="recursive"),
        "stack": make_model("lstm", "nested_lists"),
        "both ways": make_model("gru", "nested_lists", network="bidirectional"),
        "attention": make_model("elman", "nested_lists", network="static_attention"),
    }
    found = {compared.name: compared.reaches for compared in compare(models, sequences=6).models}
    batch = models["tree"].task.evaluation().first(6)
    nodes, depth = batch.lengths.max(), models["tree"].task.depth + 1
    names = {name: list(measured) for name, measured in found.items()}
    directions = [f"{measure}, {way}" for measure in ("state_jacobian", "direct_weight") for way in ("forward", "backward")]
    both = ["state_jacobian", "direct_weight"]
    assert names == {
        "tree": both,
        "recursive": ["state_jacobian"],
        "stack": both,
        "both ways": directions,
        "attention": both,
    }
    for name, measured in found.items():
        for reach in measured.values():
            assert len(reach.lags) == (depth if name in ("tree", "recursive") else nodes)
    for name, model in models.items():
        for measure, reach in reaches(model, batch.inputs, **vars(batch.layout)).items():
            np.testing.assert_array_equal(found[name][measure].mean, reach.mean)


@pytest.mark.parametrize("context", ["attention", "every_step", "state"])
def test_sources_are_compared(context, make_model):
    """Of an encoder-decoder and a stack that reads on; on given sequences the sources have to be given."""
    models = [
        make_model("lstm", "dates", network="encoder_decoder", network_settings={"context": context}),
        make_model("gru", "dates"),
    ]
    one, other = compare(models, sequences=5).models
    assert list(one.reaches) == ["state_jacobian", "direct_weight"][: 1 if context == "every_step" else 2]
    assert list(other.reaches) == ["state_jacobian", "direct_weight"]
    batch = models[0].task.evaluation().first(5)
    again = compare(models, batch.inputs, lengths=batch.lengths, sources=batch.sources).models[0]
    for measure, reach in one.reaches.items():
        np.testing.assert_array_equal(again.reaches[measure].mean, reach.mean)
        assert len(reach.lags) == batch.lengths.max()
    with pytest.raises(ValueError, match=r"^lstm 1: sources: expected .*; got None"):
        compare(models, batch.inputs, lengths=batch.lengths)


def test_the_table_of_a_comparison_names_directions(make_model):
    models = {"both": make_model("gru", network="bidirectional", length=6), "one": make_model("gru", length=6)}
    table = json.loads(compare(models, sequences=4).json())
    measures = {model["name"]: list(model["measures"]) for model in table["models"]}
    assert measures["one"] == ["state_jacobian", "direct_weight"]
    ways = ("state_jacobian, forward", "state_jacobian, backward", "direct_weight, forward", "direct_weight, backward")
    assert measures["both"] == list(ways)


@pytest.mark.parametrize("network", ["stack", "bidirectional", "static_attention"])
def test_equal_sequences_have_no_spread(network, make_model):
    model = make_model("lstm", network=network, length=7)
    inputs = np.repeat(np.random.default_rng(0).random((7, 1, 2)), 5, 1)
    for name, reach in reaches(model, inputs).items():
        if name.startswith("direct"):
            np.testing.assert_allclose(reach.low, reach.high, rtol=1e-6)
