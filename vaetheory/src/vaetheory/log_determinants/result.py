"""What the estimators of log-determinants return."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class LogDeterminant:
    """Log-determinants of a batch of b matrices.

    Attributes
    ----------
    value : Tensor, shape (b,)
        The values or estimates.
    standard_error : Tensor, shape (b,), or None
        Two of these cover the error in about 95 of 100 runs; 0 for exact values, None where too
        few probes are left to tell.
    lower : Tensor, shape (b,), or None
        A bound that holds without chance if no eigenvalue lies below the `floor` that was given;
        None without a floor.
    upper : Tensor, shape (b,), or None
        A one-sided limit, from Student's quantile at 99 % with a spread that allows for estimates
        that are not independent: about 1 of 100 runs exceeds it. Not proven, as the lower bound is;
        `VariationalLogDeterminant.bound` needs no such allowance. None where too few probes are
        left.
    products : int
        Products with each matrix that were spent.
    method : str
        ``"exact"`` or ``"krylov"``.
    probes : int
        Number of random start vectors; 0 for exact values.
    depth : int
        Powers of A that were applied to each; 0 for exact values.
    gap : Tensor, shape (b,), or None
        Distance between the quadrature from above and from below, on average over the probes: what
        more depth could still change. None where there is only one of them.
    """

    value: Tensor
    standard_error: Tensor | None
    lower: Tensor | None
    upper: Tensor | None
    products: int
    method: str
    probes: int = 0
    depth: int = 0
    gap: Tensor | None = None
