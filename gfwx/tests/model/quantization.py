"""Quantization (section 7)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .arithmetic import Plane, divide, int32, wide


def quantize(lattice: Plane, step: int, quality: int, min_q: int, boost: int) -> None:
    """Quantize in place; `lattice` is the view `plane[y0:y1, x0:x1]`."""
    max_q = 1024 * boost
    for here, q in levels(lattice, step, quality, min_q, max_q):
        product = wide(lattice) * q
        if lattice.dtype == np.int16:
            product = int32(product)
        lattice[here] = divide(product, max_q)[here]


def dequantize(lattice: Plane, step: int, quality: int, min_q: int, boost: int) -> None:
    """The inverse of `quantize` as far as there is one, in place."""
    max_q = 1024 * boost
    for here, q in levels(lattice, step, quality, min_q, max_q):
        product = wide(lattice) * max_q + np.sign(wide(lattice)) * (max_q // 2)
        if lattice.dtype == np.int16:
            product = int32(product)
        lattice[here] = divide(product, q)[here]


def levels(
    lattice: Plane, step: int, quality: int, min_q: int, max_q: int
) -> Iterator[tuple[Plane, int]]:
    """For each quantized level: a mask of its positions, and its q."""
    height, width = lattice.shape
    y, x = np.arange(height)[:, np.newaxis], np.arange(width)
    skip = step
    while skip < width and skip < height:
        q = max(1, min_q, quality)
        if q >= max_q:
            return
        on_level = (x % skip == 0) & (y % skip == 0)
        coarser = (x % (2 * skip) == 0) & (y % (2 * skip) == 0)
        yield on_level & ~coarser, q
        quality = min(max_q, 2 * quality)
        skip *= 2
