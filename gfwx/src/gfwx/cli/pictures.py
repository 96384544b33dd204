"""Pictures of other formats, read without losing anything, or refused."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from gfwx.cli import pillow_pictures, png, tiff
from gfwx.cli.errors import EXPECTED, PictureError, too_large
from gfwx.cli.sources import Source
from gfwx.metadata import Metadata

RAW_SUFFIXES: Final = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2")
"""Raw files of cameras, told by their names since they look like TIFF files with a preview."""

SUFFIXES: Final = frozenset(
    (*pillow_pictures.SUFFIXES, *tiff.SUFFIXES, *RAW_SUFFIXES, ".npy"),
)
"""Names of the files that are taken from a folder."""

_NPY: Final = b"\x93NUMPY"


@dataclass(frozen=True)
class Picture:
    """What `encode` takes, and what else is known of a picture.

    Attributes
    ----------
    image : ndarray
        (H, W), (H, W, C) or (L, H, W, C).
    metadata : Metadata
        EXIF, ICC profile, XMP and values, without a checksum.
    intent : str or None
        What the channels mean, where their number does not tell.
    bit_depth : int or None
        Bits that the samples use, where it is known.
    """

    image: NDArray[Any]
    metadata: Metadata = field(default_factory=Metadata)
    intent: str | None = None
    bit_depth: int | None = None


def read_picture(source: Source, max_pixels: int) -> Picture:
    """Read a picture of at most so many samples.

    Raises
    ------
    PictureError
        It cannot be read, or not without losing something.
    OSError
        The file cannot be opened.
    """
    path = source.path
    if path is None:
        return _read(io.BytesIO(source.contents()), max_pixels)
    if path.suffix.lower() in RAW_SUFFIXES:
        return _read_raw(path)
    with path.open("rb") as file:
        return _read(file, max_pixels)


def _read(file: BinaryIO, max_pixels: int) -> Picture:
    start = file.read(32)
    file.seek(0)
    if not start:
        raise PictureError("the file is empty")
    if start.startswith(b"GFWX"):
        raise PictureError("it is a GFWX file already")
    try:
        if start.startswith(_NPY):
            return Picture(_read_npy(file, max_pixels))
        if png.has_sixteen_bits(start):
            return Picture(*png.read(file.read(), max_pixels))
        if start.startswith(tiff.SIGNATURES) and not tiff.is_exact_in_pillow(file):
            return Picture(*tiff.read(file, max_pixels))
        return Picture(*pillow_pictures.read(file, max_pixels))
    except PictureError:
        raise
    except EXPECTED as error:
        if isinstance(error, MemoryError) or getattr(error, "errno", None) is not None:
            raise
        raise PictureError(f"it cannot be read: {error}") from None
    except Exception as error:  # damaged files make the other libraries raise anything
        text = str(error) or type(error).__name__
        raise PictureError(f"it cannot be read: {text}") from None


def _read_npy(file: BinaryIO, max_pixels: int) -> NDArray[Any]:
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise PictureError(f"version {version} of NumPy's format is for other things than pictures")
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, in_columns, dtype = read_header(file)
    if dtype.kind not in "ui" or dtype.itemsize > 2:
        raise PictureError(f"samples must be uint8, int8, uint16 or int16, got {dtype}")
    samples = int(np.prod(shape, dtype=object))
    if samples > max_pixels:
        raise too_large(samples, max_pixels)
    content = file.read(samples * dtype.itemsize)
    if len(content) < samples * dtype.itemsize:
        raise PictureError("the file ends early")
    array = np.frombuffer(content, dtype)
    return array.reshape(shape, order="F" if in_columns else "C")


def _read_raw(path: Path) -> Picture:
    from gfwx import raw

    try:
        image = raw.read(path)
    except ModuleNotFoundError as error:
        raise PictureError(
            f"{error.name} is needed for raw files: pip install 'gfwx[raw]' brings it"
        ) from None
    return Picture(
        image.mosaic,
        Metadata(values={raw.KEY: image.description()}),
        raw.PATTERNS[image.pattern],
        image.bit_depth,
    )
