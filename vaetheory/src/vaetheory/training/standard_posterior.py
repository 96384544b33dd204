"""A trained model and its posteriors in the terms that the library's functions take."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
from torch import Tensor

from vaetheory.arguments import Decoder
from vaetheory.covariance import Covariance
from vaetheory.errors import ConvergenceWarning
from vaetheory.fold_prior import fold_covariance, fold_prior
from vaetheory.likelihoods import Likelihood
from vaetheory.map_solver import MapSolution, find_map
from vaetheory.metric import DecoderMetric
from vaetheory.models import AutoEncoder


class StandardPosterior(NamedTuple):
    """The first arguments of `elbo`, `iwae` and others, for the prior N(0, I).

    Attributes
    ----------
    decoder : callable
        Maps latents (b, d) to outputs (b, *t).
    x : Tensor, shape (b, *s)
        Data.
    mean : Tensor, shape (b, d)
        Posterior means.
    covariance : Covariance, batch b or 1
        Posterior covariances.
    likelihood : Likelihood
        p(x | decoder's output).
    """

    decoder: Decoder
    x: Tensor
    mean: Tensor
    covariance: Covariance
    likelihood: Likelihood


def standard_posterior(model: AutoEncoder, x: Tensor) -> StandardPosterior:
    """Return a model's posteriors of data (b, *s), with a fitted prior folded into the decoder."""
    prior = model.prior_covariance()
    own_mean, own_covariance = model.posterior(x)
    encoder, decoder = fold_prior(lambda _: own_mean, model.decoder, prior)
    covariance = fold_covariance(own_covariance, prior)
    return StandardPosterior(decoder, x, encoder(x), covariance, model.likelihood)


def find_map_quietly(posterior: StandardPosterior, tolerance: float | None = None) -> MapSolution:
    """Return the most probable latents, from the means on; what has not converged is marked."""
    decoder, x, mean, _, likelihood = posterior
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return find_map(decoder, x, mean, likelihood, tolerance=tolerance)


def curvature_at(posterior: StandardPosterior, z: Tensor) -> Tensor:
    """Return the Hessian of -log p(x, z) at latents (b, d), shape (b, d, d).

    Where it is not positive definite, as beside a maximum, the Fisher information's A instead.
    """
    decoder, x, _, _, likelihood = posterior
    hessian = DecoderMetric(decoder, z, likelihood, x, curvature="hessian").dense()
    fisher = DecoderMetric(decoder, z, likelihood).dense()
    failed = torch.linalg.cholesky_ex(hessian).info != 0
    return torch.where(failed[:, None, None], fisher, hessian)
