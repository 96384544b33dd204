"""Pictures from open files, reading no more than they need."""

from __future__ import annotations

import io

import numpy as np
import pytest

import gfwx
from gfwx.reading import PictureReader

Y, X = np.mgrid[:500, :600]
IMAGE = (Y // 3 + X // 2 + np.random.default_rng(0).integers(0, 5, Y.shape)).astype(np.uint16)
DATA = gfwx.encode(IMAGE, metadata=b"meta" * 1000)


def test_the_header_alone_is_read_first() -> None:
    reader = PictureReader(io.BytesIO(DATA))
    assert reader.header == gfwx.read_header(DATA)
    assert reader.bytes_read == reader.header.size == 32 + 4000


@pytest.mark.parametrize("downsampling", range(9))
def test_no_more_is_read_than_is_needed(downsampling: int) -> None:
    file = io.BytesIO(b"before" + DATA + b"after")
    file.seek(6)
    reader = PictureReader(file)
    expected = gfwx.decode(DATA, downsampling=downsampling)
    np.testing.assert_array_equal(reader.decode(downsampling=downsampling), expected)
    read = reader.bytes_read
    assert gfwx.decode(DATA[:read], downsampling=downsampling, partial=True)[1] is None
    # Beside the channel transform, whose length only reading it tells.
    if read > reader.header.size + 2048:
        assert gfwx.decode(DATA[: read - 1], downsampling=downsampling, partial=True)[1] == read
    file.seek(0)
    np.testing.assert_array_equal(reader.decode(), IMAGE)
    assert reader.bytes_read == len(DATA)


def test_files_that_end_early() -> None:
    with pytest.raises(gfwx.IncompleteDataError):
        PictureReader(io.BytesIO(DATA[:1000]))
    with pytest.raises(gfwx.MalformedError):
        PictureReader(io.BytesIO(b"no picture"))
    half = DATA[: len(DATA) // 2]
    reader = PictureReader(io.BytesIO(half))
    with pytest.raises(gfwx.IncompleteDataError):
        reader.decode()
    expected = gfwx.decode(half, partial=True)[0]
    np.testing.assert_array_equal(reader.decode_partially(), expected)
    np.testing.assert_array_equal(PictureReader(io.BytesIO(DATA)).decode_partially(), IMAGE)
    assert PictureReader(io.BytesIO(DATA[:4033])).decode_partially() is None


def test_a_length_from_a_header_is_no_reason_to_take_memory() -> None:
    header = bytearray(DATA[:32])
    header[28:32] = b"\xff" * 4  # 16 GiB of metadata
    with pytest.raises(gfwx.IncompleteDataError):
        PictureReader(io.BytesIO(bytes(header)))
