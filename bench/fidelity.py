"""How near a lossy picture is to the original."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Array = NDArray[Any]
WEIGHTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Weights of the scales, the finest first (Wang, Simoncelli and Bovik, 2003)."""


def psnr(original: Array, decoded: Array) -> float:
    """Peak signal-to-noise ratio over all samples of 8 bits, in dB."""
    error = np.mean(np.square(original.astype(np.float32) - decoded), dtype=np.float64)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def ms_ssim(original: Array, decoded: Array) -> float:
    """Multi-scale structural similarity of the luma of two 8-bit RGB pictures."""
    first, second = _luma(original), _luma(decoded)
    product = 1.0
    for scale, weight in enumerate(WEIGHTS):
        luminance, structure = _ssim(first, second)
        if scale == len(WEIGHTS) - 1:
            structure *= luminance
        product *= float(structure.mean(dtype=np.float64)) ** weight
        first, second = _halved(first), _halved(second)
    return product


def _luma(image: Array) -> Array:
    return image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def _halved(plane: Array) -> Array:
    height, width = plane.shape[0] // 2 * 2, plane.shape[1] // 2 * 2
    return plane[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))


def _ssim(first: Array, second: Array) -> tuple[Array, Array]:
    def blurred(plane: Array) -> Array:
        made: Array = gaussian_filter(plane, 1.5, truncate=3.5)
        return made[5:-5, 5:-5]

    mean_first, mean_second = blurred(first), blurred(second)
    variance_first = blurred(first * first) - mean_first**2
    variance_second = blurred(second * second) - mean_second**2
    covariance = blurred(first * second) - mean_first * mean_second
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean_first * mean_second + c1) / (mean_first**2 + mean_second**2 + c1)
    structure = (2 * covariance + c2) / (variance_first + variance_second + c2)
    return luminance, structure
