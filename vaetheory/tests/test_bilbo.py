"""BILBO against the ELBO under the fitted prior, its invariance, and its bias."""

import math

import pytest
import torch
from decoders import Affine, Curved
from posteriors import (
    FAMILIES,
    SigmaPoints,
    make_covariance,
    normal_tensor,
    random_covariance,
    random_parameters,
)
from torch import Tensor

from vaetheory.bilbo import bilbo, bilbo_bias, fitted_prior
from vaetheory.covariance import FullCovariance, ScalarCovariance
from vaetheory.elbo import elbo
from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.kl_divergence import kl_divergence
from vaetheory.likelihoods import Normal

BATCH, LATENT, DATA = 7, 3, 5
each_family = pytest.mark.parametrize("family", FAMILIES)
shared_or_not = pytest.mark.parametrize("batch", [1, BATCH])


@pytest.fixture
def decoder(generator: torch.Generator) -> Curved:
    return Curved(LATENT, (DATA,), generator).requires_grad_(False)


@pytest.fixture
def x(generator: torch.Generator) -> Tensor:
    return normal_tensor(generator, BATCH, DATA)


@pytest.fixture
def mean(generator: torch.Generator) -> Tensor:
    return normal_tensor(generator, BATCH, LATENT)


def seeded(device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(5)


@shared_or_not
@each_family
def test_is_the_mean_elbo_under_the_fitted_prior(
    decoder: Curved, x: Tensor, mean: Tensor, family: str, batch: int, generator: torch.Generator
) -> None:
    covariance = random_covariance(family, batch, LATENT, generator)
    likelihood = Normal(0.5)
    value = bilbo(decoder, x, mean, covariance, likelihood, samples=3, generator=seeded(x.device))
    # The prior by its definition, apart from the function that fits it.
    moments = covariance.dense() + mean[:, :, None] * mean[:, None]
    prior = FullCovariance.from_matrix(moments.mean(0, keepdim=True))
    expected = elbo(
        decoder, x, mean, covariance, likelihood, prior=prior, samples=3, generator=seeded(x.device)
    )
    torch.testing.assert_close(value, expected.mean(), rtol=1e-12, atol=1e-12)


@each_family
def test_first_term_for_a_covariance_in_common(
    decoder: Curved, x: Tensor, mean: Tensor, family: str, generator: torch.Generator
) -> None:
    covariance = random_covariance(family, 1, LATENT, generator)
    second_moment = mean.mT @ mean / BATCH
    identity = torch.eye(LATENT, dtype=x.dtype, device=x.device)
    information = 0.5 * torch.logdet(identity + covariance.dense()[0].inverse() @ second_moment)
    value = bilbo(decoder, x, mean, covariance, generator=seeded(x.device))
    divergence = kl_divergence(mean, covariance).mean()
    expected = elbo(decoder, x, mean, covariance, generator=seeded(x.device)).mean() + divergence
    torch.testing.assert_close(value, expected - information, rtol=1e-12, atol=1e-12)


@shared_or_not
@each_family
def test_no_other_prior_fits_better(
    mean: Tensor, family: str, batch: int, generator: torch.Generator
) -> None:
    covariance = random_covariance(family, batch, LATENT, generator)
    prior = fitted_prior(mean, covariance)
    matrix = prior.dense().requires_grad_()
    divergence = kl_divergence(mean, covariance, FullCovariance.from_matrix(matrix)).mean()
    (gradient,) = torch.autograd.grad(divergence, matrix)
    torch.testing.assert_close(gradient + gradient.mT, torch.zeros_like(matrix), atol=1e-12, rtol=0)
    for other in FAMILIES:
        worse = random_covariance(other, 1, LATENT, generator)
        assert kl_divergence(mean, covariance, worse).mean() > divergence


@each_family
def test_invariant_under_linear_maps(
    decoder: Curved, x: Tensor, mean: Tensor, family: str, generator: torch.Generator
) -> None:
    covariance = random_covariance(family, BATCH, LATENT, generator).dense()
    transform = normal_tensor(generator, LATENT, LATENT)
    values = []
    for matrix in (torch.eye(LATENT, dtype=x.dtype, device=x.device), transform):
        inverse = matrix.inverse()

        def mapped(z: Tensor, inverse: Tensor = inverse) -> Tensor:
            return decoder(z @ inverse.mT)

        # The same latents in other coordinates, so that no noise is left in the comparison.
        points = MappedPoints(torch.linalg.cholesky(covariance), matrix)
        values.append(bilbo(mapped, x, mean @ matrix.mT, points, samples=2 * LATENT))
    torch.testing.assert_close(values[0], values[1], rtol=1e-12, atol=1e-12)
    # But not under a change of the covariance alone.
    changed = bilbo(
        decoder, x, mean, SigmaPoints(torch.linalg.cholesky(2 * covariance)), samples=2 * LATENT
    )
    assert abs(changed - values[0]) > 1e-3


class MappedPoints(FullCovariance):
    """T Sigma T^T, sampled by the images T v of the sigma points v of Sigma."""

    def __init__(self, factor: Tensor, transform: Tensor) -> None:
        mapped = transform @ factor
        super().__init__(torch.linalg.cholesky(mapped @ mapped.mT))
        points = SigmaPoints(factor).sample(2 * factor.shape[1]) @ transform.mT
        object.__setattr__(self, "points", points)

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        points: Tensor = self.points  # type: ignore[attr-defined]
        assert points.shape[1] == count
        return points


def test_fewer_samples_than_dimensions(generator: torch.Generator) -> None:
    decoder = Affine(8, DATA, generator)
    mean = normal_tensor(generator, 3, 8).requires_grad_()
    x = normal_tensor(generator, 3, DATA)
    covariance = ScalarCovariance(x.new_ones(1), 8)
    information = (
        bilbo(decoder, x, mean, covariance, generator=seeded(x.device))
        - elbo(decoder, x, mean, covariance, generator=seeded(x.device)).mean()
    )
    (gradient,) = torch.autograd.grad(information - kl_divergence(mean, covariance).mean(), mean)
    assert bool(torch.isfinite(information))
    # The gradient of the first term is made of the means.
    assert torch.linalg.matrix_rank(torch.cat([mean.detach(), gradient])) == 3


@shared_or_not
@each_family
def test_gradients(
    x: Tensor, mean: Tensor, family: str, batch: int, generator: torch.Generator
) -> None:
    decoder = Curved(LATENT, (DATA,), generator)
    parameters = random_parameters(family, batch, LATENT, generator)

    def value(x: Tensor, mean: Tensor, *rest: Tensor) -> Tensor:
        covariance = make_covariance(family, LATENT, *rest[2:])
        return bilbo(decoder, x, mean, covariance, generator=seeded(x.device))

    inputs = [x, mean, *decoder.parameters(), *parameters]
    assert torch.autograd.gradcheck(value, [one.requires_grad_() for one in inputs])


def test_gradients_of_prior_and_bias(mean: Tensor, generator: torch.Generator) -> None:
    (parameter,) = random_parameters("full", 1, LATENT, generator)

    def values(mean: Tensor, parameter: Tensor) -> tuple[Tensor, Tensor]:
        covariance = make_covariance("full", LATENT, parameter)
        return fitted_prior(mean, covariance).dense(), bilbo_bias(mean, covariance, 5)

    inputs = (mean.requires_grad_(), parameter.requires_grad_())
    assert torch.autograd.gradcheck(values, inputs)


def test_bias_against_a_thousand_batches(generator: torch.Generator) -> None:
    size, batch_size, batches = 16, 128, 1000
    covariance = ScalarCovariance(torch.ones(1, dtype=torch.float64, device=generator.device), size)
    # Latents far wider than the posteriors in some directions and lost in them in others.
    scales = torch.logspace(1, -1, size, dtype=torch.float64, device=generator.device)
    mean = scales * normal_tensor(generator, batches * batch_size, size)
    whole = first_term(mean, covariance)
    parts = torch.stack([first_term(part, covariance) for part in mean.split(batch_size)])
    measured = parts.mean() - whole
    predicted = bilbo_bias(mean, covariance, batch_size)
    assert abs(predicted / measured - 1) < 0.2
    # And the measurement is sharp enough to say so.
    assert parts.std() / math.sqrt(batches) < 0.05 * measured


def first_term(mean: Tensor, covariance: ScalarCovariance) -> Tensor:
    """-1/2 log det(I + Sigma^-1 S), as BILBO has it: for a decoder and data that are zero."""
    zero = torch.zeros_like(mean[:, :1])
    constant = 0.5 * math.log(2 * math.pi)
    value = bilbo(lambda z: 0 * z[:, :1], zero, mean, covariance, generator=seeded(mean.device))
    return value + constant


def test_bias_by_its_definition(mean: Tensor, generator: torch.Generator) -> None:
    covariance = random_covariance("full", 1, LATENT, generator)
    second_moment = mean.mT @ mean / BATCH
    values, vectors = torch.linalg.eigh(second_moment + covariance.dense()[0])
    root = vectors @ torch.diag(values.rsqrt()) @ vectors.mT
    w = root @ second_moment @ root
    expected = (w.trace() ** 2 + (w @ w).trace()) / (4 * BATCH)
    torch.testing.assert_close(bilbo_bias(mean, covariance), expected)
    torch.testing.assert_close(bilbo_bias(mean, covariance, 2 * BATCH), expected / 2)


def test_bad_arguments(decoder: Curved, x: Tensor, mean: Tensor) -> None:
    unit = ScalarCovariance(mean.new_ones(1), LATENT)
    with pytest.raises(ArgumentError, match="mean must be finite, but contains NaN"):
        bilbo(decoder, x, mean * torch.nan, unit)
    with pytest.raises(ArgumentTypeError, match="covariance must be a Covariance, got float"):
        fitted_prior(mean, 1.0)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="likelihood must be a Likelihood, got str"):
        bilbo(decoder, x, mean, unit, "normal")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"x must have shape \(7, 5\)"):
        bilbo(decoder, x[:, :2], mean, unit)
    with pytest.raises(ArgumentError, match="batch_size must be at least 1, got 0"):
        bilbo_bias(mean, unit, 0)
