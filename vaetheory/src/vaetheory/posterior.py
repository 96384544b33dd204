"""Samples of a normal posterior q(z | x) = N(mu, Sigma), and what a model says of them."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from vaetheory.arguments import (
    Decoder,
    check_alike,
    check_count,
    check_latent,
    check_shape,
    check_tensor,
    decode,
)
from vaetheory.covariance import Covariance, ScalarCovariance
from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.likelihoods import Likelihood
from vaetheory.vector_map import cut, default_rows

_LOG_TWO_PI: Final = math.log(2 * math.pi)


def check_posterior(mean: Tensor, covariance: Covariance) -> None:
    """Refuse a mean (b, d) and a covariance that are not those of one batch of posteriors.

    Raises
    ------
    ArgumentError
        If the mean is not (b, d) and finite, or the covariance is of another batch or dimension.
    ArgumentTypeError
        If the covariance is no `Covariance`, or of another dtype or device.
    """
    check_latent("mean", mean)
    check_covariance("covariance", covariance, "mean", mean)


def check_covariance(name: str, covariance: object, mean_name: str, mean: Tensor) -> None:
    """Refuse what is not a covariance of the means' dimension, with their batch or that of 1."""
    if not isinstance(covariance, Covariance):
        raise ArgumentTypeError(f"{name} must be a Covariance, got {type(covariance).__name__}")
    check_alike(name, covariance.diagonal(), mean_name, mean)
    if covariance.dimension != mean.shape[1] or covariance.batch not in (1, len(mean)):
        raise ArgumentError(
            f"{name} must have batch {len(mean)} or 1 and dimension {mean.shape[1]} to go with a "
            f"{mean_name} of shape {tuple(mean.shape)}, got {covariance.batch} and "
            f"{covariance.dimension}"
        )


def prior_or_standard(prior: Covariance | None, mean: Tensor) -> Covariance:
    """Return the covariance of the prior N(0, P) for latents like the mean; I if none is given."""
    if prior is None:
        return ScalarCovariance(mean.new_ones(1), mean.shape[1])
    check_covariance("prior", prior, "mean", mean)
    return prior


def sample_posterior(
    mean: Tensor,
    covariance: Covariance,
    samples: int = 1,
    generator: torch.Generator | None = None,
    noise: Tensor | None = None,
) -> Tensor:
    """Draw latents from N(mu, Sigma), independent ones for each sample of the batch.

    Parameters
    ----------
    mean : Tensor, shape (b, d)
        The means mu.
    covariance : Covariance, batch b or 1
        The covariances Sigma.
    samples : int
        How many latents to draw for each mean.
    generator : torch.Generator, optional
        The source of randomness.
    noise : Tensor, shape (b, samples, e), optional
        Standard normal draws to make the latents of, instead of new ones; e is the covariance's
        `noise_dimension`, which is d for most.

    Returns
    -------
    Tensor, shape (b, samples, d)
        Differentiable in the mean and the covariance.
    """
    check_posterior(mean, covariance)
    check_count("samples", samples)
    if noise is not None:
        check_tensor("noise", noise)
        check_shape("noise", noise, (len(mean), samples, covariance.noise_dimension))
        check_alike("noise", noise, "mean", mean)
        return mean[:, None] + covariance.from_noise(noise)
    if covariance.batch == 1:
        # A covariance in common is not noise in common.
        drawn = covariance.sample(len(mean) * samples, generator)
        return mean[:, None] + drawn.reshape(len(mean), samples, -1)
    return mean[:, None] + covariance.sample(samples, generator)


def log_normal(deviation: Tensor, covariance: Covariance) -> Tensor:
    """Return log N(e; 0, Sigma) = -1/2 (d log 2 pi + log det Sigma + e^T Sigma^-1 e).

    Parameters
    ----------
    deviation : Tensor, shape (b, k, d)
        Deviations e from the mean.
    covariance : Covariance, batch b or 1
        Sigma.

    Returns
    -------
    Tensor, shape (b, k)
    """
    distance = (deviation * covariance.solve(deviation)).sum(2)
    constant = covariance.dimension * _LOG_TWO_PI + covariance.logdet()
    return -0.5 * (constant[:, None] + distance)


def log_likelihoods(
    decoder: Decoder, x: Tensor, z: Tensor, likelihood: Likelihood, rows: int | None = None
) -> Tensor:
    """Return log p(x | z) for k latents of each of b samples of data.

    Parameters
    ----------
    decoder : callable
        Maps latents (b, d) to outputs (b, *t).
    x : Tensor, shape (b, *s)
        Data.
    z : Tensor, shape (b, k, d)
        Latents.
    likelihood : Likelihood
        The distribution of the data.
    rows : int, optional
        How many outputs to compute at a time, but never less than one for each of the b samples;
        by default about two million elements.

    Returns
    -------
    Tensor, shape (b, k)

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If the decoder does not map batches to batches, or the data do not fit its outputs.
    """
    if not isinstance(x, Tensor):
        raise ArgumentTypeError(f"x must be a torch.Tensor, got {type(x).__name__}")
    batch = len(z)
    if rows is None:
        rows = default_rows(max(1, x.numel() // batch))
    check_count("rows", rows)
    values = []
    for some in cut(z, max(1, rows // batch), dim=1):
        output = decode(decoder, some.flatten(0, 1))
        likelihood.check_data(x, output.shape[1:], z[:, 0])
        repeated = x.repeat_interleave(some.shape[1], 0)
        values.append(likelihood.log_prob(repeated, output).reshape(batch, -1))
    return torch.cat(values, 1)


def log_weights(
    decoder: Decoder,
    x: Tensor,
    mean: Tensor,
    covariance: Covariance,
    likelihood: Likelihood,
    prior: Covariance,
    samples: int,
    rows: int | None = None,
    generator: torch.Generator | None = None,
    noise: Tensor | None = None,
) -> Tensor:
    """Return log p(z) + log p(x | z) - log q(z | x), shape (b, samples), for z from q(z | x).

    Its mean over the samples estimates the ELBO, the mean of its exponential the evidence p(x).
    """
    z = sample_posterior(mean, covariance, samples, generator, noise)
    ratio = log_normal(z, prior) - log_normal(z - mean[:, None], covariance)
    return ratio + log_likelihoods(decoder, x, z, likelihood, rows)
