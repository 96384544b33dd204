"""How good are lossy pictures, beside JPEG 2000, HTJ2K, JPEG XL and JPEG?

Each codec runs through a range of settings; the report compares at equal bytes between them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import imagecodecs
import pytest
from conftest import PLAN
from fidelity import ms_ssim, psnr
from machine import one_core
from pictures import Picture
from plan import Plan, crop
from results import Results

import gfwx

PICTURES = 2
SIDE = 1536


class Lossy(NamedTuple):
    """A lossy codec, its setting that trades size for quality, and values for it."""

    encode: Callable[..., Any]
    decode: Callable[..., Any]
    setting: str
    values: tuple[float, ...]
    options: str


def gfwx_lossy(encoder: str, chroma_scale: int) -> Lossy:
    options: dict[str, Any] = {"encoder": encoder, "filter": "cubic", "chroma_scale": chroma_scale}
    return Lossy(
        partial(gfwx.encode, **options, threads=1),
        partial(gfwx.decode, threads=1),
        "quality",
        (800, 512, 320, 200, 128, 80, 48, 28, 16),
        ", ".join(f"{key}={value!r}" for key, value in options.items()),
    )


jpegxl_decode = partial(imagecodecs.jpegxl_decode, numthreads=1)
CODECS = {
    "gfwx contextual, chroma 2": gfwx_lossy("contextual", 2),
    "gfwx contextual, chroma 8": gfwx_lossy("contextual", 8),
    "gfwx fast, chroma 8": gfwx_lossy("fast", 8),
    "JPEG 2000": Lossy(
        partial(imagecodecs.jpeg2k_encode, reversible=False, numthreads=1),
        partial(imagecodecs.jpeg2k_decode, numthreads=1),
        "level",
        (53, 50, 47, 44, 41, 38, 35),
        "reversible=False; level is the PSNR asked for",
    ),
    "HTJ2K": Lossy(
        partial(imagecodecs.htj2k_encode, reversible=False),
        # imagecodecs' own decoder wraps values beyond the range of the samples around.
        partial(imagecodecs.jpeg2k_decode, numthreads=1),
        "level",
        (0.004, 0.008, 0.016, 0.032, 0.064, 0.12, 0.24),
        "reversible=False; level is the quantization step; decoded by OpenJPEG",
    ),
    "JPEG XL e3": Lossy(
        partial(imagecodecs.jpegxl_encode, effort=3, numthreads=1),
        jpegxl_decode,
        "distance",
        (0.2, 0.4, 0.8, 1.5, 3, 6, 12),
        "effort=3",
    ),
    "JPEG XL e7": Lossy(
        partial(imagecodecs.jpegxl_encode, effort=7, numthreads=1),
        jpegxl_decode,
        "distance",
        (0.2, 0.4, 0.8, 1.5, 3, 6, 12),
        "effort=7 (default)",
    ),
    "JPEG": Lossy(
        partial(imagecodecs.jpeg8_encode, subsampling="420", optimize=True),
        imagecodecs.jpeg8_decode,
        "level",
        (97, 94, 90, 82, 70, 50, 30, 15),
        "subsampling='420', optimize=True",
    ),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    plan = metafunc.config.stash[PLAN]
    pictures = plan.photographs()
    chosen = pictures[:: max(1, len(pictures) // PICTURES)][:PICTURES]
    metafunc.parametrize("picture", chosen, ids=lambda picture: picture.name)
    metafunc.parametrize("name", CODECS)


def test_rate_distortion(picture: Picture, name: str, plan: Plan, results: Results) -> None:
    codec = CODECS[name]
    image = crop(picture, SIDE, SIDE)
    for value in codec.values:
        with one_core():
            start = time.perf_counter()
            data = codec.encode(image, **{codec.setting: value})
            middle = time.perf_counter()
            decoded = codec.decode(data)
            end = time.perf_counter()
        results.add(
            "rate_distortion",
            picture=picture.name,
            shape=image.shape,
            codec=name,
            options=codec.options,
            setting=f"{codec.setting}={value}",
            bits_per_pixel=8 * len(data) / (image.shape[0] * image.shape[1]),
            psnr=psnr(image, decoded),
            ms_ssim=ms_ssim(image, decoded),
            encode_seconds=middle - start,
            decode_seconds=end - middle,
        )
