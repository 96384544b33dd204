"""What pytest-benchmark measured, as figures for the results."""

from __future__ import annotations

from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture


def figures(benchmark: BenchmarkFixture) -> dict[str, Any]:
    """Return the seconds of a call, and the number of rounds."""
    measured: Any = benchmark.stats
    stats = measured.stats
    return {"min": stats.min, "median": stats.median, "rounds": stats.rounds}


def rename(benchmark: BenchmarkFixture, name: str) -> None:
    """Change a benchmark's name after it ran."""
    measured: Any = benchmark.stats
    measured.name = name
