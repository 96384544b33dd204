"""What encoder="auto" chooses: near the smaller file, whatever type, depth and quality."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gfwx


def scene(bits: int) -> NDArray[Any]:
    """Smooth hills with some noise, 200 x 300."""
    y, x = np.mgrid[:200, :300]
    noise = np.random.default_rng(1).normal(0, 0.01, y.shape)
    hills = 0.4 + 0.3 * np.sin(x / 31) * np.cos(y / 17) + noise
    return np.clip(hills * 2**bits, 0, 2**bits - 1).astype(np.uint16 if bits > 8 else np.uint8)


def test_eight_bits_are_fast() -> None:
    header = gfwx.read_header(gfwx.encode(scene(8)))
    assert header.encoder == "fast"


@pytest.mark.parametrize("quality", [1024, 256, 64, 16])
@pytest.mark.parametrize("bits", [9, 10, 12, 14, 16])
@pytest.mark.parametrize("intent", ["mono", "bayer-rggb"])
def test_auto_is_near_the_smaller_file(bits: int, quality: int, intent: str) -> None:
    image = scene(bits)
    sizes = {
        encoder: len(gfwx.encode(image, quality, encoder=encoder, intent=intent))
        for encoder in ("auto", "fast", "high-bitrate")
    }
    assert sizes["auto"] <= 1.1 * min(sizes["fast"], sizes["high-bitrate"])


def test_each_choice_is_made() -> None:
    image = scene(12)
    assert gfwx.read_header(gfwx.encode(image)).encoder == "high-bitrate"
    assert gfwx.read_header(gfwx.encode(image, 16)).encoder == "fast"


def test_colors_of_a_mosaic_are_not_taken_for_roughness() -> None:
    mosaic = np.zeros((64, 64), np.uint16)
    mosaic[::2, ::2] = 4000
    encoded = gfwx.encode(mosaic, intent="bayer-rggb")
    assert gfwx.read_header(encoded).encoder == "fast"
    assert len(encoded) <= len(gfwx.encode(mosaic, encoder="high-bitrate", intent="bayer-rggb"))


@pytest.mark.parametrize("shape", [(1, 1), (5, 2), (1, 1, 70), (3, 2, 2, 5)])
def test_images_without_neighbors(shape: tuple[int, ...]) -> None:
    image = np.full(shape, 60000, np.uint16)
    assert (gfwx.decode(gfwx.encode(image)) == 60000).all()
