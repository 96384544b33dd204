"""Operators against the matrices that they stand for."""

import pytest
import torch

from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.operators import FunctionOperator, MatrixOperator


@pytest.fixture
def matrix(generator: torch.Generator) -> torch.Tensor:
    factor = torch.randn(3, 5, 5, dtype=torch.float64, device=generator.device, generator=generator)
    return factor @ factor.mT


def test_matrix_operator(matrix: torch.Tensor) -> None:
    operator = MatrixOperator(matrix)
    vectors = torch.ones(3, 2, 5, dtype=matrix.dtype, device=matrix.device)
    assert (operator.batch, operator.size) == (3, 5)
    assert torch.equal(operator.dense(), matrix)
    torch.testing.assert_close(operator.product(vectors)[:, 1], matrix.sum(2))


def test_function_operator(matrix: torch.Tensor) -> None:
    operator = FunctionOperator(lambda v: v @ matrix, 3, 5, matrix.dtype, matrix.device)
    torch.testing.assert_close(operator.dense(), matrix)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.ones(2, 3), "matrix must have shape"),
        (torch.ones(2, 3, 4), "matrix must have shape"),
        (torch.ones(0, 3, 3), "matrix must have shape"),
        (torch.full((1, 2, 2), torch.nan), "matrix must be finite, but contains NaN"),
        (torch.tensor([[[1.0, 2.0], [0.0, 1.0]]]), "matrix must be symmetric"),
    ],
)
def test_bad_matrix(bad: torch.Tensor, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        MatrixOperator(bad)


def test_bad_vectors(matrix: torch.Tensor) -> None:
    operator = MatrixOperator(matrix)
    with pytest.raises(ArgumentError, match=r"vectors must have shape \(3, k, 5\)"):
        operator.product(matrix[:2])
    with pytest.raises(ArgumentTypeError, match="vectors must have the operator's dtype"):
        operator.product(matrix.float())


def test_bad_function() -> None:
    with pytest.raises(ArgumentTypeError, match="function must be callable"):
        FunctionOperator(3, 1, 2, torch.float64)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="size must be at least 1"):
        FunctionOperator(lambda v: v, 1, 0, torch.float64)
    operator = FunctionOperator(lambda v: v[:, :1], 1, 2, torch.float64)
    with pytest.raises(ArgumentError, match="function must return the shape of its vectors"):
        operator.dense()
