"""Log-determinants of small matrices, exactly."""

from __future__ import annotations

import torch

from vaetheory.arguments import check_finite, cholesky
from vaetheory.log_determinants.result import LogDeterminant
from vaetheory.operators import SymmetricOperator


def exact_logdet(operator: SymmetricOperator) -> LogDeterminant:
    """Return log det A = 2 sum_i log L_ii with the Cholesky factor L of A.

    The matrices are formed with n products each, or fewer where the operator knows a shorter way.
    Differentiable where the products are.

    Parameters
    ----------
    operator : SymmetricOperator
        The matrices A, b of them, n x n.

    Raises
    ------
    ArgumentError
        If one is not finite or not positive definite.
    """
    matrix = operator.dense()
    check_finite("operator", matrix)
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
