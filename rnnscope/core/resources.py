"""Where the files that ship with rnnscope are: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path


def folder(name: str) -> Path:
    """The folder `name` ("sample_models" or "assets"). Raises FileNotFoundError naming it when it did not ship."""
    package = Path(__file__).parents[1]
    for home in (package, package.parent):
        if (home / name).is_dir():
            return home / name
    raise FileNotFoundError(f"{name}: this installation of rnnscope lacks the folder; install it again")


def sample_models() -> list[Path]:
    """The trained models that ship with rnnscope, by name."""
    return sorted(folder("sample_models").glob("*.safetensors"))
