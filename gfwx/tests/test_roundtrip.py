"""Lossless round trips of random pictures with random parameters, in every build."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from parameters import arguments
from strategies import QUICK, THOROUGH, encodable, images, parameters
from watch import within

import gfwx


def check(data: st.DataObject) -> None:
    image = data.draw(images(max_side=70, max_layers=5, max_channels=9), label="image")
    chosen = data.draw(parameters(image, lossless=True), label="parameters")
    image = encodable(image, chosen)
    threads = data.draw(st.integers(1, 3), label="threads")
    file = gfwx.encode(image, **arguments(chosen), threads=threads)
    decoded = gfwx.decode(file, keep_dims=True, threads=threads)
    assert decoded.dtype == image.dtype
    assert_array_equal(decoded, image)

    header = gfwx.read_header(file)
    assert header.shape == image.shape
    assert header.dtype == image.dtype
    assert header.is_lossless
    expected = arguments(chosen)
    if expected["bit_depth"] is None:
        expected["bit_depth"] = header.default_bit_depth
    del expected["transform"]
    for name, value in expected.items():
        assert getattr(header, name) == value, name


@QUICK
@given(data=st.data())
def test_lossless(build: str, data: st.DataObject) -> None:
    check(data)


@pytest.mark.parametrize("filter", ["linear", "cubic"])
def test_coefficients_of_all_32_bits(build: str, filter: str) -> None:
    """Large factors make them, and HighBitrate then begins with a k of up to 28."""
    image = np.random.default_rng(1).integers(0, 2**16, (200, 300, 2), np.uint16)
    program = [0, 1, 123456789, -1, 1, 0, -1]
    for encoder in ("fast", "contextual", "high-bitrate"):
        for block_size in (5, 30):
            file = gfwx.encode(
                image, encoder=encoder, filter=filter, block_size=block_size, transform=program
            )
            assert_array_equal(gfwx.decode(file), image)


@pytest.mark.parametrize("encoder", ["fast", "contextual", "high-bitrate"])
def test_very_many_tranches(encoder: str) -> None:
    """Time grows with their number, not with its square."""
    image = np.random.default_rng(1).integers(0, 256, (30000, 1), np.uint8)
    with within(seconds=20, megabytes=200):
        file = gfwx.encode(image, encoder=encoder, vertical_levels=2)
        assert_array_equal(gfwx.decode(file), image)


@pytest.mark.slow
@THOROUGH
@given(data=st.data())
def test_lossless_long(build: str, data: st.DataObject) -> None:
    check(data)
