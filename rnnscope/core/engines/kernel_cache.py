"""Kernels on disk: emitted and compiled once for each cell and precision, then loaded in a fraction of a second."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

import torch
from platformdirs import user_cache_path

from rnnscope.core.cells.cell import Cell
from rnnscope.core.files import write_whole

TYPES = {torch.float32: "float32", torch.float64: "float64"}
FOLDER = "RNNSCOPE_KERNELS"  # environment variable: where kernels are kept, by default the user's cache folder
LOOK = 0.02  # seconds between looks whether another process has compiled them
_kernels: dict[tuple, ModuleType | None] = {}
_compiling: dict[Path, subprocess.Popen] = {}


def loaded(cell: Cell, dtype: torch.dtype) -> ModuleType | None:
    """The kernels of a cell that `prepare` has made ready in this process."""
    return _kernels.get(_identity(cell, dtype))


def prepare(cell: Cell, dtype: torch.dtype, wait: bool, meanwhile: Callable[[], None] | None = None) -> ModuleType | None:
    """Make the kernels of a cell ready, from the disk where they have been compiled before.

    wait       compile them now, for seconds; otherwise another process does, and a later call finds what it has made
    meanwhile  wait for that other process, and call this again and again; what it raises ends the wait
    None where they are not ready, where the cell's update cannot be emitted, or where there is no numba.
    """
    identity = _identity(cell, dtype)
    if identity not in _kernels and (source := _source(cell, dtype)) is not None:
        path = folder() / f"rnnscope_{hashlib.sha256(source.encode()).hexdigest()[:20]}.py"
        if not (wait and meanwhile is None) and not path.with_suffix(".done").exists():
            compiling = _compile_elsewhere(path, source)
            if not wait:
                return None
            while compiling.poll() is None:
                meanwhile()
                time.sleep(LOOK)
        if not path.exists() or path.read_bytes() != source.encode():
            write_whole(path, source.encode())
        _kernels[identity] = _import_compiled(path)
    return _kernels.setdefault(identity, None)


def _identity(cell: Cell, dtype: torch.dtype) -> tuple:
    return type(cell), cell.settings, dtype


def _source(cell: Cell, dtype: torch.dtype) -> str | None:
    """The text of a cell's kernels, with the versions that they were made for; None where there are none."""
    kind = type(cell)
    plain = cell.pointwise and kind.at is Cell.at and kind.input_side is Cell.input_side
    if not plain or dtype not in TYPES or not _numba():
        return None
    from rnnscope.core.engines.emitting import Unemittable
    from rnnscope.core.engines.kernels import source_of

    try:
        return f"# {_numba()}\n{source_of(cell, TYPES[dtype])}"
    except Unemittable:
        return None


@cache
def _numba() -> str:
    """Versions of what compiles the kernels; "" where it is missing.

    It is told to vectorise loops over many arrays, and by 512 bits where the processor can: few programs gain by that.
    """
    try:
        import llvmlite.binding
        import numba
    except ImportError:
        return ""
    llvmlite.binding.set_option("rnnscope", "-vectorize-memory-check-threshold=1000")
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f") and numba.config.CPU_FEATURES is None:
        numba.config.CPU_FEATURES = f"{features.flatten()},-prefer-256-bit"
    from rnnscope.core.engines import products

    products = hashlib.sha256(Path(products.__file__).read_bytes()).hexdigest()[:20]
    return f"numba {numba.__version__}, Python {sys.version_info.major}.{sys.version_info.minor}, products {products}"


def folder() -> Path:
    """Where kernels are kept."""
    place = Path(os.environ.get(FOLDER) or user_cache_path("rnnscope") / "kernels")
    place.mkdir(parents=True, exist_ok=True)
    return place


def _import_compiled(path: Path) -> ModuleType:
    """Import the kernels and call each once, which compiles them or loads what was compiled; then say that it is done."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.warm()
    path.with_suffix(".done").touch()
    return module


def _compile_elsewhere(path: Path, source: str) -> subprocess.Popen:
    """Compile in a process of its own, once: it would hold Python's lock for seconds."""
    running = _compiling.get(path)
    if running is None or running.poll() not in (None, 0):
        write_whole(path, source.encode())
        program = (
            "import pathlib, sys; from rnnscope.core.engines import kernel_cache; "
            "kernel_cache._numba(); kernel_cache._import_compiled(pathlib.Path(sys.argv[1]))"
        )
        _compiling[path] = subprocess.Popen([sys.executable, "-c", program, str(path)], stderr=subprocess.DEVNULL)
    return _compiling[path]
