"""Raw files of a camera that does not exist, in Adobe's DNG (version 1.4)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BYTE, ASCII, SHORT, LONG, RATIONAL, SIGNED_RATIONAL = 1, 2, 3, 4, 5, 10
COLOR_MATRIX = ((0.9, -0.3, -0.1), (-0.4, 1.2, 0.2), (-0.05, 0.15, 0.6))
"""From XYZ to the camera's colors."""


def write_dng(
    path: Path,
    mosaic: NDArray[np.uint16],
    pattern: str = "RGGB",
    black_levels: Sequence[int] = (0, 0, 0, 0),
    white_level: int = 4095,
    neutral: Sequence[float] = (0.5, 1.0, 0.625),
    orientation: int = 1,
    photometric: int = 32803,
) -> None:
    """Write a mosaic with what a raw converter has to know."""
    height, width = mosaic.shape
    pixels = mosaic.astype("<u2").tobytes()
    tags: list[tuple[int, int, Any]] = [
        (254, LONG, [0]),
        (256, LONG, [width]),
        (257, LONG, [height]),
        (258, SHORT, [16]),
        (259, SHORT, [1]),
        (262, SHORT, [photometric]),
        (271, ASCII, b"Nobody\0"),
        (272, ASCII, b"Nothing\0"),
        (273, LONG, [8]),
        (274, SHORT, [orientation]),
        (277, SHORT, [1]),
        (278, LONG, [height]),
        (279, LONG, [len(pixels)]),
        (284, SHORT, [1]),
        (33421, SHORT, [2, 2]),
        (33422, BYTE, bytes("RGB".index(color) for color in pattern)),
        (50706, BYTE, bytes([1, 4, 0, 0])),
        (50708, ASCII, b"Nobody Nothing\0"),
        (50713, SHORT, [2, 2]),
        (50714, LONG, list(black_levels)),
        (50717, LONG, [white_level]),
        (50721, SIGNED_RATIONAL, [value for row in COLOR_MATRIX for value in row]),
        (50728, RATIONAL, list(neutral)),
        (50778, SHORT, [21]),
    ]
    at = 8 + len(pixels)
    directory = struct.pack("<H", len(tags))
    outside = at + 2 + 12 * len(tags) + 4
    rest = b""
    for tag, kind, values in tags:
        data = _packed(kind, values)
        count = len(values)
        place = data.ljust(4, b"\0")
        if len(data) > 4:
            place = struct.pack("<I", outside + len(rest))
            rest += data + b"\0" * (len(data) % 2)
        directory += struct.pack("<HHI", tag, kind, count) + place
    header = struct.pack("<2sHI", b"II", 42, at)
    path.write_bytes(header + pixels + directory + bytes(4) + rest)


def _packed(kind: int, values: Any) -> bytes:
    if kind in (BYTE, ASCII):
        return bytes(values)
    if kind in (SHORT, LONG):
        return struct.pack(f"<{len(values)}{'H' if kind == SHORT else 'I'}", *values)
    ratios = [Fraction(value).limit_denominator(10_000) for value in values]
    numbers = [number for ratio in ratios for number in ratio.as_integer_ratio()]
    return struct.pack(f"<{len(numbers)}{'I' if kind == RATIONAL else 'i'}", *numbers)
