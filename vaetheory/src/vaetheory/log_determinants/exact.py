"""Log-determinants of small matrices, exactly."""

from __future__ import annotations

import torch
from torch import Tensor

from vaetheory.arguments import check_count, check_finite, check_number, cholesky
from vaetheory.errors import ArgumentError
from vaetheory.log_determinants.result import LogDeterminant
from vaetheory.operators import SymmetricOperator


def exact_logdet(
    operator: SymmetricOperator, floor: float = 0.0, depth: int | None = None
) -> LogDeterminant:
    """Return log det A = 2 sum_i log L_ii with the Cholesky factor L of A.

    The matrices are formed with n products each, or fewer where the operator knows a shorter way.
    Differentiable where the products are.

    Parameters
    ----------
    operator : SymmetricOperator
        The matrices A, b of them, n x n.
    floor : float
        No eigenvalue lies below it, which is checked; nothing else depends on it.
    depth : int, optional
        Of no use here.

    Raises
    ------
    ArgumentError
        If one is not finite or not positive definite, or has an eigenvalue below the floor.
    """
    check_number("floor", floor, 0, may_be_low=True)
    if depth is not None:
        check_count("depth", depth, 2)
    matrix = operator.dense()
    check_finite("operator", matrix)
    if floor > 0:
        _check_floor(matrix.detach(), floor)
    pivots = cholesky("operator", matrix).diagonal(dim1=1, dim2=2)
    value = 2 * pivots.log().sum(1)
    bound = value.detach()
    return LogDeterminant(
        value=value,
        standard_error=torch.zeros_like(bound),
        lower=bound,
        upper=bound,
        products=operator.size,
        method="exact",
    )


def _check_floor(matrix: Tensor, floor: float) -> None:
    """Refuse matrices with an eigenvalue below the floor by more than rounding."""
    size = matrix.shape[1]
    identity = torch.eye(size, dtype=matrix.dtype, device=matrix.device)
    largest = matrix.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]
    rounding = 10 * torch.finfo(matrix.dtype).eps * largest
    if bool((torch.linalg.cholesky_ex(matrix + (rounding - floor) * identity).info != 0).any()):
        raise ArgumentError(f"operator must have no eigenvalue below floor = {floor:g}")
