"""What ``transform="auto"`` stands for.

A710 makes most photographs smaller than UYV does, and most drawings larger. A sample of the picture
is encoded with both. The figures are in the project's ``docs/decisions.md``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gfwx import transforms
from gfwx.coefficients import Coding
from gfwx.encoding import encode_picture
from gfwx.header import Header, Intent
from gfwx.layout import layout_of
from gfwx.limits import MAX_PROGRAM_LENGTH

STRIPS, ROWS, COLUMNS = 8, 32, 256
"""Of the sample."""

LEAST_PIXELS: Final = 1 << 22
"""Smaller pictures are not sampled, as that would take too much of their time."""

A710_MARGIN: Final = 1.005
"""In a sample A710 gains less than in the whole picture; so it may be larger by this factor."""


def choose_transform(image: NDArray[Any], header: Header) -> str | None:
    """Name of the channel transform that is likely to make the smaller file.

    Parameters
    ----------
    image : ndarray, (L, H, W, C)
        Samples.
    header : Header
        How it will be encoded.

    Returns
    -------
    str or None
        UYV if the picture is lossy or small; None if it has no red, green and blue.
    """
    if header.intent not in transforms.COLOR or not _fits(transforms.UYV, header):
        return None
    lossless = header.quality == 1024 and header.chroma_scale == 1
    large = header.width * header.height >= LEAST_PIXELS
    if not lossless or not large or not _fits(transforms.A710, header):
        return "uyv"
    sample = _sample(image)
    a710, uyv = (_size(sample, header, name) for name in ("a710", "uyv"))
    return "a710" if a710 <= A710_MARGIN * uyv else "uyv"


def _fits(program: transforms.Program, header: Header) -> bool:
    """Whether there are three channels, and a file can hold the program for all layers."""
    return header.channels >= 3 and header.layers * (len(program) - 1) < MAX_PROGRAM_LENGTH


def _sample(image: NDArray[Any]) -> NDArray[Any]:
    """Strips from top to bottom and left to right of the middle layer, below each other."""
    layers, height, width, _ = image.shape
    rows, columns = max(1, min(ROWS, height // STRIPS)), min(COLUMNS, width)
    tops = [(2 * strip + 1) * height // (2 * STRIPS) - rows // 2 for strip in range(STRIPS)]
    lefts = [(width - columns) * strip // (STRIPS - 1) for strip in range(STRIPS)]
    strips = [
        image[layers // 2, top : top + rows, left : left + columns, :3]
        for top, left in zip(tops, lefts, strict=True)
    ]
    return np.concatenate(strips)[np.newaxis]


def _size(sample: NDArray[Any], header: Header, name: str) -> int:
    _, height, width, channels = sample.shape
    intent = Intent.BGR if header.intent in transforms.BGR else Intent.RGB
    small = replace(
        header, width=width, height=height, layers=1, channels=channels, intent=intent, metadata=b""
    )
    program = transforms.resolve(name, intent, channels, 1)
    return len(encode_picture(sample, Coding(small, layout_of(small), program), b"", 1))
