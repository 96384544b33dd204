"""Chunks to code, and what may become of them on the way."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES = ("uint8", "int8", "uint16", "int16")
AXES = {"yx": (33, 47), "yxc": (33, 47, 3), "zyx": (5, 33, 47), "zyxc": (2, 33, 47, 4)}
"""Shape of a chunk for each kind of axes."""


def scene(shape: tuple[int, ...], dtype: str, seed: int = 0) -> NDArray[Any]:
    """Make samples of the whole range of a type: slopes and noise, different along every axis."""
    total: NDArray[Any] = np.random.default_rng(seed).normal(0, 0.02, shape)
    for axis, length in enumerate(shape):
        slope = np.linspace(-1, 1, length) * (-1) ** axis / len(shape)
        total += np.expand_dims(slope, [other for other in range(len(shape)) if other != axis])
    info = np.iinfo(dtype)
    middle = (info.max + info.min) / 2
    samples = middle + total * (info.max - middle)
    return samples.round().clip(info.min, info.max).astype(dtype)


def damaged(data: bytes) -> Iterator[bytes]:
    """Make files that no decoder can take for a whole picture of the same shape and type."""
    yield b""
    for length in (1, 3, 4, 20, 31, 32, len(data) // 2, len(data) - 8):
        yield data[:length]
    yield b"\x89PNG\r\n\x1a\n" * 9
    yield bytes(len(data))
    for width, height, counts in (
        (2**30, 2**30, 0),
        (2**30, 1, 0),
        (2**31, 7, 0),
        (0, 7, 0),
        (30_000, 30_000, 0),
        (7, 7, 2**32 - 1),
    ):
        yield data[:8] + struct.pack("<3I", width, height, counts) + data[20:]
    yield data[:4] + b"\2" + data[5:]  # of a version to come


def flipped(data: bytes, count: int) -> Iterator[bytes]:
    """Flip a bit; what has no checksum may still decode then, but to nothing worse than samples."""
    source = random.Random(0)
    for _ in range(count):
        copy = bytearray(data)
        copy[source.randrange(len(copy))] ^= 1 << source.randrange(8)
        yield bytes(copy)


def modules_after(statement: str) -> set[str]:
    """Names of the modules that a statement leaves imported in a fresh interpreter."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())
