"""PNG (3rd edition): reading files of 16 bits, which Pillow reads with 8, and writing files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from gfwx.cli.errors import PictureError, too_large
from gfwx.metadata import Metadata

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_HEADER: Final = struct.Struct(">IIBBBBB")
_CHANNELS: Final = {0: 1, 2: 3, 4: 2, 6: 4}
"""Channels of each color type but the one with a palette."""
_XMP: Final = b"XML:com.adobe.xmp"
_BAND: Final = 1 << 20
"""Bytes that are filtered and compressed at a time."""


def has_sixteen_bits(start: bytes) -> bool:
    """Whether the first bytes of a file are those of a PNG file with samples of 16 bits."""
    return start.startswith(SIGNATURE) and start[24:25] == b"\x10"


def read(data: bytes, max_pixels: int) -> tuple[NDArray[np.uint16], Metadata]:
    """Read a PNG file with samples of 16 bits.

    Parameters
    ----------
    data : bytes
        The file.
    max_pixels : int
        Most samples to make.

    Returns
    -------
    image : ndarray of uint16, (H, W) or (H, W, C)
        Gray, gray and alpha, red green blue, or these and alpha.
    metadata : Metadata
        EXIF, ICC profile and XMP.

    Raises
    ------
    PictureError
        The file is damaged, or has something that would get lost.
    """
    header: tuple[int, ...] | None = None
    parts: list[bytes] = []
    known: dict[str, Any] = {}
    for kind, content in _chunks(data):
        if kind == b"IHDR" and len(content) == _HEADER.size:
            header = _HEADER.unpack(content)
        elif kind == b"IDAT":
            parts.append(content)
        elif kind == b"eXIf":
            known["exif"] = content
        elif kind == b"iCCP":
            known["icc"] = _inflate(content.partition(b"\0")[2][1:], 1 << 26)
        elif kind == b"iTXt" and content.startswith(_XMP + b"\0"):
            known["xmp"] = _xmp(content)
        elif kind == b"tRNS":
            raise PictureError(
                "a PNG file of 16 bits with a transparent color cannot be kept whole"
            )
        elif kind == b"acTL":
            raise PictureError("an animated PNG file cannot be kept whole")
    if header is None:
        raise PictureError("the PNG file is damaged: it has no header")
    width, height, depth, color, _, _, interlaced = header
    if depth != 16 or color not in _CHANNELS or not width or not height:
        raise PictureError("the PNG file is damaged: its header contradicts itself")
    if interlaced:
        raise PictureError("an interlaced PNG file of 16 bits; save it without that")
    channels = _CHANNELS[color]
    if width * height * channels > max_pixels:
        raise too_large(width * height * channels, max_pixels)
    stride = width * channels * 2 + 1
    filtered = _inflate(b"".join(parts), stride * height)
    if len(filtered) < stride * height:
        raise PictureError("the PNG file ends early")
    rows = np.frombuffer(filtered, np.uint8, stride * height).reshape(height, stride)
    if rows[:, 0].max() > 4:
        raise PictureError("the PNG file is damaged: it has an unknown filter")
    pixels = _unfiltered(rows[:, 1:].reshape(height, width, channels * 2), rows[:, 0])
    image = pixels.view(">u2").astype(np.uint16)
    return image[..., 0] if channels == 1 else image, Metadata(**known)


def write(file: BinaryIO, image: NDArray[Any], metadata: Metadata) -> None:
    """Write a PNG file.

    Parameters
    ----------
    file : binary file
        Where to write.
    image : ndarray of uint8 or uint16, (H, W, C)
        Gray, gray and alpha, red green blue, or these and alpha.
    metadata : Metadata
        EXIF, ICC profile and XMP are written.
    """
    height, width, channels = image.shape
    color = {count: color for color, count in _CHANNELS.items()}[channels]
    bits = 8 * image.dtype.itemsize
    file.write(SIGNATURE)
    _write_chunk(file, b"IHDR", _HEADER.pack(width, height, bits, color, 0, 0, 0))
    if metadata.icc:
        _write_chunk(file, b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc))
    if metadata.exif:
        _write_chunk(file, b"eXIf", metadata.exif)
    if metadata.xmp:
        _write_chunk(file, b"iTXt", _XMP + bytes(5) + metadata.xmp)
    pixel = channels * image.dtype.itemsize
    compressor = zlib.compressobj()
    previous: NDArray[np.uint8] = np.zeros((1, width * pixel), np.uint8)
    step = max(1, _BAND // (width * pixel))
    for top in range(0, height, step):
        band = np.ascontiguousarray(image[top : top + step], image.dtype.newbyteorder(">"))
        rows = np.concatenate([previous, band.view(np.uint8).reshape(len(band), -1)])
        if compressed := compressor.compress(_filtered(rows, pixel)):
            _write_chunk(file, b"IDAT", compressed)
        previous = rows[-1:]
    _write_chunk(file, b"IDAT", compressor.flush())
    _write_chunk(file, b"IEND", b"")


def is_whole(file: BinaryIO) -> bool:
    """Whether a PNG file goes on to its last chunk; pixels are not looked at."""
    if file.read(8) != SIGNATURE:
        return False
    while len(start := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", start)
        if kind == b"IEND":
            return len(file.read(4)) == 4
        file.seek(length + 4, 1)
    return False


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            break
        if zlib.crc32(data[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise PictureError("the PNG file is damaged: a checksum is wrong")
        if kind == b"IEND":
            return
        yield kind, data[at + 8 : end]
        at = end + 4
    raise PictureError("the PNG file ends early")


def _inflate(data: bytes, most: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, most)
    except zlib.error as error:
        raise PictureError(f"the PNG file is damaged: {error}") from None


def _xmp(content: bytes) -> bytes:
    """Text of an iTXt chunk."""
    compressed = content[len(_XMP) + 1 : len(_XMP) + 2] == b"\1"
    text = content[len(_XMP) + 3 :].split(b"\0", 2)[-1]
    return _inflate(text, 1 << 26) if compressed else text


def _unfiltered(pixels: NDArray[np.uint8], filters: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Undo the filters: pixels (H, W, bytes of one), the kind of filter of each row.

    A pixel needs those to the left, above, and left of that, so that pixels on a line from below
    left to above right are made at once; with a border of zeros they lie `width` pixels apart.
    """
    height, width, size = pixels.shape
    made = np.zeros((height + 1, width + 1, size), np.uint8)
    made[1:, 1:] = pixels
    flat = made.reshape(-1, size)
    for line in range(height + width - 1):
        top, bottom = max(0, line - width + 1), min(height, line + 1)
        first = (top + 1) * (width + 1) + line - top + 1
        end = first + (bottom - top - 1) * width + 1
        here = flat[first:end:width]
        left, above, corner = (
            flat[first - back : end - back : width].astype(np.int16)
            for back in (1, width + 1, width + 2)
        )
        choices = (np.int16(0), left, above, (left + above) >> 1, _paeth(left, above, corner))
        predicted = np.choose(filters[top:bottom, np.newaxis], choices)
        here += predicted.astype(np.uint8)
    return np.ascontiguousarray(made[1:, 1:])


def _filtered(rows: NDArray[np.uint8], pixel: int) -> bytes:
    """Filter all rows but the first, each in the way that leaves the least magnitudes."""
    here, above = rows[1:], rows[:-1]
    left, corner = (np.zeros_like(part) for part in (here, above))
    left[:, pixel:], corner[:, pixel:] = here[:, :-pixel], above[:, :-pixel]
    paeth = _paeth(*(part.astype(np.int16) for part in (left, above, corner)))
    kinds = np.array([0, 1, 2, 4], np.uint8)
    ways = np.stack([here, here - left, here - above, here - paeth.astype(np.uint8)])
    costs = np.minimum(ways, 0 - ways).sum(axis=2, dtype=np.int64)
    best = costs.argmin(axis=0)
    chosen = ways[best, np.arange(len(here))]
    return np.concatenate([kinds[best][:, np.newaxis], chosen], axis=1).tobytes()


def _paeth(left: NDArray[Any], above: NDArray[Any], corner: NDArray[Any]) -> NDArray[Any]:
    to_left, to_above = np.abs(above - corner), np.abs(left - corner)
    to_corner = np.abs(left + above - 2 * corner)
    other = np.where(to_above <= to_corner, above, corner)
    return np.where((to_left <= to_above) & (to_left <= to_corner), left, other)


def _write_chunk(file: BinaryIO, kind: bytes, content: bytes) -> None:
    file.write(struct.pack(">I", len(content)) + kind + content)
    file.write(zlib.crc32(content, zlib.crc32(kind)).to_bytes(4, "big"))
