"""The files of a large trace: what others find in them, and when they go."""

import errno
import gc
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from rnnscope.core import store
from rnnscope.core.recording import record
from rnnscope.core.store import COUNT, FOLDER, Files, Store, tidy

NAMES = {"layer 1": ("gate", "hidden"), "layer 2": ("hidden",)}
SHAPES = {"layer 1": (2, 3, 10, 4), "layer 2": (1, 3, 10, 5)}  # signals, B, T, H
DIES = """
import os, signal, sys, time
import numpy as np
from rnnscope.core.store import Files
files = Files({"layer 1": ("hidden",)}, {"layer 1": (1, 2, 1_000_000, 64)})
print(files.folder, flush=True)
t = 0
while True:
    values = np.broadcast_to(np.arange(t, t + 500, dtype=np.float32)[:, None, None], (500, 2, 64))
    files.write(t, {"layer 1": {"hidden": values}})
    t += 500
"""


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    """Where traces lie in these tests, and every one of them in files."""
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setattr(store, "IN_MEMORY", 0)
    return tmp_path


def gone(folder):
    """Whether a folder is gone once all that was begun is done."""
    gc.collect()
    for thread in threading.enumerate():
        if thread.name == "rnnscope-remove":
            thread.join()
    return not folder.exists()


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def filled(kind):
    """What a store gives back, and what was put into it in three pieces."""
    kept = kind(NAMES, SHAPES)
    given = {
        layer: {name: noise(10, 3, SHAPES[layer][3], seed=n) for n, name in enumerate(names)}
        for layer, names in NAMES.items()
    }
    for span in (slice(0, 4), slice(4, 8), slice(8, 10)):
        kept.write(span.start, {layer: {name: x[span] for name, x in signals.items()} for layer, signals in given.items()})
    return kept, given


@pytest.mark.parametrize("kind", [Store, Files])
def test_what_is_written_in_pieces_is_read_as_one(kind):
    kept, given = filled(kind)
    found = kept.signals()
    for layer, signals in given.items():
        assert list(found[layer]) == list(signals)
        for name, values in signals.items():
            np.testing.assert_array_equal(found[layer][name], values)
            assert found[layer][name][:, 1].flags.c_contiguous, "one sequence of one signal lies in one piece"


def test_others_find_what_is_there_already(place):
    kept, given = filled(Files)
    kept.write(0, {layer: {name: x[:6] for name, x in signals.items()} for layer, signals in given.items()})
    told = json.loads((kept.folder / COUNT).read_text(encoding="utf-8"))
    assert told["time_steps"] == 6
    for layer, signals in given.items():
        block = np.load(kept.folder / told["layers"][layer]["file"], mmap_mode="r")
        for name, values in zip(told["layers"][layer]["signals"], block, strict=True):
            np.testing.assert_array_equal(values[:, :6], signals[name][:6].swapaxes(0, 1))
    assert kept.folder.parent.parent == place


def test_small_traces_stay_in_memory(monkeypatch, place, make_model):
    monkeypatch.setattr(store, "IN_MEMORY", store.size_of(SHAPES))
    assert type(Store.of(NAMES, SHAPES)) is Store
    monkeypatch.setattr(store, "IN_MEMORY", store.size_of(SHAPES) - 1)
    assert type(Store.of(NAMES, SHAPES)) is Files
    monkeypatch.undo()
    monkeypatch.setenv(FOLDER, str(place / "other"))
    record(make_model(), noise(7, 2))
    assert not (place / "other").exists()


def test_the_files_go_with_the_trace(make_model):
    trace = record(make_model(), noise(20, 3, 2), noise(3, 1))
    folder, again = trace.store.folder, trace.of_layer("none")
    assert sorted(path.name for path in folder.iterdir()) == ["layer-1.npy", COUNT]
    assert not trace.signals["hidden"].flags.writeable
    del trace
    assert not gone(folder), "another trace of the same signals is there"
    kept, expected = again.signals["hidden"], again.signals["hidden"].copy()
    del again
    assert gone(folder)
    if os.name == "posix":
        np.testing.assert_array_equal(kept, expected)


def test_an_array_is_no_copy_of_its_file(make_model):
    trace = record(make_model(), noise(20, 3, 2))
    for values in trace.signals.values():
        while values.base is not None and not isinstance(values, np.memmap):
            values = values.base
        assert isinstance(values, np.memmap)


def test_no_room_is_said_in_a_sentence(monkeypatch, place, make_model):
    usage = shutil.disk_usage(place)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match=r"the trace needs .* GB here, and 0\.0 GB are free; RNNSCOPE_TRACES names") as error:
        record(make_model(units=64), noise(100, 2, 2))
    assert error.value.filename == str(place)
    assert error.value.errno == errno.ENOSPC
    assert not list(place.glob("*/*"))


def test_a_disk_that_fills_up_meanwhile(monkeypatch, place, make_model):
    """What the system says names the file, and nothing is left."""

    def full(self, first, values):
        if first:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, first, values)

    write = Files.write
    monkeypatch.setattr(Files, "write", full)
    monkeypatch.setattr("rnnscope.core.recording.PIECE", 1)
    with pytest.raises(OSError, match="No space left"):
        record(make_model(), noise(70, 2))
    assert not list(place.glob("*/*"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_failed_write_names_the_file(monkeypatch):
    kept = Files(NAMES, SHAPES)
    path = kept.folder / "layer-1.npy"
    path.unlink()
    path.symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"layer-1\.npy"):
        kept.write(0, {layer: {name: noise(10, 3, SHAPES[layer][3]) for name in names} for layer, names in NAMES.items()})


def test_what_is_raised_between_leaves_nothing(place, monkeypatch, make_model):
    monkeypatch.setattr("rnnscope.core.recording.PIECE", 1)
    done = []

    def stop(share):
        done.append(share)
        if len(done) == 7:
            assert len(list(place.glob("*/*/*"))) == 2
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(make_model(), noise(70, 2), noise(70, 1, 1), between=stop)
    assert done == sorted(done)
    assert 0.5 < done[-1] < 1, "on the way back"
    assert not list(place.glob("*/*"))


@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
def test_killed_at_any_moment(place):
    """All time steps that are counted are there; the files stay until the next process that records."""
    with subprocess.Popen([sys.executable, "-c", DIES], stdout=subprocess.PIPE, text=True) as process:
        folder = Path(process.stdout.readline().strip())
        try:
            while json.loads((folder / COUNT).read_text(encoding="utf-8"))["time_steps"] < 5000:
                pass
            tidy(place)
            assert folder.exists(), "its process lives"
        finally:
            process.kill()
    count = json.loads((folder / COUNT).read_text(encoding="utf-8"))["time_steps"]
    values = np.load(folder / "layer-1.npy", mmap_mode="r")[0]
    np.testing.assert_array_equal(values[:, :count, ::63], np.arange(count)[None, :, None] + np.zeros((2, 1, 2)))
    own = Files(NAMES, SHAPES)
    assert not folder.parent.exists()
    assert own.folder.exists()
    assert {path.name for path in place.iterdir()} == {own.folder.parent.name, f"{own.folder.parent.name}.lock"}


def test_nothing_is_left_at_the_end_of_a_process(place):
    program = DIES.partition("t = 0")[0] + "assert files.folder.exists()"
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE)
    assert not list(place.iterdir())
