"""Every engine against the reference, for every cell and every way of joining: outputs, signals, gradients."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from rnnscope.core.cells import CELLS
from rnnscope.core.choice import choose
from rnnscope.core.engines import ENGINES, NORMS, kernel_cache
from rnnscope.core.engines.kernel_cache import loaded, prepare
from rnnscope.core.recording import record_batch
from rnnscope.core.training import train

OUTPUTS, GRADIENTS = {torch.float32: 2e-6, torch.float64: 1e-12}, {torch.float32: 1e-5, torch.float64: 1e-12}
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
EMITTED = [name for name, kind in CELLS.items() if kind.pointwise]
FUSED = sys.modules["rnnscope.core.engines.fused"]
OTHERS = [name for name in ENGINES if name != "reference"]


def drawn(name, inputs=3, units=7, dtype=torch.float32, **settings):
    cell = CELLS[name](inputs, units, CELLS[name].Settings(**settings)).to(dtype)
    cell.initialise(torch.Generator().manual_seed(0))
    with torch.no_grad():
        cell.bias.normal_(generator=torch.Generator().manual_seed(1))
    return cell


def noise(*shape, dtype=torch.float32, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def outcome(engine, cell, steps, batch, record=True):
    """Everything an engine gives: states, signals, and the gradients of inputs, weights and states at all time steps."""
    dtype = cell.weight_x.dtype
    inputs = noise(steps, batch, cell.inputs, dtype=dtype).requires_grad_()
    gauge = torch.zeros(steps, batch, 1 + len(cell.states), dtype=torch.float64).requires_grad_()
    taps = {NORMS: gauge} if record else None
    lower = {name: noise(steps, batch, cell.units, dtype=dtype, seed=2).requires_grad_() for name in cell.lower}
    ran = ENGINES[engine](cell, inputs, record=record, taps=taps, lower=lower, keep=cell.states[-1:])
    leaves = [inputs, *cell.parameters(), *(taps or {}).values(), *lower.values()]
    kept = {name: ran.states[name] for name in {cell.output, cell.states[-1]} if name != "running_maximum"}
    scored = sum((state * noise(steps, batch, cell.units, dtype=dtype, seed=1)).sum() for state in kept.values())
    gradients = torch.autograd.grad(scored, leaves, materialize_grads=True, allow_unused=True)
    return ran.states, ran.signals, gradients


def assert_alike(found, expected, tolerance, what):
    """Within `tolerance` of the largest entry, and not a number in the same places."""
    assert torch.equal(found.isfinite(), expected.isfinite()), what
    finite = expected[expected.isfinite()]
    if finite.numel():
        apart = (found[found.isfinite()] - finite).abs().max()
        assert apart <= tolerance * max(1.0, finite.abs().max().item()), (what, apart)


def assert_same(cell, engine, steps, batch, record=True):
    dtype = cell.weight_x.dtype
    found, expected = (outcome(name, cell, steps, batch, record) for name in (engine, "reference"))
    for ours, theirs in zip(found[:2], expected[:2], strict=True):
        assert list(ours) == list(theirs)
        for name, values in theirs.items():
            if name != "timescale":  # the inverse of a difference from 1
                assert_alike(ours[name].detach(), values.detach(), 10 * OUTPUTS[dtype], name)
    for n, (ours, theirs) in enumerate(zip(found[2], expected[2], strict=True)):
        assert_alike(ours, theirs, GRADIENTS[dtype], n)


@DTYPES
@pytest.mark.parametrize(("steps", "batch"), [(23, 19), (1, 1), (40, 2)])
@pytest.mark.parametrize("name", CELLS)
def test_the_fused_engine_gives_what_the_reference_gives(name, steps, batch, dtype):
    cell = drawn(name, dtype=dtype)
    assert (prepare(cell, dtype, wait=True) is not None) == (name in EMITTED)
    assert_same(cell, "fused", steps, batch)


@DTYPES
@pytest.mark.parametrize("name", EMITTED)
def test_checkpointed_is_exact(name, dtype, monkeypatch):
    cell = drawn(name, dtype=dtype)
    prepare(cell, dtype, wait=True)
    whole = outcome("fused", cell, 41, 3, record=False)
    monkeypatch.setattr(FUSED, "CHUNK", 500)
    assert_same(cell, "checkpointed", 41, 3, record=False)
    found = outcome("checkpointed", cell, 41, 3, record=False)
    for ours, theirs in zip([*found[0].values(), *found[2]], [*whole[0].values(), *whole[2]], strict=True):
        assert_alike(ours, theirs, GRADIENTS[dtype] / 10, name)


@DTYPES
@pytest.mark.parametrize("settings", [{}, {"nonlinearity": "relu"}], ids=str)
@pytest.mark.parametrize("name", ["elman", "lstm", "gru"])
def test_the_vendors_layers_give_what_the_reference_gives(name, settings, dtype):
    if settings and name != "elman":
        return
    assert_same(drawn(name, dtype=dtype, **settings), "vendor", 23, 5, record=False)


@pytest.mark.parametrize("name", ["lstm", "rwa"])
def test_five_thousand_time_steps_in_chunks(name, monkeypatch):
    cell = drawn(name, units=16, dtype=torch.float64)
    prepare(cell, torch.float64, wait=True)
    assert_same(cell, "fused", 5000, 1)
    monkeypatch.setattr(FUSED, "CHUNK", 500)
    assert_same(cell, "fused", 41, 3)


@DTYPES
@pytest.mark.parametrize("name", EMITTED)
def test_preactivations_made_again_in_chunks_and_columns_beyond_a_tile(name, dtype, monkeypatch):
    cell = drawn(name, units=19, dtype=dtype)
    prepare(cell, dtype, wait=True)
    monkeypatch.setattr(FUSED, "CHUNK", 500)
    monkeypatch.setattr(FUSED, "KEPT", 0)
    assert_same(cell, "fused", 23, 5)
    assert_same(cell, "checkpointed", 23, 5, record=False)


@DTYPES
@pytest.mark.parametrize("name", EMITTED)
def test_signals_in_whole_lines_which_go_past_the_caches(name, dtype):
    cell = drawn(name, units=32, dtype=dtype)
    prepare(cell, dtype, wait=True)
    assert_same(cell, "fused", 23, 5)
    assert_same(cell, "fused", 300, 1)


@pytest.fixture
def parted(monkeypatch):
    """Three threads, for which any unit of a single sequence is worth it."""
    threads = torch.get_num_threads()
    monkeypatch.setattr(FUSED, "PART", 1)
    torch.set_num_threads(3)
    yield monkeypatch
    torch.set_num_threads(threads)


@DTYPES
@pytest.mark.parametrize("name", EMITTED)
def test_units_of_a_sequence_shared_out_among_threads_and_twice_the_same_bits(name, dtype, parted):
    cell, whole = (drawn(name, units=units, dtype=dtype) for units in (9, 48))
    prepare(cell, dtype, wait=True)
    assert FUSED._parts(cell) == (3 if len(cell.weight_h) else 1)
    assert_same(whole, "fused", 23, 1)
    for chunk, kept in ((FUSED.CHUNK, FUSED.KEPT), (60, 0)):
        parted.setattr(FUSED, "CHUNK", chunk)
        parted.setattr(FUSED, "KEPT", kept)
        assert_same(cell, "fused", 23, 1)
        assert_same(cell, "fused", 1, 1)
        first, second = (outcome("fused", cell, 23, 1) for _ in range(2))
        for one, other in zip([*first[0].values(), *first[2]], [*second[0].values(), *second[2]], strict=True):
            assert torch.equal(one, other)


def test_a_cell_without_inputs():
    cell = drawn("gru", inputs=0)
    prepare(cell, torch.float32, wait=True)
    assert_same(cell, "fused", 5, 2)


def test_a_part_that_fails_keeps_no_other_waiting(parted):
    cell, advance = drawn("rwa", units=9), FUSED._Chunks.advance
    prepare(cell, torch.float32, wait=True)

    def failing(chunks, *arguments):
        if chunks.mine.start == 1:
            raise MemoryError("no room for part 1")
        advance(chunks, *arguments)

    with parted.context() as patch:
        patch.setattr(FUSED._Chunks, "advance", failing)
        with pytest.raises(MemoryError, match="part 1"):
            outcome("fused", cell, 23, 1)
    assert_same(cell, "fused", 23, 1)


def test_runs_in_parts_at_the_same_time_wait_for_one_another(parted):
    cell = drawn("lstm", units=9)
    prepare(cell, torch.float32, wait=True)
    expected = outcome("fused", cell, 200, 1)[2]

    def begin():
        torch.get_num_threads()  # a new thread that first asks while another run is at work takes over its one
        torch.set_num_threads(3)

    with ThreadPoolExecutor(4, initializer=begin) as pool:
        for found in pool.map(lambda _: outcome("fused", cell, 200, 1)[2], range(12)):
            assert all(map(torch.equal, found, expected))


@pytest.mark.parametrize("units", [7, 32])
@pytest.mark.parametrize("engine", ["fused", "checkpointed"])
@pytest.mark.parametrize("name", EMITTED)
def test_sequences_shared_out_among_threads_and_twice_the_same_bits(name, engine, units, monkeypatch):
    cell, threads = drawn(name, units=units), torch.get_num_threads()
    prepare(cell, torch.float32, wait=True)
    monkeypatch.setattr(FUSED, "WORTH", 1)
    monkeypatch.setattr(FUSED, "CHUNK", 500)
    monkeypatch.setattr(FUSED, "KEPT", 0)
    try:
        torch.set_num_threads(3)
        assert_same(cell, engine, 12, 19, record=engine == "fused")
        once, again = outcome(engine, cell, 12, 19, record=False), outcome(engine, cell, 12, 19, record=False)
    finally:
        torch.set_num_threads(threads)
    for one, other in zip([*once[0].values(), *once[2]], [*again[0].values(), *again[2]], strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("batch", [1, 19])
def test_fewer_threads_on_the_way_back_than_there(batch, parted):
    cell = drawn("lstm", units=9)
    prepare(cell, torch.float32, wait=True)
    parted.setattr(FUSED, "WORTH", 1)
    inputs = noise(23, batch, 3)
    hidden = ENGINES["fused"](cell, inputs).states["hidden"]
    torch.set_num_threads(1)
    found = torch.autograd.grad(hidden.sum(), list(cell.parameters()))
    expected = torch.autograd.grad(ENGINES["reference"](cell, inputs).states["hidden"].sum(), list(cell.parameters()))
    for ours, theirs in zip(found, expected, strict=True):
        assert_alike(ours, theirs, GRADIENTS[torch.float32], batch)


@DTYPES
def test_a_users_cell_is_fused_without_a_further_line(dtype, users_cells):
    cell = users_cells["leaky"](3, 6).to(dtype)
    cell.initialise(torch.Generator().manual_seed(0))
    assert prepare(cell, dtype, wait=True) is not None
    assert_same(cell, "fused", 30, 4)


@pytest.mark.parametrize("kind", ["softmax", "alternating"])
def test_what_no_kernel_can_say_runs_on_the_reference(kind, users_cells):
    cell = users_cells[kind](3, 6)
    cell.initialise(torch.Generator().manual_seed(0))
    assert prepare(cell, torch.float32, wait=True) is None
    assert_same(cell, "fused", 5, 2)


@pytest.mark.parametrize("name", EMITTED)
def test_norms_are_as_large_as_what_is_handed_back_where_squares_underflow_or_overflow(name):
    cell, scales = drawn(name, units=19), 2.0 ** torch.tensor([0, -90, -40, 40, 75])
    prepare(cell, torch.float32, wait=True)
    alike = {name: noise(9, 1, cell.units, seed=2).repeat(1, len(scales), 1) for name in cell.lower}
    gauge = torch.zeros(9, len(scales), 1 + len(cell.states), dtype=torch.float64).requires_grad_()
    ran = ENGINES["fused"](cell, noise(9, 1, 3).repeat(1, len(scales), 1), taps={NORMS: gauge}, lower=alike)
    (norms,) = torch.autograd.grad((ran.states[cell.output] * scales[:, None]).sum(), gauge)
    expected = norms[:, :1] * scales[:, None]
    torch.testing.assert_close(norms, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("name", EMITTED)
def test_numbers_that_are_none_stay_so(name, value):
    cell = drawn(name)
    prepare(cell, torch.float32, wait=True)
    inputs = noise(6, 3, 3)
    inputs[2, 1, 0] = value
    found, expected = (ENGINES[engine](cell, inputs).states["hidden"].detach() for engine in ("fused", "reference"))
    assert torch.equal(found.isfinite(), expected.isfinite())
    assert_alike(found, expected, 2e-6, name)


@DTYPES
@pytest.mark.parametrize(
    ("network", "cell", "task", "settings"),
    [
        ("stack", "rwa", "length", {"layers": 3, "above": "gru lstm"}),
        ("stack", "depth_gated", "length", {"layers": 2}),
        ("bidirectional", "gru", "length", {"layers": 2}),
        ("static_attention", "rwa", "length", {}),
        ("encoder_decoder", "slstm", "dates", {"context": "state"}),
        ("encoder_decoder", "lstm", "dates", {"context": "attention"}),
        ("tree_lstm", "lstm", "nested_lists", {}),
    ],
)
def test_a_network_gives_the_same_on_every_engine(network, cell, task, settings, dtype, make_model):
    model = make_model(cell, task, 6, dtype, network=network, network_settings=settings)
    batch = model.task.evaluation().first(9)  # of unlike lengths
    expected = record_batch(model, batch)
    for part in model.network.cells:
        prepare(part, dtype, wait=True)
    for model.network.engine in OTHERS:
        found = record_batch(model, batch)
        pairs = [(found.outputs, expected.outputs), (found.loss, expected.loss)]
        for name, layer in expected.layers.items():
            pairs += [(found.layers[name].signals[key], layer.signals[key]) for key in layer.signals if key != "timescale"]
            pairs += [(found.layers[name].gradients[key], layer.gradients[key]) for key in layer.gradients]
        for ours, theirs in pairs:
            assert_alike(torch.tensor(ours), torch.tensor(theirs), 2e-5 if dtype == torch.float32 else 1e-6, network)


@pytest.mark.parametrize("engine", OTHERS)
def test_training_is_the_same_run_again_and_close_to_the_references(engine, make_model):
    def losses(name):
        model = make_model("gru", training={"iterations": 12, "batch": 8, "engine": name}, length=20)
        return [update.loss.item() for update in train(model)]

    assert losses(engine) == losses(engine)
    np.testing.assert_allclose(losses(engine), losses("reference"), rtol=1e-4)


def test_the_choice(make_model, monkeypatch):
    lstm, rwa, cho = make_model("lstm"), make_model("rwa"), make_model("gru_cho")
    assert choose(lstm, wait=True) == "fused"
    assert choose(make_model("lstm", training={"engine": "vendor"}), wait=True) == "vendor"
    assert choose(rwa, wait=True) == "fused"
    assert loaded(rwa.network.cells[0], torch.float32) is not None
    assert choose(cho, wait=True) == "reference"
    assert choose(make_model("rwa", training={"engine": "reference"}), wait=True) == "reference"
    assert choose(make_model("lstm", training={"engine": "fused"}), wait=False) == "fused"
    assert choose(make_model("lstm", "nested_lists", network="tree_lstm"), wait=True) == "fused"


def test_without_numba_the_reference_runs_and_nothing_fails(make_model, monkeypatch):
    monkeypatch.setattr(kernel_cache, "_numba", lambda: "")
    monkeypatch.setattr(kernel_cache, "_kernels", {})
    assert choose(make_model("rwa"), wait=True) == "reference"
    assert choose(make_model("gru"), wait=True) == "vendor"
    assert_same(drawn("rwa"), "fused", 5, 2)


def test_who_does_not_wait_finds_the_kernel_later(tmp_path, monkeypatch, make_model):
    monkeypatch.setenv(kernel_cache.FOLDER, str(tmp_path))
    monkeypatch.setattr(kernel_cache, "_kernels", {})
    monkeypatch.setattr(kernel_cache, "_compiling", {})
    model = make_model("mingru")
    assert choose(model, wait=False) == "reference"
    assert choose(model, wait=False) == "reference"
    (compiling,) = kernel_cache._compiling.values()
    assert compiling.wait(60) == 0
    assert choose(model, wait=False) == "fused"
    assert len(list(tmp_path.glob("*.py"))) == 1


def test_a_damaged_kernel_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv(kernel_cache.FOLDER, str(tmp_path))
    cell = drawn("mingru")
    for damage in (b"", b"def forward(:", b"F = 1"):
        monkeypatch.setattr(kernel_cache, "_kernels", {})
        assert prepare(cell, torch.float32, wait=True) is not None
        (path,) = tmp_path.glob("*.py")
        path.write_bytes(damage)
        sys.modules.pop(path.stem)
    monkeypatch.setattr(kernel_cache, "_kernels", {})
    assert prepare(cell, torch.float32, wait=True) is not None
    assert_same(cell, "fused", 5, 2)


def test_the_reference_has_the_gradient_of_its_own_differences():
    cell = drawn("rwa", inputs=2, units=2, dtype=torch.float64)
    inputs = noise(4, 2, 2, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: ENGINES["reference"](cell, x).states["hidden"], inputs)
