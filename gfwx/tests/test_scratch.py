"""Memory that is kept from one call to the next."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from watch import can_watch_memory, memory

import gfwx

# So large that the C library gives either kind of memory back to the system when it is freed.
NOISE = np.random.default_rng(1).integers(0, 256, (6000, 6000), np.uint8)
ZEROS = np.zeros((9000, 9000), np.uint8)


@pytest.mark.skipif(not can_watch_memory(), reason="needs the resident memory")
@pytest.mark.parametrize(
    ("image", "least"), [(NOISE, NOISE.size), (ZEROS, ZEROS.size // 2)], ids=["blocks", "levels"]
)
def test_kept_memory_is_given_back(image: NDArray[Any], least: int) -> None:
    gfwx.release_memory()  # what other tests have left
    size = len(gfwx.encode(image, threads=1))
    kept, _ = memory()
    gfwx.release_memory()
    left, _ = memory()
    assert kept - left > 0.9 * least
    assert len(gfwx.encode(image, threads=1)) == size


def test_nothing_need_be_kept() -> None:
    gfwx.release_memory()
    gfwx.release_memory()
    assert gfwx.decode(gfwx.encode(np.eye(9, dtype=np.uint8))).sum() == 9


def test_a_dropped_picture_makes_room_for_the_next() -> None:
    file = gfwx.encode(NOISE)
    first = gfwx.decode(file)
    second = gfwx.decode(file)
    place = first.ctypes.data
    del first
    third = gfwx.decode(file)
    if sys.platform == "linux":
        assert third.ctypes.data == place
    second[:] = 0
    np.testing.assert_array_equal(third, NOISE)
    assert third.flags.writeable


@pytest.mark.skipif(not can_watch_memory(), reason="needs the resident memory")
def test_the_memory_of_a_dropped_picture_is_given_back() -> None:
    file = gfwx.encode(NOISE)
    gfwx.decode(file)
    gfwx.decode(file[: len(file) // 2], partial=True)
    kept, _ = memory()
    gfwx.release_memory()
    left, _ = memory()
    assert kept - left > 0.9 * NOISE.size
