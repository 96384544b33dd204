"""The importance-weighted bound against the exact evidence and quadrature."""

import math

import pytest
import torch
from decoders import Affine, Curved
from posteriors import FAMILIES, make_covariance, normal_tensor, random_parameters
from test_elbo import affine_evidence, affine_posterior
from torch import Tensor

from vaetheory.covariance import FullCovariance, ScalarCovariance
from vaetheory.elbo import elbo
from vaetheory.errors import ArgumentError
from vaetheory.iwae import iwae
from vaetheory.likelihoods import Bernoulli

BATCH, LATENT, DATA = 3, 2, 4


@pytest.fixture
def decoder(generator: torch.Generator) -> Affine:
    return Affine(LATENT, DATA, generator)


@pytest.fixture
def x(generator: torch.Generator) -> Tensor:
    return normal_tensor(generator, BATCH, DATA)


def test_one_sample_is_the_three_term_form(decoder: Affine, x: Tensor) -> None:
    mean = x[:, :LATENT]
    covariance = ScalarCovariance(x.new_tensor([0.3]), LATENT)
    seeds = [torch.Generator(x.device).manual_seed(3) for _ in range(2)]
    torch.testing.assert_close(
        iwae(decoder, x, mean, covariance, samples=1, generator=seeds[0]),
        elbo(decoder, x, mean, covariance, form="three-term", generator=seeds[1]),
    )


def test_exact_with_the_true_posterior(
    decoder: Affine, x: Tensor, generator: torch.Generator
) -> None:
    posterior = affine_posterior(decoder, x, 1.0)
    covariance = FullCovariance.from_matrix(posterior.covariance_matrix)
    value = iwae(decoder, x, posterior.mean, covariance, samples=5, generator=generator)
    torch.testing.assert_close(value, affine_evidence(decoder, x, 1.0), rtol=1e-11, atol=1e-11)


def test_weights_average_to_the_evidence(
    decoder: Affine, x: Tensor, generator: torch.Generator
) -> None:
    posterior = affine_posterior(decoder, x, 1.0)
    covariance = FullCovariance.from_matrix(1.5 * posterior.covariance_matrix)
    mean = posterior.mean + 0.1
    evidence = affine_evidence(decoder, x, 1.0)
    count = 2000
    values = torch.stack(
        [iwae(decoder, x, mean, covariance, samples=4, generator=generator) for _ in range(count)]
    )
    weights = (values - evidence).exp()
    error = (weights.mean(0) - 1).abs()
    assert bool((error < 4 * weights.std(0) / math.sqrt(count)).all())
    # Between the ELBO and the evidence in expectation, by far more than the errors.
    bound = elbo(decoder, x, mean, covariance, samples=count, generator=generator)
    assert bool(((bound < values.mean(0)) & (values.mean(0) < evidence)).all())


def test_another_likelihood_and_prior_against_quadrature(generator: torch.Generator) -> None:
    decoder = Curved(1, (6,), generator).requires_grad_(False)
    likelihood = Bernoulli()
    x = likelihood.sample(decoder(normal_tensor(generator, BATCH, 1)), generator)
    z = torch.linspace(-12, 12, 4001, dtype=x.dtype, device=x.device)
    outputs = decoder(z[:, None])
    joint = torch.stack([likelihood.log_prob(one.expand(len(z), -1), outputs) for one in x])
    joint = joint - 0.5 * z.square() / 2 - 0.5 * math.log(2 * math.pi * 2)
    evidence = (joint.exp().sum(1) * (z[1] - z[0])).log()
    wide = ScalarCovariance(x.new_tensor([3.0]), 1)
    prior = ScalarCovariance(x.new_tensor([2.0]), 1)
    samples = 100_000
    value = iwae(
        decoder,
        x,
        torch.zeros_like(x[:, :1]),
        wide,
        likelihood,
        samples=samples,
        prior=prior,
        generator=generator,
    )
    # The weights are at most a few times their mean, so that each has a deviation of about 1.
    assert bool(((value - evidence).abs() < 4 / math.sqrt(samples)).all())


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients(x: Tensor, family: str, generator: torch.Generator) -> None:
    decoder = Curved(LATENT, (DATA,), generator)
    parameters = random_parameters(family, BATCH, LATENT, generator)

    def value(x: Tensor, mean: Tensor, *rest: Tensor) -> Tensor:
        covariance = make_covariance(family, LATENT, *rest[2:])
        seeded = torch.Generator(x.device).manual_seed(2)
        return iwae(decoder, x, mean, covariance, samples=3, generator=seeded)

    inputs = [x, x[:, :LATENT].clone(), *decoder.parameters(), *parameters]
    assert torch.autograd.gradcheck(value, [one.requires_grad_() for one in inputs])


def test_memory_bound_changes_nothing(decoder: Affine, x: Tensor) -> None:
    mean = x[:, :LATENT]
    covariance = ScalarCovariance(x.new_tensor([0.3]), LATENT)
    batches: list[int] = []

    def counting(z: Tensor) -> Tensor:
        batches.append(len(z))
        return decoder(z)

    values = [
        iwae(
            counting,
            x,
            mean,
            covariance,
            samples=7,
            rows=rows,
            generator=torch.Generator(x.device).manual_seed(3),
        )
        for rows in (None, 2 * BATCH + 1)
    ]
    torch.testing.assert_close(*values)
    assert batches == [7 * BATCH, *3 * [2 * BATCH], BATCH]


def test_bad_arguments(decoder: Affine, x: Tensor) -> None:
    covariance = ScalarCovariance(x.new_ones(1), LATENT)
    with pytest.raises(ArgumentError, match="samples must be at least 1, got 0"):
        iwae(decoder, x, x[:, :LATENT], covariance, samples=0)
    with pytest.raises(ArgumentError, match="covariance must have batch 3 or 1 and dimension 4"):
        iwae(decoder, x, x, covariance, samples=1)
    with pytest.raises(ArgumentError, match=r"x must have shape \(3, 4\)"):
        iwae(decoder, x[:2], x[:, :LATENT], covariance, samples=1)
