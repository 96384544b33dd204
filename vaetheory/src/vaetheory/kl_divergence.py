"""The divergence of a normal posterior from a normal prior with mean zero."""

from __future__ import annotations

import torch
from torch import Tensor

from vaetheory.covariance import Covariance, DiagonalCovariance, ScalarCovariance
from vaetheory.posterior import check_posterior, prior_or_standard


def kl_divergence(mean: Tensor, covariance: Covariance, prior: Covariance | None = None) -> Tensor:
    """Kullback-Leibler divergence KL(N(mu, Sigma) || N(0, P)), differentiable in all arguments.

    ``1/2 (tr P^-1 Sigma + mu^T P^-1 mu - d + log det P - log det Sigma)``; for P = I this is
    ``-1/2 (log det Sigma + d - tr Sigma - |mu|^2)``.

    Parameters
    ----------
    mean : Tensor, shape (b, d)
        The means mu.
    covariance : Covariance, batch b or 1
        The covariances Sigma.
    prior : Covariance, batch b or 1, optional
        P; by default the identity.

    Returns
    -------
    Tensor, shape (b,)
        In nats.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If shapes, dtypes or devices do not fit, or the mean is not finite.

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", arXiv:1312.6114, appendix B, for P = I.
    """
    check_posterior(mean, covariance)
    prior = prior_or_standard(prior, mean)
    distance = (mean[:, None] * prior.solve(mean[:, None])).sum((1, 2))
    determinants = prior.logdet() - covariance.logdet()
    trace = _trace_of_ratio(covariance, prior)
    return 0.5 * (trace + distance - mean.shape[1] + determinants)


def trace_of_product(matrix: Tensor, covariance: Covariance) -> Tensor:
    """Return tr(M Sigma), shape (b,), for symmetric M (b, d, d); batches of 1 broadcast."""
    if isinstance(covariance, ScalarCovariance | DiagonalCovariance):
        return (matrix.diagonal(dim1=1, dim2=2) * covariance.diagonal()).sum(1)
    return covariance.product(matrix).diagonal(dim1=1, dim2=2).sum(1)


def _trace_of_ratio(covariance: Covariance, prior: Covariance) -> Tensor:
    """Return tr(P^-1 Sigma), shape (b,)."""
    if isinstance(prior, ScalarCovariance | DiagonalCovariance):
        return (covariance.diagonal() / prior.diagonal()).sum(1)
    diagonal = covariance.diagonal()
    identity = torch.eye(prior.dimension, dtype=diagonal.dtype, device=diagonal.device)
    return trace_of_product(prior.solve(identity[None]), covariance)
