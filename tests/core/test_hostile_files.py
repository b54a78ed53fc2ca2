"""rnnscope's own files with a content that does not fit: a FileProblem of one line that names the file."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils._python_dispatch import TorchDispatchMode

from rnnscope.core.formats import FileProblem, load, safetensors_file, save
from rnnscope.core.formats.safetensors_file import HISTORY, KEY
from rnnscope.core.model import Model
from rnnscope.core.snapshots import MOST, Snapshots, weights_of


@pytest.fixture
def path(make_model, tmp_path):
    """A good file of a small model."""
    path = tmp_path / "model.safetensors"
    save(make_model(units=2, length=8), path)
    return path


def problem(path):
    with pytest.raises(FileProblem) as error:
        load(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable(), message  # one line
    return message.removeprefix(f"{path}: ")


def about(path, **changes):
    """The metadata of the good file at `path`, with changes in its configuration."""
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    found = json.loads(header["__metadata__"][KEY])
    return json.dumps(found | {"configuration": found["configuration"] | changes})


def write(path, tensors, text):
    save_file(tensors, path, metadata={KEY: text})


def test_the_rewritten_file_is_still_good(path):
    write(path, load_file(path), about(path))
    assert isinstance(load(path), Model)


def test_headers_that_claim_too_much(path):
    content = path.read_bytes()
    for claimed in (len(content), 2**24, 2**40, 2**63, 2**64 - 1):
        path.write_bytes(claimed.to_bytes(8, "little") + content[8:])
        assert "header claims" in problem(path)


def test_a_safetensors_file_of_somebody_else(path):
    save_file(load_file(path), path)
    assert "no rnnscope configuration" in problem(path)
    save_file(load_file(path), path, metadata={"format": "pt"})
    assert "no rnnscope configuration" in problem(path)


DEEP = "[" * 100_000
ABOUT = [
    "", "no JSON", DEEP, "null", "[]", "3", '"text"', "{}", '{"version": 2}', '{"configuration": {}}', "1" * 5000,
    *(json.dumps({"version": 2, "configuration": values}) for values in (None, [], 5, "text", ["cell"], {})),
]  # fmt: skip


@pytest.mark.parametrize("text", ABOUT, ids=lambda text: text[:40])
def test_metadata_that_says_nothing_useful(path, text):
    write(path, load_file(path), text)
    problem(path)


@pytest.mark.parametrize("version", [0, 1, 3, "2", None, [], 10**400], ids=lambda version: str(version)[:9])
def test_another_version(path, version):
    write(path, load_file(path), json.dumps(json.loads(about(path)) | {"version": version}))
    assert "expected file version 2, got" in problem(path)


CHANGES = [
    ({"cell": "transformer"}, "cell: expected one of .*; got 'transformer'"),
    ({"cell": None}, "cell"),
    ({"cell": ["lstm"]}, ""),
    ({"task": "chess"}, "task: expected one of .*; got 'chess'"),
    ({"units": 0}, "units: expected greater than or equal to 1; got 0"),
    ({"units": -3}, "units"),
    ({"units": 2.5}, "units"),
    ({"units": 10**30}, "units"),
    ({"units": 3}, "expected shape"),
    ({"cell": "gru"}, ""),
    ({"cell": "rwa"}, ""),
    ({"task": "copy", "task_settings": {}}, ""),
    ({"cell_settings": {"forget_bias": float("nan")}}, "forget_bias"),
    ({"cell_settings": 5}, "lstm: expected a table of settings"),
    ({"task_settings": {"length": 1}}, "length: expected greater than or equal to 2; got 1"),
    ({"task_settings": {"colour": 1}}, "colour: there is no such setting"),
    ({"training": None}, "training"),
    ({"training": {"device": "abacus"}}, "device"),
    ({"surprise": 1}, "surprise: there is no such setting"),
    ({"two\nlines": 1}, "there is no such setting"),
    ({"task_settings": {"two\r\nlines\x1b[31m": 1}}, "there is no such setting"),
]


@pytest.mark.parametrize(("changes", "words"), CHANGES, ids=str)
def test_configurations_that_do_not_fit(path, changes, words):
    write(path, load_file(path), about(path, **changes))
    message = problem(path)
    assert re.search(words, message), message


@pytest.mark.parametrize(
    "changes", [{"units": "9" * 10**6}, {"x" * 10**6: 1}, {"cell": "x" * 10**6}], ids=["value", "name", "choice"]
)
def test_a_message_fits_a_window(path, changes):
    write(path, load_file(path), about(path, **changes))
    assert len(problem(path)) < 1000


class Sizes(TorchDispatchMode):
    """Notes how many elements every tensor that is made outside the meta device has."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor) and not out.is_meta:
            self.largest = max(self.largest, out.numel())
        return out


def test_huge_units_are_refused_before_any_memory_is_taken(path):
    with Sizes() as sizes:
        load(path)
    assert sizes.largest > 0  # the small model: the mode sees what loading makes
    write(path, load_file(path), about(path, units=4096))
    with Sizes() as sizes:
        assert "expected shape [16384" in problem(path)
    assert sizes.largest < 1000


WEIGHT, (LOSS, NORM) = "network.cells.0.weight_h", HISTORY
SHAPED = {
    "transposed": lambda weight: weight.T.contiguous(),
    "flat": lambda weight: weight.flatten(),
    "empty": lambda weight: torch.zeros(0),
}
PARTS = ("weight_x", "weight_h", "bias")
KINDS = (torch.int32, torch.bool, torch.float16, torch.bfloat16, torch.complex64, torch.float8_e5m2)


@pytest.mark.parametrize("missing", [*(f"network.cells.0.{name}" for name in PARTS), "readout.weight", "readout.bias"])
def test_a_missing_tensor(path, missing):
    tensors = load_file(path)
    del tensors[missing]
    write(path, tensors, about(path))
    assert re.search(f"tensor {missing} .*is missing", problem(path))


@pytest.mark.parametrize("name", ["extra", "network.cells.0.start", "two\nlines\x1b[31m"])
def test_a_tensor_too_many(path, name):
    write(path, load_file(path) | {name: torch.zeros(2)}, about(path))
    assert "tensors that the configuration does not ask for" in problem(path)


@pytest.mark.parametrize("how", SHAPED)
def test_a_wrong_shape(path, how):
    good = load_file(path)
    write(path, good | {WEIGHT: SHAPED[how](good[WEIGHT])}, about(path))
    assert f"tensor {WEIGHT}: expected shape [8, 2], got" in problem(path)


@pytest.mark.parametrize("dtype", KINDS, ids=str)
def test_a_wrong_type(path, dtype):
    good = load_file(path)
    write(path, good | {WEIGHT: good[WEIGHT].to(dtype)}, about(path))
    assert f"tensor {WEIGHT}: expected F32 or F64, got" in problem(path)


def test_two_precisions_in_one_model(path):
    good = load_file(path)
    write(path, good | {WEIGHT: good[WEIGHT].double()}, about(path))  # it could not run
    assert WEIGHT in problem(path)


@pytest.mark.parametrize("loss", [torch.zeros(3, 3), torch.tensor(1.0), torch.zeros(2), None])
def test_a_history_of_another_shape(path, loss):
    """It is two curves of one length, or none at all."""
    tensors = load_file(path) | {LOSS: loss, NORM: torch.zeros(3)}
    write(path, {name: value for name, value in tensors.items() if value is not None}, about(path))
    assert "history" in problem(path)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.complex64, torch.int64], ids=str)
def test_a_history_of_another_type(path, dtype):
    write(path, load_file(path) | {LOSS: torch.ones(3).to(dtype), NORM: torch.ones(3)}, about(path))
    assert LOSS in problem(path)


def test_a_file_without_history(path):
    """It is a model all the same."""
    write(path, {name: value for name, value in load_file(path).items() if name not in HISTORY}, about(path))
    assert len(load(path).history) == 0


TAKEN = "snapshots.readout.bias"


@pytest.fixture
def with_snapshots(path, make_model):
    """The good file with snapshots after 0, 1 and 4 iterations."""
    model = make_model(units=2, length=8)
    model.snapshots = Snapshots(dict.fromkeys((0, 1, 4), weights_of(model)))
    save(model, path, snapshots=True)
    return path


def rewritten(path, iterations, **tensors):
    """The file with other iterations in its metadata, and with other tensors; None takes one out."""
    text = json.dumps(json.loads(about(path)) | {"snapshots": iterations})
    tensors = load_file(path) | {f"snapshots.{name}": value for name, value in tensors.items()}
    write(path, {name: value for name, value in tensors.items() if value is not None}, text)


def test_the_rewritten_file_has_its_snapshots(with_snapshots):
    rewritten(with_snapshots, [0, 7, 9])
    assert load(with_snapshots).snapshots.iterations == (0, 7, 9)


NO_ITERATIONS = [
    *({"0": 1}, "0, 1, 4", 3, True, 0.5, None),
    *([0, 1, 1], [0, 4, 1], [-1, 0, 1], [0, 1, float("nan")], [0, 1, float("inf")], [0, 1, 4.0], [0, True, 4], [0, "1", 4]),
    *([0, 1, None], [0, 1, [4]], [0, 1, 2**53], [0, 1, 10**400]),
]


@pytest.mark.parametrize("iterations", NO_ITERATIONS, ids=lambda value: str(value)[:30])
def test_iterations_that_are_none(with_snapshots, iterations):
    rewritten(with_snapshots, iterations)
    assert problem(with_snapshots).startswith("its snapshots: expected iterations from 0 on that increase, got ")


@pytest.mark.parametrize("iterations", [[0, 1], [0, 1, 4, 5]], ids=str)
def test_more_or_fewer_iterations_than_snapshots(with_snapshots, iterations):
    rewritten(with_snapshots, iterations)
    assert f"expected shape [{len(iterations)}, " in problem(with_snapshots)


def test_too_many_snapshots(with_snapshots, monkeypatch):
    rewritten(with_snapshots, list(range(MOST + 1)))
    assert problem(with_snapshots) == f"its snapshots: expected at most {MOST}, got {MOST + 1}"
    rewritten(with_snapshots, [0, 1, 4])
    monkeypatch.setattr(safetensors_file, "LARGEST", 100)
    assert re.match("its snapshots: expected at most 100 bytes, got ", problem(with_snapshots))


def test_snapshots_without_iterations(with_snapshots):
    write(with_snapshots, load_file(with_snapshots), json.dumps({**json.loads(about(with_snapshots)), "snapshots": []}))
    assert "tensors that the configuration does not ask for: snapshots." in problem(with_snapshots)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, f"tensor {TAKEN} of shape [3, 1] is missing"),
        (torch.zeros(3, 2), f"tensor {TAKEN}: expected shape [3, 1], got [3, 2]"),
        (torch.zeros(1), f"tensor {TAKEN}: expected shape [3, 1], got [1]"),
        (torch.zeros(3, 1, dtype=torch.int64), f"tensor {TAKEN}: expected F32 or F64, got I64"),
        (
            torch.zeros(3, 1, dtype=torch.float64),
            f"expected one precision, got F32 in network.cells.0.weight_x and F64 in {TAKEN}",
        ),
    ],
    ids=["missing", "shape", "flat", "whole numbers", "precision"],
)
def test_snapshots_that_do_not_fit(with_snapshots, value, words):
    rewritten(with_snapshots, [0, 1, 4], **{"readout.bias": value})
    assert words in problem(with_snapshots)


def test_snapshots_of_another_model(with_snapshots):
    rewritten(with_snapshots, [0, 1, 4], extra=torch.zeros(3, 1))
    assert "does not ask for: snapshots.extra" in problem(with_snapshots)
