"""C's integer arithmetic on Python integers and numpy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

UINT32 = 0xFFFFFFFF

Plane = NDArray[Any]  # coefficients of one channel of one layer: (height, width), int16 or int32


class MalformedError(ValueError):
    """The data cannot be a GFWX file."""


def ceil_div(a: int, b: int) -> int:
    return (a + b - 1) // b


def bit_ceil(n: int) -> int:
    """The least power of two >= n."""
    return 1 << (n - 1).bit_length()


def wrap(value: int, bits: int) -> int:
    """Two's-complement wrap-around of a Python integer."""
    half = 1 << (bits - 1)
    return ((value + half) & ((1 << bits) - 1)) - half


def wide(values: NDArray[Any]) -> NDArray[np.int64]:
    """Values in a type where none of the format's sums overflow."""
    return values.astype(np.int64)


def int32(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Values as they are after a sum in int32."""
    return values.astype(np.int32).astype(np.int64)


def divide(a: NDArray[np.int64], b: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """Division that truncates toward zero; b > 0."""
    return np.sign(a) * np.floor_divide(np.abs(a), b, dtype=np.int64)
