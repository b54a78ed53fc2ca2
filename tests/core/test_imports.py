"""What importing costs: nothing heavy for `import rnnscope`, no toolkit for any module of the core."""

import os
import pkgutil
import subprocess
import sys

import pytest

import rnnscope
import rnnscope.core

TOOLKITS = {"PySide6", "pyqtgraph", "matplotlib", "cmcrameri"}


def loaded_after(code):
    """Top-level modules in a fresh process after `code`."""
    code += "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules})"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


def test_import_rnnscope_is_light():
    loaded = loaded_after("import rnnscope; dir(rnnscope); rnnscope.__version__")
    assert "rnnscope" in loaded
    assert not loaded & {*TOOLKITS, "torch", "numpy", "pydantic", "safetensors", "sklearn"}


def test_torchs_idle_threads_look_for_work_as_long_as_the_user_says():
    code = "import os, rnnscope; print(os.environ['GOMP_SPINCOUNT'])"
    for given, expected in (({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7")):
        clean = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
        ran = subprocess.run([sys.executable, "-c", code], env=clean | given, check=True, capture_output=True, text=True)
        assert ran.stdout.strip() == expected


def test_the_command_line_parses_without_torch():
    loaded = loaded_after("import rnnscope.cli")
    assert "typer" in loaded
    assert not loaded & {*TOOLKITS, "torch"}


def test_the_core_imports_no_toolkit():
    modules = [module.name for module in pkgutil.walk_packages(rnnscope.core.__path__, "rnnscope.core.")]
    assert "rnnscope.core.formats.safetensors_file" in modules
    loaded = loaded_after("\n".join(f"import {name}" for name in modules))
    assert "torch" in loaded
    assert not loaded & TOOLKITS


@pytest.mark.parametrize("name", sorted(set(rnnscope.__all__) - {"show"}))
def test_every_public_name_is_there(name):
    assert getattr(rnnscope, name).__doc__
    assert name in dir(rnnscope)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'rnnscope' has no attribute 'trian'"):
        rnnscope.trian  # noqa: B018
