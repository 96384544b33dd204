"""Memory kept from one call to the next: fresh pages cost more than what is done with them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gfwx.kernels import picture_memory
from gfwx.kernels.block_data import BlockData

MOST_KEPT: Final = 1 << 27
"""Bytes of either kind that are kept at most; what is larger is given back after each call."""

LARGE_PICTURE: Final = 1 << 25
"""Bytes from which C libraries take new pages for each array; others they use again themselves."""

# Threads may share these: append and pop are atomic.
_coefficients: list[NDArray[np.uint8]] = []
_block_data: list[list[BlockData]] = []


def release_memory() -> None:
    """Give back the memory that is kept for the next call.

    Calls that are under way in other threads keep theirs, for the call after them.
    """
    _coefficients.clear()
    _block_data.clear()
    picture_memory.release()


def picture(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Make an array for a picture, of whatever values, if possible in the memory of the last one.

    Parameters
    ----------
    shape : tuple of int
        Its shape.
    dtype : dtype
        Its type.
    """
    size = math.prod(shape) * dtype.itemsize
    if size < LARGE_PICTURE:
        return np.empty(shape, dtype)
    return np.frombuffer(memoryview(picture_memory.PictureMemory(size)), dtype).reshape(shape)


@contextmanager
def coefficients(count: int, dtype: type[np.signedinteger[Any]]) -> Iterator[NDArray[Any]]:
    """Lend an array of so many coefficients, of whatever values.

    Parameters
    ----------
    count : int
        Its length.
    dtype : type
        int16 or int32.
    """
    size = count * np.dtype(dtype).itemsize
    try:
        memory = _coefficients.pop()
    except IndexError:
        memory = np.empty(0, np.uint8)
    if len(memory) < size:
        del memory  # before more is taken
        memory = np.empty(size, np.uint8)
    try:
        yield memory[:size].view(dtype)
    finally:
        if len(memory) <= MOST_KEPT:
            _coefficients.append(memory)
            del _coefficients[:-1]


@contextmanager
def block_data(count: int) -> Iterator[list[BlockData]]:
    """Lend memory for the data of blocks.

    Parameters
    ----------
    count : int
        How many threads encode blocks.
    """
    try:
        chunks = _block_data.pop()
    except IndexError:
        chunks = []
    chunks += [BlockData() for _ in range(count - len(chunks))]
    for chunk in chunks:
        chunk.clear()
    try:
        yield chunks
    finally:
        if sum(chunk.size for chunk in chunks) <= MOST_KEPT:
            _block_data.append(chunks)
            del _block_data[:-1]
