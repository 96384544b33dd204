"""The divergence against torch.distributions, for every pair of families."""

import pytest
import torch
from posteriors import FAMILIES, make_covariance, random_covariance, random_parameters
from torch import Tensor
from torch.distributions import MultivariateNormal

from vaetheory.covariance import ScalarCovariance
from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.kl_divergence import kl_divergence

BATCH, LATENT = 4, 3


@pytest.fixture
def mean(generator: torch.Generator) -> Tensor:
    return torch.randn(
        BATCH, LATENT, dtype=torch.float64, device=generator.device, generator=generator
    )


@pytest.mark.parametrize("batch", [1, BATCH])
@pytest.mark.parametrize("prior_family", [None, *FAMILIES])
@pytest.mark.parametrize("family", FAMILIES)
def test_against_torch(
    mean: Tensor, family: str, prior_family: str | None, batch: int, generator: torch.Generator
) -> None:
    covariance = random_covariance(family, batch, LATENT, generator)
    prior = None if prior_family is None else random_covariance(prior_family, 1, LATENT, generator)
    identity = torch.eye(LATENT, dtype=mean.dtype, device=mean.device)
    expected = torch.distributions.kl_divergence(
        MultivariateNormal(mean, covariance.dense().expand(BATCH, -1, -1)),
        MultivariateNormal(torch.zeros_like(mean), identity if prior is None else prior.dense()),
    )
    torch.testing.assert_close(
        kl_divergence(mean, covariance, prior), expected, rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("prior_family", FAMILIES)
@pytest.mark.parametrize("family", FAMILIES)
def test_gradients(
    mean: Tensor, family: str, prior_family: str, generator: torch.Generator
) -> None:
    parameters = random_parameters(family, BATCH, LATENT, generator)
    prior_parameters = random_parameters(prior_family, 1, LATENT, generator)
    inputs = [mean, *parameters, *prior_parameters]

    def divergence(mean: Tensor, *both: Tensor) -> Tensor:
        covariance = make_covariance(family, LATENT, *both[: len(parameters)])
        prior = make_covariance(prior_family, LATENT, *both[len(parameters) :])
        return kl_divergence(mean, covariance, prior)

    assert torch.autograd.gradcheck(divergence, [value.requires_grad_() for value in inputs])


def test_bad_arguments(mean: Tensor) -> None:
    unit = ScalarCovariance(mean.new_ones(1), LATENT)
    with pytest.raises(ArgumentError, match=r"mean must have shape \(b, d\), got \(4,\)"):
        kl_divergence(mean[:, 0], unit)
    with pytest.raises(ArgumentError, match="mean must be finite, but contains NaN"):
        kl_divergence(mean * torch.nan, unit)
    with pytest.raises(ArgumentTypeError, match="covariance must be a Covariance, got Tensor"):
        kl_divergence(mean, mean)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="covariance must have the dtype of mean"):
        kl_divergence(mean.float(), unit)
    with pytest.raises(ArgumentError, match="covariance must have batch 4 or 1 and dimension 3"):
        kl_divergence(mean, ScalarCovariance(mean.new_ones(2), LATENT))
    with pytest.raises(ArgumentError, match="prior must have batch 4 or 1 and dimension 3"):
        kl_divergence(mean, unit, ScalarCovariance(mean.new_ones(1), 2))
    with pytest.raises(ArgumentTypeError, match="prior must be on the device of mean"):
        meta = ScalarCovariance(mean.new_ones(1), LATENT)
        object.__setattr__(meta, "variance", meta.variance.to("meta"))
        kl_divergence(mean, unit, meta)
