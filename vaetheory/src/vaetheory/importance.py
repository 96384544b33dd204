"""The log evidence by importance sampling around the most probable latent."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vaetheory.arguments import Decoder, check_choice, check_count
from vaetheory.covariance import Covariance, FullCovariance
from vaetheory.joint import joint_density
from vaetheory.likelihoods import Likelihood
from vaetheory.metric import CURVATURES, Curvature
from vaetheory.posterior import check_covariance, log_weights, prior_or_standard


@dataclass(frozen=True, eq=False)
class ImportanceEvidence:
    """What `importance_evidence` found. It carries no gradient.

    Attributes
    ----------
    value : Tensor, shape (b,)
        log 1/n sum_i w_i, the estimate of log p(x). Biased downwards by about half its squared
        standard error.
    standard_error : Tensor, shape (b,)
        Of the value: that of the mean weight, relative to it.
    effective_sample_size : Tensor, shape (b,)
        (sum w)^2 / sum w^2, between 1 and n: how many samples from the posterior itself would do as
        well. Far below n the proposal misses much of the posterior, and neither the value nor its
        standard error can be relied on. Where no latent has a weight above zero, the value is minus
        infinity, this is 0 and the standard error infinite.
    count : int
        Number n of samples.
    """

    value: Tensor
    standard_error: Tensor
    effective_sample_size: Tensor
    count: int


@torch.no_grad()
def importance_evidence(
    decoder: Decoder,
    x: Tensor,
    z: Tensor,
    likelihood: Likelihood | None = None,
    *,
    proposal: Covariance | None = None,
    curvature: Curvature = "fisher",
    count: int = 1000,
    generator: torch.Generator | None = None,
    rows: int | None = None,
) -> ImportanceEvidence:
    """Estimate log p(x) by samples z_i from N(z, Sigma) with weights w_i = p(x, z_i) / q(z_i).

    With z the most probable latent and Sigma = A^-1 the inverse curvature there, q is Laplace's
    approximation of the posterior: a self-check of `log_evidence` that also holds for decoders that
    are not affine, given samples enough.

    Parameters
    ----------
    decoder : callable
        Maps latents (b, d) to outputs (b, *t), each sample by itself.
    x : Tensor, shape (b, *s)
        Data.
    z : Tensor, shape (b, d)
        The means of q: the most probable latents, see `find_map`.
    likelihood : Likelihood, optional
        By default the normal distribution with unit variance.
    proposal : Covariance, batch b or 1, optional
        Sigma, by default A^-1. Give an encoder's covariance, and its mean as z, for the importance-
        weighted evidence of a VAE as it is usually reported.
    curvature : {"fisher", "gauss-newton", "hessian"}
        Which A, where no proposal is given.
    count : int
        Number n >= 2 of samples for each z.
    generator : torch.Generator, optional
        Source of the samples.
    rows : int, optional
        How many outputs to compute at a time.

    Returns
    -------
    ImportanceEvidence

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument does not fit the others or holds NaN, or A is not positive definite.

    References
    ----------
    Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", arXiv:1509.00519.
    """
    joint = joint_density(decoder, x, z, likelihood, rows)
    check_choice("curvature", curvature, CURVATURES)
    check_count("count", count, minimum=2)
    if proposal is None:
        proposal = FullCovariance.from_precision(joint.metric(z, curvature).dense())
    check_covariance("proposal", proposal, "z", z)
    # In pieces, so that not all latents are held at a time.
    most = max(1, joint.rows // len(z))
    sizes = [min(most, count - done) for done in range(0, count, most)]
    prior = prior_or_standard(None, z)
    weights = torch.cat(
        [
            log_weights(
                decoder, x, z, proposal, joint.likelihood, prior, size, joint.rows, generator
            )
            for size in sizes
        ],
        dim=1,
    )
    total = weights.logsumexp(1)
    squares = (2 * weights).logsumexp(1)
    effective = torch.where(total == -torch.inf, 0.0, (2 * total - squares).exp())
    variance = (1 / effective - 1 / count).clamp(min=0) * count / (count - 1)
    return ImportanceEvidence(total - math.log(count), variance.sqrt(), effective, count)
