"""Networks on trees: chains against the cells along time, and random trees against a recursion over their nodes."""

import numpy as np
import pytest
import torch

from rnnscope.core.cells import CELLS
from rnnscope.core.comparison import reaches
from rnnscope.core.engines import unroll
from rnnscope.core.layout import Layout
from rnnscope.core.recording import record

H, MOST = 4, 4
CELL_OF = {"tree_lstm": "lstm", "recursive": "elman"}
EXACT = {"rtol": 1e-11, "atol": 1e-12}


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(params=CELL_OF)
def model(request, make_model):
    """Each network on trees, in float64, for nodes of up to 4 children."""
    return drawn(make_model, request.param)


def drawn(make_model, network, units=H, **options):
    options = {"arguments": MOST, "dtype": torch.float64} | options
    model = make_model(CELL_OF[network], "nested_lists", units, network=network, **options)
    with torch.no_grad():
        for n, parameter in enumerate(model.parameters()):
            parameter.add_(0.3 * noise(*parameter.shape, seed=n))
    return model


def tree(nodes, seed, most=MOST):
    """Parents of a random tree, children first: every node but the last hangs on a later one that has room."""
    random, parents, count = np.random.default_rng(seed), np.full(nodes, -1), np.zeros(nodes, int)
    for node in range(nodes - 1):
        later = np.arange(node + 1, nodes)
        parents[node] = random.choice(later[count[later] < most][: 1 + random.integers(3)])
        count[parents[node]] += 1
    return parents


def chain(steps):
    return np.append(np.arange(1, steps), -1)


def together(trees):
    """Parents (T, B) with -1 as padding, and lengths."""
    parents = np.full((max(map(len, trees)), len(trees)), -1)
    for b, of_one in enumerate(trees):
        parents[: len(of_one), b] = of_one
    return {"parents": parents, "lengths": np.array([len(of_one) for of_one in trees])}


def test_a_chain_is_the_cell_along_time(model):
    """Outputs, gradients of all weights and inputs, and signals."""
    cell, steps = model.network.cells[0], 7
    ours, theirs = (noise(steps, 3, model.network.inputs).requires_grad_() for _ in range(2))
    layout = Layout(np.full(3, steps), parents=np.tile(chain(steps)[:, None], 3))
    ran, expected = model.network.run(ours, layout, record=True), unroll(cell, theirs, record=True)
    torch.testing.assert_close(ran.outputs, expected.states["hidden"], **EXACT)
    upstream, found = noise(steps, 3, H, seed=5), {}
    for inputs, hidden in ((theirs, expected.states["hidden"]), (ours, ran.outputs)):
        (hidden * upstream).sum().backward()
        grads = [inputs.grad, *(parameter.grad.clone() for parameter in cell.parameters())]
        for name, grad in zip(["inputs", *(name for name, _ in cell.named_parameters())], grads, strict=True):
            found.setdefault(name, []).append(grad)
        cell.zero_grad()
    for name, (one, other) in found.items():
        torch.testing.assert_close(one, other, **EXACT, msg=name)
    moved = {"forget_gate", "forget_preactivation", "log_retention", "timescale"} if "cell" in cell.states else set()
    assert list(ran.layers["nodes"].signals) == list(cell.signals)
    for name, signal in ran.layers["nodes"].signals.items():
        wanted = expected.signals[name]
        if name in moved:  # recorded at the child that it is applied to
            assert signal[-1].isnan().all()
            signal, wanted = signal[:-1], wanted[1:]
        torch.testing.assert_close(signal, wanted, **EXACT, msg=name)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def weights_of(cell, gate):
    weights = {"x": cell.weight_x, "h": cell.weight_h, "bias": cell.bias}
    return [weights[each][cell.gate_rows(gate, each)].detach().numpy() for each in (*cell.gates[gate], "bias")]


def evaluated(network, inputs, parents):
    """Node by node, each from its children, as the papers write it: node -> h, c and the forget gate put on it."""
    cell, nodes = network.cells[0], {}

    def node(n):
        children = [node(child) for child in np.flatnonzero(parents == n)]
        nodes[n] = made = {}
        if cell.name == CELLS["elman"].name:
            matrices = [cell.weight_h, *network.weight_children]
            w, _, b = weights_of(cell, "preactivation")
            a = w @ inputs[n] + b
            for child, matrix in zip(children, matrices, strict=False):
                a = a + matrix.detach().numpy() @ child["hidden"]
            made["hidden"] = np.tanh(a)
            return made
        total = sum((child["hidden"] for child in children), np.zeros(H))
        a = {gate: w @ inputs[n] + u @ total + b for gate in cell.gates for w, u, b in [weights_of(cell, gate)]}
        made["cell"] = sigmoid(a["input"]) * np.tanh(a["candidate"])
        w, u, b = weights_of(cell, "forget")
        for child in children:
            child["forget_gate"] = sigmoid(w @ inputs[n] + u @ child["hidden"] + b)
            made["cell"] = made["cell"] + child["forget_gate"] * child["cell"]
        made["hidden"] = sigmoid(a["output"]) * np.tanh(made["cell"])
        return made

    node(len(parents) - 1)
    return [nodes[n] for n in range(len(parents))]


@pytest.mark.parametrize("seed", range(4))
def test_random_trees_are_their_recursion(seed, model):
    """A batch of unlike trees, one of them a lone node, against each tree alone, node by node."""
    trees = [tree(nodes, 10 * seed + nodes) for nodes in (11, 1, 6, 2, 15)]
    layout = together(trees)
    assert {*np.bincount(layout["parents"][:14, 4])} >= {1, 2}
    inputs = noise(15, 5, model.network.inputs, seed=seed)
    trace = record(model, inputs, **layout)
    ran = model.network.run(inputs, Layout(**layout), record=True).layers["nodes"].signals
    for b, parents in enumerate(trees):
        nodes = evaluated(model.network, inputs[:, b].numpy(), parents)
        for n, expected in enumerate(nodes):
            for name, value in expected.items():
                np.testing.assert_allclose(ran[name][n, b].detach(), value, rtol=0, atol=1e-13, err_msg=f"{name} of {n}")
        for name, values in trace.signals.items():
            assert np.isnan(values[len(parents) :, b]).all()
            unknown = np.isnan(values[: len(parents), b]).any(-1)
            assert not unknown[:-1].any(), name
            assert unknown[-1] == (name in ("forget_gate", "forget_preactivation", "log_retention", "timescale"))


def test_each_tree_of_a_batch_is_what_it_is_alone(model):
    trees = [tree(nodes, nodes) for nodes in (11, 1, 6, 15)]
    layout, inputs = together(trees), noise(15, 4, model.network.inputs)
    targets = np.array([3, 1, 4, 1])
    both = record(model, inputs, targets, **layout)
    for b, parents in enumerate(trees):
        alone = record(model, inputs[: len(parents), b], targets[b : b + 1], parents=parents[:, None])
        arrays = {"outputs": (both.outputs, alone.outputs), "loss": (both.loss, alone.loss)}
        arrays |= {name: (both.signals[name], alone.signals[name]) for name in both.signals}
        arrays |= {f"d {part}": (4 * both.gradients[part], alone.gradients[part]) for part in both.gradients}
        for name, (found, expected) in arrays.items():
            np.testing.assert_allclose(found[: len(parents), b], expected[:, 0], rtol=1e-6, atol=1e-9, err_msg=name)


def test_the_order_of_children_matters_to_matrices_and_not_to_sums(make_model):
    inputs = noise(4, 1, 10 + 4 * (MOST - 1))
    swapped = inputs[[1, 0, 2, 3]]
    parents = np.array([[3], [3], [3], [-1]])
    for network, matters in (("recursive", True), ("tree_lstm", False)):
        model = drawn(make_model, network)
        root, other = (record(model, given, parents=parents).outputs[-1] for given in (inputs, swapped))
        assert (np.abs(root - other).max() > 1e-3) == matters


def test_brothers_keep_their_order_wherever_they_are_written(make_model):
    """Children 0 and 2 of node 3, with child 1 of child 2 between them: 0 is the first and 2 the second."""
    model, inputs = drawn(make_model, "recursive"), noise(4, 1, 10 + 4 * (MOST - 1))
    parents = np.array([3, 2, 3, -1])
    expected = evaluated(model.network, inputs[:, 0].numpy(), parents)
    cell, (second, *_) = model.network.cells[0], model.network.weight_children
    h = [torch.from_numpy(node["hidden"]) for node in expected]
    a = cell.weight_x @ inputs[3, 0] + cell.weight_h @ h[0] + second @ h[2] + cell.bias
    found = model.network.run(inputs, Layout(np.array([4]), parents=parents[:, None])).outputs[3, 0]
    torch.testing.assert_close(found, torch.tanh(a), **EXACT)


def test_the_direct_weight_is_the_product_of_the_gates_on_the_way_up(make_model):
    """By a plain walk from every node to the root; several nodes of one depth are averaged, unlike trees geometrically."""
    model, trees = drawn(make_model, "tree_lstm"), [tree(nodes, nodes) for nodes in (11, 1, 6, 15)]
    layout, inputs = together(trees), noise(15, 4, model.network.inputs)
    gates, curves = record(model, inputs, **layout).signals["forget_gate"].astype(float), []
    for b, parents in enumerate(trees):
        shares = {}
        for node in range(len(parents)):
            share, depth, n = np.ones(H), 0, node
            while parents[n] >= 0:
                share, depth, n = share * gates[n, b], depth + 1, parents[n]
            shares.setdefault(depth, []).append(share.mean())
        curves.append({depth: np.mean(found) for depth, found in shares.items()})
    reach = reaches(model, inputs, **layout)["direct_weight"]
    assert reach.lags.tolist() == list(range(1 + max(map(max, curves))))
    for lag in reach.lags:
        known = [curve[lag] for curve in curves if lag in curve]
        assert reach.mean[lag] == pytest.approx(np.exp(np.log(known).mean()), rel=1e-6)
    assert "direct_weight" not in reaches(drawn(make_model, "recursive"), inputs, **layout)


def test_the_jacobian_of_a_chain_is_that_along_time(model, make_model):
    cell = model.configuration.cell
    plain = make_model(cell, "nested_lists", H, torch.float64, arguments=MOST)
    plain.network.cells[0].load_state_dict(model.network.cells[0].state_dict())
    inputs = noise(7, 5, model.network.inputs)
    found = reaches(model, inputs, parents=np.tile(chain(7)[:, None], 5))
    expected = reaches(plain, inputs)
    assert list(found) == list(expected)
    for name, reach in expected.items():
        np.testing.assert_allclose(found[name].mean, reach.mean, rtol=1e-9, err_msg=name)


def test_the_jacobian_of_a_tree_is_the_exact_one(model):
    """Of one tree in many copies: the mean over nodes of a depth of the norm of d root / d node."""
    parents, copies, steps = tree(9, 3), 400, 9
    inputs = noise(steps, 1, model.network.inputs)
    network, states = model.network, model.network.cells[0].states
    layout = Layout(np.array([steps]), parents=parents[:, None])
    taps = {"nodes": {state: torch.zeros(steps, 1, H, dtype=torch.float64, requires_grad=True) for state in states}}
    ran = network.run(inputs, layout, taps=taps).layers["nodes"].states
    rows = []
    for value in (ran[state][-1, 0, unit] for state in states for unit in range(H)):
        grads = torch.autograd.grad(value, list(taps["nodes"].values()), retain_graph=True, materialize_grads=True)
        rows.append(torch.cat([grad[:, 0] for grad in grads], -1))
    norms = torch.stack(rows).square().sum((0, 2)).sqrt().numpy()
    depth = np.zeros(steps, int)
    for node in range(steps - 2, -1, -1):
        depth[node] = depth[parents[node]] + 1
    expected = np.array([norms[depth == lag].mean() for lag in range(depth.max() + 1)])
    reach = reaches(model, inputs.expand(-1, copies, -1), parents=np.tile(parents[:, None], copies))["state_jacobian"]
    error = 5 * np.log(reach.high / reach.mean) / np.sqrt(copies) + 0.01
    assert error.max() < 0.15
    assert (np.abs(np.log(reach.mean / (expected / expected[0]))) < error + 0.05).all()


def test_a_node_with_more_children_than_matrices_is_refused(make_model):
    """The child-sum takes any number."""
    parents = np.append(np.full(MOST + 1, MOST + 1), -1)[:, None]
    inputs = noise(MOST + 2, 1, 10 + 4 * (MOST - 1))
    assert np.isfinite(record(drawn(make_model, "tree_lstm"), inputs, parents=parents).outputs).all()
    with pytest.raises(ValueError, match=r"^parents: expected at most 4 children of a node, as in the task; got 5"):
        record(drawn(make_model, "recursive"), inputs, parents=parents)
