"""Running tests in every build of the kernels, and what the summary says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from builds import required_builds

from gfwx import kernels

tested: Counter[tuple[str, int]] = Counter()  # conformance cases passed, by build and threads


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that take `build` in every build that the processor can run."""
    if "build" in metafunc.fixturenames:
        metafunc.parametrize("build", required_builds(), indirect=True)


@pytest.fixture
def build(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of the build whose kernels are in use during the test."""
    before = kernels.instruction_set
    kernels.select(request.param)
    yield request.param
    kernels.select(before)


@pytest.fixture
def count_case() -> Callable[[str, int], None]:
    """Call it when a conformance case has passed in a build with a number of threads."""

    def count(build: str, threads: int) -> None:
        tested[build, threads] += 1

    return count


@pytest.fixture
def cases_passed() -> Counter[tuple[str, int]]:
    """How many conformance cases have passed in each build with each number of threads."""
    return tested


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the builds that ran."""
    terminalreporter.section("gfwx instruction sets")
    terminalreporter.write_line(f"built: {', '.join(kernels.built())}")
    terminalreporter.write_line(f"runnable: {', '.join(kernels.runnable())}")
    for (name, threads), count in sorted(tested.items()):
        terminalreporter.write_line(f"conformance: {name}, threads={threads}: {count} cases passed")
    for name in required_builds():
        if not any(key[0] == name for key in tested):
            terminalreporter.write_line(f"conformance: {name}: not run")
