"""The stack that is written and read: nuclei under a microscope, made plane by plane."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

BACKGROUND = 200.0
OFFSET = 100.0
"""Of the camera, in its units; like the two below."""
READ_NOISE = 1.6
ELECTRONS = 2.0
"""Units for each electron: the variance of a unit's shot noise is so many times its mean."""
REACH = 4.0
"""Nuclei are drawn up to so many of their radii from their centers."""


def plane(z: int, planes: int, side: int) -> Array:
    """Make one plane of the stack.

    Nuclei are ellipsoids with soft edges and a texture, in uneven light, seen through the noise of
    photons and camera. A plane follows from its number alone.

    Parameters
    ----------
    z : int
        Its number.
    planes, side : int
        Of the whole stack: number of planes; rows and columns of each.

    Returns
    -------
    ndarray of uint16, (side, side)
        Samples, of which few are over 2^13.
    """
    across = np.linspace(-1, 1, side, dtype=np.float32)
    light = 1 - 0.3 * (across[:, np.newaxis] ** 2 + across**2)
    signal = BACKGROUND * light
    for center_z, center_y, center_x, radius, brightness, phase in _nuclei(planes, side):
        depth = (z - center_z) / (radius / 4)  # planes lie apart by four times a pixel's side
        if abs(depth) >= REACH:
            continue
        reach = int(REACH * radius)
        top, left = max(0, int(center_y) - reach), max(0, int(center_x) - reach)
        y = np.arange(top, min(side, int(center_y) + reach), dtype=np.float32)[:, np.newaxis]
        x = np.arange(left, min(side, int(center_x) + reach), dtype=np.float32)
        distance = ((y - center_y) / radius) ** 2 + ((x - center_x) / radius) ** 2 + depth**2
        texture = 1 + 0.2 * np.sin(0.5 * y + phase) * np.sin(0.6 * x + 0.8 * z)
        edge = brightness * texture / (1 + np.exp(np.minimum(8 * (distance - 1), 60)))
        signal[top : top + len(y), left : left + len(x)] += edge
    noise = np.random.default_rng((2026, z)).standard_normal(signal.shape, np.float32)
    seen = signal + noise * np.sqrt(ELECTRONS * signal + READ_NOISE**2) + OFFSET
    return np.clip(np.rint(seen), 0, 65535).astype(np.uint16)


def block(block_info: Any, planes: int, side: int) -> Array:
    """Make a chunk of the stack for dask: whole planes."""
    (first, last), *_ = block_info[None]["array-location"]
    return np.stack([plane(z, planes, side) for z in range(first, last)])


@cache
def _nuclei(planes: int, side: int) -> list[tuple[float, ...]]:
    source = np.random.default_rng(2026)
    count = max(1, planes * side * side // 250_000)
    return [
        (
            source.uniform(0, planes),
            source.uniform(0, side),
            source.uniform(0, side),
            source.uniform(12, 28),
            source.lognormal(7, 0.6),
            source.uniform(0, 6),
        )
        for _ in range(count)
    ]
