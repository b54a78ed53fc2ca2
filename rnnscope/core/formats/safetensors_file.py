"""rnnscope's own model files: safetensors with the configuration in the metadata; no pickle, nothing is executed."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes

from rnnscope.core.configuration import Configuration
from rnnscope.core.files import write_whole
from rnnscope.core.formats.problem import FileProblem
from rnnscope.core.model import Model
from rnnscope.core.settings import SettingsError, make
from rnnscope.core.snapshots import LARGEST, MOST, Snapshots
from rnnscope.core.trace import History

KEY = "rnnscope"
VERSION = 2
LARGEST_HEADER = 8 * 2**20
HISTORY = ("history.loss", "history.gradient_norm")
SNAPSHOTS = "snapshots"  # in the metadata their iterations; as a prefix all of them of one tensor, (n, *shape)
LATEST = 2**53  # an iteration that no training reaches


def save(model: Model, path: str | Path, *, snapshots: bool = False) -> None:
    """Write weights, configuration and training history; whole or not at all. Raises FileProblem, OSError.

    snapshots  write those of its training, too
    """
    kinds = {value.dtype for value in model.state_dict().values()}
    if len(kinds) != 1 or not kinds <= {torch.float32, torch.float64}:
        raise FileProblem(path, f"expected weights all in float32 or all in float64, got {', '.join(map(str, kinds))}")
    about = {"version": VERSION, "configuration": model.configuration.model_dump(mode="json")}
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    curves = (model.history.loss, model.history.gradient_norm)
    tensors |= {name: torch.tensor(curve) for name, curve in zip(HISTORY, curves, strict=True)}
    if snapshots and len(model.snapshots):
        about[SNAPSHOTS] = model.snapshots.iterations
        taken = model.snapshots.weights.values()
        for name in model.state_dict():
            tensors[f"{SNAPSHOTS}.{name}"] = torch.from_numpy(np.stack([weights[name] for weights in taken]))
    write_whole(path, to_bytes(tensors, {KEY: json.dumps(about)}))


def load(path: str | Path) -> Model:
    """Read a model on the CPU. Raises FileProblem in one sentence: the file, what was expected, what came."""
    path = Path(path)
    _check_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            about = _about(path, file.metadata() or {})
            model = _empty(path, _configuration(path, about["configuration"]))
            iterations = _iterations(path, about.get(SNAPSHOTS, []))
            _check_tensors(path, model, file, len(iterations))
            weights = {name: file.get_tensor(name) for name in model.state_dict()}
            present = set(file.keys())
            curves = [file.get_tensor(name).numpy() for name in HISTORY if name in present]
            taken = {name: file.get_tensor(f"{SNAPSHOTS}.{name}").numpy() for name in weights if iterations}
    except SafetensorError as error:
        raise FileProblem(path, f"expected a safetensors file; it is damaged or of another kind ({error})") from None
    model.load_state_dict(weights, assign=True)
    for parameter in model.parameters():
        parameter.requires_grad_()
    if len(curves) == len(HISTORY):
        model.history = History(*curves)
    model.snapshots = Snapshots(
        {iteration: {name: array[n] for name, array in taken.items()} for n, iteration in enumerate(iterations)}
    )
    return model.eval()


def _check_header(path: Path) -> None:
    if not path.exists():
        raise FileProblem(path, "there is no such file")
    if not path.is_file():
        raise FileProblem(path, "expected a file, got a folder")
    try:
        with path.open("rb") as file:
            start, size = file.read(9), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise FileProblem(path, f"it cannot be read: {error.strerror}") from None
    if not size:
        raise FileProblem(path, "the file is empty")
    header = int.from_bytes(start[:8], "little")
    if start[8:] != b"{":
        raise FileProblem(path, "expected a safetensors file; it starts like another kind of file")
    if header > LARGEST_HEADER:
        raise FileProblem(path, f"its header claims {header:,} bytes; at most {LARGEST_HEADER:,} are read")
    if header + 8 > size:
        raise FileProblem(path, f"the file is cut short: its header claims {header:,} bytes, the file has {size:,}")


def _about(path: Path, metadata: dict[str, str]) -> dict:
    """What the file says of itself: version, configuration, and iterations of snapshots if it has any."""
    if KEY not in metadata:
        raise FileProblem(path, "it holds tensors but no rnnscope configuration; expected a file saved by rnnscope")
    try:
        about = json.loads(metadata[KEY])
        version, _ = about["version"], about["configuration"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FileProblem(path, "its rnnscope configuration cannot be read") from None
    if version != VERSION:
        raise FileProblem(
            path, f"expected file version {VERSION}, got {version!r:.40}: it was saved by another version of rnnscope"
        )
    return about


def _configuration(path: Path, values: object) -> Configuration:
    try:
        return make(Configuration, values)
    except (SettingsError, ValueError, TypeError) as error:
        raise FileProblem(path, f"its configuration does not fit: {error}") from None


def _iterations(path: Path, found: object) -> list[int]:
    """Of the snapshots: whole numbers from 0, increasing, and not too many."""
    where = "its snapshots: expected iterations from 0 on that increase"
    if not isinstance(found, list):
        raise FileProblem(path, f"{where}, got {found!r:.40}")
    if len(found) > MOST:
        raise FileProblem(path, f"its snapshots: expected at most {MOST}, got {len(found):,}")
    before = -1
    for iteration in found:
        if type(iteration) is not int or not before < iteration < LATEST:
            raise FileProblem(path, f"{where}, got {iteration!r:.40}" + (f" after {before}" if before >= 0 else ""))
        before = iteration
    return found


def _empty(path: Path, configuration: Configuration) -> Model:
    """The model without its weights."""
    try:
        with torch.device("meta"):
            return Model(configuration)
    except SettingsError as error:
        raise FileProblem(path, f"its configuration does not fit: {error}") from None


def _check_tensors(path: Path, model: Model, file, snapshots: int) -> None:
    """Weights, history and so many snapshots, all in one precision, and nothing else."""
    present, precisions = set(file.keys()), {}
    expected = {name: list(value.shape) for name, value in model.state_dict().items()}
    if snapshots:
        expected |= {f"{SNAPSHOTS}.{name}": [snapshots, *shape] for name, shape in expected.items()}
    for name, shape in expected.items():
        if name not in present:
            raise FileProblem(path, f"tensor {name} of shape {shape} is missing")
        piece = file.get_slice(name)
        if piece.get_shape() != shape:
            raise FileProblem(path, f"tensor {name}: expected shape {shape}, got {piece.get_shape()}")
        if piece.get_dtype() not in ("F32", "F64"):
            raise FileProblem(path, f"tensor {name}: expected F32 or F64, got {piece.get_dtype()}")
        precisions.setdefault(piece.get_dtype(), name)
    if len(precisions) > 1:
        raise FileProblem(path, f"expected one precision, got {' and '.join(f'{k} in {n}' for k, n in precisions.items())}")
    _check_history(path, present, file)
    if unknown := present - set(expected) - set(HISTORY):
        raise FileProblem(path, f"it holds tensors that the configuration does not ask for: {', '.join(sorted(unknown))}")
    size = sum(math.prod(shape) for name, shape in expected.items() if name.startswith(f"{SNAPSHOTS}."))
    if (bytes_ := size * (8 if "F64" in precisions else 4)) > LARGEST:
        raise FileProblem(path, f"its snapshots: expected at most {LARGEST:,} bytes, got {bytes_:,}")


def _check_history(path: Path, present: set[str], file) -> None:
    curves = {name: file.get_slice(name) for name in HISTORY if name in present}
    found = {name: (curve.get_dtype(), curve.get_shape()) for name, curve in curves.items()}
    alike = {tuple(shape) for _, shape in found.values()}
    floats = all(kind in ("F32", "F64") and len(shape) == 1 for kind, shape in found.values())
    if found and (len(found) < len(HISTORY) or len(alike) > 1 or not floats):
        raise FileProblem(path, f"its history: expected {' and '.join(HISTORY)} of one length in F32, got {found}")
