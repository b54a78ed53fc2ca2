"""Looks for a display and for Qt's system libraries before Qt can abort the process."""

from __future__ import annotations

import builtins
import ctypes
import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path

PACKAGES = {  # what Debian and Ubuntu call the package of a library
    "libEGL": "libegl1",
    "libGL": "libgl1",
    "libdbus-1": "libdbus-1-3",
    "libfontconfig": "libfontconfig1",
    "libfreetype": "libfreetype6",
    "libglib-2": "libglib2.0-0",
    "libxkbcommon-x11": "libxkbcommon-x11-0",
    "libxkbcommon": "libxkbcommon0",
    "libX11-xcb": "libx11-xcb1",
    "libxcb-cursor": "libxcb-cursor0",
    "libxcb-icccm": "libxcb-icccm4",
    "libxcb-image": "libxcb-image0",
    "libxcb-keysyms": "libxcb-keysyms1",
    "libxcb-render-util": "libxcb-render-util0",
    "libxcb": "libxcb1",
}


class DisplayProblem(OSError):
    """No window can be opened here; the message says why and what to do."""

    exit_code = 2


def has_display() -> bool:
    """Whether a screen, or a stand-in for one, was named."""
    if sys.platform != "linux":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


def check_display() -> None:
    """Raise DisplayProblem if there is no display that answers, or a library that Qt needs is missing."""
    if not has_display():
        raise DisplayProblem(
            "no display: DISPLAY and WAYLAND_DISPLAY are not set. Use train, compare or figure without one, "
            "or connect with ssh -X, or put xvfb-run before the command"
        )
    check_libraries()
    if sys.platform == "linux" and os.environ.get("DISPLAY") and not os.environ.get("QT_QPA_PLATFORM"):
        _load(_plugin())
        xcb = ctypes.CDLL("libxcb.so.1")
        xcb.xcb_connect.restype = ctypes.c_void_p
        xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
        xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
        connection = xcb.xcb_connect(None, None)
        broken = xcb.xcb_connection_has_error(connection)
        xcb.xcb_disconnect(connection)
        if broken and not os.environ.get("WAYLAND_DISPLAY"):
            raise DisplayProblem(f"no display: nothing answers at DISPLAY={os.environ['DISPLAY']}")


def check_libraries() -> None:
    """Raise DisplayProblem, naming the package, if Qt itself cannot be loaded.

    PySide6 puts an import of its own in the place of Python's, which reads the source of each module imported from then on,
    and keeps it: torch would come later, and take 40 MB more. Python's is put back.
    """
    importing = builtins.__import__
    try:
        import PySide6.QtWidgets  # noqa: F401
    except ImportError as error:
        raise DisplayProblem(_sentence(str(error))) from None
    finally:
        builtins.__import__ = importing


def _plugin() -> Path:
    return Path(find_spec("PySide6").origin).parent / "Qt" / "plugins" / "platforms" / "libqxcb.so"


def _load(plugin: Path) -> None:
    if not plugin.exists():
        return
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        raise DisplayProblem(_sentence(str(error))) from None


def _sentence(error: str) -> str:
    found = re.search(r"(lib[\w.+-]+?)\.so[.\d]*", error)
    if not found:
        return f"Qt cannot be loaded: {error}"
    package = next((package for library, package in PACKAGES.items() if found[1].startswith(library)), None)
    advice = (
        f"install it, on Debian and Ubuntu: apt-get install {package}" if package else "install the package that has it"
    )
    return f"the system library {found[0]} that Qt needs is missing; {advice}"
