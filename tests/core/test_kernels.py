"""What the emitted kernels do not do: a scalar at a time, or on the way back what is kept from the way there."""

import importlib.util
import re

import pytest

from rnnscope.core.cells import CELLS
from rnnscope.core.engines import kernel_cache
from rnnscope.core.engines.kernels import source_of

pytest.importorskip("numba")
KERNELS = ("forward", "traced", "backward", "gauged")


def test_every_loop_over_units_is_vectorised(tmp_path):
    kernel_cache._numba()
    path = tmp_path / "uncached.py"
    path.write_text(source_of(CELLS["rwa"](2, 64), "float32").replace('"cache": True', '"cache": False'))
    spec = importlib.util.spec_from_file_location("uncached", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.warm()
    for name in KERNELS:
        (code,) = getattr(module, name).inspect_llvm().values()
        assert re.search(r"fdiv contract <\d+ x float>", code), name


@pytest.mark.parametrize(
    ("name", "functions"), [("lstm", ["tanh"]), ("gru", ["tanh"]), ("rwa", ["exp", "exp"]), ("elman", [])]
)
def test_the_way_back_finds_again_only_what_is_not_kept(name, functions):
    source = source_of(CELLS[name](2, 8), "float32")
    backward = source[source.index("def backward") : source.index("def gauged")]
    assert re.findall(r"= (exp|log|tanh|sigmoid)\(", backward) == functions
