"""The log-determinant of an operator, exactly or by probing, whichever the budget allows."""

from __future__ import annotations

from typing import Final, Literal

import torch

from vaetheory.arguments import check_choice, check_count
from vaetheory.log_determinants.exact import exact_logdet
from vaetheory.log_determinants.krylov import krylov_logdet
from vaetheory.log_determinants.result import LogDeterminant
from vaetheory.operators import SymmetricOperator
from vaetheory.trace import check_operator

Method = Literal["auto", "exact", "krylov"]
METHODS: Final = ("auto", "exact", "krylov")


def logdet(
    operator: SymmetricOperator,
    products: int = 256,
    *,
    method: Method = "auto",
    depth: int | None = None,
    floor: float = 0.0,
    generator: torch.Generator | None = None,
) -> LogDeterminant:
    """Return log det A for a batch of symmetric positive definite matrices.

    Exact, by Cholesky factorisation, where the budget suffices for all n products; then the value
    is differentiable. Otherwise estimated from block Krylov spaces (`krylov_logdet`), without
    gradient: `logdet_surrogate` has that.

    Parameters
    ----------
    operator : SymmetricOperator
        The matrices A, b of them, n x n.
    products : int
        Most products with each matrix.
    method : {"auto", "exact", "krylov"}
        ``"exact"`` takes n products whatever the budget.
    depth : int, optional
        Powers of A for each probe, by default 8, and less below n = 160: the deeper, the less bias,
        and the fewer probes.
    floor : float
        No eigenvalue lies below it. It has to be known beforehand: 1 for A = J^T J + I.
    generator : torch.Generator, optional
        Source of the probes.

    Raises
    ------
    ArgumentError
        If a matrix is found not to be positive definite, or to have an eigenvalue below the floor.
    """
    check_operator(operator)
    check_count("products", products)
    check_choice("method", method, METHODS)
    if method == "exact" or (method == "auto" and operator.size <= products):
        return exact_logdet(operator, floor, depth)
    return krylov_logdet(operator, products, depth=depth, floor=floor, generator=generator)
