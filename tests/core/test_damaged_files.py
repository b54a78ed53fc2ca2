"""Files of every format that are no models, or no longer: a FileProblem of one line that names the file."""

import random

import pytest
import torch

from rnnscope.core.formats import FORMATS, FileProblem, load, save

WRITERS = {".safetensors": save}


@pytest.fixture(params=FORMATS)
def path(request, make_model, tmp_path):
    """A good file of a small model."""
    path = tmp_path / f"model{request.param}"
    WRITERS[request.param](make_model(units=2, length=8), path)
    return path


def problem(path):
    with pytest.raises(FileProblem) as error:
        load(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable(), message  # one line
    return message.removeprefix(f"{path}: ")


def test_files_that_are_not_there_or_of_another_kind(path, tmp_path):
    suffix = path.suffix
    assert problem(tmp_path / f"missing{suffix}") == "there is no such file"
    folder = tmp_path / f"folder{suffix}"
    folder.mkdir()
    assert "folder" in problem(folder)
    for name, content in {"empty": b"", "text": b"Dear reader,\n" * 50, "zero": bytes(100), "zip": b"PK\3\4" * 40}.items():
        other = tmp_path / f"{name}{suffix}"
        other.write_bytes(content)
        assert problem(other)
    assert "empty" in problem(tmp_path / f"empty{suffix}")
    for name in ("model.pt", "model", f"model{suffix}.bak"):
        (tmp_path / name).write_bytes(path.read_bytes())
        assert f"expected a file that ends in {' or '.join(FORMATS)}" in problem(tmp_path / name)


def test_cut_short_anywhere(path):
    content = path.read_bytes()
    for size in [*range(40), *range(40, len(content), 37), len(content) - 1]:
        path.write_bytes(content[:size])
        problem(path)


def test_random_damage_is_a_file_problem_or_another_model(path):
    content, chance, loaded = path.read_bytes(), random.Random(0), 0
    header = 8 + int.from_bytes(content[:8], "little")
    for n in range(400):
        damaged = bytearray(content)
        for _ in range(chance.choice([1, 1, 2, 8])):
            at = chance.randrange(header if n % 4 else len(content))
            damaged[at] = chance.choice([chance.randrange(256), ord("9"), ord("0"), ord('"'), damaged[at] ^ 1])
        if n % 10 == 0:
            del damaged[(at := chance.randrange(len(damaged))) : at + chance.randrange(1, 20)]
        path.write_bytes(damaged)
        try:
            model = load(path)
        except FileProblem:
            problem(path)
        else:
            loaded += 1
            model(torch.zeros(2, 1, model.task.inputs))
    assert 0 < loaded < 300  # damage in a name or a number is noticed, damage in a weight cannot be
