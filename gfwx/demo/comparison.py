"""Sizes, errors and speeds of gfwx, PNG and JPEG 2000."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

import gfwx

QUALITIES = (256, 64, 16)
COUNT = 4 + 3 * len(QUALITIES)
"""Number of results that `compare` gives."""

Image = NDArray[np.uint8]
Encode = Callable[[Image], Any]
Decode = Callable[[Any], Image]


@dataclass(frozen=True)
class Result:
    """What one way to compress a photograph gives; speeds in MB/s, PSNR None if exact."""

    codec: str
    settings: str
    size: int
    psnr: float | None
    encode_speed: float
    decode_speed: float
    ends_section: bool


def compare(image: Image, seconds: float) -> Iterator[Result]:
    """Compress a photograph in all ways, without loss first."""
    gfwx_decode = partial(gfwx.decode, threads=1)
    jpeg2k_decode = partial(imagecodecs.jpeg2k_decode, numthreads=1)

    def jpeg2k(level: Any, reversible: bool = False) -> Encode:
        return partial(imagecodecs.jpeg2k_encode, level=level, reversible=reversible, numthreads=1)

    def result(
        codec: str,
        settings: str,
        encode: Encode,
        decode: Decode,
        ends_section: bool = False,
    ) -> Result:
        data = encode(image)
        return Result(
            codec,
            settings,
            len(data),
            psnr(image, decode(data)),
            speed(encode, image, image.nbytes, seconds),
            speed(decode, data, image.nbytes, seconds),
            ends_section,
        )

    gfwx_encode = partial(gfwx.encode, threads=1)
    contextual = partial(gfwx_encode, encoder="contextual")
    yield result("gfwx", "lossless", gfwx_encode, gfwx_decode)
    yield result("gfwx", "lossless, contextual", contextual, gfwx_decode)
    yield result("PNG", "lossless", imagecodecs.png_encode, imagecodecs.png_decode)
    yield result("JPEG 2000", "lossless", jpeg2k(0, True), jpeg2k_decode, ends_section=True)
    for quality in QUALITIES:
        lossy = partial(gfwx_encode, quality=quality)
        ours = result("gfwx", f"quality {quality}", lossy, gfwx_decode)
        yield ours
        smallest = partial(lossy, encoder="contextual", filter="cubic")
        yield result("gfwx", f"quality {quality}, contextual, cubic", smallest, gfwx_decode)
        level = least_level(image, jpeg2k, jpeg2k_decode, ours.psnr or 100)
        yield result("JPEG 2000", "same PSNR", jpeg2k(level), jpeg2k_decode, ends_section=True)


def least_level(
    image: Image,
    jpeg2k: Callable[[float], Encode],
    decode: Decode,
    wanted: float,
) -> float:
    """JPEG 2000's least quality setting, in dB, that really reaches a PSNR."""
    low, high = wanted - 3, wanted + 12
    for _ in range(7):
        middle = (low + high) / 2
        reached = psnr(image, decode(jpeg2k(middle)(image)))
        if reached is None or reached >= wanted:
            high = middle
        else:
            low = middle
    return high


def psnr(image: Image, decoded: Image) -> float | None:
    """Peak signal-to-noise ratio over all samples, in dB; None if they are the same."""
    error = np.mean(np.square(image.astype(np.int32) - decoded))
    return None if error == 0 else float(10 * np.log10(255**2 / error))


def speed(function: Callable[..., object], argument: object, size: int, seconds: float) -> float:
    """MB/s of a function that handles so many bytes: of the median of at least five runs."""
    times: list[float] = []
    while len(times) < 5 or sum(times) < seconds:
        start = time.perf_counter()
        function(argument)
        times.append(time.perf_counter() - start)
    return size / 1e6 / statistics.median(times)
