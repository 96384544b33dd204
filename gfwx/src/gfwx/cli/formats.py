"""Formats that pictures are written in."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gfwx.arguments import presented
from gfwx.cli import png, tiff
from gfwx.cli.errors import PictureError
from gfwx.files import read_metadata
from gfwx.header import Header, Intent

FORMATS: Final = {"png": ".png", "tiff": ".tif", "npy": ".npy"}
"""What pictures can be written as, and the suffix of such files; the first one by default."""

SUFFIXES: Final = {".png": "png", ".tif": "tiff", ".tiff": "tiff", ".npy": "npy"}
"""Format of the files with a suffix."""

_GRAY: Final = (Intent.GENERIC, Intent.MONO)
_COLORS: Final = {
    Intent.RGB: slice(0, 3),
    Intent.RGBA: slice(0, 4),
    Intent.BGR: [2, 1, 0],
    Intent.BGRA: [2, 1, 0, 3],
}
"""Where red, green, blue and alpha are."""


def format_of(name: str | None) -> str | None:
    """Format that a file's name tells, if it does."""
    return SUFFIXES.get(Path(name).suffix.lower()) if name else None


def write_picture(format: str, image: NDArray[Any], header: Header) -> bytes:
    """Make a file of a picture.

    Parameters
    ----------
    format : str
        One of `FORMATS`.
    image : ndarray, (L, H, W, C)
        The picture.
    header : Header
        What its file says of it.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    PictureError
        The format has no place for such a picture.
    """
    return _WRITERS[format](image, header)


def _write_png(image: NDArray[Any], header: Header) -> bytes:
    layers, _, _, channels = image.shape
    pixels = image[0]
    is_gray = channels <= 2 and (header.intent in _GRAY or header.is_bayer)
    colors = _COLORS.get(header.intent)
    if layers > 1 or header.signed or not (is_gray or colors is not None):
        raise _no_place("PNG", header)
    if colors is not None:
        if channels != {Intent.RGB: 3, Intent.BGR: 3}.get(header.intent, 4):
            raise _no_place("PNG", header)
        pixels = pixels[..., colors]
    return png.write(pixels, read_metadata(header))


def _write_tiff(image: NDArray[Any], header: Header) -> bytes:
    return tiff.write(image, header, read_metadata(header))


def _write_npy(image: NDArray[Any], header: Header) -> bytes:
    file = io.BytesIO()
    np.save(file, image.reshape(presented(image.shape, False)), allow_pickle=False)
    return file.getvalue()


_WRITERS: Final[dict[str, Callable[[NDArray[Any], Header], bytes]]] = {
    "png": _write_png,
    "tiff": _write_tiff,
    "npy": _write_npy,
}


def _no_place(name: str, header: Header) -> PictureError:
    return PictureError(
        f"{name} has no place for {header.layers} layers of {header.channels} channels of "
        f"{header.dtype} with intent '{header.intent}'; tiff and npy have"
    )
