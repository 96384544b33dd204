"""Memory that is kept from one call to the next."""

from __future__ import annotations

import numpy as np
import pytest
from watch import can_watch_memory, memory

import gfwx


@pytest.mark.skipif(not can_watch_memory(), reason="needs the resident memory")
def test_kept_memory_is_given_back() -> None:
    image = np.random.default_rng(1).integers(0, 256, (4000, 4000), np.uint8)
    file = gfwx.encode(image, threads=1)
    gfwx.release_memory()
    without, _ = memory()
    assert gfwx.encode(image, threads=1) == file
    kept, _ = memory()
    gfwx.release_memory()
    after, _ = memory()
    assert kept - without > 20e6
    assert after - without < 2e6
    assert gfwx.encode(image, threads=1) == file


def test_nothing_need_be_kept() -> None:
    gfwx.release_memory()
    gfwx.release_memory()
    assert gfwx.decode(gfwx.encode(np.eye(9, dtype=np.uint8))).sum() == 9
