"""Errors as the command line shows them: one line each, with the file that they are about."""

from __future__ import annotations

from gfwx.errors import GfwxError, IncompleteDataError

EXPECTED = (GfwxError, OSError, MemoryError)
"""What may come of files, other than of mistakes in this program."""


class PictureError(GfwxError):
    """A picture cannot be read or written, or not without losing something."""


def too_large(samples: int, max_pixels: int) -> PictureError:
    """Error about a picture with more samples than are allowed."""
    return PictureError(f"it has {samples} samples, more than {max_pixels} (--max-pixels)")


def describe(error: BaseException, name: str) -> str:
    """One line about what happened to the file `name`."""
    if isinstance(error, MemoryError):
        text = "not enough memory"
    elif isinstance(error, OSError) and error.strerror:
        text = error.strerror
        if error.filename is not None:
            name = str(error.filename)
    elif isinstance(error, IncompleteDataError):
        text = "it ends early"
    else:
        text = " ".join(str(error).split()) or type(error).__name__
    return text if text.startswith(f"{name}: ") else f"{name}: {text}"
