"""Annealed importance sampling, which others of the evidence's estimators are compared with."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor

from vaetheory.arguments import Decoder, check_count
from vaetheory.joint import JointDensity, joint_density, log_prior
from vaetheory.likelihoods import Likelihood

_LEAPS: Final = 10
_ACCEPTANCE: Final = 0.65
_FIRST_STEP: Final = 0.1
_SHARPNESS: Final = 4.0
"""The temperatures are those of a logistic function from minus to plus this, as is usual."""


@torch.no_grad()
def annealed_evidence(
    decoder: Decoder,
    x: Tensor,
    size: int,
    likelihood: Likelihood | None = None,
    *,
    temperatures: int,
    chains: int = 16,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Estimate log p(x) by annealing from the prior N(0, I) to the posterior.

    Chains start from the prior, and follow p(z) p(x | z)^beta as beta rises from 0 to 1, by
    Hamiltonian Monte Carlo with ten leaps to each of the temperatures. The mean of their weights is
    an unbiased estimate of p(x), but for the length of a leap, which is adapted on the way towards
    an acceptance of 0.65 for each sample of the data.

    Parameters
    ----------
    decoder : callable
        Maps latents (b, d) to outputs (b, *t), each sample by itself.
    x : Tensor, shape (b, *s)
        Data.
    size : int
        d.
    likelihood : Likelihood, optional
        By default the normal distribution with unit variance.
    temperatures : int
        Values of beta above 0.
    chains : int
        Chains for each sample.
    generator : torch.Generator, optional
        The source of randomness.

    Returns
    -------
    Tensor, shape (b,)

    References
    ----------
    Neal, "Annealed importance sampling", Statistics and Computing 11, 2001. Wu, Burda,
    Salakhutdinov and Grosse, "On the quantitative analysis of decoder-based generative models",
    arXiv:1611.04273.
    """
    check_count("temperatures", temperatures)
    check_count("chains", chains)
    joint = joint_density(
        decoder, x.repeat_interleave(chains, 0), x.new_zeros(len(x) * chains, size), likelihood
    )
    noise = _Noise(x, generator)
    z = noise.normal(len(joint.x), size)
    ramp = torch.linspace(-_SHARPNESS, _SHARPNESS, temperatures + 1, dtype=torch.float64).sigmoid()
    betas = ((ramp - ramp[0]) / (ramp[-1] - ramp[0])).tolist()
    weights = x.new_zeros(len(z))
    step = x.new_full((len(x), 1), _FIRST_STEP)
    likelihoods = joint.log_likelihood(z)
    for before, beta in pairwise(betas):
        weights = weights + (beta - before) * likelihoods
        z, likelihoods, accepted = _move(
            joint, z, likelihoods, beta, step.expand(-1, chains).reshape(-1, 1), noise
        )
        enough = accepted.reshape(len(x), chains).mean(1, keepdim=True) > _ACCEPTANCE
        step = torch.where(enough, step * 1.1, step / 1.1)
    return weights.reshape(len(x), chains).logsumexp(1) - math.log(chains)


class _Noise:
    """Draws like the data."""

    def __init__(self, like: Tensor, generator: torch.Generator | None) -> None:
        self.like = like
        self.generator = generator

    def normal(self, *shape: int) -> Tensor:
        like = self.like
        return torch.randn(shape, generator=self.generator, dtype=like.dtype, device=like.device)

    def uniform(self, count: int) -> Tensor:
        like = self.like
        return torch.rand(count, generator=self.generator, dtype=like.dtype, device=like.device)


def _move(
    joint: JointDensity, z: Tensor, likelihoods: Tensor, beta: float, step: Tensor, noise: _Noise
) -> tuple[Tensor, Tensor, Tensor]:
    """Propose new latents by leapfrog, and accept some; return also which."""

    def slope(point: Tensor) -> Tensor:
        # The gradient of log p(x, z) holds that of the prior, -z, once and not beta times.
        return beta * (joint.gradient(point) + point) - point

    momentum = noise.normal(*z.shape)
    energy = beta * likelihoods + log_prior(z) - 0.5 * momentum.square().sum(1)
    point = z
    momentum = momentum + 0.5 * step * slope(point)
    for leap in range(_LEAPS):
        point = point + step * momentum
        momentum = momentum + (1.0 if leap < _LEAPS - 1 else 0.5) * step * slope(point)
    found = joint.log_likelihood(point)
    gain = beta * found + log_prior(point) - 0.5 * momentum.square().sum(1) - energy
    accepted = noise.uniform(len(z)).log() < gain
    return (
        torch.where(accepted[:, None], point, z),
        torch.where(accepted, found, likelihoods),
        accepted.to(z.dtype),
    )
