"""The posterior covariances that lose least of the log evidence: one a sample, or one for all."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vaetheory.arguments import check_symmetric, cholesky
from vaetheory.covariance import (
    DiagonalCovariance,
    FullCovariance,
    ScalarCovariance,
)


@dataclass(frozen=True, eq=False)
class ConstantCovariance:
    """What `constant_covariance` found.

    Attributes
    ----------
    covariance : FullCovariance, batch 1
        (E[A])^-1.
    penalty : Tensor, shape ()
        1/2 (log det E[A] - E[log det A]): by how much the mean ELBO falls below the one with the
        best covariance for each sample. Exact as far as log p(x, z) is a parabola around mu;
        never negative, by Jensen's inequality.
    quadratic_penalty : Tensor, shape ()
        1/4 E tr((E[A]^-1 A - I)^2), which the penalty tends to where A varies little.
    """

    covariance: FullCovariance
    penalty: Tensor
    quadratic_penalty: Tensor


def optimal_covariance(precision: Tensor) -> FullCovariance:
    """Return the best Sigma for each sample, A^-1, for which the gap to the evidence closes.

    Parameters
    ----------
    precision : Tensor, shape (b, d, d)
        A, as from ``DecoderMetric(...).dense()``.

    Raises
    ------
    ArgumentError
        If A is not symmetric positive definite.

    References
    ----------
    Fyffe, arXiv:1912.10309, the optimal posterior covariance.
    """
    return FullCovariance.from_precision(precision)


def optimal_diagonal_covariance(precision: Tensor) -> DiagonalCovariance:
    """Return the best diagonal Sigma for each sample, Sigma_ii = 1 / A_ii.

    Parameters
    ----------
    precision : Tensor, shape (b, d, d)
        A, as from ``DecoderMetric(...).dense()``.
    """
    check_symmetric("precision", precision)
    cholesky("precision", precision)
    return DiagonalCovariance(1 / precision.diagonal(dim1=1, dim2=2))


def optimal_scalar_covariance(precision: Tensor) -> ScalarCovariance:
    """Return the best Sigma = s I for each sample, s = d / tr A.

    Parameters
    ----------
    precision : Tensor, shape (b, d, d)
        A, as from ``DecoderMetric(...).dense()``.
    """
    check_symmetric("precision", precision)
    cholesky("precision", precision)
    size = precision.shape[1]
    return ScalarCovariance(size / precision.diagonal(dim1=1, dim2=2).sum(1), size)


def constant_covariance(precision: Tensor) -> ConstantCovariance:
    """Return the best Sigma that all samples share, (E[A])^-1, and what it costs.

    The mean of the precisions, not of the covariances A^-1, as 1/2 (tr(E[A] Sigma) - log det Sigma)
    is what the mean ELBO loses.

    Parameters
    ----------
    precision : Tensor, shape (n, d, d)
        A for a set of samples that stands for the data.

    Returns
    -------
    ConstantCovariance
        Differentiable in A.

    Raises
    ------
    ArgumentError
        If a matrix is not symmetric positive definite.

    References
    ----------
    Fyffe, arXiv:1912.10309, the penalty of a constant posterior covariance.
    """
    check_symmetric("precision", precision)
    log_determinants = 2 * _pivots(cholesky("precision", precision)).log().sum(1)
    mean = precision.mean(0, keepdim=True)
    factor = cholesky("precision", mean)
    size = precision.shape[1]
    relative = torch.cholesky_solve(precision, factor) - torch.eye(
        size, dtype=precision.dtype, device=precision.device
    )
    log_determinant = 2 * _pivots(factor).log().sum()
    return ConstantCovariance(
        FullCovariance.from_precision(mean),
        0.5 * (log_determinant - log_determinants.mean()),
        0.25 * (relative * relative.mT).sum((1, 2)).mean(),
    )


def _pivots(factor: Tensor) -> Tensor:
    return factor.diagonal(dim1=1, dim2=2)
