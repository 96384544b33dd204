"""Lossless round trips of random pictures with random parameters, in every build."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from parameters import arguments
from strategies import QUICK, THOROUGH, images, parameters

import gfwx


def check(data: st.DataObject) -> None:
    image = data.draw(images(max_side=70, max_layers=5, max_channels=9), label="image")
    chosen = data.draw(parameters(image, lossless=True), label="parameters")
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


@pytest.mark.slow
@THOROUGH
@given(data=st.data())
def test_lossless_long(build: str, data: st.DataObject) -> None:
    check(data)
