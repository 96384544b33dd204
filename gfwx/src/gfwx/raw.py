"""Bayer mosaics of cameras, with what it takes to develop them (docs/raw.md).

>>> from gfwx import raw
>>> data = raw.encode(raw.read("photo.dng"))  # doctest: +SKIP
>>> small = raw.preview(data, downsampling=2)  # doctest: +SKIP
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gfwx import codec, files
from gfwx.errors import ArgumentError, ArgumentTypeError, MalformedError, UnsupportedError
from gfwx.header import BytesLike, Header, Intent
from gfwx.metadata import Metadata, checksum

PATTERNS: Final = {
    "RGGB": Intent.BAYER_RGGB,
    "BGGR": Intent.BAYER_BGGR,
    "GRBG": Intent.BAYER_GRBG,
    "GBRG": Intent.BAYER_GBRG,
}
"""Colors of the first two rows of two samples, and what `encode` calls them."""

KEY: Final = "raw"
"""Name of the values in `Metadata`."""

_IDENTITY: Final = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_ORIENTATIONS: Final = {0: 1, 3: 3, 5: 8, 6: 6}
"""EXIF's number of each of LibRaw's."""


@dataclass(frozen=True, eq=False)
class RawImage:
    """A mosaic, and what it takes to develop it.

    Parameters
    ----------
    mosaic : ndarray of uint8 or uint16, shape (height, width)
        Samples of the sensor.
    pattern : {"RGGB", "BGGR", "GRBG", "GBRG"}
        Colors of the first two rows of two samples.
    black_levels : sequence of float, default (0, 0, 0, 0)
        What the sensor gives without light, for the four places of `pattern`.
    white_level : float, optional
        What it gives where it is saturated; by default the largest that `bit_depth` allows.
    white_balance : sequence of float, default (1, 1, 1)
        Factors of red, green and blue that make a white of the camera's.
    color_matrix : sequence of sequence of float, shape (3, 3), default identity
        From the camera's colors, white being (1, 1, 1), to linear sRGB.
    orientation : int, default 1
        How the picture is to be turned, 1 to 8 as in EXIF.
    bit_depth : int, optional
        Bits that the samples use; by default as few as hold them and the white level.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        One of them cannot be used.
    """

    mosaic: NDArray[Any]
    pattern: str
    black_levels: Sequence[float] = (0.0, 0.0, 0.0, 0.0)
    white_level: float | None = None
    white_balance: Sequence[float] = (1.0, 1.0, 1.0)
    color_matrix: Sequence[Sequence[float]] = _IDENTITY
    orientation: int = 1
    bit_depth: int | None = None

    def __post_init__(self) -> None:
        mosaic = np.asarray(self.mosaic)
        if mosaic.ndim != 2 or mosaic.dtype.kind != "u" or mosaic.dtype.itemsize > 2:
            raise ArgumentTypeError(
                "mosaic must be uint8 or uint16 of shape (height, width), got "
                f"{mosaic.dtype} of shape {mosaic.shape}"
            )
        if min(mosaic.shape) < 2:
            raise ArgumentError(f"mosaic must have 2 rows and columns, got shape {mosaic.shape}")
        if self.pattern not in PATTERNS:
            known = ", ".join(PATTERNS)
            raise ArgumentError(f"pattern must be one of {known}, got {self.pattern!r}")
        black_levels = _numbers("black_levels", self.black_levels, (4,))
        if self.orientation not in range(1, 9):
            raise ArgumentError(f"orientation must be 1 to 8, got {self.orientation!r}")
        bits = 8 * mosaic.dtype.itemsize
        depth, white = self.bit_depth, self.white_level
        if depth is None:
            highest = max(int(mosaic.max()), int(white or 0))
            depth = min(bits, max(bits - 7, highest.bit_length()))
        if white is None:
            white = 2**depth - 1
        (white,) = _numbers("white_level", [white], (1,))
        if white <= black_levels.max():
            raise ArgumentError(f"white_level must be above the black levels, got {white:g}")
        for name, value in (
            ("mosaic", mosaic),
            ("black_levels", tuple(black_levels.tolist())),
            ("white_level", float(white)),
            ("white_balance", _numbers("white_balance", self.white_balance, (3,)).tolist()),
            ("color_matrix", _numbers("color_matrix", self.color_matrix, (3, 3)).tolist()),
            ("bit_depth", depth),
        ):
            object.__setattr__(self, name, value)

    def description(self) -> dict[str, Any]:
        """Return all but the mosaic and the bit depth, as the metadata store them."""
        return {
            "pattern": self.pattern,
            "black_levels": list(self.black_levels),
            "white_level": self.white_level,
            "white_balance": list(self.white_balance),
            "color_matrix": [list(row) for row in self.color_matrix],
            "orientation": self.orientation,
        }


def read(path: str | os.PathLike[str]) -> RawImage:
    """Read a camera's file with rawpy (the extra ``raw``).

    Parameters
    ----------
    path : str or os.PathLike
        File in one of the formats that LibRaw reads.

    Returns
    -------
    RawImage
        The visible part of the sensor, and what the file says of it.

    Raises
    ------
    MalformedError
        LibRaw cannot read the file.
    UnsupportedError
        The sensor has no Bayer pattern of red, green and blue.
    OSError
        The file cannot be read.
    """
    import rawpy

    source = Path(path)
    try:
        with source.open("rb") as file, rawpy.imread(file) as opened:
            return _from_rawpy(source, opened)
    except rawpy.LibRawError as error:
        raise MalformedError(f"{source}: LibRaw cannot read it: {_message(error)}") from error


def encode(image: RawImage, *, metadata: Metadata | None = None, **options: Any) -> bytes:
    """Encode a raw image as a GFWX file.

    Parameters
    ----------
    image : RawImage
        The mosaic and what belongs to it.
    metadata : Metadata, optional
        What else is to be stored. The description of the raw image is added to its values, and the
        checksum where nothing is lost.
    **options
        As for `gfwx.encode`, but `intent`, `bit_depth` and `metadata`.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    GfwxError
        As `gfwx.encode` does.
    """
    for name in ("intent", "bit_depth"):
        if name in options:
            raise ArgumentError(f"{name} is that of the raw image, and cannot be given")
    known = metadata or Metadata()
    known = replace(known, values={**known.values, KEY: image.description()})
    if options.get("quality", 1024) == 1024:
        known = replace(known, checksum=checksum(image.mosaic))
    return codec.encode(
        image.mosaic,
        intent=PATTERNS[image.pattern],
        bit_depth=image.bit_depth,
        metadata=known,
        **options,
    )


def decode(source: str | os.PathLike[str] | BytesLike, **options: Any) -> RawImage:
    """Decode a raw image.

    Parameters
    ----------
    source : str, os.PathLike, or bytes-like
        Path of a GFWX file with a Bayer intent, or its bytes.
    **options
        As for `gfwx.decode`, but `dtype`, `out`, `keep_dims` and `partial`. With `downsampling` it
        is a smaller mosaic of the same pattern.

    Returns
    -------
    RawImage
        As it was encoded. Where the metadata say nothing of it, black levels and so on are as
        `RawImage` has them by default.

    Raises
    ------
    UnsupportedError
        The picture is no single mosaic with one of `PATTERNS`.
    GfwxError, OSError
        As `gfwx.imread` does.
    """
    for name in ("dtype", "out", "keep_dims", "partial"):
        if name in options:
            raise ArgumentError(f"{name} cannot be given for raw images")
    header = files.read_header(source)
    patterns = {intent: pattern for pattern, intent in PATTERNS.items()}
    if header.intent not in patterns or header.planes != 1 or header.signed:
        raise UnsupportedError(
            f"no raw image: the picture has intent '{header.intent}', {header.layers} layers and "
            f"{header.channels} channels of {header.dtype}"
        )
    if isinstance(source, str | os.PathLike):
        mosaic = files.imread(source, **options)
    else:
        mosaic = codec.decode(source, **options)
    return _described(mosaic, patterns[header.intent], header)


def preview(
    source: str | os.PathLike[str] | BytesLike, downsampling: int = 1, *, threads: int | None = None
) -> NDArray[np.uint8]:
    """Make a quick color picture of 1/2, 1/4, 1/8... of the size.

    Four samples of a mosaic make one pixel, so that nothing is interpolated; for 1/4 and less a
    smaller mosaic is decoded, from the part of the file that it needs.

    Parameters
    ----------
    source : str, os.PathLike, or bytes-like
        As for `decode`.
    downsampling : int, default 1
        1 for half the width and height, 2 for a quarter, and so on; odd last rows and columns are
        left out.
    threads : int, optional
        As for `gfwx.decode`.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        sRGB, turned as the orientation says.

    Raises
    ------
    ArgumentError
        `downsampling` is not 1 or more, or nothing is left of the picture.
    GfwxError, OSError
        As `decode` does.
    """
    if downsampling < 1:
        raise ArgumentError(f"downsampling must be at least 1, got {downsampling}")
    image = decode(source, downsampling=downsampling - 1, threads=threads)
    return _turned(_developed(image), image.orientation)


def _from_rawpy(source: Path, opened: Any) -> RawImage:
    """Take what is needed from a file that rawpy has opened."""
    import rawpy

    if opened.raw_type != rawpy.RawType.Flat:
        raise UnsupportedError(f"{source}: its pixels have all colors, so that it is no mosaic")
    colors = opened.raw_colors_visible
    cell = colors[:2, :2]
    letters = opened.color_desc.decode("ascii", "replace")
    pattern = "".join(letters[index] for index in cell.flat)
    repeated = all((colors[y::2, x::2] == cell[y, x]).all() for y in (0, 1) for x in (0, 1))
    if not repeated or pattern not in PATTERNS:
        raise UnsupportedError(f"{source}: its colors are no Bayer pattern of red, green and blue")
    balance = opened.camera_whitebalance[:3]
    if min(balance) <= 0:
        balance = opened.daylight_whitebalance[:3]
    matrix = opened.color_matrix[:, :3]
    return RawImage(
        # A copy, as the file's memory goes when it is closed.
        opened.raw_image_visible.copy(),
        pattern,
        [opened.black_level_per_channel[index] for index in cell.flat],
        opened.white_level,
        [float(factor) / float(balance[1]) for factor in balance] if min(balance) > 0 else (1,) * 3,
        matrix.tolist() if matrix.any() else _IDENTITY,
        _ORIENTATIONS.get(opened.sizes.flip, 1),
    )


def _message(error: Exception) -> str:
    """Message of one of LibRaw's errors, which are bytes."""
    text = error.args[0] if error.args else error
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def _described(mosaic: NDArray[Any], pattern: str, header: Header) -> RawImage:
    """Make a raw image of a mosaic and its file's metadata, as far as they can be used."""
    depth = header.bit_depth
    values = files.read_metadata(header).values.get(KEY, {})
    try:
        return RawImage(mosaic, bit_depth=depth, **{**values, "pattern": pattern})
    except (ArgumentError, TypeError):  # not written by `encode`: the picture is there all the same
        return RawImage(mosaic, pattern, bit_depth=depth)


def _developed(image: RawImage) -> NDArray[np.uint8]:
    height, width = (size // 2 for size in image.mosaic.shape)
    light: dict[str, NDArray[Any]] = {}
    white = image.white_level
    assert white is not None
    for place, (color, black) in enumerate(zip(image.pattern, image.black_levels, strict=True)):
        part = image.mosaic[place // 2 :: 2, place % 2 :: 2][:height, :width]
        value = (part.astype(np.float32) - np.float32(black)) / np.float32(white - black)
        light[color] = (light[color] + value) / 2 if color in light else value
    balance = np.array(image.white_balance, np.float32)
    # The least factor is 1, so that what is saturated is white.
    camera = np.stack([light[color] for color in "RGB"], -1) * (balance / balance.min())
    linear = camera.clip(0, 1) @ np.array(image.color_matrix, np.float32).T
    linear = linear.clip(0, 1)
    # The transfer curve of sRGB (IEC 61966-2-1).
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    developed: NDArray[np.uint8] = (255 * curved + 0.5).astype(np.uint8)
    return developed


def _turned(picture: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn a picture as EXIF's orientation says."""
    if orientation >= 5:
        picture = picture.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    if orientation in (3, 4, 7, 8):
        picture = picture[::-1]
    return np.ascontiguousarray(picture)


def _numbers(name: str, values: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise ArgumentTypeError(f"{name} must be numbers, got {values!r}") from None
    if numbers.shape != shape or not np.isfinite(numbers).all():
        size = " x ".join(map(str, shape))
        raise ArgumentError(f"{name} must be {size} finite numbers, got {values!r}")
    return numbers
