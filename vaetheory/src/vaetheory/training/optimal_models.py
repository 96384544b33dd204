"""Models whose posterior covariances are computed instead of learned, to compare others with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from vaetheory.arguments import Decoder
from vaetheory.covariance import FullCovariance
from vaetheory.fold_prior import Encoder
from vaetheory.likelihoods import Likelihood
from vaetheory.metric import DecoderMetric
from vaetheory.models import StandardPriorAutoEncoder
from vaetheory.optimal_covariance import constant_covariance, optimal_covariance
from vaetheory.process_group import mean_over_processes

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

AVERAGED: Final = 16
"""Samples of each batch whose A goes into the average of the covariance that all share."""
_DECAY: Final = 0.99


class OptimalVAE(StandardPriorAutoEncoder):
    """A VAE with the prior N(0, I) and each sample's best covariance, A^-1 at the encoder's mean.

    A is taken as a constant by the gradient: to first order the ELBO does not depend on a
    covariance that maximises it. A step costs d derivatives of the decoder more.

    Parameters
    ----------
    encoder : callable
        Maps data (b, *s) to posterior means (b, d).
    decoder, size, likelihood
        As for `AutoEncoder`.

    References
    ----------
    Fyffe, arXiv:1912.10309, the optimal posterior covariance.
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        size: int,
        likelihood: Likelihood | None = None,
    ) -> None:
        super().__init__(decoder, size, likelihood)
        self.encoder = encoder

    def posterior(self, x: Tensor) -> tuple[Tensor, FullCovariance]:
        """Return the means (b, d) and the covariances of the posteriors of data (b, *s)."""
        mean = self._check_code(self.encoder(x), x)
        return mean, optimal_covariance(self._precision(mean))

    @torch.no_grad()
    def _precision(self, mean: Tensor) -> Tensor:
        """Return A, shape (b, d, d)."""
        return DecoderMetric(self.decoder, mean, self.likelihood).dense()


class SharedOptimalVAE(OptimalVAE):
    """The same with one covariance for all samples, the best one: (E[A])^-1.

    E[A] is a running average over some samples of each batch.

    Parameters
    ----------
    encoder, decoder, size, likelihood
        As for `OptimalVAE`.

    References
    ----------
    Fyffe, arXiv:1912.10309, the penalty of a constant posterior covariance.
    """

    precision: Tensor
    updates: Tensor

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        size: int,
        likelihood: Likelihood | None = None,
    ) -> None:
        super().__init__(encoder, decoder, size, likelihood)
        self.register_buffer("precision", torch.eye(size)[None])
        self.register_buffer("updates", torch.tensor(0))

    def posterior(self, x: Tensor) -> tuple[Tensor, FullCovariance]:
        """Return the means (b, d) of data (b, *s), and the covariance that they share."""
        mean = self._check_code(self.encoder(x), x)
        return mean, constant_covariance(self.precision).covariance

    def forward(
        self,
        x: Tensor,
        samples: int = 1,
        generator: torch.Generator | None = None,
        *,
        noise: Tensor | None = None,
        group: ProcessGroup | None = None,
    ) -> Tensor:
        """Return the mean ELBO of data (b, *s), shape (); in training mode, then average A."""
        value = super().forward(x, samples, generator, noise=noise, group=group)
        if self.training:
            self._update(x[:AVERAGED], group)
        return value

    @torch.no_grad()
    def _update(self, x: Tensor, group: ProcessGroup | None) -> None:
        precision = self._precision(self.encoder(x)).mean(0, keepdim=True)
        precision = mean_over_processes(precision, len(x), group)
        self.updates += 1
        # An even average first, so that the initial identity has no part in it.
        weight = max(1 - _DECAY, 1 / int(self.updates))
        self.precision.lerp_(precision, weight)
