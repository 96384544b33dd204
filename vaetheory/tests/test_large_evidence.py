"""The evidence where d is too large to form A: log-determinants and gradients are estimates."""

import functools
import subprocess
import sys

import pytest
import torch
from decoders import Affine, Curved, normal
from torch import Tensor

from vaetheory.errors import ArgumentError, ArgumentTypeError, ConvergenceWarning
from vaetheory.evidence import log_evidence
from vaetheory.likelihoods import MeanVarianceNormal, Normal
from vaetheory.log_determinants import LogDeterminant, logdet
from vaetheory.map_solver import find_map
from vaetheory.metric import CURVATURES, Curvature

BATCH, LATENT, DATA = 3, 300, 400


def decoder_and_data(generator: torch.Generator) -> tuple[Affine, Tensor, Tensor]:
    decoder = Affine(LATENT, DATA, generator)
    z = normal((BATCH, LATENT), generator)
    return decoder, decoder(z) + normal((BATCH, DATA), generator), 0.9 * z


@pytest.mark.parametrize("curvature", CURVATURES)
def test_large_latent_spaces_need_no_estimator(
    curvature: Curvature, generator: torch.Generator
) -> None:
    """d = 300 is more than is formed by default; the evidence of an affine decoder is known."""
    decoder, x, z = decoder_and_data(generator)
    found = log_evidence(decoder, x, z, curvature=curvature, generator=generator)
    identity = torch.eye(DATA, dtype=x.dtype, device=x.device)
    covariance = decoder.weight @ decoder.weight.mT + identity
    marginal = torch.distributions.MultivariateNormal(decoder.bias, covariance)
    assert found.standard_error is not None
    error = (found.value - marginal.log_prob(x)).abs()
    assert bool((error < 4 * found.standard_error + 1e-8).all())
    # The error is that of the log-determinant alone, half of it.
    truth = torch.logdet(covariance)
    torch.testing.assert_close(
        2 * (marginal.log_prob(x) - found.value), found.logdet - truth, rtol=0, atol=1e-7
    )


def test_a_seed_repeats_it(generator: torch.Generator) -> None:
    decoder, x, z = decoder_and_data(generator)
    one, two, three = (
        log_evidence(
            decoder, x[:1], z[:1], generator=torch.Generator(x.device).manual_seed(seed)
        ).value
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, three)


@pytest.mark.parametrize("curvature", CURVATURES)
def test_gradient_of_an_estimate_is_unbiased(
    curvature: Curvature, generator: torch.Generator
) -> None:
    latent, repeats = 8, 400
    decoder = Curved(latent, (2, 12), generator)
    likelihood = MeanVarianceNormal()
    z = normal((1, latent), generator) / 4
    x = likelihood.sample(decoder(z).detach(), generator)
    z = find_map(decoder, x, z, likelihood).z
    estimator = functools.partial(logdet, products=4, generator=generator)

    def gradient(count: int, determinant: object) -> Tensor:
        point = z.expand(count, -1).clone().requires_grad_()
        found = log_evidence(
            decoder,
            x.expand(count, -1),
            point,
            likelihood,
            curvature=curvature,
            determinant=determinant,  # type: ignore[arg-type]
            generator=generator,
        )
        return torch.autograd.grad(found.value.sum(), point)[0]

    exact = gradient(1, None)[0]
    drawn = gradient(repeats, estimator)
    error = drawn.std(0) / repeats**0.5
    assert bool(((drawn.mean(0) - exact).abs() < 4 * error).all())
    assert bool((error > 0).all())


def test_no_gradient_costs_nothing(generator: torch.Generator) -> None:
    decoder, x, z = decoder_and_data(generator)
    determinant = functools.partial(logdet, products=64, generator=generator)
    options = {"determinant": determinant, "correction": False}
    with torch.no_grad():
        assert log_evidence(decoder, x, z, **options).products == 64  # type: ignore[arg-type]
    found = log_evidence(decoder, x, z, **options)  # type: ignore[arg-type]
    assert found.products == 65
    assert not found.value.requires_grad


def test_says_when_conjugate_gradients_have_not_converged(generator: torch.Generator) -> None:
    """In single precision, with a condition number of 1e12, they cannot."""
    weight = torch.logspace(0, 6, 60, dtype=torch.float32, device=generator.device)
    x = 1 / weight[None]
    determinant = functools.partial(logdet, method="exact")
    with pytest.warns(ConvergenceWarning, match="the decrement correction is inexact"):
        log_evidence(lambda z: z * weight, x, 0 * x, Normal(), determinant=determinant)


def test_bad_estimator(generator: torch.Generator) -> None:
    decoder, x, z = decoder_and_data(generator)
    with pytest.raises(ArgumentTypeError, match="determinant must be callable, got str"):
        log_evidence(decoder, x, z, determinant="krylov")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="determinant's value must be finite, but contains NaN"):
        log_evidence(
            decoder,
            x,
            z,
            determinant=lambda metric: LogDeterminant(z[:, 0] * torch.nan, None, None, None, 0, ""),
        )
    with pytest.raises(ArgumentError, match=r"determinant's value must have shape \(3,\)"):
        log_evidence(
            decoder,
            x,
            z,
            determinant=lambda metric: LogDeterminant(z, None, None, None, 0, ""),
        )


MEMORY = """
import resource, sys
import torch
import vaetheory as vt

def peak():
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else 1024 * size

torch.set_num_threads(1)
torch.manual_seed(0)
decoder = torch.nn.Sequential(
    torch.nn.Unflatten(1, (64, 4, 4)),
    torch.nn.ConvTranspose2d(64, 32, 5, stride=5),
    torch.nn.Tanh(),
    torch.nn.ConvTranspose2d(32, 8, 5, stride=5),
    torch.nn.Tanh(),
    torch.nn.ConvTranspose2d(8, 1, 10, stride=10),
)
z = torch.randn(1, 1024)
with torch.no_grad():
    x = decoder(z) + 0.1 * torch.randn(1, 1, 1000, 1000)
before = peak()
found = vt.log_evidence(decoder, x, z, vt.Normal(0.1), generator=torch.Generator())
assert bool(torch.isfinite(found.value).all()) and bool((found.standard_error > 0).all())
found.value.sum().backward()
print(x[0].numel(), peak() - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the peak this way")
def test_memory_of_a_million_outputs() -> None:
    """The Jacobian of this convolutional decoder alone would take 4 GB."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], check=True, stdout=subprocess.PIPE, text=True
    )
    outputs, memory = map(int, done.stdout.split())
    assert outputs == 1_000_000
    assert memory < 2e9
