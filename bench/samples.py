"""What is coded: RGB, more than 8 bits, and Bayer mosaics, all made from photographs."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

KINDS: Final = {
    "rgb8": "RGB, 8 bits: the photographs as they are",
    "rgb12": "RGB, 12 bits: 8-bit samples times 16 with random low bits (full size)",
    "rgb12-half": "RGB, 12 bits: sums of 2 x 2 pixels times 4 with random low bits",
    "bayer8": "Bayer, 8 bits: mosaic of the photographs",
    "bayer12": "Bayer, 12 bits: mosaic of 8-bit samples times 16 with random low bits (full size)",
    "bayer12-half": "Bayer, 12 bits: mosaic of sums of 2 x 2 pixels times 4 with random low bits",
    "rgb16": "RGB, 16-bit files as they are",
    "bayer16": "Bayer: mosaic of the 16-bit files",
    "gray8": "Gray, 8 bits",
    "gray16": "Gray, 16-bit files as they are",
}
"""What each kind of samples is."""


def kinds_of(image: Array) -> tuple[str, ...]:
    """Return the kinds that can be made from a picture."""
    if image.ndim == 2:
        return ("gray8",) if image.dtype == np.uint8 else ("gray16",)
    if image.dtype == np.uint8:
        return ("rgb8", "rgb12", "rgb12-half", "bayer8", "bayer12", "bayer12-half")
    return ("rgb16", "bayer16")


def make(image: Array, kind: str) -> Array:
    """Make samples of a kind from a picture.

    Parameters
    ----------
    image : ndarray
        The photograph.
    kind : str
        One of those that `kinds_of` names.

    Returns
    -------
    ndarray
        (H, W, 3), or (H, W) for mosaics and gray pictures.
    """
    if kind.startswith("bayer"):
        return mosaic(make(image, "rgb" + kind.removeprefix("bayer")))
    if kind == "rgb12":
        return _with_low_bits(image, 4)
    if kind == "rgb12-half":
        return _with_low_bits(_box_sums(image), 2)
    return image


def mosaic(image: Array) -> Array:
    """Make an RGGB mosaic, of even height and width."""
    height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    result = image[:height, :width, 1].copy()
    result[0::2, 0::2] = image[0:height:2, 0:width:2, 0]
    result[1::2, 1::2] = image[1:height:2, 1:width:2, 2]
    return result


def scaled(image: Array, numerator: int, denominator: int) -> Array:
    """Make a picture smaller by means over areas.

    Parameters
    ----------
    image : ndarray, (H, W) or (H, W, C)
        The photograph; rows and columns over a multiple of `denominator` are left out.
    numerator, denominator : int
        Height and width are multiplied by this fraction, at most 1.

    Returns
    -------
    ndarray
        Means of the areas that pixels of the smaller picture cover, rounded with halves upward.
    """
    if numerator == denominator:
        return image
    ends = np.arange(numerator + 1) * denominator  # of the smaller picture's pixels
    places = np.arange(denominator)[:, None] * numerator  # of the larger one's
    overlaps = np.minimum(ends[1:], places + numerator) - np.maximum(ends[:-1], places)
    weights = np.maximum(overlaps, 0).astype(np.float32) / denominator
    result = image.astype(np.float32)
    for axis in (0, 1):
        result = result.swapaxes(0, axis)
        groups = len(result) // denominator
        parts = result[: groups * denominator].reshape(groups, denominator, -1)
        means = np.einsum("gdx,dn->gnx", parts, weights, optimize=True)
        result = means.reshape(-1, *result.shape[1:]).swapaxes(0, axis)
    return np.ascontiguousarray((result + 0.5).astype(image.dtype))


def _box_sums(image: Array) -> Array:
    height, width = image.shape[0] // 2, image.shape[1] // 2
    boxes = image[: 2 * height, : 2 * width].reshape(height, 2, width, 2, -1)
    return boxes.sum(axis=(1, 3), dtype=np.uint16)


def _with_low_bits(image: Array, bits: int) -> Array:
    """Append random low bits, as a sensor's noise: zeros would be a gift to some codecs."""
    noise = np.random.default_rng(2026).integers(0, 1 << bits, image.shape, np.uint16)
    return (image.astype(np.uint16) << bits) | noise
