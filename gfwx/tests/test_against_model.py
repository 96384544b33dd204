"""The codec against the independent model, on random pictures with all parameters."""

from __future__ import annotations

from typing import Any

import model
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from parameters import ENCODERS, arguments, downsamplings
from strategies import QUICK, THOROUGH, images, parameters

import gfwx

WIDER = {"uint8": "uint16", "int8": "int16"}


def same(actual: NDArray[Any] | None, expected: NDArray[Any] | None) -> None:
    if expected is None:
        assert actual is None
        return
    assert actual is not None
    assert actual.dtype == expected.dtype
    assert_array_equal(actual, expected)


def check(data: st.DataObject, max_side: int, max_layers: int, max_channels: int) -> None:
    image = data.draw(images(max_side, max_layers, max_channels), label="image")
    chosen = data.draw(parameters(image), label="parameters")
    file = gfwx.encode(image, **arguments(chosen), threads=data.draw(st.integers(1, 2)))
    assert file == model.encode(image, **chosen)

    _, height, width, _ = image.shape
    possible = downsamplings(height, width, chosen["filter"], chosen["intent"])
    for downsampling in possible:
        expected, _ = model.decode(file, downsampling)
        same(gfwx.decode(file, downsampling=downsampling, keep_dims=True), expected)
    with pytest.raises(gfwx.ArgumentError, match="downsampling"):
        gfwx.decode(file, downsampling=len(possible))

    if (wider := WIDER.get(image.dtype.name)) is not None:
        expected, _ = model.decode(file, dtype=wider)
        same(gfwx.decode(file, dtype=wider, keep_dims=True), expected)

    for _ in range(4):
        size = data.draw(st.integers(0, len(file)), label="prefix")
        downsampling = data.draw(st.sampled_from(possible), label="downsampling")
        check_prefix(file[:size], downsampling)


def check_prefix(prefix: bytes, downsampling: int) -> None:
    expected, next_point = model.decode(prefix, downsampling)
    decoded = gfwx.decode(prefix, downsampling=downsampling, keep_dims=True, partial=True)
    same(decoded[0], expected)
    assert decoded[1] == next_point
    if next_point is None:
        same(gfwx.decode(prefix, downsampling=downsampling, keep_dims=True), expected)
    else:
        with pytest.raises(gfwx.IncompleteDataError) as raised:
            gfwx.decode(prefix, downsampling=downsampling)
        assert raised.value.next == next_point


@QUICK
@given(st.data())
def test_few_planes(data: st.DataObject) -> None:
    check(data, max_side=34, max_layers=1, max_channels=3)


@QUICK
@given(st.data())
def test_many_planes(data: st.DataObject) -> None:
    check(data, max_side=9, max_layers=4, max_channels=9)


@pytest.mark.slow
@THOROUGH
@given(st.data())
def test_few_planes_long(data: st.DataObject) -> None:
    check(data, max_side=40, max_layers=2, max_channels=4)


@pytest.mark.slow
@THOROUGH
@given(st.data())
def test_many_planes_long(data: st.DataObject) -> None:
    check(data, max_side=12, max_layers=5, max_channels=9)


@pytest.mark.parametrize("filter", [0, 3])
@pytest.mark.parametrize("intent", [0, 2])
def test_every_prefix(filter: int, intent: int) -> None:
    y, x = np.mgrid[:13, :18]
    image = (7 * x + 11 * y + x * y % 5).astype(np.uint8).reshape(1, 13, 18, 1)
    file = model.encode(
        image, filter=filter, intent=intent, encoder=2, block_size=2, metadata=[1, 2], quality=900
    )
    for size in range(len(file) + 1):
        for downsampling in downsamplings(13, 18, filter, intent):
            check_prefix(file[:size], downsampling)


@pytest.mark.parametrize("encoder", [1, 2, 3])
@pytest.mark.parametrize("factor", [1 << 10, 1 << 14])
def test_codes_longer_than_a_word(encoder: int, factor: int) -> None:
    """Coefficients over 74 million, where the reference loses bits (format, section 4)."""
    random = np.random.default_rng(1)
    image = random.integers(0, 65535, (1, 20, 23, 2), endpoint=True).astype(np.uint16)
    transform = [0, 1, factor, -1, 1, 0, -1]
    file = gfwx.encode(
        image,
        encoder=ENCODERS[encoder],
        intent="generic",
        transform=transform,
    )
    assert file == model.encode(image, encoder=encoder, transform=transform)
    assert_array_equal(gfwx.decode(file, keep_dims=True), image)
