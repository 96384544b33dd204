"""Parts of frames, to try on them what is then done with the whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from numpy.typing import NDArray

_SIDE: Final = 96
_CENTERS: Final = ((1, 1), (3, 3), (2, 2), (1, 3), (3, 1))
"""In quarters of height and width."""


def tiles(frames: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Cut some tiles out of all frames.

    Parameters
    ----------
    frames : ndarray, (frames, layers, height, width, channels)
        All of them; mosaics keep their pattern.

    Yields
    ------
    ndarray
        Up to five tiles, the whole frames if these are small.
    """
    height, width = frames.shape[2:4]
    corners = {(_first(y, height), _first(x, width)): None for y, x in _CENTERS}  # in this order
    for top, left in corners:
        yield frames[:, :, top : top + _SIDE, left : left + _SIDE]


def _first(quarter: int, length: int) -> int:
    """First row or column of a tile; even, for mosaics."""
    return max(0, min(length - _SIDE, quarter * length // 4 - _SIDE // 2)) // 2 * 2
