"""The CUDA engine's bodies against the reference: torch's on the CPU, Triton's in its interpreter, and all on a GPU."""

import gc
import weakref
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch

from rnnscope.core.cells import CELLS
from rnnscope.core.engines import cuda, cuda_bodies, cuda_chunk, triton_kernels, unroll
from rnnscope.core.training import scalars, train

EMITTED = [name for name, kind in CELLS.items() if kind.pointwise and not kind.lower]
SHAPES = pytest.mark.parametrize(("steps", "batch"), [(6, 17), (1, 1)])  # multiples of no chunk, nor of a program's rows
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(cuda_chunk, "STEPS", 4)
    monkeypatch.setattr(cuda_chunk, "_chunks", OrderedDict())
    monkeypatch.setattr(cuda, "_verdicts", {})


@pytest.fixture
def interpreter(monkeypatch):
    """Triton runs its kernels in Python, with numpy: that warns of what a GPU does without a word."""
    pytest.importorskip("triton")
    monkeypatch.setenv("TRITON_INTERPRET", "1")


IN_TRITON = pytest.mark.parametrize("body", ["pointwise", "persistent"])
QUIET = pytest.mark.filterwarnings("ignore:(overflow|invalid value|divide by zero):RuntimeWarning")


def drawn(kind, dtype=torch.float32, device=CPU, units=7):
    cell = kind(3, units)
    cell.initialise(torch.Generator().manual_seed(0))
    with torch.no_grad():
        cell.bias.normal_(generator=torch.Generator().manual_seed(1))
    return cell.to(device, dtype)


def outcome(engine, cell, steps, batch):
    """States, signals, and the gradients of inputs, weights, the state before and the states at all time steps."""

    def noise(*shape, seed=0):
        values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        return values.to(cell.weight_x)

    inputs = noise(steps, batch, cell.inputs).requires_grad_()
    start = {name: noise(batch, cell.units, seed=n).abs().requires_grad_() for n, name in enumerate(cell.states)}
    taps = {name: torch.zeros_like(noise(steps, batch, cell.units)).requires_grad_() for name in cell.states}
    ran = engine(cell, inputs, record=True, taps=taps, start=start)
    weights = dict(cell.named_parameters())
    named = (
        {"inputs": inputs}
        | weights
        | {f"start {n}": v for n, v in start.items()}
        | {f"tap {n}": v for n, v in taps.items()}
    )
    score = sum((value * noise(steps, batch, cell.units, seed=9)).sum() for value in ran.states.values())
    gradients = torch.autograd.grad(score, list(named.values()), materialize_grads=True, allow_unused=True)
    return ran.states | ran.signals, dict(zip(named, gradients, strict=True))


def assert_alike(found, expected, tolerance):
    assert list(found) == list(expected)
    for name, values in expected.items():
        if values.numel() and name != "timescale":  # the inverse of a difference from 1
            apart = (found[name] - values).detach().abs().max().item()
            assert apart <= tolerance * max(1.0, values.abs().max().item()), (name, apart)


def assert_same(body, cell, steps, batch, outputs, gradients):
    found, expected = outcome(partial(cuda.run, body), cell, steps, batch), outcome(unroll, cell, steps, batch)
    assert_alike(found[0], expected[0], outputs)
    assert_alike(found[1], expected[1], gradients)


def assert_twice_the_same(body, cell, steps, batch):
    once, again = (outcome(partial(cuda.run, body), cell, steps, batch) for _ in range(2))
    for one, other in zip(once, again, strict=True):
        assert all(torch.equal(value, other[name]) for name, value in one.items())


@SHAPES
@pytest.mark.parametrize("name", EMITTED)
def test_by_torch_as_the_reference(name, steps, batch):
    assert_same("torch", drawn(CELLS[name], torch.float64), steps, batch, 1e-12, 1e-12)


@QUIET
@IN_TRITON
@SHAPES
@pytest.mark.parametrize("name", EMITTED)
def test_in_triton_as_the_reference(name, steps, batch, body, interpreter):
    assert_same(body, drawn(CELLS[name]), steps, batch, 1e-6, 1e-5)


@QUIET
@pytest.mark.parametrize("name", EMITTED)
def test_a_kernel_a_time_step_in_float64(name, interpreter):
    assert_same("pointwise", drawn(CELLS[name], torch.float64), 2, 2, 1e-12, 1e-12)


@QUIET
def test_units_in_blocks(interpreter, monkeypatch):
    monkeypatch.setattr(triton_kernels, "BLOCK", 32)
    for body in ("pointwise", "persistent"):
        assert_same(body, drawn(CELLS["gru"], units=37), 2, 17, 1e-6, 1e-5)


@QUIET
def test_a_users_cell(interpreter, users_cells):
    leaky = users_cells["leaky"]
    assert_same("torch", drawn(leaky, torch.float64), 9, 4, 1e-12, 1e-12)
    for body in ("pointwise", "persistent"):
        assert_same(body, drawn(leaky), 5, 4, 1e-6, 1e-5)


@QUIET
@pytest.mark.parametrize("body", cuda_bodies.BODIES)
def test_twice_the_same_bits(body, interpreter):
    assert_twice_the_same(body, drawn(CELLS["peephole"]), 5, 3)


@QUIET
@pytest.mark.parametrize("device", [CPU, pytest.param(torch.device("cuda"), marks=GPU)], ids=str)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
@pytest.mark.parametrize("body", cuda_bodies.BODIES)
@pytest.mark.parametrize("name", ["elman", "rda", "mingru"])
def test_numbers_that_are_none_stay_so(name, body, value, device, request):
    if device == CPU:
        request.getfixturevalue("interpreter")
    cell, inputs = drawn(CELLS[name], device=device), torch.ones(4, 3, 3, device=device)
    inputs[1, 1, 0] = value
    found, expected = (run(cell, inputs).states["hidden"].detach() for run in (partial(cuda.run, body), unroll))
    assert torch.equal(found.isnan(), expected.isnan())
    assert torch.equal(found.isfinite(), expected.isfinite())
    assert torch.allclose(found.nan_to_num(), expected.nan_to_num(), atol=2e-6)


def test_weights_changed_in_place_are_seen():
    cell = drawn(CELLS["lstm"], torch.float64)
    assert_same("torch", cell, 5, 2, 1e-12, 1e-12)
    with torch.no_grad():
        cell.weight_h.mul_(-2)
        cell.bias.add_(1)
    assert_same("torch", cell, 5, 2, 1e-12, 1e-12)


def test_few_buffers_are_kept():
    cell = drawn(CELLS["elman"])
    for batch in range(1, 2 * cuda_chunk.CHUNKS):
        cuda.run("torch", cell, torch.zeros(3, batch, 3))
    assert len(cuda_chunk._chunks) == cuda_chunk.CHUNKS


@QUIET
@IN_TRITON
def test_buffers_keep_no_cell(body, interpreter):
    cell = drawn(CELLS["elman"])
    weight = weakref.ref(cell.weight_h)
    cuda.run(body, cell, torch.zeros(3, 2, 3))
    del cell
    gc.collect()
    assert cuda_chunk._chunks
    assert weight() is None


@pytest.mark.parametrize("steps", [1, 3, 4, 64, 127, 1000])
def test_chunks_follow_each_other_in_few_lengths(steps):
    spans = list(cuda_chunk.spans(steps))
    assert [t for begin, end in spans for t in range(begin, end)] == list(range(steps))
    assert {end - begin for begin, end in spans} <= {1, 2, 4}


@QUIET
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_fastest_body_that_agrees_is_found_once(dtype, interpreter, monkeypatch):
    monkeypatch.setattr(cuda, "CHECKED", (7, 3))
    cell, inputs = drawn(CELLS["gru"], dtype), torch.ones(5, 2, 3, dtype=dtype)
    asked = []
    monkeypatch.setattr(
        cuda, "run", lambda *arguments, **options: asked.append(arguments[0]) or unroll(*arguments[1:], **options)
    )
    cuda.cuda(cell, inputs)
    assert asked == []  # not before it is ready
    best = "persistent" if dtype == torch.float32 else "pointwise"
    assert cuda.ready(cell, dtype, CPU) is cuda.ready(cell, dtype, CPU) == cuda.Verdict((best,), "")
    cuda.cuda(cell, inputs)
    assert asked == [best] * 3  # twice while it was tried


def test_a_body_that_is_wrong_or_fails_is_refused(monkeypatch):
    def wrong(cell, like):
        body = cuda_bodies.by_torch(cell, like)
        return cuda_bodies.Body(body.advance, lambda z, *others: body.retreat(z, *others) or z.mul_(1.01))

    def failing(cell, like):
        raise RuntimeError("no such device")

    cell, inputs = drawn(CELLS["gru"]), torch.ones(5, 2, 3)
    monkeypatch.setattr(cuda, "bodies_for", lambda *arguments: ["persistent", "pointwise"])
    monkeypatch.setitem(cuda_bodies.BODIES, "persistent", wrong)
    monkeypatch.setitem(cuda_bodies.BODIES, "pointwise", failing)
    verdict = cuda.ready(cell, torch.float32, CPU)
    assert verdict.bodies == ()
    assert "persistent: 1.0e-02 of the largest entry" in verdict.refusals
    assert "pointwise: RuntimeError: no such device" in verdict.refusals
    assert torch.equal(cuda.cuda(cell, inputs).states["hidden"], unroll(cell, inputs).states["hidden"])


@pytest.mark.parametrize("kind", ["softmax", "gru_cho", "clockwork", "depth_gated"])
def test_what_cannot_be_emitted_runs_on_the_reference(kind, users_cells):
    cell = (CELLS | users_cells)[kind](3, 7)
    cell.initialise(torch.Generator().manual_seed(0))
    verdict = cuda.ready(cell, torch.float32, CPU)
    assert verdict.bodies == ()
    assert verdict.refusals
    inputs = torch.ones(5, 2, 3)
    assert torch.equal(cuda.cuda(cell, inputs).states["hidden"], unroll(cell, inputs).states["hidden"])


def test_no_second_derivative_is_given():
    cell, inputs = drawn(CELLS["elman"]), torch.ones(3, 2, 3, requires_grad=True)
    total = cuda.run("torch", cell, inputs).states["hidden"].square().sum()
    (gradient,) = torch.autograd.grad(total, inputs, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.parametrize("name", ["peephole"])
def test_the_kernels_compile_without_a_gpu(name, tmp_path, monkeypatch):
    """For a device of the Ampere generation."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    compiler = pytest.importorskip("triton.compiler")
    target = pytest.importorskip("triton.backends.compiler").GPUTarget("cuda", 80, 32)
    kernels = triton_kernels._imported(triton_kernels._source(CELLS[name](3, 7), "float32"), False)
    sizes = {"UNITS": 7, "PARTS": 2, "DEPTH": 16, "WIDTH": 16, "BLOCK": 256}
    numbers = ("t", "steps", "batch", "plane", "above")
    for kernel in (kernels.forward_step, kernels.backward_step, kernels.forward_loop, kernels.backward_loop):
        fixed = {name: sizes[name] for name in kernel.arg_names if name in sizes}
        types = dict.fromkeys(kernel.arg_names, "*fp32") | dict.fromkeys(numbers, "i32") | {"arrived": "*i32"}
        types = {name: "constexpr" if name in sizes else types[name] for name in kernel.arg_names}
        compiled = compiler.compile(compiler.ASTSource(kernel, types, fixed), target=target)
        assert compiled.metadata.shared < 48 * 2**10


@GPU
@pytest.mark.parametrize("body", cuda_bodies.BODIES)
@pytest.mark.parametrize(("steps", "batch"), [(11, 19), (1, 1), (1000, 3)])
@pytest.mark.parametrize("name", EMITTED)
def test_on_a_gpu_as_the_reference_twice(name, steps, batch, body, monkeypatch):
    monkeypatch.setattr(cuda_chunk, "STEPS", 64)
    cell = drawn(CELLS[name], device=torch.device("cuda"))
    for _ in range(2):  # the second time all graphs are replayed
        assert_same(body, cell, steps, batch, 1e-5, 1e-4)
    assert_twice_the_same(body, cell, steps, batch)


@GPU
@pytest.mark.parametrize("name", EMITTED)
def test_on_a_gpu_with_as_many_units_as_a_program_holds(name):
    cell = drawn(CELLS[name], device=torch.device("cuda"), units=triton_kernels.HELD)
    assert_same("persistent", cell, 70, 19, 1e-4, 1e-4)
    assert_twice_the_same("persistent", cell, 70, 19)


@GPU
@pytest.mark.parametrize("name", CELLS)
def test_on_a_gpu_a_model_trains_as_on_the_cpu(name, make_model):
    """With the engine that is chosen there, torch's own layers where a cell is theirs."""
    losses = []
    for device, engine in (("cpu", "reference"), ("cuda", "auto")):
        training = {"device": device, "engine": engine, "iterations": 4, "batch": 5}
        losses.append(scalars(list(train(make_model(name, units=6, training=training))))[0])
    np.testing.assert_allclose(*losses, rtol=1e-3)


@GPU
@pytest.mark.parametrize(("more", "bodies"), [(0, ("persistent", "pointwise")), (1, ("pointwise",))])
@pytest.mark.parametrize("name", EMITTED)
def test_on_a_gpu_bodies_are_found(name, more, bodies):
    cell = drawn(CELLS[name], units=triton_kernels.HELD + more)
    assert cuda.ready(cell, torch.float32, torch.device("cuda", 0)) == cuda.Verdict(bodies, "")


@GPU
def test_on_a_gpu_a_batch_beyond_its_processors_takes_another_body(monkeypatch):
    cell, asked = drawn(CELLS["gru"], device=torch.device("cuda"), units=triton_kernels.HELD), []
    cuda.ready(cell, torch.float32, torch.device("cuda", 0))
    monkeypatch.setattr(
        cuda, "run", lambda *arguments, **options: asked.append(arguments[0]) or unroll(*arguments[1:], **options)
    )
    for batch in (1, 20_000):
        cuda.cuda(cell, torch.zeros(1, batch, 3, device="cuda"))
    assert asked == ["persistent", "pointwise"]


@GPU
def test_programs_that_wait_for_each_other_share_a_gpu():
    """Four threads, each on a stream of its own, with more programs than can run at once."""
    device, batch = torch.device("cuda", 0), triton_kernels.ROWS
    while triton_kernels.hold(triton_kernels.HELD, 2 * batch, device):
        batch *= 2

    def work(seed):
        cell = drawn(CELLS["lstm"], device=device, units=triton_kernels.HELD)
        with torch.cuda.stream(torch.cuda.Stream()):
            inputs = torch.randn(20, batch, 3, device=device, generator=torch.Generator(device).manual_seed(seed))
            first, *others = (cuda.run("persistent", cell, inputs).states["hidden"].detach() for _ in range(20))
            return all(torch.equal(first, other) for other in others)

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(4)))
