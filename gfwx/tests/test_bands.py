"""Pictures of many bands: edges, the ring of bands, and memory that holds anything before."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from check_case import check_case
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from strategies import DTYPES, content
from vectors import cases

import gfwx
from gfwx import Header, Intent, memory, scratch
from gfwx.layout import layout_of

RING_BYTES = memory.RING_BYTES
ENCODERS = ("fast", "contextual", "high-bitrate")


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Numbers of bands, appended for each picture; bands are as small as blocks allow, and so is
    their ring."""
    made: list[int] = []
    borrow = scratch.coefficients

    @contextmanager
    def poisoned(count: int, dtype: type[np.signedinteger[Any]]) -> Iterator[NDArray[Any]]:
        with borrow(count, dtype) as coefficients:
            random = np.random.default_rng(count)
            coefficients[:] = random.integers(-30000, 30000, count, np.int16)
            yield coefficients

    def counted(*arguments: Any, **options: Any) -> memory.Memory:
        places = memory.memory_for.__wrapped__(*arguments, **options)
        made.append(len(places.bands))
        return places

    monkeypatch.setattr(memory, "SMALL_BYTES", 0)
    monkeypatch.setattr(memory, "BAND_BYTES", 0)
    monkeypatch.setattr(memory, "RING_BYTES", 0)
    monkeypatch.setattr(scratch, "coefficients", poisoned)
    for module in ("gfwx.encoding", "gfwx.decoding"):
        monkeypatch.setattr(f"{module}.memory_for", counted)
    yield made


@pytest.mark.parametrize("threads", [1, 3])
def test_vectors(counts: list[int], threads: int) -> None:
    for case in cases():
        check_case(case, threads)
    assert sum(count > 1 for count in counts) > 800
    assert max(counts) > 8


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("bayer", [False, True])
@pytest.mark.parametrize("filter", ["linear", "cubic"])
def test_same_bytes_and_pictures_as_in_one_band(
    encoder: str,
    bayer: bool,
    filter: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options: dict[str, Any] = {"encoder": encoder, "filter": filter, "block_size": 4}
    if bayer:
        options.update(intent="bayer-rggb", quality=400, chroma_scale=3)
    images = [content("smooth", (1, 331, 45, 1), dtype, 5)[0, ..., 0] for dtype in DTYPES]
    files = [gfwx.encode(image, **options) for image in images]
    whole = [gfwx.decode(file) for file in files]
    small = [gfwx.decode(file, downsampling=1) for file in files]
    parts = [gfwx.decode(file[: 2 * len(file) // 3], partial=True)[0] for file in files]
    counts = request.getfixturevalue("counts")
    for threads, ring_bytes in itertools.product((1, 2, 5), (0, RING_BYTES)):
        monkeypatch.setattr(memory, "RING_BYTES", ring_bytes)
        for index, (image, file) in enumerate(zip(images, files, strict=True)):
            assert gfwx.encode(image, **options, threads=threads) == file
            assert_array_equal(gfwx.decode(file, threads=threads), whole[index])
            assert_array_equal(gfwx.decode(file, downsampling=1, threads=threads), small[index])
            part = file[: 2 * len(file) // 3]
            again = gfwx.decode(part, threads=threads, partial=True)[0]
            assert_array_equal(again, parts[index])
    assert min(counts) > 1


def test_malformed_block_in_any_band(counts: list[int]) -> None:
    image = content("noise", (1, 400, 64, 1), DTYPES[0], 1)[0, ..., 0]
    file = gfwx.encode(image, block_size=4)
    for share in (0.3, 0.5, 0.7, 0.9, 0.99):
        damaged = bytearray(file)
        first = int(len(file) * share) // 4 * 4
        damaged[first : first + 600] = bytes(600)
        for threads in (1, 3):
            with pytest.raises(gfwx.MalformedError):
                gfwx.decode(damaged, threads=threads)
    assert min(counts) > 1


def test_a_wide_and_low_mosaic_takes_memory_in_proportion() -> None:
    header = Header(1 << 19, 3, bit_depth=16, intent=Intent.BAYER_RGGB)
    for workers in (1, 4):
        used = memory.memory_for(layout_of(header), 4, workers, shares_bands=True)
        assert used.size < 3.5 * header.width * header.height
