"""How fast is lossless coding of photographs, beside PNG and JPEG 2000? One thread each.

The encoded size as a share of the raw size is in each benchmark's name, because speed alone says
little: the codecs differ in what they save.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

import gfwx

PHOTOGRAPHS = ("astronaut", "coffee", "retina")


class Codec(NamedTuple):
    """A lossless codec at one setting."""

    encode: Callable[[NDArray[Any]], bytes]
    decode: Callable[[bytes], NDArray[Any]]


def gfwx_codec(encoder: str) -> Codec:
    return Codec(
        partial(gfwx.encode, encoder=encoder, threads=1),
        partial(gfwx.decode, threads=1),
    )


CODECS = {
    "gfwx fast": gfwx_codec("fast"),
    "gfwx contextual": gfwx_codec("contextual"),
    "gfwx high-bitrate": gfwx_codec("high-bitrate"),
    "png": Codec(imagecodecs.png_encode, imagecodecs.png_decode),
    "jpeg 2000": Codec(
        partial(imagecodecs.jpeg2k_encode, level=0, reversible=True, numthreads=1),
        partial(imagecodecs.jpeg2k_decode, numthreads=1),
    ),
}


@cache
def photograph(name: str) -> NDArray[np.uint8]:
    image: NDArray[np.uint8] = getattr(skimage.data, name)()
    return image


@pytest.fixture(params=PHOTOGRAPHS)
def image(request: pytest.FixtureRequest) -> NDArray[np.uint8]:
    return photograph(request.param)


@pytest.fixture(params=CODECS)
def codec(request: pytest.FixtureRequest) -> Codec:
    return CODECS[request.param]


def describe(
    benchmark: BenchmarkFixture, request: pytest.FixtureRequest, image: NDArray[Any], data: bytes
) -> None:
    """Name the benchmark by codec and size, and group it by photograph and direction."""
    parameters = request.node.callspec.params
    direction = request.node.originalname.removeprefix("test_")
    benchmark.group = f"{direction} {parameters['image']} ({image.nbytes / 1e6:.2f} MB)"
    benchmark.name = f"{parameters['codec']} ({100 * len(data) / image.nbytes:.1f} %)"
    benchmark.extra_info.update(raw_bytes=image.nbytes, encoded_bytes=len(data))


def test_encode(
    benchmark: BenchmarkFixture,
    request: pytest.FixtureRequest,
    codec: Codec,
    image: NDArray[np.uint8],
) -> None:
    data = codec.encode(image)
    describe(benchmark, request, image, data)
    assert benchmark(codec.encode, image) == data
    assert np.array_equal(codec.decode(data), image)


def test_decode(
    benchmark: BenchmarkFixture,
    request: pytest.FixtureRequest,
    codec: Codec,
    image: NDArray[np.uint8],
) -> None:
    data = codec.encode(image)
    describe(benchmark, request, image, data)
    assert np.array_equal(benchmark(codec.decode, data), image)
