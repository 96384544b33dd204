"""The joint density log p(x, z) of data and latents, with its gradient and curvature in z."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vaetheory.arguments import (
    Decoder,
    check_count,
    check_latent,
    decoder_output_shape,
    differentiating,
)
from vaetheory.likelihoods import Likelihood, likelihood_or_unit_normal
from vaetheory.metric import Curvature, DecoderMetric
from vaetheory.vector_map import cut, default_rows


@dataclass(frozen=True, eq=False)
class JointDensity:
    """log p(x, z) = log p(x | nu(z)) + log N(z; 0, I) for a batch of data, as a function of z.

    Made by `joint_density`, which checks what goes in.

    Attributes
    ----------
    decoder : callable
        Maps latents (b, d) to outputs (b, *t), each sample by itself.
    x : Tensor, shape (b, *s)
        Data.
    likelihood : Likelihood
        p(x | nu).
    output_shape : torch.Size
        The shape (*t) of one output.
    rows : int
        How many outputs are computed at a time.
    """

    decoder: Decoder
    x: Tensor
    likelihood: Likelihood
    output_shape: torch.Size
    rows: int

    def log_likelihood(self, z: Tensor) -> Tensor:
        """Return log p(x | nu(z)), shape (b,), at latents (b, d)."""
        pieces = zip(cut(self.x, self.rows), cut(z, self.rows), strict=True)
        return torch.cat([self.likelihood.log_prob(x, self.decoder(z)) for x, z in pieces])

    def log_prob(self, z: Tensor) -> Tensor:
        """Return log p(x, z), shape (b,), at latents (b, d)."""
        return self.log_likelihood(z) + log_prior(z)

    def gradient(self, z: Tensor) -> Tensor:
        """Return d log p(x, z) / d z = J^T (d log p(x | nu) / d nu) - z, shape (b, d)."""

        def total(z: Tensor, x: Tensor) -> Tensor:
            return self.likelihood.log_prob(x, self.decoder(z)).sum()

        pieces = zip(cut(z, self.rows), cut(self.x, self.rows), strict=True)
        with differentiating():
            return torch.cat([torch.func.grad(total)(z, x) for z, x in pieces]) - z

    def metric(self, z: Tensor, curvature: Curvature) -> DecoderMetric:
        """Return the curvature A of -log p(x, z) in z, as an operator."""
        return DecoderMetric(
            self.decoder,
            z,
            self.likelihood,
            self.x,
            curvature=curvature,
            output_shape=self.output_shape,
            rows=self.rows,
        )

    def part(self, samples: Tensor) -> JointDensity:
        """Return the density for some samples, by their positions in the batch."""
        return replace(self, x=self.x[samples])


def joint_density(
    decoder: Decoder,
    x: Tensor,
    z: Tensor,
    likelihood: Likelihood | None = None,
    rows: int | None = None,
) -> JointDensity:
    """Check the arguments against each other and make a `JointDensity` of them.

    Parameters
    ----------
    decoder, x, likelihood
        As in `JointDensity`; the likelihood is by default the normal one with unit variance.
    z : Tensor, shape (b, d)
        Latents that give the dimension, dtype and device, and where to try the decoder.
    rows : int, optional
        How many outputs to compute at a time; by default about two million elements.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If an argument does not fit the others, or holds NaN.
    """
    check_latent("z", z)
    likelihood = likelihood_or_unit_normal(likelihood)
    output_shape = decoder_output_shape(decoder, z)
    likelihood.check_data(x, output_shape, z)
    if rows is not None:
        check_count("rows", rows)
    return JointDensity(
        decoder, x, likelihood, output_shape, rows or default_rows(output_shape.numel(), z.shape[1])
    )


def log_prior(z: Tensor) -> Tensor:
    """Return log N(z; 0, I), shape (b,), for latents (b, d)."""
    return -0.5 * (z.square().sum(1) + z.shape[1] * math.log(2 * math.pi))
