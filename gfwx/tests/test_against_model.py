"""The codec against the independent model, on random pictures and files, in every build."""

from __future__ import annotations

from typing import Any

import model
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.bits import to_words
from model.transforms import write_program
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from parameters import ENCODERS, arguments, downsamplings
from strategies import QUICK, THOROUGH, encodable, images, parameters

import gfwx

WIDER = {"uint8": "uint16", "int8": "int16"}
TURBO = 0
MAX_BLOCK_SIZE = 33  # that a header can hold, though encoders stop at 30


def same(actual: NDArray[Any] | None, expected: NDArray[Any] | None) -> None:
    """Check that two pictures are equal and of one type, or both missing."""
    if expected is None:
        assert actual is None
        return
    assert actual is not None
    assert actual.dtype == expected.dtype
    assert_array_equal(actual, expected)


def check(data: st.DataObject, max_side: int, max_layers: int, max_channels: int) -> None:
    """Encode a picture, decode it in every way, and decode some prefixes."""
    image = data.draw(images(max_side, max_layers, max_channels), label="image")
    chosen = data.draw(parameters(image), label="parameters")
    image = encodable(image, chosen)
    file = gfwx.encode(image, **arguments(chosen), threads=data.draw(st.integers(1, 2)))
    assert file == model.encode(image, **chosen)
    check_decoding(data, file, image, chosen)


def check_reading(data: st.DataObject, max_side: int, max_layers: int, max_channels: int) -> None:
    """Decode what only other encoders write: Turbo, large blocks, mosaics of several channels."""
    image = data.draw(images(max_side, max_layers, max_channels), label="image")
    chosen = data.draw(parameters(image), label="parameters")
    if data.draw(st.booleans(), label="turbo"):
        chosen["encoder"] = TURBO
    else:
        chosen["block_size"] = data.draw(st.integers(30, MAX_BLOCK_SIZE))
    check_decoding(data, model.encode(image, **chosen), image, chosen)


def check_decoding(
    data: st.DataObject, file: bytes, image: NDArray[Any], chosen: dict[str, Any]
) -> None:
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
        check_prefix(file[:size], data.draw(st.sampled_from(possible), label="downsampling"))


def check_damaged(data: st.DataObject) -> None:
    """Decode a file with random bytes in its tables and blocks: the same picture or error.

    So the two agree where no encoder gets: wrapping stores, endless codes, blocks too short.
    """
    image = data.draw(images(max_side=14, max_layers=2, max_channels=3), label="image")
    chosen = data.draw(parameters(image), label="parameters")
    chosen["encoder"] = data.draw(st.integers(0, 3), label="encoder")
    file = bytearray(model.encode(image, **chosen))
    program = to_words(write_program(chosen["transform"]))
    start = 4 * (8 + len(chosen["metadata"]) + len(program))
    places = st.integers(start, len(file) - 1)
    values = st.sampled_from((0, 1, 0x80, 0xFF)) | st.integers(0, 255)
    for place, value in data.draw(st.lists(st.tuples(places, values), max_size=20)):
        file[place] = value
    damaged = bytes(file[: data.draw(st.just(len(file)) | places)])

    _, height, width, _ = image.shape
    possible = downsamplings(height, width, chosen["filter"], chosen["intent"])
    options: dict[str, Any] = {"downsampling": data.draw(st.sampled_from(possible))}
    if data.draw(st.booleans(), label="wider"):
        options["dtype"] = WIDER.get(image.dtype.name)
    try:
        expected, next_point = model.decode(damaged, **options)
    except model.MalformedError:
        with pytest.raises(gfwx.MalformedError):
            gfwx.decode(damaged, **options, partial=True)
        return
    decoded = gfwx.decode(damaged, **options, keep_dims=True, partial=True)
    assert decoded[1] == next_point
    same(decoded[0], expected)


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
@given(data=st.data())
def test_few_planes(build: str, data: st.DataObject) -> None:
    check(data, max_side=34, max_layers=1, max_channels=3)


@QUICK
@given(data=st.data())
def test_many_planes(build: str, data: st.DataObject) -> None:
    check(data, max_side=9, max_layers=4, max_channels=9)


@QUICK
@given(data=st.data())
def test_reading(build: str, data: st.DataObject) -> None:
    check_reading(data, max_side=20, max_layers=2, max_channels=4)


@QUICK
@given(data=st.data())
def test_damaged(build: str, data: st.DataObject) -> None:
    check_damaged(data)


@pytest.mark.slow
@THOROUGH
@given(data=st.data())
def test_few_planes_long(build: str, data: st.DataObject) -> None:
    check(data, max_side=40, max_layers=2, max_channels=4)


@pytest.mark.slow
@THOROUGH
@given(data=st.data())
def test_many_planes_long(build: str, data: st.DataObject) -> None:
    check(data, max_side=12, max_layers=5, max_channels=9)


@pytest.mark.slow
@THOROUGH
@given(data=st.data())
def test_reading_long(build: str, data: st.DataObject) -> None:
    check_reading(data, max_side=34, max_layers=2, max_channels=4)


@pytest.mark.slow
@THOROUGH
@given(data=st.data())
def test_damaged_long(build: str, data: st.DataObject) -> None:
    check_damaged(data)


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
def test_codes_longer_than_a_word(build: str, encoder: int, factor: int) -> None:
    """Coefficients over 74 million, where the reference loses bits (format, section 4)."""
    random = np.random.default_rng(1)
    image = random.integers(0, 65535, (1, 20, 23, 2), endpoint=True).astype(np.uint16)
    transform = [0, 1, factor, -1, 1, 0, -1]
    file = gfwx.encode(image, encoder=ENCODERS[encoder], intent="generic", transform=transform)
    assert file == model.encode(image, encoder=encoder, transform=transform)
    assert_array_equal(gfwx.decode(file, keep_dims=True), image)
