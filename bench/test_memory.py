"""How much memory does a call take beside its input and output, in bytes a sample?

In a process of its own: libraries loaded, input in memory, the peak of resident memory reset
(``/proc/self/clear_refs``); then one call on one thread. The peak less what was resident before,
less the size of the result, is what the call needed besides.
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
from codecs_compared import lossless_codecs
from plan import Plan, crop
from results import Results

CHILD = Path(__file__).with_name("child.py")
SHAPE = (2048, 2048)


def measure(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, str(CHILD), "memory", *map(str, arguments)]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(made.stdout)
    return figures


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("kind", ["rgb8", "rgb12"])
def test_memory(kind: str, plan: Plan, results: Results, tmp_path: Path) -> None:
    if not plan.photographs():
        pytest.skip("needs an RGB picture of 8 bits")
    image = samples.make(crop(plan.photographs()[0], *SHAPE), kind)
    source, encoded = tmp_path / "image.npy", tmp_path / "encoded"
    np.save(source, image)
    for codec in lossless_codecs(kind):
        if codec.name == "gfwx auto" or (plan.quick and not codec.is_gfwx):
            continue
        encoding = measure(source, codec.name, kind, "encode", encoded)
        decoding = measure(encoded, codec.name, kind, "decode", "")
        results.add(
            "memory",
            kind=kind,
            codec=codec.name,
            samples=image.size,
            encode_bytes_a_sample=(encoding["peak"] - encoding["result"]) / image.size,
            decode_bytes_a_sample=(decoding["peak"] - decoding["result"]) / image.size,
        )
