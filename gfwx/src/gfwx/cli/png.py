"""PNG (3rd edition): files of 16 bits, which Pillow reads with 8, and metadata beside pixels."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from gfwx.cli.errors import PictureError, too_large
from gfwx.metadata import Metadata

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_HEADER: Final = struct.Struct(">IIBBBBB")
_CHANNELS: Final = {0: 1, 2: 3, 4: 2, 6: 4}
"""Channels of each color type but the one with a palette."""
_HEADER_END: Final = len(SIGNATURE) + _HEADER.size + 12
"""Where the first chunk ends, after which others may come before the pixels."""
_XMP: Final = b"XML:com.adobe.xmp"
_MOST_METADATA: Final = 1 << 26
"""Bytes that compressed metadata may come to."""


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
    known: dict[str, Any] = {}
    for kind, content in _chunks(data):
        if kind == b"IHDR" and len(content) == _HEADER.size:
            header = _HEADER.unpack(content)
        elif kind == b"eXIf":
            known["exif"] = content
        elif kind == b"iCCP":
            known["icc"] = _inflate(content.partition(b"\0")[2][1:])
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
    width, height, depth, color, *_ = header
    if depth != 16 or color not in _CHANNELS:
        raise PictureError("the PNG file is damaged: its header contradicts itself")
    samples = width * height * _CHANNELS[color]
    if samples > max_pixels:
        raise too_large(samples, max_pixels)
    try:
        image: NDArray[np.uint16] = imagecodecs.png_decode(data)
    except imagecodecs.PngError as error:
        raise PictureError(f"the PNG file is damaged: {error}") from None
    return image, Metadata(**known)


def write(image: NDArray[Any], metadata: Metadata) -> bytes:
    """Make a PNG file.

    Parameters
    ----------
    image : ndarray of uint8 or uint16, (H, W, C)
        Gray, gray and alpha, red green blue, or these and alpha.
    metadata : Metadata
        EXIF, ICC profile and XMP are written.

    Returns
    -------
    bytes
        The file.
    """
    data = imagecodecs.png_encode(np.ascontiguousarray(image))
    chunks = b""
    if metadata.icc:
        chunks += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc))
    if metadata.exif:
        chunks += _chunk(b"eXIf", metadata.exif)
    if metadata.xmp:
        chunks += _chunk(b"iTXt", _XMP + bytes(5) + metadata.xmp)
    return bytes(data[:_HEADER_END] + chunks + data[_HEADER_END:])


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


def _inflate(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, _MOST_METADATA)
    except zlib.error as error:
        raise PictureError(f"the PNG file is damaged: {error}") from None


def _xmp(content: bytes) -> bytes:
    """Text of an iTXt chunk."""
    compressed = content[len(_XMP) + 1 : len(_XMP) + 2] == b"\1"
    text = content[len(_XMP) + 3 :].split(b"\0", 2)[-1]
    return _inflate(text) if compressed else text


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
