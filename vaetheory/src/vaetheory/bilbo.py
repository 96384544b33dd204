"""The batch information lower bound (BILBO): the ELBO under the prior that fits the batch best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vaetheory.arguments import Decoder, check_count, cholesky
from vaetheory.covariance import Covariance, DiagonalCovariance, FullCovariance, ScalarCovariance
from vaetheory.likelihoods import Likelihood, likelihood_or_unit_normal
from vaetheory.posterior import (
    check_covariance,
    check_posterior,
    log_likelihoods,
    sample_posterior,
)
from vaetheory.process_group import mean_over_processes

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


def bilbo(
    decoder: Decoder,
    x: Tensor,
    mean: Tensor,
    covariance: Covariance,
    likelihood: Likelihood | None = None,
    *,
    samples: int = 1,
    rows: int | None = None,
    group: ProcessGroup | None = None,
    generator: torch.Generator | None = None,
    noise: Tensor | None = None,
    prior: FullCovariance | None = None,
) -> Tensor:
    """Batch information lower bound, estimated from a batch.

    ``-1/2 log det(I + Sigma^-1 S) + E_B E_q log p(x | z)``, with ``S = E_B[mu mu^T]`` over the
    batch B. The first term is -E_B KL(q || N(0, P)) for the prior of `fitted_prior`,
    ``P = Sigma + S``; so this is the batch's mean ELBO under the normal prior that suits the batch
    best. Where Sigma differs from sample to sample, the same holds with
    ``P = E_B[Sigma + mu mu^T]``, and the first term is ``-1/2 (log det P - E_B log det Sigma)``.

    Because the prior follows the latents, nothing pulls them to any scale: the value does not
    change under (mu, Sigma, nu) -> (T mu, T Sigma T^T, nu o T^-1). So Sigma may as well be kept at
    I. `fold_prior` gets back to the prior N(0, I).

    A batch's value is no lower bound on the log evidence of the data set: it is too large by about
    `bilbo_bias`. Report `elbo` under the prior of a `HeldPrior` instead. With fewer samples than
    dimensions it stays finite, but then its gradient in the means lies in their span.

    Parameters
    ----------
    decoder, x, mean, covariance, likelihood, samples, rows, generator, noise
        As for `elbo`.
    group : torch.distributed.ProcessGroup, optional
        The processes that hold a part of the batch each. The sums over the batch are then taken
        over all of them, and every process gets the value of the whole batch. The gradients of the
        processes' parameters, averaged over the processes as `DistributedDataParallel` does,
        are those of one process with the whole batch, of whatever sizes the parts are. A covariance
        with a batch of 1 has to be the same in all processes.
    prior : FullCovariance, batch 1, optional
        What `fitted_prior` gives for these posteriors and this group, if that is known already.

    Returns
    -------
    Tensor, shape ()
        In nats for each sample; maximise it.

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
    z = sample_posterior(mean, covariance, samples, generator, noise)
    expected = log_likelihoods(decoder, x, z, likelihood, rows).mean(1)
    if prior is None:
        prior = fitted_prior(mean, covariance, group=group)
    else:
        check_covariance("prior", prior, "mean", mean)
    terms = expected + 0.5 * covariance.logdet()
    batch_mean = mean_over_processes(terms.mean(), len(mean), group)
    return batch_mean - 0.5 * prior.logdet()[0]


def fitted_prior(
    mean: Tensor, covariance: Covariance, *, group: ProcessGroup | None = None
) -> FullCovariance:
    """Covariance P of the prior N(0, P) with the least mean divergence from a batch of posteriors.

    ``P = E_B[Sigma + mu mu^T]``, the second moment of the mixture of the posteriors.

    Parameters
    ----------
    mean : Tensor, shape (b, d)
        The means mu.
    covariance : Covariance, batch b or 1
        The covariances Sigma.
    group : torch.distributed.ProcessGroup, optional
        The processes that hold a part of the batch each, as for `bilbo`.

    Returns
    -------
    FullCovariance
        With a batch of 1; differentiable in the mean and the covariance.
    """
    check_posterior(mean, covariance)
    if isinstance(covariance, ScalarCovariance | DiagonalCovariance):
        average = torch.diag(covariance.diagonal().mean(0))
    else:
        average = covariance.dense().mean(0)
    moment = mean.mT @ mean / len(mean) + average
    moment = mean_over_processes(moment, len(mean), group)
    return FullCovariance(cholesky("E[covariance + mean mean^T]", moment[None]))


def bilbo_bias(mean: Tensor, covariance: Covariance, batch_size: int | None = None) -> Tensor:
    """By how much the expected BILBO of a batch exceeds that of the whole data set, to first order.

    ``[(tr W)^2 + tr(W^2)] / (4 b)`` with ``W = P^-1/2 S P^-1/2``, from the curvature of the
    log-determinant and the fluctuations of S from batch to batch. Assumes that the means are normal
    with mean zero, that Sigma is the same for all, and that b is large against the dimension.

    Parameters
    ----------
    mean : Tensor, shape (n, d)
        The means of the data set, or of as large a part as there is.
    covariance : Covariance, batch n or 1
        The covariances Sigma.
    batch_size : int, optional
        The batch size b; by default n.

    Returns
    -------
    Tensor, shape ()
        In nats for each sample; differentiable in the mean and the covariance.

    References
    ----------
    The expansion of log det to second order, with the fourth moments of a normal distribution; for
    the objective itself Fyffe, arXiv:1912.10309.
    """
    prior = fitted_prior(mean, covariance)
    batch_size = len(mean) if batch_size is None else batch_size
    check_count("batch_size", batch_size)
    # W has the trace of P^-1 S, and W^2 that of P^-1 S P^-1 S.
    ratio = prior.solve((mean.mT @ mean / len(mean))[None])[0]
    return (ratio.trace().square() + (ratio * ratio.mT).sum()) / (4 * batch_size)
