"""What ``encoder="auto"`` stands for.

Fast suits small coefficients, HighBitrate large ones. How large they will be follows from how far
samples lie from the mean of their neighbors, and from the quality by which they are divided. The
threshold was found by measurement: see the figures in the project's ``docs/decisions.md``.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gfwx.header import Encoder

ROUGHNESS_FOR_HIGH_BITRATE: Final = 4.0
"""Distance, times quality / 1024, from which HighBitrate makes the smaller files."""

_ROWS, _COLUMNS, _OTHERS = 32, 1024, 4  # of the sample that is looked at, of each axis at most


def choose_encoder(image: NDArray[Any], quality: int, is_bayer: bool) -> Encoder:
    """Fast or HighBitrate, whichever is likely to make the smaller file.

    Parameters
    ----------
    image : ndarray, (L, H, W, C)
        Samples.
    quality : int
        1 to 1024.
    is_bayer : bool
        Whether neighbors of the same color are two samples apart.

    Returns
    -------
    Encoder
        Fast for all 8-bit samples: it is smaller, or as small, for each that was measured.
    """
    if image.itemsize == 1:
        return Encoder.FAST
    rough = roughness(image, 2 if is_bayer else 1) * quality / 1024 >= ROUGHNESS_FOR_HIGH_BITRATE
    return Encoder.HIGH_BITRATE if rough else Encoder.FAST


def roughness(image: NDArray[Any], distance: int) -> float:
    """Mean distance of samples from the mean of their neighbors to the left and right.

    Parameters
    ----------
    image : ndarray, (L, H, W, C)
        Samples; some evenly spaced rows of some layers and channels are looked at.
    distance : int
        Columns between neighbors.

    Returns
    -------
    float
        0 where a row has no sample with two neighbors.
    """
    layers, rows, columns, channels = image.shape
    left = max(0, (columns - _COLUMNS) // 2)
    sample = image[
        :: -(-layers // _OTHERS),
        :: -(-rows // _ROWS),
        left : left + _COLUMNS,
        :: -(-channels // _OTHERS),
    ].astype(np.int32)
    if sample.shape[2] <= 2 * distance:
        return 0.0
    middle = sample[:, :, distance:-distance]
    neighbors = sample[:, :, : -2 * distance] + sample[:, :, 2 * distance :]
    return float(np.abs(middle - neighbors // 2).mean())
