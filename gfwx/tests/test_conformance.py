"""All conformance vectors, in every build that the processor runs, with 1, 2 and 3 threads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from builds import THREADS, required_builds
from check_case import check_case
from vectors import Case, cases

from gfwx import kernels


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
@pytest.mark.parametrize("threads", THREADS)
def test_case(build: str, threads: int, case: Case, count_case: Callable[[str, int], None]) -> None:
    assert kernels.instruction_set == build
    check_case(case, threads)
    count_case(build, threads)


def test_every_build_that_the_processor_runs_was_tested(
    cases_passed: Counter[tuple[str, int]],
) -> None:
    """Stands last: the tests above have counted what passed."""
    assert len(cases()) == 844
    assert set(required_builds()) == set(kernels.runnable())
    assert required_builds(), "no build runs on this processor"
    for build in required_builds():
        for threads in THREADS:
            assert cases_passed[build, threads] == len(cases()), (build, threads)
