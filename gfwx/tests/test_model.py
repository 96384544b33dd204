"""The model against the conformance vectors."""

from __future__ import annotations

import model
import pytest
from vectors import Case, cases, digest


def few_cases() -> list[Case]:
    """The smallest case of each kind, so that every branch of the model runs."""
    smallest: dict[tuple[object, ...], Case] = {}
    for case in sorted(cases(), key=lambda case: case.image().size):
        if not 500 <= case.image().size <= 20_000:
            continue
        of = case.parameters
        kind = (
            of["encoder"],
            of["filter"],
            of["intent"] in range(2, 7),
            of["quality"] == 1024,
            case.image().dtype.name,
        )
        smallest.setdefault(kind, case)
    return list(smallest.values())


@pytest.mark.parametrize("case", few_cases(), ids=lambda case: case.id)
def test_few_vectors(case: Case) -> None:
    check(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_all_vectors(case: Case) -> None:
    check(case)


def check(case: Case) -> None:
    data = model.encode(case.image(), **case.parameters)
    assert len(data) == case.size
    assert digest(data) == case.sha256
    for whole in case.decodes:
        image, next_point = model.decode(data, whole.downsampling, whole.dtype)
        assert next_point is None
        assert image is not None
        assert digest(image) == whole.sha256, whole
    for part in case.truncated:
        image, next_point = model.decode(data[: part.size], part.downsampling)
        assert next_point == part.next, part
        assert (None if image is None else digest(image)) == part.sha256, part
