"""The evidence under each likelihood with a decoder linear in z, against adaptive quadrature."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from decoders import normal
from test_curved_evidence import median, true_evidence
from torch import Tensor

from vaetheory.evidence import log_evidence
from vaetheory.likelihoods import (
    Bernoulli,
    Categorical,
    Likelihood,
    MeanVarianceNormal,
    Poisson,
)
from vaetheory.map_solver import find_map
from vaetheory.metric import DecoderMetric

BATCH, DATA = 24, 20
LIKELIHOODS: dict[Likelihood, tuple[int, ...]] = {
    Bernoulli(): (),
    Poisson(): (),
    Categorical(): (4,),
    MeanVarianceNormal(): (2,),
}


@dataclass
class Case:
    decoder: Callable[[Tensor], Tensor]
    x: Tensor
    mode: Tensor
    truth: Tensor


@functools.cache
def case(likelihood: Likelihood, latent: int) -> Case:
    generator = torch.Generator().manual_seed(3)
    shape = (*LIKELIHOODS[likelihood], DATA)
    weight = normal((torch.Size(shape).numel(), latent), generator)
    bias = normal((len(weight),), generator)
    if isinstance(likelihood, MeanVarianceNormal):
        weight[DATA:] /= 2  # variances that change by a factor of e or so

    def decoder(z: Tensor) -> Tensor:
        return (z @ weight.mT + bias).reshape(-1, *shape)

    z = normal((BATCH, latent), generator)
    x = likelihood.sample(decoder(z), generator)
    mode = find_map(decoder, x, z, likelihood)
    assert bool(mode.converged.all())
    return Case(decoder, x, mode.z, true_evidence(decoder, x, likelihood, latent))


def name(likelihood: object) -> str:
    return type(likelihood).__name__


natural = pytest.mark.parametrize("likelihood", list(LIKELIHOODS)[:3], ids=name)
latents = pytest.mark.parametrize("latent", [1, 2])


@latents
@natural
def test_natural_parameters(likelihood: Likelihood, latent: int) -> None:
    one = case(likelihood, latent)
    found = log_evidence(one.decoder, one.x, one.mode, likelihood)
    assert median(found.value - one.truth) < 0.034
    # Without the Fisher information the approximation is useless.
    flat = DecoderMetric(one.decoder, one.mode).dense()
    unweighted = found.value + 0.5 * (found.logdet - torch.logdet(flat))
    assert median(unweighted - one.truth) > 0.1


@latents
@natural
def test_curvatures_coincide_under_a_linear_decoder(likelihood: Likelihood, latent: int) -> None:
    one = case(likelihood, latent)
    fisher = log_evidence(one.decoder, one.x, one.mode, likelihood).value
    hessian = log_evidence(one.decoder, one.x, one.mode, likelihood, curvature="hessian").value
    torch.testing.assert_close(fisher, hessian)


@latents
def test_mean_and_variance(latent: int) -> None:
    likelihood = next(one for one in LIKELIHOODS if isinstance(one, MeanVarianceNormal))
    one = case(likelihood, latent)
    found = {
        curvature: log_evidence(one.decoder, one.x, one.mode, likelihood, curvature=curvature).value
        for curvature in ("fisher", "gauss-newton", "hessian")
    }
    torch.testing.assert_close(found["gauss-newton"], found["hessian"])
    assert median(found["gauss-newton"] - one.truth) < 0.034
    # The information on the variances, at the data, differs from its expectation.
    assert median(found["fisher"] - one.truth) < 0.1
    fisher = DecoderMetric(one.decoder, one.mode, likelihood).dense()
    flat = DecoderMetric(one.decoder, one.mode).dense()
    unweighted = found["fisher"] + 0.5 * (torch.logdet(fisher) - torch.logdet(flat))
    assert median(found["fisher"] - one.truth) < median(unweighted - one.truth)
