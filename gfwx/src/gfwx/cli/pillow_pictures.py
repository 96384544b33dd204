"""Pictures that Pillow reads, where it reads all that is in them."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from gfwx.cli.errors import PictureError, too_large
from gfwx.header import Intent
from gfwx.metadata import Metadata

SUFFIXES: Final = (
    *(".avif", ".bmp", ".gif", ".j2k", ".jp2", ".jpeg", ".jpg", ".pbm", ".pcx", ".pgm", ".png"),
    *(".pnm", ".ppm", ".qoi", ".tga", ".webp"),
)
FORMATS: Final = (
    *("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "QOI", "TGA", "TIFF"),
    "WEBP",
)
"""Those of which it is known what Pillow makes of them, if it would take bits away."""


def read(file: BinaryIO, max_pixels: int) -> tuple[NDArray[Any], Metadata, Intent | None]:
    """Read a picture with Pillow.

    Returns
    -------
    image : ndarray of uint8 or uint16
        (H, W) or (H, W, C).
    metadata : Metadata
        EXIF, ICC profile and XMP.
    intent : Intent or None
        What the channels mean, where their number does not tell.

    Raises
    ------
    PictureError
        Something would get lost, or the picture is too large.
    Exception
        Whatever Pillow raises.
    """
    # Its size is held against `max_pixels` instead, before it is loaded.
    Image.MAX_IMAGE_PIXELS = None
    try:
        opened = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        raise PictureError("it is no picture of a known format") from None
    with opened as image:
        _refuse_losses(image, file)
        samples = image.width * image.height * len(image.getbands())
        if samples > max_pixels:
            raise too_large(samples, max_pixels)
        orientation = image.getexif().get(_ORIENTATION) if image.format == "TIFF" else None
        image.load()
        # Pillow turns TIFF files as their orientation says, which is kept beside the pixels here.
        stored = image if orientation not in _BACK else image.transpose(_BACK[orientation])
        pixels, intent = _samples(stored)
        return pixels, _metadata(image, file), intent


def metadata_of_tiff(file: BinaryIO) -> bytes:
    """EXIF of a TIFF file: tags that describe the picture, not those of how it is stored."""
    file.seek(0)
    found = Image.Exif()
    found.load_from_fp(file)
    kept = Image.Exif()
    for tag in _DESCRIBING:
        if tag in found:
            kept[tag] = found[tag]
    for tag in (_EXIF_DIRECTORY, _GPS_DIRECTORY):
        if tag in found and (directory := found.get_ifd(tag)):
            kept.get_ifd(tag).update(directory)
            kept[tag] = kept.get_ifd(tag)
    return kept.tobytes() if len(kept) else b""


_ORIENTATION: Final = 274
_BACK: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a picture that Pillow has turned for an orientation is turned back."""
_EXIF_DIRECTORY: Final = 34665
_GPS_DIRECTORY: Final = 34853
# Description, make, model, orientation, resolutions and their unit, software, time, artist, rights.
_DESCRIBING: Final = (270, 271, 272, _ORIENTATION, 282, 283, 296, 305, 306, 315, 33432)


def _refuse_losses(image: ImageFile.ImageFile, file: BinaryIO) -> None:
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise PictureError(f"it has {frames} pictures ({image.format}), of which one could be kept")
    bits = _bits(image, file)
    if bits > 8 and image.mode not in ("I;16", "I;16B", "I"):
        raise PictureError(
            f"it has {bits} bits a sample ({image.format}), of which Pillow reads 8; PNG, TIFF and "
            "npy are read with 16"
        )


def _bits(image: ImageFile.ImageFile, file: BinaryIO) -> int:
    """Bits of a sample in the file, where it may be more than Pillow makes of it."""
    if image.format == "PPM":
        arguments = image.tile[0].args
        most = arguments[1] if isinstance(arguments, tuple) else 255
        return max(8, int(most).bit_length()) if isinstance(most, int) else 8
    if image.format in ("JPEG2000", "AVIF"):
        at = file.tell()
        file.seek(0)
        start = file.read(1 << 16)
        file.seek(at)
        if image.format == "AVIF":  # 'av1C': marker and version, profile and level, flags
            found = start.find(b"av1C")
            return 10 if found >= 0 and start[found + 6] & 0x40 else 8
        found = start.find(b"\xff\x4f\xff\x51")  # SOC and SIZ
        if found < 0:
            raise PictureError("its bits a sample cannot be found (JPEG 2000)")
        (count,) = struct.unpack_from(">H", start, found + 40)
        return max((start[at] & 0x7F) + 1 for at in range(found + 42, found + 42 + 3 * count, 3))
    return 8


def _samples(image: Image.Image) -> tuple[NDArray[Any], Intent | None]:
    """Samples of a picture in one of Pillow's modes, converted where that loses nothing."""
    mode = image.mode
    if mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16), None
    if mode == "I":
        wide = np.asarray(image)
        if wide.min() < 0 or wide.max() > 0xFFFF:
            raise PictureError("it has samples of 32 bits, which GFWX cannot hold")
        return wide.astype(np.uint16), None
    if mode in ("P", "PA") or "transparency" in image.info:
        has_alpha = mode == "PA" or image.has_transparency_data
        image = image.convert("RGBA" if has_alpha else "RGB")
    elif mode == "1":
        image = image.convert("L")
    if image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK"):
        raise PictureError(f"Pillow's mode {mode} cannot be kept as it is")
    return np.asarray(image), Intent.CMYK if image.mode == "CMYK" else None


def _metadata(image: Image.Image, file: BinaryIO) -> Metadata:
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    exif = metadata_of_tiff(file) if image.format == "TIFF" else image.info.get("exif", b"")
    return Metadata(
        exif=exif,
        icc=image.info.get("icc_profile") or b"",
        xmp=xmp.encode() if isinstance(xmp, str) else xmp,
    )
