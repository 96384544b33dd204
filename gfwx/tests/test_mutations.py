"""Decoding of mutated files, in a process of its own, so that crashes and hangs are seen."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from mutations import (
    MAX_PIXELS,
    SECONDS,
    decode_or_refuse,
    mutation,
    of_many_blocks,
    requests,
    seeds,
)

import gfwx
from gfwx import kernels

MANY = int(os.environ.get("GFWX_MUTATIONS", "200000"))


def test_seeds_are_valid_and_cover_the_format() -> None:
    covered: dict[str, Counter[object]] = {}
    for data in seeds():
        header = gfwx.read_header(data)
        image = gfwx.decode(data, keep_dims=True, max_pixels=MAX_PIXELS)
        assert image.shape == header.shape
        for name in ("dtype", "encoder", "filter_code", "intent", "layers", "boost"):
            covered.setdefault(name, Counter())[getattr(header, name)] += 1
    assert len(seeds()) >= 200
    assert {name: len(values) for name, values in covered.items()} == {
        "dtype": 4,
        "encoder": 4,
        "filter_code": 9,
        "intent": 14,
        "layers": 4,
        "boost": 2,
    }


def test_builds_agree_on_mutations() -> None:
    """Whether they decode blocks one by one or side by side."""
    before = kernels.instruction_set
    try:
        for number in range(400):
            data = mutation(number, of_many_blocks())
            for options in requests(number):
                outcomes = []
                for build in kernels.runnable():
                    kernels.select(build)
                    outcomes.append(decode_or_refuse(data, **options))
                assert len(set(outcomes)) == 1, f"mutation {number}, {options}"
    finally:
        kernels.select(before)


def run(count: int, journal: Path, seconds: float) -> None:
    script = Path(__file__).with_name("mutations.py")
    command = [sys.executable, "-X", "faulthandler", str(script), str(journal), str(count)]
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=seconds, check=False
    )
    print(done.stdout)
    assert done.returncode == 0, f"{journal.read_text()}\n{done.stderr[-5000:]}"
    assert f"{count} mutations" in done.stdout


def test_few_mutations(tmp_path: Path) -> None:
    run(3000, tmp_path / "journal", 60 * SECONDS)


@pytest.mark.slow
def test_many_mutations(tmp_path: Path) -> None:
    run(MANY, tmp_path / "journal", 3600 * SECONDS)
