"""Derivatives of the evidence and of all that depends on a likelihood, by finite differences."""

from collections.abc import Callable

import pytest
import torch
from decoders import Curved, normal
from test_likelihoods import LIKELIHOODS, output_shape
from torch import Tensor

from vaetheory.evidence import log_evidence
from vaetheory.likelihoods import Bernoulli, Likelihood, Normal, Poisson
from vaetheory.log_determinants import LogDeterminant, logdet
from vaetheory.map_solver import find_map
from vaetheory.metric import CURVATURES, Curvature
from vaetheory.operators import SymmetricOperator
from vaetheory.warps import unit_normal_warp

BATCH, LATENT = 1, 2


@pytest.mark.parametrize("curvature", CURVATURES)
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_log_evidence(name: str, curvature: Curvature, generator: torch.Generator) -> None:
    check_log_evidence(name, curvature, None, generator)


@pytest.mark.parametrize("curvature", CURVATURES)
def test_log_evidence_from_products(curvature: Curvature, generator: torch.Generator) -> None:
    check_log_evidence("mean and variance", curvature, logdet, generator)


def check_log_evidence(
    name: str,
    curvature: Curvature,
    determinant: Callable[[SymmetricOperator], LogDeterminant] | None,
    generator: torch.Generator,
) -> None:
    likelihood = LIKELIHOODS[name]
    decoder = Curved(LATENT, output_shape(name), generator)
    with torch.no_grad():
        start = normal((BATCH, LATENT), generator)
        x = likelihood.sample(decoder(start), generator)
        # Near the maximum, where every curvature is positive definite.
        z = find_map(decoder, x, start, likelihood, curvature=curvature).z + 0.01

    def value(z: Tensor, *_: Tensor) -> Tensor:
        return log_evidence(
            decoder, x, z, likelihood, curvature=curvature, determinant=determinant
        ).value

    # The parameters are not arguments of the function, but gradcheck changes them in place. In the
    # fast mode all of them change at a time.
    inputs = (z.requires_grad_(), *decoder.parameters())
    assert torch.autograd.gradcheck(value, inputs, fast_mode=True)


def test_log_evidence_in_the_data(generator: torch.Generator) -> None:
    decoder = Curved(LATENT, (3,), generator)
    z = normal((BATCH, LATENT), generator).requires_grad_()
    x = normal((BATCH, 3), generator).requires_grad_()
    scale = torch.tensor(0.5, dtype=z.dtype, device=z.device, requires_grad=True)

    def value(x: Tensor, z: Tensor, scale: Tensor) -> Tensor:
        return log_evidence(decoder, x, z, Normal(scale)).value

    assert torch.autograd.gradcheck(value, (x, z, scale))


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_likelihoods(name: str, generator: torch.Generator) -> None:
    likelihood = LIKELIHOODS[name]
    output = normal((BATCH, *output_shape(name)), generator)
    x = likelihood.sample(output, generator)
    vectors = normal((BATCH, 2, *output_shape(name)), generator).requires_grad_()

    def values(output: Tensor, vectors: Tensor) -> tuple[Tensor, ...]:
        return (
            likelihood.score(x, output),
            likelihood.curvature_product(x, output, vectors),
            likelihood.mean(output),
        )

    assert torch.autograd.gradcheck(values, (output.requires_grad_(), vectors))


@pytest.mark.parametrize(
    "likelihood", [Normal(0.3), Bernoulli(), Poisson()], ids=lambda one: type(one).__name__
)
def test_warps(likelihood: Likelihood, generator: torch.Generator) -> None:
    output = normal((BATCH, 3), generator).requires_grad_()
    assert torch.autograd.gradcheck(unit_normal_warp(likelihood), output)
