"""The evidence lower bound (ELBO) of a normal posterior, in three forms."""

from __future__ import annotations

from typing import Final, Literal

import torch
from torch import Tensor

from vaetheory.arguments import Decoder, check_choice, check_count, decode
from vaetheory.covariance import Covariance
from vaetheory.kl_divergence import kl_divergence, trace_of_product
from vaetheory.likelihoods import Likelihood, likelihood_or_unit_normal
from vaetheory.metric import Curvature, DecoderMetric
from vaetheory.posterior import (
    check_posterior,
    log_likelihoods,
    log_weights,
    prior_or_standard,
    sample_posterior,
)

Form = Literal["kl", "three-term"]
FORMS: Final = ("kl", "three-term")

EXACT_SIZE: Final = 256
"""Dimension d up to which `taylor_elbo` computes the trace exactly unless told otherwise."""

PROBES: Final = 32
"""Number of random vectors that `taylor_elbo` takes above that dimension."""


def elbo(
    decoder: Decoder,
    x: Tensor,
    mean: Tensor,
    covariance: Covariance,
    likelihood: Likelihood | None = None,
    *,
    form: Form = "kl",
    prior: Covariance | None = None,
    samples: int = 1,
    rows: int | None = None,
    generator: torch.Generator | None = None,
    noise: Tensor | None = None,
) -> Tensor:
    """Unbiased estimate of the ELBO with the posterior q(z | x) = N(mu, Sigma).

    - ``"kl"``: ``E_q log p(x | z) - KL(q || p(z))``, the divergence in closed form.
    - ``"three-term"``: ``E_q [log p(z) + log p(x | z) - log q(z | x)]``. The same expectation with
      another variance: none at all where q is the true posterior.

    The expectations are means over samples of q, differentiable in the data, the mean, the
    covariance, the prior and the parameters of decoder and likelihood.

    Parameters
    ----------
    decoder : callable
        Maps latents (b, d) to outputs (b, *t), each sample by itself.
    x : Tensor, shape (b, *s)
        Data.
    mean : Tensor, shape (b, d)
        The means mu, as an encoder gives them.
    covariance : Covariance, batch b or 1
        The covariances Sigma; a batch of 1 is shared by all samples of the data.
    likelihood : Likelihood, optional
        By default the normal distribution with unit variance.
    form : {"kl", "three-term"}
        See above.
    prior : Covariance, batch b or 1, optional
        P of the prior p(z) = N(0, P); by default the identity.
    samples : int
        Number of latents drawn for each sample of the data.
    rows : int, optional
        How many outputs to compute at a time, in whole batches.
    generator : torch.Generator, optional
        The source of randomness.
    noise : Tensor, shape (b, samples, e), optional
        Standard normal draws to make the latents of, instead of new ones: to compare models on the
        same noise, or to share one batch's among processes. e is the covariance's
        `noise_dimension`, which is d for most.

    Returns
    -------
    Tensor, shape (b,)
        One value for each sample of the data, in nats; maximise its mean.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If shapes, dtypes, devices or values do not fit; the message names the argument.

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", arXiv:1312.6114: the form "kl" is their
    second estimator, "three-term" their first. Fyffe, arXiv:1912.10309.
    """
    check_choice("form", form, FORMS)
    check_posterior(mean, covariance)
    likelihood = likelihood_or_unit_normal(likelihood)
    prior = prior_or_standard(prior, mean)
    if form == "three-term":
        return log_weights(
            decoder, x, mean, covariance, likelihood, prior, samples, rows, generator, noise
        ).mean(1)
    z = sample_posterior(mean, covariance, samples, generator, noise)
    expected = log_likelihoods(decoder, x, z, likelihood, rows).mean(1)
    return expected - kl_divergence(mean, covariance, prior)


def taylor_elbo(
    decoder: Decoder,
    x: Tensor,
    mean: Tensor,
    covariance: Covariance,
    likelihood: Likelihood | None = None,
    *,
    curvature: Curvature = "fisher",
    prior: Covariance | None = None,
    probes: int | None = None,
    rows: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Second-order Taylor form of the ELBO around the posterior mean.

    ``log p(x | nu(mu)) - 1/2 tr(H Sigma) - KL(q || p(z))``, where H = J^T G J has the decoder's
    Jacobian J at mu and G a curvature of the likelihood in the decoder's output, or is the second
    derivative itself. For the unit normal likelihood and prior, with A = J^T J + I,

    ``-1/2 (m log 2 pi + |mu|^2 + |x - nu(mu)|^2 + tr(A Sigma) - log det(e Sigma))``.

    It is largest over Sigma at A^-1. Without noise from sampling z it is exact for an affine
    decoder with a normal likelihood; for others it is neither exact nor a bound, but off by the
    decoder's curvature and by the likelihood's higher derivatives over the width of Sigma.

    Parameters
    ----------
    decoder, x, mean, covariance, likelihood, prior
        As for `elbo`.
    curvature : {"fisher", "gauss-newton", "hessian"}
        As for `DecoderMetric`: the first two leave out the decoder's second derivatives.
    probes : int, optional
        Estimate the trace without bias, as the mean of v^T H v over so many v from N(0, Sigma); its
        variance is 2 tr(H Sigma H Sigma) / probes. By default the trace is exact, from H in full,
        for d up to 256, and takes 32 probes above.
    rows : int, optional
        How many outputs to compute at a time; by default about two million elements.
    generator : torch.Generator, optional
        The source of randomness of the probes.

    Returns
    -------
    Tensor, shape (b,)
        In nats, differentiable as `elbo` is.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If shapes, dtypes, devices or values do not fit; the message names the argument.

    References
    ----------
    Fyffe, arXiv:1912.10309.
    """
    check_posterior(mean, covariance)
    likelihood = likelihood_or_unit_normal(likelihood)
    output = decode(decoder, mean)
    likelihood.check_data(x, output.shape[1:], mean)
    hessian = DecoderMetric(
        decoder,
        mean,
        likelihood,
        x,
        curvature=curvature,
        prior_precision=0.0,
        output_shape=output.shape[1:],
        rows=rows,
    )
    if probes is None and mean.shape[1] <= EXACT_SIZE:
        trace = trace_of_product(hessian.gram(), covariance)
    else:
        probes = PROBES if probes is None else probes
        check_count("probes", probes)
        vectors = sample_posterior(torch.zeros_like(mean), covariance, probes, generator)
        trace = (vectors * hessian.product(vectors)).sum(2).mean(1)
    expected = likelihood.log_prob(x, output) - 0.5 * trace
    return expected - kl_divergence(mean, covariance, prior)
