"""How long does coding a small picture take, and does `threads=None` cost anything there?"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from codecs_compared import lossless_codecs
from machine import one_core
from plan import Plan, crop
from pytest_benchmark.fixture import BenchmarkFixture
from results import Results
from timing import figures

import gfwx

KIND = "rgb8"
ALL = {codec.name: codec for codec in lossless_codecs(KIND)}
BUDGET = 0.4
"""Seconds of calls, for each benchmark."""


@pytest.mark.parametrize("direction", ["encode", "decode"])
@pytest.mark.parametrize("name", [*ALL, "gfwx auto, threads=None"])
@pytest.mark.parametrize("side", [8, 64, 256])
def test_small_images(
    benchmark: BenchmarkFixture, side: int, name: str, direction: str, plan: Plan, results: Results
) -> None:
    if not plan.photographs():
        pytest.skip("needs an RGB picture of 8 bits")
    benchmark.group = f"small pictures: {direction} {side} x {side}"
    image = crop(plan.photographs()[0], side, side)
    call: Callable[[], Any]
    if name in ALL:
        codec = ALL[name]
        data = codec.encode([image], 1)
        assert np.array_equal(codec.decode(data, 1)[0], image)
        call = partial(codec.encode, [image], 1)
        if direction == "decode":
            call = partial(codec.decode, data, 1)
        with one_core():
            measure(benchmark, call, plan)
    else:
        call = partial(gfwx.encode, image)
        if direction == "decode":
            call = partial(gfwx.decode, gfwx.encode(image))
        measure(benchmark, call, plan)
    results.add(
        "small_images",
        side=side,
        codec=name,
        direction=direction,
        **figures(benchmark),
    )


def measure(benchmark: BenchmarkFixture, call: Callable[[], Any], plan: Plan) -> None:
    call()
    start = time.perf_counter()
    call()
    seconds = time.perf_counter() - start
    iterations = max(1, round(2e-4 / seconds))
    rounds = min(200, max(10, round((0.1 if plan.quick else BUDGET) / (seconds * iterations))))
    benchmark.pedantic(call, rounds=rounds, iterations=iterations, warmup_rounds=2)
