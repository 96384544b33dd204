"""Trace estimators against traces of dense matrices."""

import pytest
import torch
from decoders import normal
from spectra import decaying, operator_with, random_spd

from vaetheory.covariance import Covariance, DiagonalCovariance, FullCovariance, LowRankCovariance
from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.operators import FunctionOperator, MatrixOperator
from vaetheory.trace import (
    TraceEstimate,
    covariance_trace,
    draw_probes,
    hutch_plus_plus,
    hutchinson,
    xtrace,
)

SIZE = 12


@pytest.fixture
def operator(generator: torch.Generator) -> MatrixOperator:
    # Symmetric and indefinite: nothing but symmetry is asked for.
    matrix = normal((3, SIZE, SIZE), generator)
    return MatrixOperator(matrix + matrix.mT)


def counting(operator: MatrixOperator) -> tuple[FunctionOperator, list[int]]:
    counts: list[int] = []

    def multiply(vectors: torch.Tensor) -> torch.Tensor:
        counts.append(vectors.shape[1])
        return operator.product(vectors)

    made = FunctionOperator(
        multiply, operator.batch, operator.size, operator.dtype, operator.device
    )
    return made, counts


def trace(matrix: torch.Tensor) -> torch.Tensor:
    return matrix.diagonal(dim1=1, dim2=2).sum(1)


@pytest.mark.parametrize("distribution", ["rademacher", "normal", "sphere"])
def test_probes_are_white(
    operator: MatrixOperator, distribution: str, generator: torch.Generator
) -> None:
    probes = draw_probes(operator, 20000, distribution, generator)  # type: ignore[arg-type]
    covariance = probes.mT @ probes / probes.shape[1]
    identity = torch.eye(SIZE, dtype=probes.dtype, device=probes.device)
    # The variance of v_i v_j is at most 2.
    assert (covariance - identity).abs().max() < 4.5 * (2 / 20000) ** 0.5


@pytest.mark.parametrize("name", ["hutchinson", "hutch++", "xtrace"])
def test_unbiased_with_a_true_standard_error(
    operator: MatrixOperator, name: str, generator: torch.Generator
) -> None:
    matrix = operator.matrix[:1].expand(2000, -1, -1).contiguous()
    many, counts = counting(MatrixOperator(matrix))
    estimators = {
        "hutchinson": lambda: hutchinson(many, 12, generator=generator),
        "hutch++": lambda: hutch_plus_plus(many, 12, generator=generator),
        "xtrace": lambda: xtrace(many, 13, generator=generator),
    }
    estimate: TraceEstimate = estimators[name]()
    error = estimate.value - trace(matrix)
    assert error.mean().abs() < 4 * error.std() / 2000**0.5
    assert estimate.standard_error is not None
    assert 0.90 < (error.abs() <= 2 * estimate.standard_error).double().mean() <= 0.99
    assert sum(counts) == estimate.products == 12


def test_low_rank_is_exact(generator: torch.Generator) -> None:
    factor = normal((3, 2, SIZE), generator)
    operator = MatrixOperator(factor.mT @ factor)
    exact = trace(operator.matrix)
    for estimate in (
        hutch_plus_plus(operator, 9, generator=generator),
        xtrace(operator, 8, generator=generator),
    ):
        torch.testing.assert_close(estimate.value, exact, rtol=1e-9, atol=1e-9)


def test_xtrace_beats_hutchinson_where_the_spectrum_decays(generator: torch.Generator) -> None:
    operator = operator_with(decaying(200), batch=50)
    exact = decaying(200).sum()
    plain = hutchinson(operator, 40, distribution="normal", generator=generator).value - exact
    better = xtrace(operator, 40, generator=generator).value - exact
    assert better.abs().median() < 0.05 * plain.abs().median()


@pytest.mark.parametrize("distribution", ["normal", "rademacher"])
@pytest.mark.parametrize("family", ["diagonal", "low rank", "full", "shared"])
def test_trace_with_a_covariance(
    operator: MatrixOperator, family: str, distribution: str, generator: torch.Generator
) -> None:
    batch = 1 if family == "shared" else 3
    variance = normal((batch, SIZE), generator).exp()
    covariance: Covariance = DiagonalCovariance(variance)
    if family == "low rank":
        covariance = LowRankCovariance(variance, normal((3, SIZE, 2), generator))
    elif family == "full":
        covariance = FullCovariance.from_matrix(random_spd(3, SIZE, generator))
    estimate = covariance_trace(
        operator,
        covariance,
        4000,
        distribution=distribution,  # type: ignore[arg-type]
        generator=generator,
    )
    exact = trace(operator.matrix @ covariance.dense())
    assert estimate.standard_error is not None
    assert ((estimate.value - exact).abs() < 4 * estimate.standard_error).all()
    if distribution == "normal":
        product = operator.matrix @ covariance.dense()
        predicted = (2 * trace(product @ product) / 4000).sqrt()
        torch.testing.assert_close(estimate.standard_error, predicted, rtol=0.1, atol=0.0)


def test_gradients(generator: torch.Generator) -> None:
    matrix = random_spd(2, 4, generator).requires_grad_()
    variance = normal((2, 4), generator).exp().requires_grad_()

    def values(matrix: torch.Tensor, variance: torch.Tensor) -> tuple[torch.Tensor, ...]:
        source = torch.Generator(matrix.device).manual_seed(1)
        symmetric = MatrixOperator(0.5 * (matrix + matrix.mT))
        return (
            hutchinson(symmetric, 3, generator=source).value,
            hutch_plus_plus(symmetric, 4, generator=source).value,
            xtrace(symmetric, 4, generator=source).value,
            covariance_trace(symmetric, DiagonalCovariance(variance), 3, generator=source).value,
        )

    def symmetrised(matrix: torch.Tensor, variance: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return values(0.5 * (matrix + matrix.mT), variance)

    assert torch.autograd.gradcheck(symmetrised, (matrix, variance))


def test_one_probe_has_no_standard_error(operator: MatrixOperator) -> None:
    assert hutchinson(operator, 1).standard_error is None


def test_bad_arguments(operator: MatrixOperator) -> None:
    with pytest.raises(ArgumentTypeError, match="operator must be a SymmetricOperator, got Tensor"):
        hutchinson(operator.matrix, 3)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="products must be at least 3, got 2"):
        hutch_plus_plus(operator, 2)
    with pytest.raises(ArgumentError, match="products must be at most twice the size 12, got 26"):
        xtrace(operator, 26)
    with pytest.raises(ArgumentError, match="distribution must be one of 'normal'"):
        hutchinson(operator, 3, distribution="cauchy")  # type: ignore[arg-type]
    wrong = DiagonalCovariance(torch.ones(2, SIZE, dtype=torch.float64, device=operator.device))
    with pytest.raises(
        ArgumentError, match=r"covariance must have the operator's batch 3 \(or 1\)"
    ):
        covariance_trace(operator, wrong, 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rank", [0, 1, 3])
@pytest.mark.parametrize("products", [8, 2 * SIZE])
def test_xtrace_where_images_do_not_span(
    rank: int, products: int, dtype: torch.dtype, generator: torch.Generator
) -> None:
    factor = normal((2, SIZE, max(rank, 1)), generator).to(dtype) * min(rank, 1)
    matrix = factor @ factor.mT
    found = xtrace(MatrixOperator(matrix), products, generator=generator)
    tolerance = 1e-4 if dtype == torch.float32 else 1e-10
    torch.testing.assert_close(found.value, trace(matrix), rtol=tolerance, atol=tolerance)


def test_xtrace_with_all_products_in_short_precision(generator: torch.Generator) -> None:
    matrix = random_spd(3, SIZE, generator).float()
    found = xtrace(MatrixOperator(matrix), 2 * SIZE, generator=generator)
    assert found.standard_error is not None
    error = (found.value - trace(matrix)).abs()
    assert bool((error < 4 * found.standard_error + 1e-3 * trace(matrix)).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rank", [0, 3, 30])
def test_xtrace_of_a_sketch_without_full_rank(
    rank: int, dtype: torch.dtype, generator: torch.Generator
) -> None:
    factor = normal((1, rank, 30), generator).to(dtype)
    matrix = (factor.mT @ factor).expand(200, -1, -1)
    operator = MatrixOperator(0.5 * (matrix + matrix.mT))
    for products in (6, 8, 30, 56, 58, 60):
        estimate = xtrace(operator, products, generator=generator)
        assert estimate.standard_error is not None
        assert torch.isfinite(estimate.standard_error).all()
        error = (estimate.value - trace(matrix)).abs()
        # The spread at one less than all directions is that of a denominator with 2 squares.
        tight = (rank <= 3 and products >= 8) or products == 60
        limit = 1e4 * torch.finfo(dtype).eps if tight else 3.0
        assert (error <= limit * trace(matrix)).all()
        if rank == 0 or products == 60:
            assert (estimate.standard_error == 0).all()
