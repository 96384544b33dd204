"""The codec of numcodecs, as its registry gives it out."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any

import documented
import numcodecs
import numpy as np
import pytest
from chunk_cases import AXES, DTYPES, damaged, flipped, modules_after, scene

import gfwx


def codec(axes: str, **options: Any) -> Any:
    return numcodecs.get_codec({"id": "gfwx", "axes": axes, **options})


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axes", AXES)
def test_a_chunk_comes_back_with_shape_and_type(axes: str, dtype: str) -> None:
    chunk = scene(AXES[axes], dtype)
    data = codec(axes).encode(chunk)
    decoded = codec(axes).decode(data)
    assert decoded.dtype == chunk.dtype
    np.testing.assert_array_equal(decoded, chunk, strict=True)
    layers, height, width, channels = gfwx.read_header(data).shape
    assert layers == (AXES[axes][0] if axes.startswith("z") else 1)
    assert (height, width) == (33, 47)
    assert channels == (AXES[axes][-1] if axes.endswith("c") else 1)


@pytest.mark.parametrize("axes", AXES)
def test_axes_of_length_one_stay(axes: str) -> None:
    chunk = np.full((1,) * len(axes), 7, np.uint16)
    np.testing.assert_array_equal(codec(axes).decode(codec(axes).encode(chunk)), chunk, strict=True)


def test_strides_do_not_matter() -> None:
    chunk = scene((66, 47), "int16")[::2, ::-1]
    np.testing.assert_array_equal(codec("yx").decode(codec("yx").encode(chunk)), chunk)


def test_options_are_those_of_encode() -> None:
    chunk = scene((40, 50, 3), "uint8")
    options = {
        "quality": 100,
        "encoder": "contextual",
        "filter": "cubic",
        "chroma_scale": 8,
        "block_size": 5,
        "intent": "bgr",
        "transform": "a710",
        "bit_depth": 7,
    }
    assert codec("yxc", **options).encode(chunk) == gfwx.encode(chunk, **options)  # type: ignore[arg-type]
    bands = codec("yx", vertical_levels=3).encode(chunk[..., 0])
    assert gfwx.read_header(bands).vertical_levels == 3
    plain = codec("yxc", transform=None).encode(chunk)
    assert plain == gfwx.encode(chunk, transform=None)


def test_programs_are_stored_as_integers() -> None:
    chunk = scene((3, 40, 50), "uint8")
    steps = [gfwx.transforms.Step(target=1, sources={0: -1})]
    made = codec("zyx", transform=steps)
    assert made.get_config()["transform"] == list(gfwx.transforms.program(steps))
    again = numcodecs.get_codec(json.loads(json.dumps(made.get_config())))
    assert again == made
    assert again.encode(chunk) == gfwx.encode(chunk[..., np.newaxis], transform=steps)


def test_configurations_come_back_through_json() -> None:
    made = codec("zyx", quality=np.int64(512), encoder=gfwx.Encoder.FAST, threads=2)
    stored = json.loads(json.dumps(made.get_config()))
    again = numcodecs.get_codec(stored)
    assert stored == again.get_config()
    assert again == made == pickle.loads(pickle.dumps(made))
    assert again != codec("zyx")
    assert "threads" not in stored  # of this process
    assert made.threads == 2
    assert again.threads == 1


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("threads", [1, None])
def test_out_takes_the_chunk(axes: str, threads: int | None) -> None:
    chunk = scene(AXES[axes], "int16")
    made = codec(axes, threads=threads)
    data = made.encode(chunk)

    out = np.zeros_like(chunk)
    assert made.decode(data, out=out) is out
    np.testing.assert_array_equal(out, chunk)

    strided = np.zeros((*chunk.shape[:-1], 2 * chunk.shape[-1]), chunk.dtype)[..., ::2]
    made.decode(data, out=strided)
    np.testing.assert_array_equal(strided, chunk)

    buffer = bytearray(chunk.nbytes)
    made.decode(data, out=buffer)
    assert bytes(buffer) == chunk.tobytes()

    unaligned = bytearray(chunk.nbytes + 1)
    made.decode(data, out=memoryview(unaligned)[1:])
    assert bytes(unaligned[1:]) == chunk.tobytes()


def test_out_that_does_not_fit_is_refused() -> None:
    chunk = scene((33, 47), "uint16")
    made = codec("yx")
    data = made.encode(chunk)
    for out in (
        bytearray(chunk.nbytes - 1),
        np.zeros((33, 48), np.uint16),
        np.zeros((34, 47), np.uint8),
        np.zeros((47, 66), np.uint16)[:, ::2],
        chunk.tobytes(),
        np.frombuffer(chunk.tobytes(), np.uint16).reshape(chunk.shape),
        "out",
    ):
        with pytest.raises(gfwx.ArgumentError, match=r"^out must "):
            made.decode(data, out=out)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "axes is missing"),
        ({"axes": "xy"}, "axes must be different letters.*'xy'"),
        ({"axes": "y"}, "axes must be"),
        ({"axes": "yxyx"}, "axes must be"),
        ({"axes": "cyxc"}, "axes must be"),
        ({"axes": "YX"}, "axes must be"),
        ({"axes": ["y", "x"]}, "axes must be a string"),
        ({"axes": "tzyx"}, "one axis of layers at most"),
        ({"axes": "yx", "quality": 0}, "quality must be 1..1024, got 0"),
        ({"axes": "yx", "quality": "high"}, "quality must be an integer"),
        ({"axes": "yx", "quality": True}, "quality must be an integer"),
        ({"axes": "yx", "encoder": "turbo"}, "turbo"),
        ({"axes": "yx", "filter": "haar"}, "filter must be one of"),
        ({"axes": "yx", "vertical_levels": 9}, "vertical_levels must be"),
        ({"axes": "yx", "intent": "depth"}, "intent must be one of"),
        ({"axes": "yxc", "intent": "bayer-rggb"}, "mosaics"),
        ({"axes": "yx", "transform": "uyv"}, "needs 3 channels"),
        ({"axes": "yx", "transform": [1, 2]}, "ends within a step"),
        ({"axes": "yx", "transform": 5}, "transform must be"),
        ({"axes": "yx", "bit_depth": 17}, "bit_depth"),
        ({"axes": "yx", "bit_depth": "8"}, "bit_depth"),
        ({"axes": "yx", "threads": 0}, "threads must be at least 1"),
        ({"axes": "yx", "qualty": 5}, "unknown options 'qualty'"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(gfwx.ArgumentError, match=message):
        numcodecs.get_codec({"id": "gfwx", **options})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda chunk: chunk.astype(np.float32), "samples must be .* got float32"),
        (lambda chunk: chunk.astype(np.uint32), "got uint32"),
        (lambda chunk: chunk > 0, "got bool"),
        (lambda chunk: chunk.astype(">u2"), "little-endian, got '>u2'"),
        (lambda chunk: np.asfortranarray(chunk), "Fortran order"),
        (lambda chunk: chunk[np.newaxis], "axes 'yx' are for 2 dimensions, got 3"),
        (lambda chunk: chunk.ravel(), "got 1"),
        (lambda chunk: chunk[:0], "at least one sample"),
        (lambda chunk: np.ma.masked_array(chunk, chunk > 0), "mask"),
        (lambda chunk: chunk.tobytes(), "got bytes"),
        (lambda chunk: chunk.tolist(), "got list"),
    ],
)
def test_chunks_that_cannot_be_coded_are_refused(make: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(gfwx.ArgumentError, match=message):
        codec("yx").encode(make(scene((33, 47), "uint16")))


def test_a_chunk_of_another_bit_depth_is_refused() -> None:
    with pytest.raises(gfwx.ArgumentError, match="bit_depth of uint8 samples"):
        codec("yx", bit_depth=12).encode(scene((33, 47), "uint8"))


def test_layers_and_channels_without_an_axis_are_refused() -> None:
    stack = codec("zyx").encode(scene((5, 33, 47), "uint8"))
    color = codec("yxc").encode(scene((33, 47, 3), "uint8"))
    for data, axes, what in (
        (stack, "yx", "5 layers"),
        (stack, "yxc", "5 layers"),
        (color, "yx", "3 channels"),
        (color, "zyx", "3 channels"),
    ):
        with pytest.raises(gfwx.MalformedError, match=f"{what}, for which axes '{axes}'"):
            codec(axes).decode(data)


@pytest.mark.parametrize("with_out", [False, True])
def test_damaged_chunks_are_refused(with_out: bool) -> None:
    chunk = scene((33, 47), "uint16")
    out = np.zeros_like(chunk) if with_out else None
    for data in damaged(codec("yx").encode(chunk)):
        with pytest.raises(gfwx.GfwxError):
            codec("yx").decode(data, out=out)


def test_flipped_bits_are_refused_or_give_a_chunk() -> None:
    chunk = scene((9, 11, 3), "uint8")
    refused = 0
    for data in flipped(codec("yxc").encode(chunk), 300):
        try:
            codec("yxc").decode(data, out=np.zeros_like(chunk))
        except gfwx.GfwxError:
            refused += 1
    assert 0 < refused < 300


def test_what_is_no_buffer_is_refused() -> None:
    for data in (None, 5, "GFWX"):
        with pytest.raises(gfwx.ArgumentTypeError, match="data must be"):
            codec("yx").decode(data)


def test_it_is_imported_only_for_use() -> None:
    assert "numcodecs" not in modules_after("import gfwx")
    assert "gfwx" not in modules_after("import numcodecs")


def test_the_readme_runs() -> None:
    assert documented.run("README.md", "python numcodecs") == 1
