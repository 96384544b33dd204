"""What ``encoder="auto"`` and ``transform="auto"`` stand for: found from a sample of the picture.

The sample is some of the coefficients of the finest level. The transform of which they have the
smallest logarithms makes the smallest file. Fast codes runs of zeros, HighBitrate does not: it
makes the smaller file where such runs are rare. The rules and the threshold were found by
measurement: see the figures in the project's ``docs/decisions.md``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gfwx import threads, transforms
from gfwx.coefficients import unsigned
from gfwx.header import Encoder, Header, Intent
from gfwx.kernels import sampling
from gfwx.limits import MAX_PROGRAM_LENGTH

ZERO_RUNS_FOR_FAST: Final = 0.1
"""Share of runs of eight coefficients that are all zero, from which Fast makes the smaller file."""

LEAST_PIXELS: Final = 1024
"""For which transforms are compared: it takes ten microseconds."""

_CANDIDATES: Final = ("uyv", "a710", None)
_CHANNELS: Final = 4  # that are looked at, at most


def choose(
    image: NDArray[Any], header: Header, transform: transforms.Transform, workers: int
) -> tuple[Encoder, transforms.Transform]:
    """Choose the encoder, and the channel transform where that is "auto".

    Parameters
    ----------
    image : ndarray, (L, H, W, C)
        Samples in native byte order.
    header : Header
        Checked; its encoder does not matter.
    transform : str, sequence of int, sequence of Step, or None
        As for `encode`.
    workers : int
        Threads to use.

    Returns
    -------
    encoder : Encoder
        Fast or HighBitrate, whichever is likely to make the smaller file. Transforms that are not
        among the named ones are left out of account.
    transform : str, sequence of int, sequence of Step, or None
        "uyv", "a710" or None instead of "auto", if there are colors to transform, without loss, in
        a picture that is not tiny. The errors of lossy files depend on the transform too, so that
        sizes do not tell which is best.
    """
    candidates: tuple[str | None, ...] = (transform if isinstance(transform, str) else None,)
    if may_choose_transform(header, transform):
        candidates = _CANDIDATES
    samples = threads.run(lambda name: _sample(image, header, name), candidates, workers)
    best, (_, zero_runs, runs) = min(
        zip(candidates, samples, strict=True), key=lambda found: found[1][0]
    )
    # Without any runs nothing is known but the type.
    fast = zero_runs >= ZERO_RUNS_FOR_FAST * runs if runs else image.itemsize == 1
    encoder = Encoder.FAST if fast else Encoder.HIGH_BITRATE
    return encoder, best if isinstance(transform, str) else transform


def may_choose_transform(header: Header, transform: transforms.Transform) -> bool:
    """Tell whether "auto" is asked for, and a look at the picture can say what it is."""
    if not isinstance(transform, str) or transform != "auto":
        return False
    if not header.is_lossless or header.width * header.height < LEAST_PIXELS:
        return False
    usual = transforms.resolve("auto", header.intent, header.channels, header.layers)
    longest = header.layers * len(transforms.A710) < MAX_PROGRAM_LENGTH
    return usual != transforms.NONE and longest


def _sample(image: NDArray[Any], header: Header, transform: str | None) -> tuple[int, int, int]:
    """Sum of logarithms, number of runs of zeros, and of all runs (see `kernels.sampling`)."""
    program, zeros = _for_kernel(
        transform,
        header.intent,
        min(header.channels, _CHANNELS),
        header.quality,
        header.chroma_quality,
    )
    step = -(-header.channels // _CHANNELS) if program.size == 1 else 1
    some = unsigned(image)[..., ::step][..., :_CHANNELS]
    if header.height > header.width:
        some = some.swapaxes(1, 2)  # so that narrow pictures are long enough for runs
    measure = sampling.sample_16bit if image.itemsize == 2 else sampling.sample_8bit
    return measure(some, header.signed, program, zeros, 2 if header.is_bayer else 1)


@lru_cache(maxsize=16)
def _for_kernel(
    transform: str | None, intent: Intent, channels: int, quality: int, chroma_quality: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    program = transforms.resolve(transform, intent, channels, 1)
    chroma = transforms.chroma_planes(program, channels)
    return (
        np.array(program, np.int32),
        1023 // np.where(chroma, chroma_quality, quality).astype(np.int32),
    )
