"""Where the parts of files are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gfwx
from gfwx.structure import read_structure

Y, X = np.mgrid[:300, :411]
COLOR = np.stack([X // 2, Y // 2, X ^ Y], -1).astype(np.uint8)
GRAY = (X * 3 + Y + np.random.default_rng(0).integers(0, 9, X.shape)).astype(np.uint16)


@pytest.mark.parametrize(
    ("image", "options", "transform"),
    [
        (COLOR, {"transform": "uyv"}, "uyv"),
        (COLOR, {"transform": "a710"}, "a710"),
        (COLOR, {"transform": "a710", "intent": "bgr"}, "a710"),
        (COLOR, {"transform": [1, 0, -1, -1, 1, 0, -1]}, "other"),
        (np.stack([COLOR] * 2), {"transform": "uyv"}, "uyv"),
        (GRAY, {}, "none"),
        (GRAY, {"intent": "bayer-rggb"}, "none"),
        (GRAY, {"encoder": "contextual", "block_size": 4}, "none"),
        (GRAY, {"vertical_levels": 4}, "none"),
        (np.full((1, 1), 7, np.uint8), {}, "none"),
        (np.full((2, 5), 7, np.int8), {}, "none"),
    ],
)
def test_levels_end_where_decoding_says(image: Any, options: Any, transform: str) -> None:
    data = gfwx.encode(image, **options)
    found = read_structure(data)
    assert (found.header, found.transform) == (gfwx.read_header(data), transform)
    assert found.is_complete
    assert [level.downsampling for level in found.levels] == list(
        range(len(found.levels) - 1, -1, -1)
    )
    assert found.levels[-1].end == len(data)
    for level in found.levels:
        d = level.downsampling
        small, following = gfwx.decode(data[: level.end], downsampling=d, partial=True)
        assert small is not None
        assert following is None
        layers = int(image.ndim == 4)
        assert small.shape[layers : layers + 2] == (level.height, level.width)
        following = gfwx.decode(data[: level.end - 1], downsampling=d, partial=True)[1]
        assert following is not None


def test_files_that_end_early() -> None:
    data = gfwx.encode(GRAY)
    whole = read_structure(data)
    for kept in (1, 3, len(whole.levels) - 1):
        end = whole.levels[kept - 1].end
        found = read_structure(data[:end])
        assert found.levels == whole.levels[:kept]
        assert not found.is_complete
        assert found.next == gfwx.decode(data[:end], partial=True)[1]
    with pytest.raises(gfwx.IncompleteDataError):
        read_structure(data[:32])
    with pytest.raises(gfwx.MalformedError):
        read_structure(b"no picture at all")
