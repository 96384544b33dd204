"""How fast is gfwx beside the C++ reference, in pairs on one core, for each instruction set?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pytest
import samples
from machine import one_core
from plan import Plan
from results import Results

from gfwx import kernels
from gfwx.header import Encoder, Filter, Intent

CHILD = Path(__file__).with_name("child.py")
PAIRS = 5
CALLS = 2
"""Calls of each of a pair, of which the faster counts."""


class Comparison(NamedTuple):
    """Settings under which both code the same picture."""

    kind: str
    encoder: str
    filter: str = "linear"
    quality: int = 1024
    chroma_scale: int = 1

    def __str__(self) -> str:
        lossy = f" q{self.quality} chroma {self.chroma_scale}" if self.quality < 1024 else ""
        return f"{self.kind} {self.encoder} {self.filter}{lossy}"


COMPARISONS = (
    Comparison("rgb8", "fast"),
    Comparison("rgb8", "high-bitrate"),
    Comparison("rgb8", "contextual"),
    Comparison("rgb8", "fast", filter="cubic"),
    Comparison("rgb8", "fast", quality=256, chroma_scale=8),
    Comparison("rgb12", "high-bitrate"),
    Comparison("bayer12", "high-bitrate"),
)


class Gfwx:
    """gfwx in a process of its own, with one of the instruction sets."""

    def __init__(self, instruction_set: str, source: Path, options: dict[str, Any]) -> None:
        command = [sys.executable, str(CHILD), "calls", str(source), "1", json.dumps(options)]
        self.process = subprocess.Popen(
            command,
            env=os.environ | {"GFWX_INSTRUCTION_SET": instruction_set},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def call(self) -> tuple[float, float, int]:
        """Encode and decode; return the seconds, and the size."""
        assert self.process.stdin and self.process.stdout
        times = []
        for _ in range(CALLS):
            self.process.stdin.write("\n")
            times.append(json.loads(self.process.stdout.readline()))
        return min(time[0] for time in times), min(time[1] for time in times), times[0][2]


@contextmanager
def running(instruction_set: str, source: Path, options: dict[str, Any]) -> Iterator[Gfwx]:
    child = Gfwx(instruction_set, source, options)
    try:
        yield child
    finally:
        child.process.communicate()


@pytest.mark.parametrize("comparison", COMPARISONS, ids=str)
def test_reference(
    comparison: Comparison, reference: Path, plan: Plan, results: Results, tmp_path: Path
) -> None:
    if not plan.photographs():
        pytest.skip("needs an RGB picture of 8 bits")
    picture = plan.photographs()[0]
    image = samples.make(picture.load(), comparison.kind)
    source, raw = tmp_path / "image.npy", tmp_path / "image.raw"
    np.save(source, image)
    image.tofile(raw)
    options: dict[str, Any] = comparison._asdict()
    del options["kind"]
    if comparison.kind.startswith("bayer"):
        options["intent"] = "bayer-rggb"
    else:
        options["transform"] = "uyv"
    command = [str(reference), str(raw), *reference_arguments(comparison, image)]

    sets = [name for name in reversed(kernels.runnable()) if name != "portable"] or ["portable"]
    pairs: dict[str, list[tuple[float, float]]] = {name: [] for name in sets}
    speeds: dict[str, list[tuple[float, float]]] = {name: [] for name in sets}
    with one_core(), ExitStack() as stack:
        children = {name: stack.enter_context(running(name, source, options)) for name in sets}
        for child in children.values():
            child.call()
        for _ in range(PAIRS):
            made = subprocess.run(command, check=True, capture_output=True, text=True)
            theirs = json.loads(made.stdout)
            assert theirs["identical"] == (comparison.quality == 1024)
            for name, child in children.items():
                encoding, decoding, size = child.call()
                assert size == theirs["size"]
                pairs[name].append((theirs["encode_s"] / encoding, theirs["decode_s"] / decoding))
                speeds[name].append((encoding, decoding))
    for name in sets:
        for index, direction in enumerate(("encode", "decode")):
            ratios = [pair[index] for pair in pairs[name]]
            results.add(
                "reference",
                comparison=str(comparison),
                picture=picture.name,
                instruction_set=name,
                direction=direction,
                ratio=median(ratios),
                lowest=min(ratios),
                highest=max(ratios),
                megabytes_a_second=image.nbytes / 1e6 / median(s[index] for s in speeds[name]),
            )


def reference_arguments(comparison: Comparison, image: np.ndarray[Any, Any]) -> list[str]:
    """Return what the driver takes after the file."""
    channels = 1 if image.ndim == 2 else 3
    intent = Intent.BAYER_RGGB if channels == 1 else Intent.RGB
    return [
        *map(str, (image.shape[1], image.shape[0], channels)),
        "u8" if image.dtype == np.uint8 else "u16",
        code(Encoder(comparison.encoder)),
        code(Filter(comparison.filter)),
        str(comparison.quality),
        str(comparison.chroma_scale),
        code(intent),
        "none" if channels == 1 else "uyv",
        str(CALLS),
    ]


def code(member: Encoder | Filter | Intent) -> str:
    """Return a member's number in the header: they are listed in the order of their codes."""
    return str(list(type(member)).index(member))
