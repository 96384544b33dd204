"""Conjugate gradients against direct solutions."""

import pytest
import torch
from decoders import normal

from vaetheory.conjugate_gradients import conjugate_gradients
from vaetheory.errors import ArgumentError
from vaetheory.operators import FunctionOperator, MatrixOperator

BATCH, SIZE = 3, 20


def positive_definite(generator: torch.Generator) -> torch.Tensor:
    factor = normal((BATCH, SIZE, SIZE), generator)
    return factor @ factor.mT + torch.eye(SIZE, dtype=factor.dtype, device=factor.device)


def test_solves(generator: torch.Generator) -> None:
    matrix = positive_definite(generator)
    right = normal((BATCH, SIZE), generator)
    right[1] = 0
    shift = torch.tensor([0.0, 1.0, 5.0], dtype=right.dtype, device=right.device)
    solution = conjugate_gradients(
        MatrixOperator(matrix), right, shift=shift, tolerance=1e-12, max_iterations=100
    )
    shifted = matrix + shift[:, None, None] * torch.eye(SIZE, dtype=right.dtype).to(right.device)
    assert bool(solution.converged.all())
    assert bool(solution.positive.all())
    torch.testing.assert_close(solution.value, torch.linalg.solve(shifted, right))
    found = (shifted @ solution.value[:, :, None])[:, :, 0]
    assert bool(((found - right).norm(dim=1) <= 1e-10 * right.norm(dim=1)).all())


def test_counts_the_products_of_each_system(generator: torch.Generator) -> None:
    matrix = positive_definite(generator)
    # Two clusters of eigenvalues take two steps, the identity one, and b = 0 none.
    matrix[0] = torch.diag(torch.tensor([1.0, 3.0]).repeat(SIZE // 2))
    matrix[1] = torch.eye(SIZE)
    right = torch.ones_like(matrix[:, 0])
    right[2] = 0
    seen: list[int] = []

    def product(vectors: torch.Tensor) -> torch.Tensor:
        seen.append(vectors.shape[1])
        return vectors @ matrix

    operator = FunctionOperator(product, BATCH, SIZE, matrix.dtype, matrix.device)
    solution = conjugate_gradients(operator, right)
    assert solution.products.tolist() == [2, 1, 0]
    assert sum(seen) == 2


def test_reports_what_it_did_not_reach(generator: torch.Generator) -> None:
    matrix = positive_definite(generator)
    right = normal((BATCH, SIZE), generator)
    solution = conjugate_gradients(MatrixOperator(matrix), right, max_iterations=3)
    assert not bool(solution.converged.any())
    left = right - (matrix @ solution.value[:, :, None])[:, :, 0]
    torch.testing.assert_close(solution.residual, left.norm(dim=1) / right.norm(dim=1))


def test_notices_negative_curvature(generator: torch.Generator) -> None:
    matrix = positive_definite(generator)
    matrix[1] -= 30 * torch.eye(SIZE, dtype=matrix.dtype, device=matrix.device)
    assert float(torch.linalg.eigvalsh(matrix[1])[0]) < 0
    solution = conjugate_gradients(MatrixOperator(matrix), normal((BATCH, SIZE), generator))
    assert solution.positive.tolist() == [True, False, True]
    assert not bool(solution.converged[1])
    assert bool(torch.isfinite(solution.value).all())


def test_bad_arguments(generator: torch.Generator) -> None:
    operator = MatrixOperator(positive_definite(generator))
    right = normal((BATCH, SIZE), generator)
    with pytest.raises(ArgumentError, match=r"right must have shape \(3, 20\)"):
        conjugate_gradients(operator, right[:, None])
    with pytest.raises(ArgumentError, match=r"shift must have shape \(3,\)"):
        conjugate_gradients(operator, right, shift=right)
