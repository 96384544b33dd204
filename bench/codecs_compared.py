"""The lossless codecs that are compared, gfwx and those of imagecodecs, each at its settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray

import gfwx

Array = NDArray[Any]


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


CORES: Final = _cores()


@dataclass(frozen=True)
class Codec:
    """A lossless codec at one setting; `threads` is passed where the codec has the option."""

    name: str
    encode_one: Callable[..., Any]
    decode_one: Callable[..., Any]
    family: str
    threads_encoding: str | None = None
    threads_decoding: str | None = None
    split: bool = False

    def prepare(self, image: Array) -> list[Array]:
        """Cut a mosaic into four planes where that is how it is coded."""
        if not self.split:
            return [image]
        return [np.ascontiguousarray(image[y::2, x::2]) for y in (0, 1) for x in (0, 1)]

    def encode(self, images: list[Array], threads: int) -> list[bytes]:
        options = {self.threads_encoding: threads} if self.threads_encoding else {}
        return [self.encode_one(image, **options) for image in images]

    def decode(self, data: list[bytes], threads: int) -> list[Array]:
        options = {self.threads_decoding: threads} if self.threads_decoding else {}
        return [self.decode_one(one, **options) for one in data]

    @property
    def slow(self) -> bool:
        """Whether large pictures take seconds, so that fewer rounds have to do."""
        return self.name.split(",")[0] in ("JPEG 2000", "JPEG XL e3", "PNG", "WebP")

    @property
    def is_gfwx(self) -> bool:
        return self.family == "gfwx"


def gfwx_codec(name: str, **options: Any) -> Codec:
    encode = partial(gfwx.encode, **options)
    return Codec(f"gfwx {name}", encode, gfwx.decode, "gfwx", "threads", "threads")


def gfwx_codecs(kind: str) -> list[Codec]:
    """Return gfwx with each encoder; ``"auto"`` is fast or high-bitrate."""
    options = {"intent": "bayer-rggb"} if kind.startswith("bayer") else {}
    encoders = ("fast", "high-bitrate", "contextual", "auto")
    return [gfwx_codec(encoder, encoder=encoder, **options) for encoder in encoders]


def peers(kind: str) -> list[Codec]:
    """Return the other codecs that can code such samples; mosaics as they are, and split."""
    codecs = _peers(kind)
    if not kind.startswith("bayer"):
        return codecs
    return [
        Codec(
            f"{codec.name}, {'split' if split else 'gray'}",
            codec.encode_one,
            codec.decode_one,
            codec.family,
            codec.threads_encoding,
            codec.threads_decoding,
            split,
        )
        for codec in codecs
        for split in (False, True)
    ]


def lossless_codecs(kind: str) -> list[Codec]:
    """Return all codecs for a kind of samples."""
    return gfwx_codecs(kind) + peers(kind)


def _peers(kind: str) -> list[Codec]:
    # Saying that there are 12 bits makes JPEG XL's files smaller, and JPEG 2000's no larger.
    bits: dict[str, Any] = {"bitspersample": 12} if "12" in kind else {}
    codecs = [
        Codec(
            "JPEG 2000",
            partial(imagecodecs.jpeg2k_encode, level=0, reversible=True, **bits),
            imagecodecs.jpeg2k_decode,
            "JPEG 2000",
            "numthreads",
            "numthreads",
        ),
        Codec(
            "HTJ2K",
            partial(imagecodecs.htj2k_encode, reversible=True),
            imagecodecs.htj2k_decode,
            "HTJ2K",
        ),
        *(
            Codec(
                f"JPEG XL e{effort}",
                partial(imagecodecs.jpegxl_encode, lossless=True, effort=effort, **bits),
                imagecodecs.jpegxl_decode,
                "JPEG XL",
                "numthreads",
                "numthreads",
            )
            for effort in (1, 3)
        ),
        Codec("JPEG-LS", imagecodecs.jpegls_encode, imagecodecs.jpegls_decode, "JPEG-LS"),
        Codec("PNG", imagecodecs.png_encode, imagecodecs.png_decode, "PNG"),
        Codec("LERC", partial(imagecodecs.lerc_encode, level=0), imagecodecs.lerc_decode, "LERC"),
    ]
    if kind == "rgb8":
        webp = partial(imagecodecs.webp_encode, lossless=True)
        codecs += [
            Codec("QOI", imagecodecs.qoi_encode, imagecodecs.qoi_decode, "QOI"),
            Codec(
                "WebP fastest",
                partial(webp, level=0, method=0),
                imagecodecs.webp_decode,
                "WebP",
                "numthreads",
            ),
            Codec("WebP", webp, imagecodecs.webp_decode, "WebP", "numthreads"),
        ]
    return codecs
