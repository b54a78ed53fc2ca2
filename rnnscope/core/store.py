"""Where the signals of a Trace lie: in memory, or in files if they are large, which others can read as they are written.

A folder of such files belongs to a process, which holds a lock beside it; a Trace has a folder in there. In it is one .npy
file for each layer, (signals, B, T, H), so that one sequence of one signal lies in one piece, and `trace.json`, which names
the signals and says how many time steps are there already. It is replaced as a whole after these have been written.
"""

from __future__ import annotations

import atexit
import errno
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.lib.format import open_memmap
from platformdirs import user_cache_path

IN_MEMORY = 2**28  # bytes of signals: those of a larger Trace lie in files
FOLDER = "RNNSCOPE_TRACES"  # environment variable: where these are, by default in the user's cache folder
COUNT = "trace.json"

Array = np.ndarray
Shape = tuple[int, int, int, int]


class Store:
    """The signals of all layers in memory, to be filled a chunk of time steps at a time: float32, (signals, B, T, H) each.

    names  layer -> names of its signals; shapes  layer -> (signals, B, T, H)
    """

    def __init__(self, names: Mapping[str, Sequence[str]], shapes: Mapping[str, Shape]):
        self.names, self.shapes = names, shapes
        self._blocks = self._made()

    @classmethod
    def of(cls, names: Mapping[str, Sequence[str]], shapes: Mapping[str, Shape]) -> Store:
        """In memory, or Files if they are larger than IN_MEMORY."""
        return (Files if size_of(shapes) > IN_MEMORY else cls)(names, shapes)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind, error, traceback) -> None:
        """What is there is of no use if the recording fails."""
        if kind:
            self.remove()

    def write(self, first: int, values: Mapping[str, Mapping[str, Array]]) -> None:
        """Time steps from `first` on: layer -> signal -> (C, B, H)."""
        for layer, signals in values.items():
            for n, name in enumerate(self.names[layer]):
                self._blocks[layer][n, :, first : first + len(signals[name])] = signals[name].swapaxes(0, 1)

    def signals(self) -> dict[str, dict[str, Array]]:
        """Layer -> signal -> (T, B, H), all written."""
        blocks = {layer: block.swapaxes(1, 2) for layer, block in self._whole().items()}
        return {layer: dict(zip(self.names[layer], block, strict=True)) for layer, block in blocks.items()}

    def remove(self) -> None:
        """Let go of what outlives this process."""

    def _made(self) -> dict[str, Any]:
        """Where `write` writes."""
        return {layer: np.empty(shape, np.float32) for layer, shape in self.shapes.items()}

    def _whole(self) -> dict[str, Array]:
        return self._blocks


class Files(Store):
    """The same in files, which go when nobody refers to this any more. Raises OSError where there is no room for them.

    They are written as files and only read as memory: what is written to mapped memory stays there for long, and a disk
    that fills up meanwhile would kill the process.
    """

    def __init__(self, names: Mapping[str, Sequence[str]], shapes: Mapping[str, Shape]):
        home, needed = _home(folder()), size_of(shapes)
        free = shutil.disk_usage(home).free
        if needed > free:
            sentence = f"the trace needs {_words(needed)} here, and {_words(free)} are free; {FOLDER} names another folder"
            raise OSError(errno.ENOSPC, sentence, str(folder()))
        self.folder = Path(tempfile.mkdtemp(dir=home))
        self._removal = weakref.finalize(self, _remove_aside, self.folder)
        self._removal.atexit = False  # then all goes at once
        super().__init__(names, shapes)
        self._count(0)

    def write(self, first, values):
        """As above; from now on readers find these time steps, too."""
        for layer, signals in values.items():
            path, offset = self._blocks[layer]
            _, batch, steps, units = self.shapes[layer]
            try:
                with open(path, "r+b") as file:
                    for n, name in enumerate(self.names[layer]):
                        for b in range(batch):
                            file.seek(offset + 4 * units * ((n * batch + b) * steps + first))
                            file.write(np.ascontiguousarray(signals[name][:, b], np.float32))
            except OSError as error:
                raise type(error)(error.errno, error.strerror, str(path)) from None
        self._count(first + len(signals[name]))

    def remove(self) -> None:
        """Remove the files, now."""
        self._removal.detach()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _made(self):
        """Layer -> its file, and where in it the numbers begin."""
        paths = {layer: self.folder / f"layer-{n}.npy" for n, layer in enumerate(self.shapes, 1)}
        return {
            layer: (path, open_memmap(path, "w+", np.float32, self.shapes[layer]).offset) for layer, path in paths.items()
        }

    def _whole(self):
        return {layer: open_memmap(path, mode="r") for layer, (path, _) in self._blocks.items()}

    def _count(self, time_steps: int) -> None:
        layers = {
            layer: {"file": path.name, "signals": list(self.names[layer])} for layer, (path, _) in self._blocks.items()
        }
        new = self.folder / f"{COUNT}.new"
        new.write_text(json.dumps({"time_steps": time_steps, "layers": layers}), encoding="utf-8")
        os.replace(new, self.folder / COUNT)


def size_of(shapes: Mapping[str, Shape]) -> int:
    """Bytes of all signals."""
    return 4 * sum(int(np.prod(shape, dtype=np.int64)) for shape in shapes.values())


def folder() -> Path:
    """Where large traces lie, once there are any."""
    return Path(os.environ.get(FOLDER) or user_cache_path("rnnscope") / "traces")


def tidy(place: Path) -> None:
    """Remove what processes have left that ended without doing so: nobody holds their locks any more."""
    for path in place.glob("*.lock"):
        lock = FileLock(path)
        try:
            with lock.acquire(blocking=False):
                shutil.rmtree(path.with_suffix(""), ignore_errors=True)
                path.unlink(missing_ok=True)
        except (Timeout, OSError):
            continue


@cache
def _home(place: Path) -> Path:
    """The folder of this process, from its first large trace to its end."""
    place.mkdir(parents=True, exist_ok=True)
    tidy(place)
    home = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=place))
    lock = FileLock(home.with_suffix(".lock"))
    lock.acquire()
    atexit.register(_leave, home, lock)
    return home


def _leave(home: Path, lock: FileLock) -> None:
    shutil.rmtree(home, ignore_errors=True)
    lock.release()
    Path(lock.lock_file).unlink(missing_ok=True)


def _remove_aside(place: Path) -> None:
    """In a thread of its own: a Trace may go at any moment, and gigabytes take longer than a frame."""
    Thread(target=shutil.rmtree, args=(place,), kwargs={"ignore_errors": True}, name="rnnscope-remove").start()


def _words(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
