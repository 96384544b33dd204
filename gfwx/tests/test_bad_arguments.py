"""Arguments that cannot be used: the exception names them in the caller's words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_bad_input import COLOR, DEEP, GRAY, VALID, refused

import gfwx


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [
        ("gray", {"quality": 0}, "quality"),
        ("gray", {"quality": 1025}, "quality"),
        ("gray", {"quality": -1}, "quality"),
        ("gray", {"chroma_scale": 0}, "chroma_scale"),
        ("gray", {"chroma_scale": 257}, "chroma_scale"),
        ("gray", {"block_size": 1}, "block_size"),
        ("gray", {"block_size": 31}, "block_size"),
        ("gray", {"encoder": "turbo"}, "encoder"),
        ("gray", {"encoder": "slow"}, "encoder"),
        ("gray", {"filter": "haar"}, "filter"),
        ("gray", {"vertical_levels": 1}, "vertical_levels"),
        ("gray", {"vertical_levels": 9}, "vertical_levels"),
        ("gray", {"vertical_levels": 2, "filter": "cubic"}, "vertical_levels"),
        ("gray", {"intent": "gray"}, "intent"),
        ("gray", {"bit_depth": 0}, "bit_depth"),
        ("gray", {"bit_depth": 9}, "bit_depth"),
        ("deep", {"bit_depth": 8}, "bit_depth"),
        ("deep", {"bit_depth": 17}, "bit_depth"),
        ("gray", {"transform": "uyv"}, "transform"),
        ("color", {"intent": "bayer-rggb"}, "mosaics of shape (H, W) or (L, H, W, 1), got"),
        ("deep", {"intent": "bayer-generic"}, "image of 2 channels"),
        ("color", {"transform": "yuv"}, "transform"),
        ("color", {"transform": [0, 1, 1, -1, 1, 0]}, "transform"),
        ("color", {"transform": [3, 1, 1, -1, 1, 0, -1]}, "plane 3"),
        ("color", {"transform": [0, 3, 1, -1, 1, 0, -1]}, "plane 3"),
        ("color", {"transform": [0, 0, 1, -1, 1, 0, -1]}, "plane 0"),
        ("color", {"transform": [0, 1, 1, -1, 1, 0, 0, 2, 1, -1, 1, 0, -1]}, "plane 0"),
        ("color", {"transform": [0, 1, 1, -1, 1, -1, -1]}, "flag"),
    ],
)
def test_encode_refuses_values(name: str, options: dict[str, Any], word: str) -> None:
    image = {"gray": GRAY, "color": COLOR, "deep": DEEP}[name]
    assert word in str(refused(gfwx.ArgumentError, gfwx.encode, image, **options))


def test_encode_refuses_masks() -> None:
    image = np.ma.masked_greater(GRAY, 100)
    assert "must not have a mask" in str(refused(gfwx.ArgumentTypeError, gfwx.encode, image))


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 100.5},
        {"quality": "best"},
        {"quality": True},
        {"quality": np.True_},
        {"chroma_scale": None},
        {"quality": np.array([100])},
        {"encoder": 1},
        {"encoder": np.array(["fast", "contextual"])},
        {"filter": 0},
        {"vertical_levels": "2"},
        {"intent": 7},
        {"intent": ["rgb"]},
        {"bit_depth": 8.0},
        {"metadata": "text"},
        {"transform": 5},
        {"transform": [0.5]},
    ],
)
def test_encode_refuses_types(options: dict[str, Any]) -> None:
    error = refused(gfwx.ArgumentTypeError, gfwx.encode, COLOR, **options)
    assert isinstance(error, TypeError)
    assert next(iter(options)) in str(error)


@pytest.mark.parametrize(
    "shape", [(0, 5), (5, 0), (0, 0), (5, 5, 0), (0, 5, 3), (0, 5, 5, 3), (5,), (), (1, 1, 1, 1, 1)]
)
def test_encode_refuses_shapes(shape: tuple[int, ...]) -> None:
    refused(gfwx.ArgumentError, gfwx.encode, np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    "dtype", ["?", "u4", "i8", "f2", "f4", "c8", "O", "S1", "U1", "M8[s]", "u1,u1"]
)
def test_encode_refuses_sample_types(dtype: str) -> None:
    error = refused(gfwx.ArgumentTypeError, gfwx.encode, np.zeros((5, 5), dtype))
    assert "uint8, int8, uint16 or int16" in str(error)


@pytest.mark.parametrize("image", [None, "picture", object(), [[1, 2], [3]], b"bytes", 5])
def test_encode_refuses_what_is_no_picture(image: object) -> None:
    error = refused(gfwx.ArgumentTypeError, gfwx.encode, image)
    assert f"an array of samples, got {type(image).__name__}" in str(error)


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_out_of_range(threads: int) -> None:
    refused(gfwx.ArgumentError, gfwx.encode, GRAY, threads=threads)
    refused(gfwx.ArgumentError, gfwx.decode, VALID["gray"], threads=threads)
    refused(gfwx.ArgumentTypeError, gfwx.decode, VALID["gray"], threads="2")


@pytest.mark.parametrize(
    "out",
    [
        np.empty((21, 18, 4), np.uint8),
        np.empty((21, 18), np.uint8),
        np.empty((21, 19, 3), np.uint8),
        np.empty((1, 22, 18, 3), np.uint8),
        np.empty((21, 18, 3), np.uint16),
        np.empty((21, 18, 3), np.int8),
        np.empty((21, 18, 3), np.float32),
    ],
)
def test_decode_refuses_an_out_that_does_not_fit(out: np.ndarray[Any, Any]) -> None:
    assert "out" in str(refused(gfwx.ArgumentError, gfwx.decode, VALID["color"], out=out))


@pytest.mark.parametrize(
    ("name", "out", "message"),
    [
        ("color", np.empty((21, 18, 3), np.float32), "dtype uint8 (or uint16 with dtype='uint16')"),
        ("deep", np.empty((2, 9, 14, 2), np.uint8), "dtype uint16, got uint8"),
        ("color", np.empty((1, 21, 18, 3), np.uint8), "(or (1, 21, 18, 3) with keep_dims=True)"),
        ("deep", np.empty((9, 14), np.uint16), "shape (2, 9, 14, 2), got (9, 14)"),
    ],
)
def test_decode_tells_which_out_would_fit(
    name: str, out: np.ndarray[Any, Any], message: str
) -> None:
    assert message in str(refused(gfwx.ArgumentError, gfwx.decode, VALID[name], out=out))


def test_decode_refuses_an_out_that_cannot_be_written() -> None:
    out = np.empty((21, 18, 3), np.uint8)
    out.flags.writeable = False
    assert "writ" in str(refused(gfwx.ArgumentError, gfwx.decode, VALID["color"], out=out))
    for other in ([[0]], "out", bytearray(5)):
        refused(gfwx.ArgumentTypeError, gfwx.decode, VALID["color"], out=other)


def test_decode_refuses_an_out_that_overlaps_the_input() -> None:
    data = VALID["color"]
    memory = np.zeros(len(data) + COLOR.size, np.uint8)
    memory[: len(data)] = np.frombuffer(data, np.uint8)
    apart = memory[len(data) :].reshape(COLOR.shape)
    image = gfwx.decode(memory[: len(data)], out=apart)
    np.testing.assert_array_equal(image, gfwx.decode(data))
    overlapping = memory[len(data) - 1 : -1].reshape(COLOR.shape)
    error = refused(gfwx.ArgumentError, gfwx.decode, memory[: len(data)], out=overlapping)
    assert "overlap" in str(error)
    assert memory[: len(data)].tobytes() == data


def test_decode_refuses_an_out_that_overlaps_itself() -> None:
    out = np.lib.stride_tricks.as_strided(np.zeros(3, np.uint8), (21, 18, 3), (0, 0, 1))
    refused(gfwx.ArgumentError, gfwx.decode, VALID["color"], out=out)


@pytest.mark.parametrize(
    ("name", "downsampling"),
    [("gray", -1), ("gray", 5), ("gray", 64), ("gray", 2**70), ("tranches", 3), ("bayer", 5)],
)
def test_decode_refuses_downsampling_that_the_file_does_not_have(
    name: str, downsampling: int
) -> None:
    error = refused(gfwx.ArgumentError, gfwx.decode, VALID[name], downsampling=downsampling)
    assert "downsampling" in str(error)


@pytest.mark.parametrize("option", ["downsampling", "max_pixels"])
@pytest.mark.parametrize("value", [0.5, "1", None])
def test_decode_refuses_numbers_that_are_none(option: str, value: object) -> None:
    error = refused(gfwx.ArgumentTypeError, gfwx.decode, VALID["gray"], **{option: value})
    assert option in str(error)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("deep", np.uint8), ("gray", np.int8), ("gray", np.int16), ("gray", np.uint32)],
)
def test_decode_refuses_types_that_are_not_wider(name: str, dtype: type) -> None:
    message = str(refused(gfwx.ArgumentError, gfwx.decode, VALID[name], dtype=dtype))
    known = {"deep": "uint16", "gray": "uint8 or uint16"}[name]
    assert message == f"dtype must be {known} for this file, got {np.dtype(dtype)}"


@pytest.mark.parametrize("data", [None, 5, object(), np.zeros(64, np.uint8)[::2]])
def test_decode_refuses_data_that_are_no_bytes(data: object) -> None:
    refused(gfwx.ArgumentTypeError, gfwx.decode, data)
    refused(gfwx.ArgumentTypeError, gfwx.read_header, data)


def test_decode_names_the_function_that_takes_a_path() -> None:
    assert "imread" in str(refused(gfwx.ArgumentTypeError, gfwx.decode, "picture.gfwx"))


@pytest.mark.parametrize("encoder", ["fast", "contextual", "high-bitrate"])
def test_encode_refuses_a_coefficient_that_has_no_code(encoder: str) -> None:
    image = np.zeros((64, 96, 2), np.uint16)
    image[9, 17, 0] = 32768  # times 65536: -2^31 in plane 1
    error = refused(
        gfwx.ArgumentError,
        gfwx.encode,
        image,
        encoder=encoder,
        transform=[1, 0, 65536, -1, 1, 0, -1],
    )
    assert "factors" in str(error)


def test_large_factors_that_do_no_harm_are_accepted() -> None:
    image = np.full((64, 96, 2), 40000, np.uint16)
    data = gfwx.encode(image, transform=[1, 0, 3000, -1, 1, 0, -1])
    assert (gfwx.decode(data) == image).all()
