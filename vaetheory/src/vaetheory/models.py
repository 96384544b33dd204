"""Small models to train: a plain VAE, and two with a fitted prior, with and without variances."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import torch
from torch import Tensor, nn

from vaetheory.arguments import (
    Decoder,
    check_choice,
    check_count,
    check_number,
    check_shape,
    decode,
)
from vaetheory.bilbo import bilbo, fitted_prior
from vaetheory.covariance import (
    Covariance,
    DiagonalCovariance,
    FullCovariance,
    ScalarCovariance,
)
from vaetheory.elbo import elbo
from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.fold_prior import Encoder, fold_covariance, fold_prior
from vaetheory.held_prior import HeldPrior
from vaetheory.likelihoods import Likelihood, likelihood_or_unit_normal
from vaetheory.process_group import mean_over_processes

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

TrainWith = Literal["batch", "held"]
TRAIN_WITH: Final = ("batch", "held")

PairEncoder: TypeAlias = Callable[[Tensor], tuple[Tensor, Tensor]]
"""A map from data (b, *s) to posterior means (b, d) and log variances (b, d)."""


class AutoEncoder(nn.Module, ABC):
    """What both models have in common: a decoder, a likelihood, a prior, and the ELBO of them.

    Parameters
    ----------
    decoder : callable
        Maps latents (b, d) to outputs (b, *t).
    size : int
        The dimension d of the latents.
    likelihood : Likelihood, optional
        By default the normal distribution with unit variance.
    """

    def __init__(self, decoder: Decoder, size: int, likelihood: Likelihood | None = None) -> None:
        super().__init__()
        check_count("size", size)
        self.decoder = decoder
        self.size = size
        self.likelihood = likelihood_or_unit_normal(likelihood)

    @abstractmethod
    def posterior(self, x: Tensor) -> tuple[Tensor, Covariance]:
        """Return the means (b, d) and the covariance of the posteriors of data (b, *s)."""

    @abstractmethod
    def prior_covariance(self) -> Covariance:
        """Return the covariance P of the prior N(0, P), with a batch of 1."""

    def elbo(
        self,
        x: Tensor,
        samples: int = 1,
        generator: torch.Generator | None = None,
        noise: Tensor | None = None,
    ) -> Tensor:
        """Return an estimate of the ELBO of data (b, *s), shape (b,), in its form "kl"."""
        mean, covariance = self.posterior(x)
        return elbo(
            self.decoder,
            x,
            mean,
            covariance,
            self.likelihood,
            prior=self.prior_covariance(),
            samples=samples,
            generator=generator,
            noise=noise,
        )

    def reconstruct(self, x: Tensor) -> Tensor:
        """Return E[x | z] at the posterior means z of data (b, *s)."""
        return self.likelihood.mean(decode(self.decoder, self.posterior(x)[0]))

    def generate(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Return E[x | z] for so many latents z from the prior."""
        z = self.prior_covariance().sample(count, generator)[0]
        return self.likelihood.mean(decode(self.decoder, z))

    def _check_code(self, code: object, x: Tensor) -> Tensor:
        """Return the encoder's output if it is a tensor (b, d) like the data."""
        if not isinstance(code, Tensor):
            raise ArgumentTypeError(
                f"encoder's output must be a torch.Tensor, got {type(code).__name__}"
            )
        check_shape("encoder's output", code, (len(x), self.size))
        return code

    def _learned_posterior(
        self, encoder: PairEncoder, x: Tensor
    ) -> tuple[Tensor, DiagonalCovariance]:
        """Return the means and the diagonal covariances that an encoder gives."""
        code = encoder(x)
        if not (isinstance(code, tuple) and len(code) == 2):
            raise ArgumentTypeError(
                f"encoder must return a pair of means and log variances, got {type(code).__name__}"
            )
        mean, log_variance = (self._check_code(part, x) for part in code)
        return mean, DiagonalCovariance(log_variance.exp())


class StandardPriorAutoEncoder(AutoEncoder):
    """An auto-encoder with the prior N(0, I), trained by the ELBO.

    Parameters
    ----------
    decoder, size, likelihood
        As for `AutoEncoder`.
    """

    prior_variance: Tensor

    def __init__(self, decoder: Decoder, size: int, likelihood: Likelihood | None = None) -> None:
        super().__init__(decoder, size, likelihood)
        self.register_buffer("prior_variance", torch.ones(1), persistent=False)

    def prior_covariance(self) -> ScalarCovariance:
        """Return I."""
        return ScalarCovariance(self.prior_variance, self.size)

    def forward(
        self,
        x: Tensor,
        samples: int = 1,
        generator: torch.Generator | None = None,
        *,
        noise: Tensor | None = None,
        group: ProcessGroup | None = None,
    ) -> Tensor:
        """Return the mean ELBO of data (b, *s), shape (), which training maximises.

        Parameters
        ----------
        x, samples, generator, noise, group
            As for `ConstantVarianceVAE`.
        """
        values = self.elbo(x, samples, generator, noise)
        return mean_over_processes(values.mean(), len(x), group)


class VAE(StandardPriorAutoEncoder):
    """A variational auto-encoder with learned diagonal covariances and the prior N(0, I).

    Parameters
    ----------
    encoder : callable
        Maps data (b, *s) to a pair: the means (b, d) of the posteriors and their log variances
        (b, d).
    decoder, size, likelihood
        As for `AutoEncoder`.

    References
    ----------
    Kingma and Welling, "Auto-Encoding Variational Bayes", arXiv:1312.6114.
    """

    def __init__(
        self,
        encoder: PairEncoder,
        decoder: Decoder,
        size: int,
        likelihood: Likelihood | None = None,
    ) -> None:
        super().__init__(decoder, size, likelihood)
        self.encoder = encoder

    def posterior(self, x: Tensor) -> tuple[Tensor, DiagonalCovariance]:
        """Return the means (b, d) and the covariances of the posteriors of data (b, *s)."""
        return self._learned_posterior(self.encoder, x)


class FittedPriorAutoEncoder(AutoEncoder):
    """An auto-encoder whose prior N(0, P) fits itself to the latents, trained by `bilbo`.

    As batch normalisation does, it takes the statistics of the batch for training, and for
    evaluation what it has held of them, so that `elbo` is a lower bound on the log evidence of the
    model with the held prior.

    Parameters
    ----------
    decoder, size, likelihood
        As for `AutoEncoder`.
    train_with : {"batch", "held"}
        Train with the prior that fits the present batch, or with that held from the batches before.
    decay : float
        As for `HeldPrior`.
    """

    def __init__(
        self,
        decoder: Decoder,
        size: int,
        likelihood: Likelihood | None = None,
        *,
        train_with: TrainWith = "batch",
        decay: float = 0.99,
    ) -> None:
        super().__init__(decoder, size, likelihood)
        check_choice("train_with", train_with, TRAIN_WITH)
        self.train_with = train_with
        self.prior = HeldPrior(size, decay)

    def prior_covariance(self) -> FullCovariance:
        """Return the held P."""
        return self.prior.covariance()

    def forward(
        self,
        x: Tensor,
        samples: int = 1,
        generator: torch.Generator | None = None,
        *,
        noise: Tensor | None = None,
        group: ProcessGroup | None = None,
    ) -> Tensor:
        """Return the objective for data (b, *s), shape (), which training maximises.

        In training mode the batch is taken into the held prior after that; in evaluation mode the
        objective is the mean ELBO under the held prior.

        Parameters
        ----------
        x : Tensor, shape (b, *s)
            Data.
        samples : int
            Number of latents drawn for each sample of the data.
        generator : torch.Generator, optional
            The source of randomness.
        noise : Tensor, shape (b, samples, d), optional
            Standard normal draws to make the latents of, instead of new ones.
        group : torch.distributed.ProcessGroup, optional
            The processes that hold a part of the batch each, as for `bilbo`.
        """
        mean, covariance = self.posterior(x)
        model = (self.decoder, x, mean, covariance, self.likelihood)
        if self.training and self.train_with == "batch":
            fitted = fitted_prior(mean, covariance, group=group)
            value = bilbo(
                *model,
                samples=samples,
                generator=generator,
                noise=noise,
                group=group,
                prior=fitted,
            )
            self.prior.take_in(fitted)
            return value
        prior = self.prior_covariance()
        values = elbo(*model, prior=prior, samples=samples, generator=generator, noise=noise)
        if self.training:
            self.prior.update(mean, covariance, group=group)
        return mean_over_processes(values.mean(), len(x), group)

    @torch.no_grad()
    def fit_prior(self, batches: Iterable[Tensor]) -> None:
        """Set the held prior to that which fits a whole data set best, given in batches (b, *s).

        The running average lags behind the encoder as long as that learns.
        """
        count, total = 0, torch.zeros_like(self.prior.second_moment)
        for x in batches:
            moment = fitted_prior(*self.posterior(x)).dense()[0]
            count, total = count + len(x), total + len(x) * moment
        if count == 0:
            raise ArgumentError("batches must hold at least one batch")
        self.prior.settle(total / count)


class FittedPriorVAE(FittedPriorAutoEncoder):
    """A variational auto-encoder with learned diagonal covariances and a prior that fits itself.

    The control for `ConstantVarianceVAE`: what that has, and learned variances.

    Parameters
    ----------
    encoder : callable
        As for `VAE`.
    decoder, size, likelihood, train_with, decay
        As for `FittedPriorAutoEncoder`.
    """

    def __init__(
        self,
        encoder: PairEncoder,
        decoder: Decoder,
        size: int,
        likelihood: Likelihood | None = None,
        *,
        train_with: TrainWith = "batch",
        decay: float = 0.99,
    ) -> None:
        super().__init__(decoder, size, likelihood, train_with=train_with, decay=decay)
        self.encoder = encoder

    def posterior(self, x: Tensor) -> tuple[Tensor, DiagonalCovariance]:
        """Return the means (b, d) and the covariances of the posteriors of data (b, *s)."""
        return self._learned_posterior(self.encoder, x)


class ConstantVarianceVAE(FittedPriorAutoEncoder):
    """A variational auto-encoder without learned variances: every posterior is N(mu(x), Sigma).

    Sigma is a multiple of the identity, and the prior N(0, P) fits itself to the latents, so that
    the decoder chooses their scale. `fold_prior` makes it a model with the prior N(0, I).

    Parameters
    ----------
    encoder : callable
        Maps data (b, *s) to posterior means (b, d).
    decoder, size, likelihood, train_with, decay
        As for `FittedPriorAutoEncoder`.
    variance : float
        Sigma = variance I. The objective is indifferent to it, as networks that are scaled make up
        for it, but optimisers are not: where the noise of the data is small beside the range of the
        latents, these have to grow to 1 / noise times sqrt(variance), and learn best if that is of
        order one.

    References
    ----------
    Fyffe, arXiv:1912.10309.
    """

    factor: Tensor

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        size: int,
        likelihood: Likelihood | None = None,
        *,
        train_with: TrainWith = "batch",
        decay: float = 0.99,
        variance: float = 1.0,
    ) -> None:
        super().__init__(decoder, size, likelihood, train_with=train_with, decay=decay)
        check_number("variance", variance, 0)
        self.encoder = encoder
        # The Cholesky factor of Sigma, a multiple of the identity until a prior is folded.
        self.register_buffer("factor", variance**0.5 * torch.eye(size))

    def posterior(self, x: Tensor) -> tuple[Tensor, FullCovariance]:
        """Return the means (b, d) of data (b, *s), and the covariance Sigma that they share."""
        return self._check_code(self.encoder(x), x), FullCovariance(self.factor[None])

    @torch.no_grad()
    def fold_prior(self) -> ConstantVarianceVAE:
        """Return the same model with the prior N(0, I), Sigma no longer the identity.

        Encoder, decoder and likelihood are shared with it, not copied. Reconstructions and the ELBO
        of every sample are the same.
        """
        prior = self.prior_covariance()
        covariance = FullCovariance(self.factor[None])
        encoder, decoder = fold_prior(self.encoder, self.decoder, prior)
        folded = ConstantVarianceVAE(
            encoder,
            decoder,
            self.size,
            self.likelihood,
            train_with=self.train_with,
            decay=self.prior.decay,
        ).to(self.factor)
        folded.factor.copy_(fold_covariance(covariance, prior).factor[0])
        folded.prior.updates.copy_(self.prior.updates)
        return folded.train(self.training)
