"""How much memory does a call take beside its input and output, in bytes a sample?

In a process of its own: libraries loaded, input in memory, the peak of resident memory reset
(``/proc/self/clear_refs``); then one call. The peak less what was resident before, less the size of
the result, is what the call needed besides.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import samples
from codecs_compared import CORES, lossless_codecs
from plan import Plan, crop, square
from results import Results
from samples import Array
from totals import ENCODERS

CHILD = Path(__file__).with_name("child.py")
SHAPE = (2048, 2048)


pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc"
)


def measure(image: Array, codec: str, kind: str, threads: int, folder: Path) -> dict[str, Any]:
    """Return the bytes for each sample that encoding and decoding take beside input and output."""
    source, encoded = folder / "image.npy", folder / "encoded"
    np.save(source, image)
    figures: dict[str, Any] = {}
    for direction, file, out in (("encode", source, encoded), ("decode", encoded, "")):
        arguments = ("memory", file, codec, kind, direction, threads, out)
        command = [sys.executable, str(CHILD), *map(str, arguments)]
        made = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(made.stdout)
        figures[f"{direction}_bytes_a_sample"] = (found["peak"] - found["result"]) / image.size
    return figures


@pytest.mark.parametrize("kind", ["rgb8", "rgb12"])
def test_memory(kind: str, plan: Plan, results: Results, tmp_path: Path) -> None:
    if not plan.photographs():
        pytest.skip("needs an RGB picture of 8 bits")
    image = samples.make(crop(plan.photographs()[0], *SHAPE), kind)
    for codec in lossless_codecs(kind):
        if codec.name == "gfwx auto" or (plan.quick and not codec.is_gfwx):
            continue
        figures = measure(image, codec.name, kind, 1, tmp_path)
        results.add("memory", kind=kind, codec=codec.name, samples=image.size, **figures)


@pytest.mark.parametrize("threads", sorted({1, CORES}))
@pytest.mark.parametrize(
    ("kind", "encoder"), [*(("rgb8", encoder) for encoder in ENCODERS), ("rgb12", "high-bitrate")]
)
def test_memory_by_size(
    kind: str, encoder: str, threads: int, plan: Plan, results: Results, tmp_path: Path
) -> None:
    if not plan.photographs():
        pytest.skip("needs an RGB picture of 8 bits")
    for megapixels in (1, 4) if plan.quick else (1, 4, 16, 64):
        image, _ = square(plan.photographs()[0].load(), megapixels)
        image = samples.make(image, kind)
        figures = measure(image, f"gfwx {encoder}", kind, threads, tmp_path)
        row = {"kind": kind, "encoder": encoder, "threads": threads, "megapixels": megapixels}
        results.add("memory_by_size", **row, **figures)
