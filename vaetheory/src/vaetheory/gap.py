"""What the ELBO loses to the log evidence, by a posterior covariance that is not the best one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vaetheory.arguments import check_alike, check_symmetric, cholesky
from vaetheory.covariance import Covariance
from vaetheory.errors import ArgumentError, ArgumentTypeError


@dataclass(frozen=True, eq=False)
class EvidenceGap:
    """What `evidence_gap` found.

    Attributes
    ----------
    value : Tensor, shape (b,)
        1/2 (tr M - log det M - d), with M = A Sigma.
    second_order : Tensor, shape (b,)
        Its leading term for M near I, 1/4 tr((M - I)^2).
    """

    value: Tensor
    second_order: Tensor


def evidence_gap(precision: Tensor, covariance: Covariance) -> EvidenceGap:
    """Return log p(x) - ELBO for a posterior N(mu, Sigma) at the most probable mu.

    It is KL(N(mu, Sigma) || N(mu, A^-1)) = 1/2 (tr M - log det M - d) with M = A Sigma, and zero if
    and only if Sigma = A^-1. Exact for an affine decoder with a normal likelihood; for others as
    good as the parabola that A stands for.

    Parameters
    ----------
    precision : Tensor, shape (b, d, d)
        A, as from ``DecoderMetric(...).dense()``.
    covariance : Covariance, batch b or 1
        Sigma.

    Returns
    -------
    EvidenceGap
        Differentiable in both.

    Raises
    ------
    ArgumentError
        If A is not symmetric positive definite, or its shape does not fit the covariance's.

    References
    ----------
    Fyffe, arXiv:1912.10309, the ELBO gap and its second-order form.
    """
    check_symmetric("precision", precision)
    if not isinstance(covariance, Covariance):
        raise ArgumentTypeError(f"covariance must be a Covariance, got {type(covariance).__name__}")
    size = precision.shape[1]
    if covariance.dimension != size:
        raise ArgumentError(
            f"covariance must have the dimension {size} of precision, got {covariance.dimension}"
        )
    log_determinant = covariance.logdet()
    check_alike("covariance", log_determinant, "precision", precision)
    factor = cholesky("precision", precision)
    # Rows times Sigma: A Sigma as A is symmetric.
    product = covariance.product(precision)
    excess = product - torch.eye(size, dtype=product.dtype, device=product.device)
    trace = excess.diagonal(dim1=1, dim2=2).sum(1)
    log_determinant = log_determinant + 2 * factor.diagonal(dim1=1, dim2=2).log().sum(1)
    return EvidenceGap(0.5 * (trace - log_determinant), 0.25 * (excess * excess.mT).sum((1, 2)))
