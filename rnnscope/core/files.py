"""Writing a file so that it is either whole or not there."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path


def write_whole(path: str | Path, content: bytes | Iterable[bytes]) -> None:
    """Write to a temporary file beside `path`, flush it to the disk and rename it; an old file stays until then.

    Raises OSError that names `path`, or what making the next part of the content raises; then nothing has changed.
    """
    path = Path(path)
    try:
        _write(path, content)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None


def check_writable(path: str | Path) -> None:
    """Raise OSError that names `path` if a file cannot be written there; leaves nothing behind."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "expected the name of a file, this is a folder", str(path))
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "its folder does not exist", str(path))
    try:
        if not path.exists():
            path.touch(exist_ok=False)
            path.unlink()
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None


def sentence(error: Exception) -> str:
    """What went wrong, in words: the file first."""
    named = isinstance(error, OSError) and error.filename and error.strerror
    return f"{error.filename}: {error.strerror}" if named else str(error)


def _write(path: Path, content: bytes | Iterable[bytes]) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".rnnscope-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines([content] if isinstance(content, bytes) else content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
