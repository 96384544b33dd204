"""Rewrite a model with the prior N(0, P) as one with the prior N(0, I)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from vaetheory.arguments import Decoder
from vaetheory.covariance import Covariance, FullCovariance
from vaetheory.errors import ArgumentError, ArgumentTypeError

Encoder = Callable[[Tensor], Tensor]
"""A map from data (b, *s) to posterior means (b, d)."""


class FoldedEncoder(nn.Module):
    """The means ``L^-1 mu(x)`` of an encoder mu.

    Parameters
    ----------
    encoder : callable
        Maps data (b, *s) to means (b, d).
    factor : Tensor, shape (d, d)
        The lower triangular L; a buffer.
    """

    factor: Tensor

    def __init__(self, encoder: Encoder, factor: Tensor) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("factor", factor)

    def forward(self, x: Tensor) -> Tensor:
        """Return the means (b, d) for data (b, *s)."""
        means = self.encoder(x)[:, :, None]
        folded: Tensor = torch.linalg.solve_triangular(self.factor, means, upper=False)
        return folded[:, :, 0]


class FoldedDecoder(nn.Module):
    """The outputs ``nu(L z)`` of a decoder nu.

    Parameters
    ----------
    decoder : callable
        Maps latents (b, d) to outputs (b, *t).
    factor : Tensor, shape (d, d)
        The lower triangular L; a buffer.
    """

    factor: Tensor

    def __init__(self, decoder: Decoder, factor: Tensor) -> None:
        super().__init__()
        self.decoder = decoder
        self.register_buffer("factor", factor)

    def forward(self, z: Tensor) -> Tensor:
        """Return the outputs (b, *t) for latents (b, d)."""
        return self.decoder(z @ self.factor.mT)


def fold_prior(
    encoder: Encoder, decoder: Decoder, prior: Covariance
) -> tuple[FoldedEncoder, FoldedDecoder]:
    """Absorb the prior N(0, P) in encoder and decoder, so that N(0, I) takes its place.

    With ``P = L L^T`` and the latents ``z' = L^-1 z``, the encoder gives ``L^-1 mu(x)`` and the
    decoder takes ``nu(L z')``; posterior covariances become ``L^-1 Sigma L^-T``, see
    `fold_covariance`. Every reconstruction, and the ELBO of every sample, is what it was.

    Parameters
    ----------
    encoder : callable
        Maps data (b, *s) to posterior means (b, d). Shared with the result, not copied.
    decoder : callable
        Maps latents (b, d) to outputs (b, *t). Shared as well.
    prior : Covariance, batch 1
        P, as `HeldPrior.covariance` or `fitted_prior` gives it.

    Returns
    -------
    encoder, decoder : FoldedEncoder, FoldedDecoder
        Modules that keep L as a buffer.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If the prior is no `Covariance` with a batch of 1, or an encoder or decoder not callable.

    References
    ----------
    Fyffe, arXiv:1912.10309, where the prior of the batch bound is free for this reason.
    """
    for name, function in (("encoder", encoder), ("decoder", decoder)):
        if not callable(function):
            raise ArgumentTypeError(f"{name} must be callable, got {type(function).__name__}")
    factor = _factor(prior)
    return FoldedEncoder(encoder, factor), FoldedDecoder(decoder, factor)


def fold_covariance(covariance: Covariance, prior: Covariance) -> FullCovariance:
    """Return Sigma in the latents of `fold_prior`: ``L^-1 Sigma L^-T``, with ``P = L L^T``.

    Parameters
    ----------
    covariance : Covariance, any batch
        Posterior covariances Sigma of dimension d.
    prior : Covariance, batch 1
        P.
    """
    if not isinstance(covariance, Covariance):
        raise ArgumentTypeError(f"covariance must be a Covariance, got {type(covariance).__name__}")
    outer = _factor(prior)
    if covariance.dimension != len(outer):
        raise ArgumentError(
            f"covariance must have the dimension {len(outer)} of the prior, got "
            f"{covariance.dimension}"
        )
    inner = FullCovariance.from_matrix(covariance.dense()).factor
    # A product of lower triangular matrices, and so a Cholesky factor itself.
    return FullCovariance(torch.linalg.solve_triangular(outer, inner, upper=False).tril())


def _factor(prior: Covariance) -> Tensor:
    """Return L (d, d), without gradient."""
    if not isinstance(prior, Covariance):
        raise ArgumentTypeError(f"prior must be a Covariance, got {type(prior).__name__}")
    if prior.batch != 1:
        raise ArgumentError(f"prior must have a batch of 1, got {prior.batch}")
    return FullCovariance.from_matrix(prior.dense().detach()).factor[0]
