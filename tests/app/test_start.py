"""The start: what is imported when, what is said where no window can be opened, and the demonstration offscreen."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys

import pytest
import torch
from PySide6.QtCore import QSettings

import rnnscope
from rnnscope.app import main, preflight
from rnnscope.app.catalogue import Catalogue
from rnnscope.app.export_dialog import ExportDialog
from rnnscope.cli import main as command

PAINTED = """
import json, sys
from PySide6.QtCore import QTimer
from rnnscope.app import main

def painted():
    heavy = ("numpy", "torch", "pyqtgraph", "matplotlib", "sklearn", "pydantic", "typer")
    print(json.dumps([name for name in heavy if name in sys.modules]))
    QTimer.singleShot(30, window.close)  # amid the imports

bare_window = main.bare_window

def heard():
    global window
    window = bare_window()
    window.painted.connect(painted)
    return window

main.bare_window = heard
sys.argv = ["rnnscope"]
from rnnscope.__main__ import main as command
command()
"""

MADE = """
import json, sys, threading
from PySide6 import QtCore, QtGui, QtWidgets
from rnnscope.app import imports, main

def first_piece():
    missing = [name for module in (QtCore, QtGui, QtWidgets) for name in dir(module) if name not in vars(module)]
    print(json.dumps([threading.current_thread() is threading.main_thread(), missing]))

lazy = [name for name in dir(QtWidgets) if name not in vars(QtWidgets)]
assert len(lazy) > 50
imports._import_session = first_piece
main.furnish = lambda window: window.close()
main.run()
"""

BROKEN = """
import sys

sys.modules["rnnscope.app.session"] = None
sys.argv = ["rnnscope"]
from rnnscope.__main__ import main
main()
"""

LOADED = """
import builtins, json, sys
before = builtins.__import__
from rnnscope.app.preflight import check_libraries
check_libraries()
from rnnscope.app.imports import load_torch_library
load_torch_library()
there = "libtorch_cpu" in open("/proc/self/maps").read()
print(json.dumps([builtins.__import__ is before, there, "torch" in sys.modules]))
import torch
assert torch.ones(3).sum() == 3
"""


def _environment(tmp_path, **more):
    kept = {
        name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    return kept | {"XDG_CONFIG_HOME": str(tmp_path / "config"), "OMP_NUM_THREADS": "1"} | more


def test_the_bare_window_is_painted_before_anything_heavy_is_imported(tmp_path):
    environment = _environment(tmp_path, QT_QPA_PLATFORM="offscreen")
    done = subprocess.run(
        [sys.executable, "-c", PAINTED], capture_output=True, text=True, env=environment, timeout=60, check=True
    )
    assert json.loads(done.stdout) == []
    assert done.stderr == ""


def test_no_thread_imports_before_all_of_qts_classes_are_made(tmp_path):
    environment = _environment(tmp_path, QT_QPA_PLATFORM="offscreen")
    done = subprocess.run([sys.executable, "-c", MADE], capture_output=True, text=True, env=environment, timeout=60)
    assert json.loads(done.stdout) == [False, []]


def test_a_window_that_cannot_have_its_session_ends_with_the_reason(tmp_path):
    environment = _environment(tmp_path, QT_QPA_PLATFORM="offscreen")
    done = subprocess.run([sys.executable, "-c", BROKEN], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 1
    assert "import of rnnscope.app.session halted" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch's import loads its library")
def test_torchs_library_is_there_before_torch_and_pythons_import_is_its_own_again(tmp_path):
    environment = _environment(tmp_path, QT_QPA_PLATFORM="offscreen")
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, env=environment, timeout=120)
    assert done.stderr == ""
    assert json.loads(done.stdout) == [True, True, False]


def test_without_a_display_one_line_says_so_and_nothing_aborts(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "rnnscope"], capture_output=True, text=True, env=_environment(tmp_path), timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.startswith("rnnscope: no display")
    assert done.stderr.count("\n") == 1


def test_a_display_that_does_not_answer_is_named(tmp_path):
    environment = _environment(tmp_path, DISPLAY=":4711")
    done = subprocess.run([sys.executable, "-m", "rnnscope"], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "DISPLAY=:4711" in done.stderr or "is missing" in done.stderr


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("libEGL.so.1: cannot open shared object file", "libEGL.so.1 that Qt needs is missing; install it, on Debian and "
         "Ubuntu: apt-get install libegl1"),
        ("libxcb-icccm.so.4: cannot open shared object file", "apt-get install libxcb-icccm4"),
        ("libxkbcommon-x11.so.0: cannot open", "apt-get install libxkbcommon-x11-0"),
        ("libstrange.so.9: cannot open", "the system library libstrange.so.9 that Qt needs is missing"),
        ("something else", "Qt cannot be loaded: something else"),
    ],
)  # fmt: skip
def test_a_missing_library_is_named_with_its_package(error, expected):
    assert expected in preflight._sentence(error)


def test_demo_without_a_display_writes_figures_window_and_table(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "rnnscope", "demo"],
        capture_output=True, text=True, env=_environment(tmp_path), cwd=tmp_path, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    folder = tmp_path / "rnnscope-demo"
    assert {path.name for path in folder.iterdir()} == {"comparison.pdf", "comparison.png", "window.png", "lags.md"}
    assert (folder / "comparison.pdf").read_bytes().startswith(b"%PDF")
    table = (folder / "lags.md").read_text()
    assert all(f"| {cell}-adding |" in table for cell in ("elman", "lstm", "gru", "rwa"))


def test_an_unreadable_form_in_the_settings_is_forgotten(settings, open_window):
    QSettings().setValue("form", {"cell": "perceptron"})
    window = open_window()
    assert window.panel.form.values()["cell"] in window.panel.form.catalogue.cells
    assert QSettings().value("form") is None


def test_show_takes_models_paths_and_names(monkeypatch, saved):
    opened = {}
    monkeypatch.setattr(main, "run", lambda files, models: opened.update(files=files, models=models) or 0)
    path = saved("lstm")
    model = rnnscope.load(path)
    assert rnnscope.show(model, path, mine=model) == 0
    assert opened == {"files": [path], "models": {"lstm-adding 1": model, "mine": model}}


def test_a_model_made_in_python_is_shown(window, saved, qtbot, idle):
    window.session.adopt("mine", rnnscope.load(saved("gru")))
    qtbot.waitUntil(lambda: [run.name for run in window.session.runs] == ["mine"], timeout=10_000)
    idle()


def test_the_command_line_opens_files_in_the_window(monkeypatch, saved):
    opened = []
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # typer puts one of its own there
    monkeypatch.setattr("rnnscope.app.main.run", lambda files: opened.extend(files) or 0)
    path = saved("lstm")
    monkeypatch.setattr(sys, "argv", ["rnnscope", "open", str(path)])
    with pytest.raises(SystemExit) as ended:
        command()
    assert ended.value.code == 0
    assert opened == [path]


@pytest.mark.parametrize("key", ["geometry", "layout", "theme", "form", "recent", "export/width"])
@pytest.mark.parametrize("value", ["abc", ["a", "b"], "@ByteArray(x)"])
def test_damaged_settings_do_not_keep_the_window_from_opening(settings, open_window, key, value):
    QSettings().setValue(key, value)
    window = open_window()
    assert window.docks
    ExportDialog({"hidden": "Hidden state"}, "hidden", window).deleteLater()


def test_closing_leaves_python_as_it_was(settings, qtbot):
    before = gc.isenabled(), sys.getswitchinterval(), torch.get_num_threads()
    window = main.make_window()
    with qtbot.waitSignals([window.session.worker.ready, window.built], timeout=30_000):
        main.later(window, (), {}, samples=False)
        window.show()
    assert not gc.isenabled()
    window.close()
    main.close(window)
    assert (gc.isenabled(), sys.getswitchinterval(), torch.get_num_threads()) == before


INTERRUPTED = """
import sys
from rnnscope.app import main

furnish = main.furnish

def heard(window):
    furnish(window)
    window.session.worker.ready.connect(lambda catalogue: print("ready", flush=True))

main.furnish = heard
sys.exit(main.run())
"""


def test_interrupting_in_the_terminal_closes_the_window(tmp_path):
    environment = _environment(tmp_path, QT_QPA_PLATFORM="offscreen")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    window = subprocess.Popen([sys.executable, "-c", INTERRUPTED], env=environment, **pipes)
    assert window.stdout.readline() == "ready\n"
    window.send_signal(signal.SIGINT)
    _, said = window.communicate(timeout=20)
    assert window.returncode == 0
    assert said == ""


def test_a_core_that_cannot_be_imported_is_told_and_the_window_closes(settings, qtbot, monkeypatch):
    def broken():
        raise ImportError("libtorch is damaged")

    monkeypatch.setattr(Catalogue, "made", broken)
    window = main.make_window()
    with qtbot.waitSignal(window.session.worker.failed, timeout=30_000):
        main.later(window, (), {}, samples=False)
        window.show()
    assert window.messages.label.text() == "rnnscope cannot start its model core: libtorch is damaged"
    assert "ImportError" in window.messages.details.toPlainText()
    assert window.close()
    main.close(window)
    gc.enable()
    gc.unfreeze()
