"""TIFF files that Pillow reads only in part, or not at all: by tifffile."""

from __future__ import annotations

import io
from typing import Any, BinaryIO, Final

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from gfwx.cli.errors import PictureError, too_large
from gfwx.cli.pillow_pictures import metadata_of_tiff
from gfwx.header import Header, Intent
from gfwx.metadata import Metadata

SUFFIXES: Final = (".tif", ".tiff")
SIGNATURES: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_BITS, _PHOTOMETRIC, _ORIENTATION = 258, 262, 274
_COLOR_MAP, _XMP, _ICC, _DNG = 320, 700, 34675, 50706
_BLACK_IS_ZERO, _PALETTE = 1, 3


def is_exact_in_pillow(file: BinaryIO) -> bool:
    """Whether Pillow would read all of a TIFF file: one picture of 8 bits, or of 16 in gray.

    Raises
    ------
    PictureError
        It is a raw file of a camera.
    """
    file.seek(0)
    try:
        image = Image.open(file, formats=("TIFF",))
    except (UnidentifiedImageError, OSError, SyntaxError):
        return False
    finally:
        file.seek(0)
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    if _DNG in tags:
        raise PictureError("it is a raw file of a camera; give it the suffix .dng")
    bits = tags.get(_BITS, (1,))
    if tags.get(_PHOTOMETRIC) == _PALETTE:
        # Of 16 bits in the file, of 8 in Pillow.
        colors = np.array(tags.get(_COLOR_MAP, (0,)))
        if (colors % 257).any() and (colors % 256).any():
            return False
    is_gray = image.mode in ("I;16", "I;16B") and tags.get(_PHOTOMETRIC) == _BLACK_IS_ZERO
    exact = (is_gray or set(bits) <= {1, 8}) and getattr(image, "n_frames", 1) == 1
    file.seek(0)
    return exact


def read(file: BinaryIO, max_pixels: int) -> tuple[NDArray[Any], Metadata, str | None]:
    """Read a TIFF file with tifffile.

    Returns
    -------
    image : ndarray
        (H, W), (H, W, C) or (L, H, W, C).
    metadata : Metadata
        EXIF, ICC profile and XMP.
    intent : str or None
        What the channels mean, where their number does not tell.

    Raises
    ------
    PictureError
        Something would get lost, or the picture is too large.
    Exception
        Whatever tifffile raises.
    """
    file.seek(0)
    with tifffile.TiffFile(file) as opened:
        if len(opened.series) != 1:
            raise PictureError(f"it has {len(opened.series)} series of pictures, not one")
        series = opened.series[0]
        page: Any = opened.pages.first
        if series.dtype.kind not in "ui" or series.dtype.itemsize > 2:
            raise PictureError(f"it has samples of {series.dtype}, which GFWX cannot hold")
        kinds = tifffile.PHOTOMETRIC
        if page.photometric in (kinds.MINISWHITE, kinds.PALETTE, kinds.YCBCR, kinds.CFA):
            name = page.photometric.name
            raise PictureError(f"it is a TIFF file with photometric {name}, which would get lost")
        samples = int(np.prod(series.shape, dtype=object))
        if samples > max_pixels:
            raise too_large(samples, max_pixels)
        array = _in_order(series.asarray(), series.axes)
        intent = _intent(page, array)
        icc, xmp = (page.tags.valueof(tag, b"") for tag in (_ICC, _XMP))
        return array, Metadata(metadata_of_tiff(file), icc, xmp), intent


def write(image: NDArray[Any], header: Header, metadata: Metadata) -> bytes:
    """Make a TIFF file with tifffile.

    Parameters
    ----------
    image : ndarray, (L, H, W, C)
        Each layer becomes a page.
    header : Header
        Says what the channels mean.
    metadata : Metadata
        ICC profile, XMP and orientation are written.

    Returns
    -------
    bytes
        The file.
    """
    channels = image.shape[3]
    options: dict[str, Any] = {"photometric": "minisblack"}
    if header.intent in (Intent.RGB, Intent.RGBA, Intent.RGBA_PREMULTIPLIED):
        options = {"photometric": "rgb"}
        if channels > 3:
            associated = header.intent == Intent.RGBA_PREMULTIPLIED
            options["extrasamples"] = ["assocalpha" if associated else "unassalpha"]
    elif header.intent == Intent.CMYK:
        options = {"photometric": "separated"}
    if channels > 1:
        options["planarconfig"] = "contig"
    tags: list[tuple[Any, ...]] = []
    if metadata.exif:
        exif = Image.Exif()
        exif.load(metadata.exif)
        if orientation := exif.get(_ORIENTATION):
            tags.append((_ORIENTATION, "H", 1, orientation, True))
    if metadata.xmp:
        tags.append((_XMP, "B", len(metadata.xmp), metadata.xmp, True))
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        image[..., 0] if channels == 1 else image,
        compression="zlib",
        iccprofile=metadata.icc or None,
        extratags=tags,
        metadata=None,
        software=False,
        **options,
    )
    return file.getvalue()


def is_whole(file: BinaryIO) -> bool:
    """Whether all pieces that a TIFF file lists are there; pixels are not looked at."""
    size = file.seek(0, 2)
    file.seek(0)
    try:
        with tifffile.TiffFile(file) as opened:
            ends = [
                offset + length
                for page in opened.pages
                for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True)
            ]
    except Exception:  # damaged files make it raise anything
        return False
    return bool(ends) and max(ends) <= size


def _in_order(array: NDArray[Any], axes: str) -> NDArray[Any]:
    """Array with layers, rows, columns and channels in this order."""
    channel = next((axis for axis in "SC" if axis in axes), "")
    layers = [axis for axis in axes if axis not in ("Y", "X", channel)]
    if "Y" not in axes or "X" not in axes:
        raise PictureError(f"it has axes {axes}, which are no picture's")
    order = [axes.index(axis) for axis in (*layers, "Y", "X", *channel)]
    array = array.transpose(order)
    count = len(layers)
    if not count:
        return array
    stack = array.reshape(-1, *array.shape[count:])
    return stack if channel else stack[..., np.newaxis]


def _intent(page: Any, array: NDArray[Any]) -> str | None:
    if array.ndim == 2 or array.shape[-1] < 3:
        return None
    if page.photometric == tifffile.PHOTOMETRIC.SEPARATED and array.shape[-1] == 4:
        return Intent.CMYK
    if page.photometric != tifffile.PHOTOMETRIC.RGB:
        return Intent.GENERIC
    extra = {tifffile.EXTRASAMPLE.ASSOCALPHA: Intent.RGBA_PREMULTIPLIED}
    if array.shape[-1] == 4 and tuple(page.extrasamples) == (tifffile.EXTRASAMPLE.UNSPECIFIED,):
        return Intent.GENERIC
    if array.shape[-1] == 4 and page.extrasamples:
        return extra.get(page.extrasamples[0])
    return None
