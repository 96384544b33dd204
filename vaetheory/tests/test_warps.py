"""Warps to the unit normal: the Fisher metric becomes the identity."""

import pytest
import torch
from decoders import Curved, normal

from vaetheory.errors import ArgumentError
from vaetheory.likelihoods import (
    Bernoulli,
    Categorical,
    Likelihood,
    MeanVarianceNormal,
    Normal,
    Poisson,
)
from vaetheory.metric import DecoderMetric
from vaetheory.warps import unit_normal_warp

WARPED = [Normal(), Normal(0.3), Bernoulli(), Poisson()]


@pytest.mark.parametrize("likelihood", WARPED, ids=["unit", "scaled", "Bernoulli", "Poisson"])
def test_fisher_metric_becomes_the_identity(
    likelihood: Likelihood, generator: torch.Generator
) -> None:
    warp = unit_normal_warp(likelihood)
    output = 2 * normal((3, 5), generator)
    # In the coordinate w, G turns into (dnu/dw) G (dnu/dw).
    slope = torch.func.vmap(torch.func.vmap(torch.func.grad(warp)))(output)
    vectors = torch.ones_like(output)[:, None]
    fisher = likelihood.fisher_product(output, vectors)[:, 0]
    torch.testing.assert_close(fisher / slope**2, torch.ones_like(output))


@pytest.mark.parametrize("likelihood", WARPED, ids=["unit", "scaled", "Bernoulli", "Poisson"])
def test_metric_of_the_warped_decoder(likelihood: Likelihood, generator: torch.Generator) -> None:
    decoder = Curved(3, (2, 3), generator)
    warp = unit_normal_warp(likelihood)
    z = normal((4, 3), generator)
    expected = DecoderMetric(decoder, z, likelihood).dense()
    found = DecoderMetric(lambda z: warp(decoder(z)), z).dense()
    torch.testing.assert_close(found, expected)


def test_warps_are_the_angle_and_the_root(generator: torch.Generator) -> None:
    output = normal((3, 5), generator)
    angle = unit_normal_warp(Bernoulli())(output)
    torch.testing.assert_close(angle, 2 * torch.asin(output.sigmoid().sqrt()))
    root = unit_normal_warp(Poisson())(output)
    torch.testing.assert_close(root, 2 * output.exp().sqrt())


def test_far_tails_keep_their_gradient() -> None:
    output = torch.tensor([-60.0, 60.0], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(unit_normal_warp(Bernoulli())(output).sum(), output)
    # sqrt(p (1 - p)) = 1 / (2 cosh(nu / 2)).
    torch.testing.assert_close(slope, 1 / (2 * torch.cosh(output.detach() / 2)))


@pytest.mark.parametrize("likelihood", [Categorical(), MeanVarianceNormal()])
def test_none_for_curved_metrics(likelihood: Likelihood) -> None:
    with pytest.raises(ArgumentError, match="no warp to the unit normal exists"):
        unit_normal_warp(likelihood)
