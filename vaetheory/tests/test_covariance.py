"""Covariances against their dense matrices."""

import pytest
import torch
from torch import Tensor

from vaetheory.covariance import (
    Covariance,
    DiagonalCovariance,
    FullCovariance,
    LowRankCovariance,
    ScalarCovariance,
)
from vaetheory.errors import ArgumentError, ArgumentTypeError

BATCH, SIZE, RANK = 3, 5, 2
FAMILIES = ["scalar", "diagonal", "low rank", "full"]


def build(family: str, *parameters: Tensor) -> Covariance:
    """A covariance from unconstrained parameters."""
    if family == "scalar":
        return ScalarCovariance(parameters[0].exp(), SIZE)
    if family == "diagonal":
        return DiagonalCovariance(parameters[0].exp())
    if family == "low rank":
        return LowRankCovariance(parameters[0].exp(), parameters[1])
    return FullCovariance(parameters[1].tril(-1) + torch.diag_embed(parameters[0].exp()))


def parameters(family: str, generator: torch.Generator) -> list[Tensor]:
    shapes: list[tuple[int, ...]] = [(BATCH,) if family == "scalar" else (BATCH, SIZE)]
    if family == "low rank":
        shapes.append((BATCH, SIZE, RANK))
    if family == "full":
        shapes.append((BATCH, SIZE, SIZE))
    return [
        torch.randn(s, dtype=torch.float64, device=generator.device, generator=generator)
        for s in shapes
    ]


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def covariance(family: str, generator: torch.Generator) -> Covariance:
    return build(family, *parameters(family, generator))


def vectors_for(covariance: Covariance) -> Tensor:
    dense = covariance.dense()
    return torch.linspace(-1, 2, BATCH * 4 * SIZE, dtype=dense.dtype, device=dense.device).reshape(
        BATCH, 4, SIZE
    )


def test_agrees_with_dense(covariance: Covariance) -> None:
    dense = covariance.dense()
    vectors = vectors_for(covariance)
    assert dense.shape == (BATCH, SIZE, SIZE)
    assert (covariance.batch, covariance.dimension) == (BATCH, SIZE)
    torch.testing.assert_close(covariance.product(vectors), vectors @ dense)
    torch.testing.assert_close(covariance.solve(vectors) @ dense, vectors)
    torch.testing.assert_close(covariance.logdet(), torch.logdet(dense))
    torch.testing.assert_close(covariance.diagonal(), dense.diagonal(dim1=1, dim2=2))
    torch.testing.assert_close(covariance.trace(), dense.diagonal(dim1=1, dim2=2).sum(1))


def test_samples_have_the_covariance(covariance: Covariance, generator: torch.Generator) -> None:
    count = 20_000
    samples = covariance.sample(count, generator)
    assert samples.shape == (BATCH, count, SIZE)
    dense = covariance.dense()
    variances = dense.diagonal(dim1=1, dim2=2)
    # An entry of the second moment has the variance (S_ii S_jj + S_ij^2) / count.
    deviation = ((variances[:, :, None] * variances[:, None] + dense**2) / count).sqrt()
    moment = samples.mT @ samples / count
    assert bool(((moment - dense).abs() < 4 * deviation).all())


def test_samples_repeat_with_their_generator(covariance: Covariance) -> None:
    device = covariance.dense().device
    draws = [covariance.sample(2, torch.Generator(device).manual_seed(7)) for _ in range(2)]
    assert torch.equal(*draws)


def test_shared_covariance_broadcasts(family: str, generator: torch.Generator) -> None:
    shared = build(family, *(p[:1] for p in parameters(family, generator)))
    vectors = vectors_for(shared)
    torch.testing.assert_close(shared.product(vectors), vectors @ shared.dense())
    torch.testing.assert_close(shared.product(shared.solve(vectors)), vectors)


@pytest.mark.parametrize("operation", ["sample", "product", "solve", "logdet", "trace", "dense"])
def test_gradients(family: str, operation: str, generator: torch.Generator) -> None:
    given = [p.requires_grad_() for p in parameters(family, generator)]

    def result(*some: Tensor) -> Tensor:
        covariance = build(family, *some)
        if operation == "sample":
            return covariance.sample(2, torch.Generator(some[0].device).manual_seed(1))
        if operation in ("product", "solve"):
            return getattr(covariance, operation)(vectors_for(covariance))
        return getattr(covariance, operation)()

    assert torch.autograd.gradcheck(result, given)


def test_from_matrix_and_from_precision(generator: torch.Generator) -> None:
    full = build("full", *parameters("full", generator))
    assert isinstance(full, FullCovariance)
    dense = full.dense()
    torch.testing.assert_close(FullCovariance.from_matrix(dense).factor, full.factor)
    inverse = torch.linalg.inv(dense)
    precision = 0.5 * (inverse + inverse.mT)
    torch.testing.assert_close(FullCovariance.from_precision(precision).dense(), dense)


def test_single_precision_stays(family: str, generator: torch.Generator) -> None:
    covariance = build(family, *(p.float() for p in parameters(family, generator)))
    results = [covariance.dense(), covariance.logdet(), covariance.sample(2, generator)]
    assert {result.dtype for result in results} == {torch.float32}


ONE = torch.ones(2, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ScalarCovariance(ONE, 3), r"variance must have shape \(b,\), got \(2, 3\)"),
        (lambda: ScalarCovariance(ONE[:, 0], 0), "size must be at least 1"),
        (lambda: DiagonalCovariance(-ONE), "variance must be positive, got a smallest value of -1"),
        (lambda: DiagonalCovariance(ONE * torch.nan), "variance must be finite, but contains NaN"),
        (lambda: LowRankCovariance(ONE, ONE), r"factor must have shape \(2, 3, r\)"),
        (lambda: FullCovariance(torch.ones(1, 2, 3)), r"factor must have shape \(b, d, d\)"),
        (lambda: FullCovariance(torch.ones(1, 2, 2)), "factor must be lower triangular"),
        (lambda: FullCovariance(-torch.eye(2)[None]), "factor's diagonal must be positive"),
        (
            lambda: FullCovariance.from_matrix(torch.stack([torch.eye(2), -torch.eye(2)])),
            "matrix must be positive definite, but matrix 1 of the batch is not",
        ),
        (
            lambda: FullCovariance.from_precision(-torch.eye(2)[None]),
            "precision must be positive definite",
        ),
        (lambda: DiagonalCovariance(ONE).product(torch.ones(3, 1, 3)), "the covariance's batch 2"),
        (lambda: DiagonalCovariance(ONE).solve(torch.ones(2, 3)), "vectors must have shape"),
        (lambda: DiagonalCovariance(ONE).sample(0), "count must be at least 1"),
    ],
)
def test_bad_arguments(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ArgumentError, match=message):
        make()


def test_bad_types() -> None:
    with pytest.raises(ArgumentTypeError, match=r"variance must be a torch.Tensor, got float"):
        DiagonalCovariance(1.0)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="variance must have dtype float32 or float64"):
        DiagonalCovariance(ONE.half())
    with pytest.raises(ArgumentTypeError, match="factor must have the dtype of variance"):
        LowRankCovariance(ONE, torch.ones(2, 3, 1, dtype=torch.float64))
