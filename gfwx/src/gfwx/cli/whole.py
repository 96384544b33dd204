"""Whether a file is complete, by what it says of itself, without decoding it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from gfwx.cli import png, tiff
from gfwx.errors import GfwxError
from gfwx.files import contents
from gfwx.structure import read_structure


def is_whole(path: Path) -> bool:
    """Whether a GFWX, PNG, TIFF or npy file is there and goes on to its end."""
    with contextlib.suppress(OSError, ValueError, GfwxError):
        suffix = path.suffix.lower()
        if suffix == ".gfwx":
            return path.is_file() and read_structure(contents(path)).is_complete
        if suffix == ".npy":
            return isinstance(np.load(path, mmap_mode="r"), np.ndarray)
        with path.open("rb") as file:
            return png.is_whole(file) if suffix == ".png" else tiff.is_whole(file)
    return False
