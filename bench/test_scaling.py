"""How does gfwx scale: with the size of the picture, with threads, beside processes?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from codecs_compared import CORES
from machine import one_core
from numpy.typing import NDArray
from pictures import Array
from plan import SIDES, Plan, square
from results import Results
from totals import ENCODERS

import gfwx

CHILD = Path(__file__).with_name("child.py")

DIRECTIONS = ("encode", "decode", "decode, out given")
ROUNDS = 7
CALLS = {1: 8, 4: 2, 16: 2, 64: 2}
"""Calls of a round by megapixels, of which the fastest counts: the second takes over the memory of
the first one's picture, as the calls of any program that decodes one picture after the other."""
CALLS_AT_ONCE = {4: 9, 16: 3}
"""Calls of a turn by megapixels, of which the fastest counts."""


@pytest.fixture
def photograph(plan: Plan) -> Array:
    if not plan.photographs():
        pytest.skip("needs an RGB picture of 8 bits")
    return plan.photographs()[0].load()


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("threads", sorted({1, CORES}))
def test_megapixels(
    photograph: Array, encoder: str, threads: int, plan: Plan, results: Results
) -> None:
    """The sizes take turns, so that a machine whose speed drifts makes none of them slower."""
    sizes = [size for size in SIDES if size <= 4 or not plan.quick]
    pictures = {size: square(photograph, size) for size in sizes}
    files = {size: gfwx.encode(image, encoder=encoder) for size, (image, _) in pictures.items()}
    given = {size: np.zeros_like(image) for size, (image, _) in pictures.items()}

    def call(size: int, direction: str) -> None:
        if direction == "encode":
            gfwx.encode(pictures[size][0], encoder=encoder, threads=threads)
        else:
            out = given[size] if direction == "decode, out given" else None
            gfwx.decode(files[size], out=out, threads=threads)

    with one_core() if threads == 1 else nullcontext():
        cases = [(size, direction) for size in sizes for direction in DIRECTIONS]
        seconds: dict[tuple[int, str], list[float]] = {case: [] for case in cases}
        for _ in range(ROUNDS):
            for case in cases:
                seconds[case].append(min(timed(call, *case) for _ in range(CALLS[case[0]])))
    for (size, direction), times in seconds.items():
        image, tiled = pictures[size]
        results.add(
            "megapixels",
            pixels=image.shape[0] * image.shape[1],
            tiled=tiled,
            encoder=encoder,
            direction=direction,
            threads=threads,
            min=min(times),
            median=median(times),
        )


def timed(function: Callable[..., None], *arguments: object) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


@pytest.mark.parametrize("megapixels", [4, 16])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_threads_and_processes(
    photograph: Array, encoder: str, megapixels: int, plan: Plan, results: Results, tmp_path: Path
) -> None:
    """Calls in so many threads of one process, and on one thread in so many processes at once.

    They take turns, and ratios are of one turn.
    """
    if plan.quick and megapixels > 4:
        pytest.skip("a quick run takes 4 megapixels only")
    image, _ = square(photograph, megapixels)
    source = tmp_path / "image.npy"
    np.save(source, image)
    counts = sorted({1, 2, CORES // 2, CORES} - {0}) if CORES > 8 else range(1, CORES + 1)
    several = [count for count in counts if count > 1]
    ways = [("threads", 1), *product(("threads", "processes"), several)]
    speeds: dict[tuple[str, int], list[NDArray[Any]]] = {both: [] for both in ways}
    with ExitStack() as stack:
        started = {both: start(source, encoder, *both, stack) for both in ways}
        for turn in range(1 + ROUNDS):
            for both, children in started.items():
                seconds = call_at_once(children, CALLS_AT_ONCE[megapixels])
                if turn > 0:  # in the first, libraries are loaded
                    pixels = len(children) * image.shape[0] * image.shape[1]
                    speeds[both].append(pixels / seconds)
    for (way, count), figures in speeds.items():
        own = np.array(figures)
        row: dict[str, Any] = {"encoder": encoder, "way": way, "count": count}
        row["megapixels"] = megapixels
        for index, direction in enumerate(("encode", "decode")):
            beside = {"one": ("threads", 1), "processes": ("processes", count)}
            row[f"{direction}_pixels_a_second"] = float(np.median(own[:, index]))
            for name, other in beside.items():
                ratios = own[:, index] / np.array(speeds.get(other, own))[:, index]
                row[f"{direction}_beside_{name}"] = float(np.median(ratios))
        results.add("threads", **row)


def start(
    source: Path, encoder: str, way: str, count: int, stack: ExitStack
) -> list[subprocess.Popen[str]]:
    """Start a process of so many threads, or so many processes, each on a core of its own."""
    threads, processes = (count, 1) if way == "threads" else (1, count)
    options = json.dumps({"encoder": encoder})
    command = [sys.executable, str(CHILD), "calls", str(source), str(threads), options]
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    children = []
    for index in range(processes):
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        stack.callback(child.communicate)
        if allowed and threads == 1:
            os.sched_setaffinity(child.pid, {allowed[-1 - index]})
        children.append(child)
    return children


def call_at_once(children: list[subprocess.Popen[str]], calls: int) -> NDArray[Any]:
    """Let processes encode and decode at the same time, so often; return the least seconds."""
    for child in children:
        assert child.stdin
        child.stdin.write("\n" * calls)
    times = []
    for child in children:
        assert child.stdout
        lines = [json.loads(child.stdout.readline()) for _ in range(calls)]
        times.append(np.min(np.array(lines)[:, :2], axis=0))
    return np.asarray(np.mean(times, axis=0))
