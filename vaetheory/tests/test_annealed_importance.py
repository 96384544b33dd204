"""Annealed importance sampling, the peer of the library's own estimates of the evidence."""

import pytest
import torch
from decoders import Affine
from posteriors import normal_tensor
from torch.distributions import MultivariateNormal

from vaetheory.errors import ArgumentError
from vaetheory.experiments.annealed_importance import annealed_evidence
from vaetheory.likelihoods import Normal

LATENT, DATA, SAMPLES, CHAINS = 3, 8, 4, 400


def test_affine_decoder(generator: torch.Generator) -> None:
    decoder = Affine(LATENT, DATA, generator)
    x = normal_tensor(generator, SAMPLES, DATA)
    identity = torch.eye(DATA, dtype=x.dtype, device=x.device)
    marginal = MultivariateNormal(
        decoder.bias, decoder.weight @ decoder.weight.mT + 0.25 * identity
    )
    exact = marginal.log_prob(x)
    # Groups of chains, whose spread tells the error of each.
    found = annealed_evidence(
        decoder,
        x.repeat_interleave(16, 0),
        LATENT,
        Normal(0.5),
        temperatures=40,
        chains=CHAINS // 16,
        generator=generator,
    ).reshape(SAMPLES, 16)
    ratio = (found - exact[:, None]).exp()
    error = ratio.std(1) / 4
    assert bool((error < 0.15).all())
    assert bool(((ratio.mean(1) - 1).abs() < 4 * error).all())


def test_more_temperatures_are_closer(generator: torch.Generator) -> None:
    decoder = Affine(LATENT, DATA, generator)
    x = normal_tensor(generator, SAMPLES, DATA)
    identity = torch.eye(DATA, dtype=x.dtype, device=x.device)
    marginal = MultivariateNormal(
        decoder.bias, decoder.weight @ decoder.weight.mT + 0.01 * identity
    )
    exact = marginal.log_prob(x)
    errors = [
        (
            annealed_evidence(
                decoder, x, LATENT, Normal(0.1), temperatures=number, generator=generator
            )
            - exact
        )
        .abs()
        .mean()
        for number in (2, 100)
    ]
    assert errors[1] < 0.3 * errors[0]


def test_bad_arguments(generator: torch.Generator) -> None:
    decoder = Affine(LATENT, DATA, generator)
    x = normal_tensor(generator, SAMPLES, DATA)
    with pytest.raises(ArgumentError, match="temperatures must be"):
        annealed_evidence(decoder, x, LATENT, temperatures=0)
