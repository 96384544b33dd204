"""How small is every encoder and transform of gfwx, beside other codecs? Sizes only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from codecs_compared import peers
from conftest import PLAN
from plan import Case
from results import Results

import gfwx

ENCODERS = ("fast", "high-bitrate", "contextual")
# JPEG 2000, JPEG XL e3 and WebP's default are slower by far; they are among the timed.
RIVALS = ("HTJ2K", "JPEG XL e1", "JPEG-LS", "PNG", "LERC", "QOI", "WebP fastest")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    metafunc.parametrize("case", metafunc.config.stash[PLAN].size_cases(), ids=str)


def test_sizes(case: Case, results: Results) -> None:
    image = case.load()
    options: dict[str, Any] = {"intent": "bayer-rggb"} if case.kind.startswith("bayer") else {}
    transforms = ("uyv", "a710", None) if case.kind.startswith("rgb") else ("auto",)
    choices: list[tuple[str, str | None]] = [("auto", "auto")]
    choices += [(encoder, transform) for encoder in ENCODERS for transform in transforms]
    row = {
        "kind": case.kind,
        "picture": case.picture.name,
        "strongly_compressed": case.picture.strongly_compressed,
        "raw_bytes": image.nbytes,
    }
    for encoder, transform in choices:
        data = gfwx.encode(image, encoder=encoder, transform=transform, **options)
        assert np.array_equal(gfwx.decode(data), image)
        name = {"encoder": encoder, "transform": transform or "none"}
        results.add("sizes", **row, codec="gfwx", **name, size=len(data))
    for codec in peers(case.kind):
        if codec.name.split(",")[0] in RIVALS:
            planes = codec.prepare(image)
            parts = codec.encode(planes, 1)
            for plane, decoded in zip(planes, codec.decode(parts, 1), strict=True):
                assert np.array_equal(plane, decoded)
            results.add("sizes", **row, codec=codec.name, size=sum(map(len, parts)))
