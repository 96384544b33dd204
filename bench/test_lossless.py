"""How small and how fast is lossless coding, beside other codecs, on one thread and on all?"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from codecs_compared import CORES, Codec, lossless_codecs
from conftest import PLAN
from machine import one_core
from pictures import Array
from plan import Case, Plan
from pytest_benchmark.fixture import BenchmarkFixture
from results import Results
from timing import figures, rename


class Coding(NamedTuple):
    """One thing to time."""

    case: Case
    codec: Codec
    threads: int
    direction: str

    def __str__(self) -> str:
        threads = "" if self.threads == 1 else f"-{self.threads}-threads"
        return f"{self.case}-{self.codec.name}{threads}-{self.direction}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    plan = metafunc.config.stash[PLAN]
    codings = [
        Coding(case, codec, 1, direction)
        for case in plan.cases()
        for codec in lossless_codecs(case.kind)
        for direction in ("encode", "decode")
    ]
    if CORES > 1:
        codings += [
            Coding(case, codec, CORES, direction)
            for case in plan.all_threads_cases()
            for codec in lossless_codecs(case.kind)
            if codec.threads_encoding
            for direction in ("encode", "decode")
        ]
    metafunc.parametrize("coding", codings, ids=str)


# What the last test encoded, for the decoding that follows.
_encoded: dict[tuple[Case, str], list[bytes]] = {}


def test_lossless(
    benchmark: BenchmarkFixture, coding: Coding, plan: Plan, results: Results
) -> None:
    case, codec, threads, direction = coding
    raw = case.load()
    images = codec.prepare(raw)
    key = case, codec.name
    if direction == "decode" and key not in _encoded:
        _encoded[key] = codec.encode(images, threads)
    benchmark.group = f"{direction} {case}, threads: {threads}"
    if threads == 1:
        with one_core():
            returned = timed(benchmark, coding, images, plan)
    else:
        returned = timed(benchmark, coding, images, plan)
    if direction == "encode":
        _encoded.clear()
        _encoded[key] = returned
    else:
        for image, decoded in zip(images, returned, strict=True):
            assert np.array_equal(image, decoded)
    size = sum(map(len, _encoded[key]))
    rename(benchmark, f"{codec.name} ({100 * size / raw.nbytes:.1f} %)")
    results.add(
        "lossless",
        kind=case.kind,
        picture=case.picture.name,
        megapixels=raw.shape[0] * raw.shape[1] / 1e6,
        codec=codec.name,
        family=codec.family,
        threads=threads,
        direction=direction,
        raw_bytes=raw.nbytes,
        size=size,
        **figures(benchmark),
    )


def timed(benchmark: BenchmarkFixture, coding: Coding, images: list[Array], plan: Plan) -> Any:
    """Time the calls, and give back what the last returned."""
    codec, threads = coding.codec, coding.threads
    rounds = plan.rounds(sum(image.nbytes for image in images), codec.slow)
    if coding.direction == "encode":
        return benchmark.pedantic(codec.encode, (images, threads), rounds=rounds)
    data = _encoded[coding.case, codec.name]
    return benchmark.pedantic(codec.decode, (data, threads), rounds=rounds)
