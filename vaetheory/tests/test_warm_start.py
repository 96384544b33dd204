"""Log-determinants of a matrix that changes from step to step."""

import pytest
import torch
from decoders import normal
from spectra import decaying, operator_with
from torch import Tensor

from vaetheory.errors import ArgumentError
from vaetheory.log_determinants import RitzBasis, logdet, warm_logdet
from vaetheory.operators import FunctionOperator, MatrixOperator

BATCH, SIZE = 100, 128
EXACT = decaying(SIZE).log().sum()


def turned(angle: float) -> FunctionOperator:
    """Eigenvectors 0 and 1, 2 and 3, ... in steps of a half turned into each other's place."""
    half = SIZE // 2
    cosine, sine = torch.tensor(angle).cos().item(), torch.tensor(angle).sin().item()
    identity = torch.eye(half, dtype=torch.float64)
    turn = torch.cat(
        [
            torch.cat([cosine * identity, -sine * identity], 1),
            torch.cat([sine * identity, cosine * identity], 1),
        ]
    )
    matrix = turn @ torch.diag(decaying(SIZE)) @ turn.mT
    matrix = 0.5 * (matrix + matrix.mT)
    return FunctionOperator(lambda v: v @ matrix.to(v.device), BATCH, SIZE, torch.float64)


def errors(value: Tensor) -> Tensor:
    return (value - EXACT).abs()


def test_better_than_a_cold_start_where_nothing_changes(generator: torch.Generator) -> None:
    operator = turned(0.0)
    step = warm_logdet(operator, 32, generator=generator)
    assert step.refreshed
    assert step.estimate.products > 32
    for _ in range(4):
        step = warm_logdet(operator, 32, step.basis, generator=generator)
        assert not step.refreshed
        assert step.estimate.products <= 32
    cold = logdet(operator, 32, floor=1.0, generator=generator)
    assert errors(step.estimate.value).median() < 0.9 * errors(cold.value).median()
    assert step.estimate.lower is not None
    assert (step.estimate.lower <= EXACT).all()


def test_unbiased_while_it_drifts(generator: torch.Generator) -> None:
    step = warm_logdet(turned(0.0), 48, generator=generator)
    for number in range(1, 6):
        step = warm_logdet(turned(0.002 * number), 48, step.basis, generator=generator)
    error = step.estimate.value - EXACT
    assert error.mean().abs() < 4 * error.std() / BATCH**0.5
    assert step.estimate.upper is not None
    assert (step.estimate.upper < EXACT).double().mean() <= 0.05


def test_low_rank_plus_identity(generator: torch.Generator) -> None:
    """What the basis leaves is nothing but rounding, and no reason to refuse or refresh it."""
    eigenvalues = torch.cat([torch.full((3,), 1e3), torch.ones(297)]).double()
    operator = operator_with(eigenvalues, batch=5)
    step = warm_logdet(operator, 64, generator=generator)
    for _ in range(3):
        step = warm_logdet(operator, 64, step.basis, generator=generator)
        assert not step.refreshed
        assert (step.estimate.value - eigenvalues.log().sum()).abs().max() < 1e-8


def test_slow_decay(generator: torch.Generator) -> None:
    eigenvalues = torch.arange(1, 201, dtype=torch.float64)
    operator = operator_with(eigenvalues, batch=100)
    estimate = warm_logdet(operator, 160, generator=generator).estimate
    assert estimate.standard_error is not None
    error = (estimate.value - eigenvalues.log().sum()).abs()
    assert (error <= 2 * estimate.standard_error).double().mean() >= 0.9


def test_a_jump_refreshes_the_basis(generator: torch.Generator) -> None:
    step = warm_logdet(turned(0.0), 64, rank=40, generator=generator)
    step = warm_logdet(turned(torch.pi / 2), 64, step.basis, rank=40, generator=generator)
    assert step.refreshed
    assert errors(step.estimate.value).median() < 0.05 * EXACT


def test_bad_arguments(generator: torch.Generator) -> None:
    operator = MatrixOperator(torch.eye(20, dtype=torch.float64, device=generator.device)[None])
    with pytest.raises(ArgumentError, match="floor must be positive and finite, got 0"):
        warm_logdet(operator, 12, floor=0.0)
    with pytest.raises(ArgumentError, match="staleness must be above 1 and finite, got 1"):
        warm_logdet(operator, 12, staleness=1.0)
    with pytest.raises(ArgumentError, match="rank must leave room for a Krylov space"):
        warm_logdet(operator, 40, rank=20)
    basis = RitzBasis(normal((1, 3, 20), generator), normal((1,), generator))
    with pytest.raises(ArgumentError, match=r"basis.vectors must have shape \(1, 4, 20\)"):
        warm_logdet(operator, 12, basis)
