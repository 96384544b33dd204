"""The metric's products against dense matrices made of second derivatives."""

from typing import get_args

import pytest
import torch
from decoders import Curved, convolutional
from test_jacobian import Square, dense_jacobian
from torch import Tensor, nn

from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.likelihoods import (
    Bernoulli,
    Categorical,
    Likelihood,
    MeanVarianceNormal,
    Normal,
    Poisson,
)
from vaetheory.metric import CURVATURES, Curvature, DecoderMetric

BATCH, LATENT = 3, 3
LIKELIHOODS = [
    Normal(),
    Normal(0.5),
    Bernoulli(),
    Categorical(),
    Poisson(),
    MeanVarianceNormal(),
]


@pytest.fixture
def z(generator: torch.Generator) -> Tensor:
    return torch.randn(
        BATCH, LATENT, dtype=torch.float64, device=generator.device, generator=generator
    )


@pytest.fixture
def decoder(generator: torch.Generator) -> Curved:
    return Curved(LATENT, (2, 3), generator)


def expected_gram(
    decoder: nn.Module, z: Tensor, likelihood: Likelihood, x: Tensor, curvature: Curvature
) -> Tensor:
    grams = []
    for sample, data in zip(z[:, None], x[:, None], strict=True):
        output = decoder(sample).detach()
        jacobian = dense_jacobian(decoder, sample)[0].flatten(0, -2)
        if curvature == "fisher":
            identity = torch.eye(output.numel(), dtype=z.dtype, device=z.device)
            rows = identity.reshape(1, -1, *output.shape[1:])
            weight = likelihood.fisher_product(output, rows).flatten(2)[0]
            grams.append(jacobian.mT @ weight @ jacobian)
            continue

        def negative(argument: Tensor, data: Tensor = data, output: Tensor = output) -> Tensor:
            if curvature == "hessian":
                return -likelihood.log_prob(data, decoder(argument[None])).sum()
            return -likelihood.log_prob(data, argument.reshape(output.shape)).sum()

        if curvature == "hessian":
            grams.append(torch.autograd.functional.hessian(negative, sample[0]))
        else:
            inner = torch.autograd.functional.hessian(negative, output.flatten())
            grams.append(jacobian.mT @ inner @ jacobian)
    return torch.stack(grams)


@pytest.mark.parametrize("rows", [None, 1, 2, 4])
@pytest.mark.parametrize("curvature", CURVATURES)
@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=lambda one: type(one).__name__)
def test_metric(
    decoder: Curved,
    z: Tensor,
    likelihood: Likelihood,
    curvature: Curvature,
    rows: int | None,
    generator: torch.Generator,
) -> None:
    with torch.no_grad():
        x = likelihood.sample(decoder(z), generator)
    metric = DecoderMetric(decoder, z, likelihood, x, curvature=curvature, rows=rows)
    gram = expected_gram(decoder, z, likelihood, x, curvature)
    identity = torch.eye(LATENT, dtype=z.dtype, device=z.device)
    vectors = torch.randn(BATCH, 4, LATENT, dtype=z.dtype, device=z.device, generator=generator)
    torch.testing.assert_close(metric.product(vectors), vectors @ (gram + identity))
    torch.testing.assert_close(metric.dense(), gram + identity)
    torch.testing.assert_close(metric.gram(), gram)


def test_without_the_prior(decoder: Curved, z: Tensor) -> None:
    metric = DecoderMetric(decoder, z, prior_precision=0.0)
    jacobian = dense_jacobian(decoder, z).flatten(1, -2)
    torch.testing.assert_close(metric.dense(), jacobian.mT @ jacobian)
    torch.testing.assert_close(metric.product(z[:, None]), z[:, None] @ jacobian.mT @ jacobian)


@pytest.mark.parametrize("curvature", CURVATURES)
def test_where_vmap_fails(
    z: Tensor, curvature: Curvature, decoder: Curved, generator: torch.Generator
) -> None:
    x = decoder(z).detach() + 0.5
    expected = DecoderMetric(lambda z: decoder(z) ** 2, z, Normal(), x, curvature=curvature)
    metric = DecoderMetric(lambda z: Square.apply(decoder(z)), z, Normal(), x, curvature=curvature)
    torch.testing.assert_close(metric.product(z[:, None]), expected.product(z[:, None]))
    torch.testing.assert_close(metric.dense(), expected.dense())


def test_convolutional(z: Tensor, generator: torch.Generator) -> None:
    decoder = convolutional(LATENT, generator)
    jacobian = dense_jacobian(decoder, z).flatten(1, -2)
    gram = jacobian.mT @ jacobian / 0.25
    torch.testing.assert_close(DecoderMetric(decoder, z, Normal(0.5)).gram(), gram)


@pytest.mark.parametrize("curvature", CURVATURES)
def test_gradients(decoder: Curved, z: Tensor, curvature: Curvature) -> None:
    z = z[:2].detach().requires_grad_()
    x = torch.ones(2, 3, dtype=z.dtype, device=z.device)
    vectors = torch.ones(2, 1, LATENT, dtype=z.dtype, device=z.device)

    def results(point: Tensor, *_: Tensor) -> tuple[Tensor, Tensor]:
        metric = DecoderMetric(decoder, point, MeanVarianceNormal(), x, curvature=curvature)
        return metric.product(vectors), metric.dense()

    # The parameters are not arguments of the function, but gradcheck changes them in place.
    assert torch.autograd.gradcheck(results, (z, *decoder.parameters()))


def test_choices_are_the_documented_ones() -> None:
    assert get_args(Curvature) == CURVATURES


def test_bad_arguments(decoder: Curved, z: Tensor) -> None:
    with pytest.raises(ArgumentTypeError, match="likelihood must be a Likelihood, got str"):
        DecoderMetric(decoder, z, "normal")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="curvature must be one of 'fisher'"):
        DecoderMetric(decoder, z, curvature="newton")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="x must be given for the curvature 'hessian'"):
        DecoderMetric(decoder, z, curvature="hessian")
    with pytest.raises(ArgumentError, match=r"x must have shape \(3, 2, 3\)"):
        DecoderMetric(decoder, z, x=z)
