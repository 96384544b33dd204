"""What encode, decode and `out` accept: shapes, strides, byte orders, kinds of buffers."""

from __future__ import annotations

import mmap
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from strategies import DTYPES, content

import gfwx

SHAPES = [
    (19, 23),
    (1, 1),
    (19, 23, 1),
    (19, 23, 3),
    (19, 23, 7),
    (1, 19, 23, 3),
    (3, 19, 23, 1),
    (3, 19, 23, 4),
]

VIEWS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "transposed": lambda a: a.transpose(0, 2, 1, 3),
    "channels and layers exchanged": lambda a: a.transpose(3, 1, 2, 0),
    "upside down": lambda a: a[:, ::-1],
    "mirrored": lambda a: a[:, :, ::-1],
    "channels reversed": lambda a: a[..., ::-1],
    "layers reversed": lambda a: a[::-1],
    "every second row and third column": lambda a: a[:, 1::2, ::3],
    "cut out": lambda a: a[1:, 3:11, 2:9, 1:],
    "one channel": lambda a: a[..., 1:2],
    "one channel, two axes": lambda a: a[0, :, :, 1],
    "repeated": lambda a: np.broadcast_to(a[:1, :1], (2, 5, *a.shape[2:])),
}


def picture(shape: tuple[int, ...] = (19, 23, 3), dtype: np.dtype[Any] = DTYPES[0]) -> NDArray[Any]:
    return content("smooth", four_dimensional(shape), dtype, 5).reshape(shape)


def decoded_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that a picture comes back in."""
    layers, height, width, channels = four_dimensional(shape)
    if layers > 1:
        return layers, height, width, channels
    return (height, width, channels) if channels > 1 else (height, width)


def four_dimensional(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    layers = shape[0] if len(shape) == 4 else 1
    height, width, channels = (*shape, 1) if len(shape) == 2 else shape[-3:]
    return layers, height, width, channels


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    image = picture(shape, dtype)
    file = gfwx.encode(image)
    four = four_dimensional(shape)
    assert gfwx.read_header(file).shape == four
    decoded = gfwx.decode(file)
    assert decoded.dtype == dtype
    assert_array_equal(decoded, image.reshape(decoded_shape(shape)), strict=True)
    assert_array_equal(gfwx.decode(file, keep_dims=True), image.reshape(four), strict=True)
    assert decoded.flags.c_contiguous
    assert decoded.flags.writeable


@pytest.mark.parametrize("transform", [None, [0, 1, -1, -1, 1, 1, -1]], ids=["plain", "transform"])
@pytest.mark.parametrize("intent", ["generic", "bayer-rggb"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_strides(
    view: Callable[[NDArray[Any]], NDArray[Any]],
    dtype: np.dtype[Any],
    intent: str,
    transform: list[int] | None,
) -> None:
    def part(array: NDArray[Any]) -> NDArray[Any]:
        seen = view(array)
        return seen[..., :1] if intent == "bayer-rggb" and seen.ndim == 4 else seen

    image = part(content("smooth", (2, 19, 23, 3), dtype, 5))
    if image.ndim == 2 or image.shape[0] * image.shape[3] < 2:
        transform = None
    expected = gfwx.encode(np.ascontiguousarray(image), intent=intent, transform=transform)
    assert gfwx.encode(image, intent=intent, transform=transform) == expected

    # The same view of a larger array as `out`: only the picture's own elements are written.
    around = np.full((2, 19, 23, 3), 99, dtype)
    out = part(around)
    if not out.flags.writeable:
        return
    written = np.zeros((2, 19, 23, 3), bool)
    part(written)[...] = True
    assert gfwx.decode(expected, out=out, keep_dims=out.ndim == 4) is out
    assert_array_equal(out, image)
    assert (around[~written] == 99).all()


def test_fortran_order() -> None:
    image = picture()
    assert gfwx.encode(np.asfortranarray(image)) == gfwx.encode(image)
    out = np.zeros(image.shape, np.uint8, order="F")
    gfwx.decode(gfwx.encode(image), out=out)
    assert_array_equal(out, image)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_byte_orders(dtype: np.dtype[Any]) -> None:
    image = picture(dtype=dtype)
    swapped = image.astype(dtype.newbyteorder())
    assert gfwx.encode(swapped) == gfwx.encode(image)
    out = np.zeros_like(swapped)
    assert gfwx.decode(gfwx.encode(image), out=out) is out
    assert_array_equal(out, image)


def test_read_only_image() -> None:
    image = picture()
    image.flags.writeable = False
    assert_array_equal(gfwx.decode(gfwx.encode(image)), image)


def test_unaligned_image() -> None:
    image = picture(dtype=np.dtype(np.uint16))
    unaligned = np.frombuffer(b"-" + image.tobytes(), np.uint8)[1:].view(np.uint16)
    unaligned = unaligned.reshape(image.shape)
    assert not unaligned.flags.aligned
    assert gfwx.encode(unaligned) == gfwx.encode(image)


def test_unaligned_out() -> None:
    image = picture(dtype=np.dtype(np.uint16))
    out = np.zeros(image.nbytes + 1, np.uint8)[1:].view(np.uint16).reshape(image.shape)
    gfwx.decode(gfwx.encode(image), out=out)
    assert_array_equal(out, image)


BUFFERS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "uint8 array": lambda data: np.frombuffer(data, np.uint8),
    "writeable uint8 array": lambda data: np.frombuffer(data, np.uint8).copy(),
    "unaligned memoryview": lambda data: memoryview(b"-" + data)[1:],
    "memoryview of words": lambda data: memoryview(data).cast("I"),
}


@pytest.mark.parametrize("intent", ["generic", "bayer-rggb"])
@pytest.mark.parametrize("kind", BUFFERS.values(), ids=BUFFERS)
def test_buffers_to_decode(kind: Callable[[bytes], Any], intent: str) -> None:
    image = picture((19, 23, 3) if intent == "generic" else (19, 23))
    file = gfwx.encode(image, intent=intent, metadata=b"note")
    buffer = kind(file)
    assert_array_equal(gfwx.decode(buffer), image)
    assert gfwx.read_header(buffer).metadata == b"note"
    decoded, next_point = gfwx.decode(buffer, partial=True)
    assert next_point is None
    assert_array_equal(decoded, image)


def test_mmap(tmp_path: Path) -> None:
    image = picture()
    path = tmp_path / "picture.gfwx"
    path.write_bytes(gfwx.encode(image))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert_array_equal(gfwx.decode(mapped), image)
        # Closing the map raises BufferError if a view of it is still alive.


def test_bytearray_can_be_resized_after_decoding() -> None:
    buffer = bytearray(gfwx.encode(picture()))
    decoded = gfwx.decode(buffer)
    buffer.clear()
    assert_array_equal(decoded, picture())


def test_data_after_the_end_are_ignored() -> None:
    file = gfwx.encode(picture())
    assert_array_equal(gfwx.decode(file + b"more data"), picture())


def test_out_has_the_shape_that_would_be_returned() -> None:
    image = picture((19, 23))
    file = gfwx.encode(image)
    flat, full = np.zeros((19, 23), np.uint8), np.zeros((1, 19, 23, 1), np.uint8)
    gfwx.decode(file, out=flat)
    assert_array_equal(flat, image)
    gfwx.decode(file, out=full, keep_dims=True)
    assert_array_equal(full[0, :, :, 0], image)


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2"])
def test_out_of_a_subclass(dtype: str) -> None:
    image = picture((19, 23), np.dtype(dtype).newbyteorder("="))
    file = gfwx.encode(image)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        matrix = np.asmatrix(np.zeros((19, 23), dtype))
    masked = np.ma.array(np.zeros((19, 23), dtype), mask=True, hard_mask=True)
    for out in (matrix, masked):
        assert gfwx.decode(file, out=out) is out
        assert_array_equal(out.view(np.ndarray), image)


def test_out_of_the_wider_type() -> None:
    image = picture()
    out = np.zeros(image.shape, np.uint16)
    gfwx.decode(gfwx.encode(image), out=out, dtype=np.uint16)
    assert_array_equal(out, image)


def test_downsampled_out() -> None:
    file = gfwx.encode(picture())
    expected = gfwx.decode(file, downsampling=2)
    out = np.zeros((5, 6, 3), np.uint8)
    assert gfwx.decode(file, downsampling=2, out=out) is out
    assert_array_equal(out, expected)
