"""Errors as the command line shows them: one line each, with the file that they are about."""

from __future__ import annotations

from typing import Final

from gfwx.errors import GfwxError

EXPECTED = (GfwxError, OSError, MemoryError)
"""What may come of files, other than of mistakes in this program."""


class PictureError(GfwxError):
    """A picture cannot be read or written, or not without losing something."""


def too_large(samples: int, max_pixels: int) -> PictureError:
    """Error about a picture with more samples than are allowed."""
    return PictureError(f"it has {samples} samples, more than {max_pixels} (--max-pixels)")


_EXTRAS: Final = {"rawpy": "raw", "tifffile": "tifffile"}


def missing(error: ModuleNotFoundError) -> PictureError:
    """Error about a library that is not installed."""
    name = error.name or ""
    extra = _EXTRAS.get(name)
    hint = f"pip install 'gfwx[{extra}]'" if extra else f"pip install {name}"
    return PictureError(f"{name} is needed for this file, and not installed: {hint} brings it")


def describe(error: BaseException, name: str) -> str:
    """One line about what happened to the file `name`."""
    if isinstance(error, MemoryError):
        text = "not enough memory"
    elif isinstance(error, OSError) and error.strerror:
        text = error.strerror
        if error.filename is not None:
            name = str(error.filename)
    else:
        text = " ".join(str(error).split()) or type(error).__name__
    return text if text.startswith(f"{name}: ") else f"{name}: {text}"
