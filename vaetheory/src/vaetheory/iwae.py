"""The bound of the importance-weighted auto-encoder (IWAE)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaetheory.arguments import Decoder
from vaetheory.covariance import Covariance
from vaetheory.likelihoods import Likelihood, likelihood_or_unit_normal
from vaetheory.posterior import (
    check_posterior,
    log_weights,
    prior_or_standard,
)


def iwae(
    decoder: Decoder,
    x: Tensor,
    mean: Tensor,
    covariance: Covariance,
    likelihood: Likelihood | None = None,
    *,
    samples: int,
    prior: Covariance | None = None,
    rows: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Importance-weighted bound with the proposal q(z | x) = N(mu, Sigma).

    ``log 1/k sum_i p(x | z_i) p(z_i) / q(z_i | x)`` for k samples z_i of q. Its expectation is the
    ELBO for k = 1, grows with k, and tends to the log evidence from below, but slowly where q is
    narrower than the true posterior. Differentiable in everything, through the samples.

    Parameters
    ----------
    decoder, x, mean, covariance, likelihood, prior
        As for `elbo`.
    samples : int
        The number k.
    rows : int, optional
        How many outputs to compute at a time, in whole batches; by default about two million
        elements. It bounds the memory only under `torch.no_grad`.
    generator : torch.Generator, optional
        The source of randomness.

    Returns
    -------
    Tensor, shape (b,)
        In nats.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If shapes, dtypes, devices or values do not fit; the message names the argument.

    References
    ----------
    Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", arXiv:1509.00519.
    """
    check_posterior(mean, covariance)
    weights = log_weights(
        decoder,
        x,
        mean,
        covariance,
        likelihood_or_unit_normal(likelihood),
        prior_or_standard(prior, mean),
        samples,
        rows,
        generator,
    )
    return weights.logsumexp(1) - math.log(samples)
