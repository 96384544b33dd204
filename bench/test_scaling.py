"""How does gfwx scale: with the size of the picture, with threads, beside processes?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from codecs_compared import CORES
from machine import one_core
from pictures import Array
from plan import Plan
from pytest_benchmark.fixture import BenchmarkFixture
from results import Results
from timing import figures

import gfwx

CHILD = Path(__file__).with_name("child.py")
ENCODERS = ("fast", "high-bitrate", "contextual")
SIDES = {1: 1024, 4: 2048, 16: 4096, 64: 8192}
"""Rows and columns by (binary) megapixels."""
ROUNDS = 5


@pytest.fixture
def photograph(plan: Plan) -> Array:
    if not plan.photographs():
        pytest.skip("needs an RGB picture of 8 bits")
    return plan.photographs()[0].load()


def square(image: Array, megapixels: int) -> tuple[Array, bool]:
    """Return so many megapixels of a picture, and whether it had to be tiled for that."""
    pixels = megapixels << 20
    if image.shape[0] * image.shape[1] >= pixels:
        rows = min(image.shape[0], SIDES[megapixels])
        return np.ascontiguousarray(image[:rows, : pixels // rows]), False
    side = SIDES[megapixels]
    repeats = -(-side // image.shape[0]), -(-side // image.shape[1]), 1
    return np.ascontiguousarray(np.tile(image, repeats)[:side, :side]), True


@pytest.mark.parametrize("direction", ["encode", "decode"])
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("megapixels", SIDES)
@pytest.mark.parametrize("threads", sorted({1, CORES}))
def test_megapixels(
    benchmark: BenchmarkFixture,
    photograph: Array,
    megapixels: int,
    encoder: str,
    direction: str,
    threads: int,
    plan: Plan,
    results: Results,
) -> None:
    if plan.quick and megapixels > 4:
        pytest.skip("not with --quick")
    image, tiled = square(photograph, megapixels)
    benchmark.group = f"scaling: {direction}, {encoder}, threads: {threads}"
    data = gfwx.encode(image, encoder=encoder)

    def call() -> None:
        if direction == "encode":
            gfwx.encode(image, encoder=encoder, threads=threads)
        else:
            gfwx.decode(data, threads=threads)

    rounds = ROUNDS if megapixels < 16 or (megapixels == 16 and encoder != "contextual") else 3
    if threads == 1:
        with one_core():
            benchmark.pedantic(call, rounds=rounds, warmup_rounds=1)
    else:
        benchmark.pedantic(call, rounds=rounds, warmup_rounds=1)
    results.add(
        "megapixels",
        pixels=image.shape[0] * image.shape[1],
        tiled=tiled,
        encoder=encoder,
        direction=direction,
        threads=threads,
        **figures(benchmark),
    )


@pytest.mark.parametrize("encoder", ENCODERS)
def test_threads_and_processes(
    photograph: Array, encoder: str, plan: Plan, results: Results, tmp_path: Path
) -> None:
    """Calls in so many threads of one process, and on one thread in so many processes at once."""
    image, _ = square(photograph, 1 if plan.quick else 16)
    source = tmp_path / "image.npy"
    np.save(source, image)
    counts = sorted({1, 2, CORES // 2, CORES} - {0}) if CORES > 8 else range(1, CORES + 1)
    for count in counts:
        for way in ("threads", "processes") if count > 1 else ("threads",):
            children = 1 if way == "threads" else count
            times = run_children(source, encoder, count // children, children)
            results.add(
                "threads",
                encoder=encoder,
                way=way,
                count=count,
                pixels=image.shape[0] * image.shape[1],
                encode_pixels_a_second=children * image.shape[0] * image.shape[1] / times[0],
                decode_pixels_a_second=children * image.shape[0] * image.shape[1] / times[1],
            )


def run_children(source: Path, encoder: str, threads: int, count: int) -> tuple[float, float]:
    """Let processes work at the same time, each on a core where it has one thread."""
    options = json.dumps({"encoder": encoder})
    command = [sys.executable, str(CHILD), "calls", str(source), str(threads), options]
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    children = []
    for index in range(count):
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        if allowed and threads == 1:
            os.sched_setaffinity(child.pid, {allowed[-1 - index]})
        children.append(child)
    # A first call each, so that all have started; then all calls at once.
    for child in children:
        assert child.stdin and child.stdout
        child.stdin.write("\n")
        child.stdout.readline()
    for child in children:
        assert child.stdin
        child.stdin.write("\n" * ROUNDS)
    outputs = [child.communicate()[0] for child in children]
    times = [json.loads(line) for output in outputs for line in output.splitlines()]
    return median(time[0] for time in times), median(time[1] for time in times)
