"""All conformance vectors, in every build that the processor runs, with 1, 2 and 3 threads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from builds import THREADS, required_builds
from parameters import arguments
from vectors import Case, cases, digest

import gfwx
from gfwx import kernels


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
@pytest.mark.parametrize("threads", THREADS)
def test_case(build: str, threads: int, case: Case, count_case: Callable[[str, int], None]) -> None:
    assert kernels.instruction_set == build
    image = case.image()
    if case.is_turbo:
        data = case.turbo_file()
        assert gfwx.read_header(data).encoder == gfwx.Encoder.TURBO
    else:
        data = gfwx.encode(image, **arguments(case.parameters), threads=threads)
    assert len(data) == case.size
    assert digest(data) == case.sha256

    for whole in case.decodes:
        decoded = gfwx.decode(
            data,
            downsampling=whole.downsampling,
            dtype=whole.dtype,
            keep_dims=True,
            threads=threads,
        )
        assert digest(decoded) == whole.sha256, whole
        if case.lossless and whole.downsampling == 0 and whole.dtype is None:
            assert decoded.dtype == image.dtype
            assert (decoded == image).all()

    for part in case.truncated:
        partial, next_point = gfwx.decode(
            data[: part.size],
            downsampling=part.downsampling,
            keep_dims=True,
            threads=threads,
            partial=True,
        )
        assert next_point == part.next, part
        assert (None if partial is None else digest(partial)) == part.sha256, part
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
