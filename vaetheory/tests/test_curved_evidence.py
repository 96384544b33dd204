"""The evidence under decoders that are not affine, against adaptive quadrature."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from quadrature import log_integral
from torch import Tensor

from vaetheory.evidence import log_evidence
from vaetheory.importance import importance_evidence
from vaetheory.joint import log_prior
from vaetheory.likelihoods import Likelihood, Normal
from vaetheory.map_solver import find_map

BATCH = 12
NOISE = (1.0, 0.5, 0.25, 0.125)


def arc(z: Tensor) -> Tensor:
    return torch.cat([2 * torch.cos(z / 2), 2 * torch.sin(z / 2)], 1)


def wave(z: Tensor) -> Tensor:
    return torch.cat([z, torch.sin(2 * z) / 2], 1)


def parabola(z: Tensor) -> Tensor:
    return torch.cat([z, z**2 / 2], 1)


def cubic(z: Tensor) -> Tensor:
    return torch.cat([z + z**3 / 6, z / 2], 1)


def saddle(z: Tensor) -> Tensor:
    return torch.stack([z[:, 0], z[:, 1], z[:, 0] * z[:, 1] / 2], 1)


def bowl(z: Tensor) -> Tensor:
    return torch.stack([z[:, 0], z[:, 1], z.square().sum(1) / 4], 1)


def network(z: Tensor) -> Tensor:
    """One hidden layer of tanh beside a linear path."""
    total, difference = z[:, 0] + z[:, 1], z[:, 0] - z[:, 1]
    return torch.stack([z[:, 0], z[:, 1] + total.tanh(), difference.tanh()], 1)


DECODERS: dict[Callable[[Tensor], Tensor], int] = {
    arc: 1,
    wave: 1,
    parabola: 1,
    cubic: 1,
    saddle: 2,
    bowl: 2,
    network: 2,
}


def true_evidence(
    decoder: Callable[[Tensor], Tensor], x: Tensor, likelihood: Likelihood, latent: int
) -> Tensor:
    def log_joint(z: Tensor, data: Tensor) -> Tensor:
        repeated = data.expand(len(z), *data.shape)
        return likelihood.log_prob(repeated, decoder(z)) + log_prior(z)

    values = [log_integral(functools.partial(log_joint, data=data), latent) for data in x]
    return torch.tensor(values, dtype=torch.float64)


@dataclass
class Errors:
    """Of all decoders and samples at one scale of the noise, shape (n,)."""

    gauss_newton: Tensor
    hessian: Tensor
    importance: Tensor
    standard_error: Tensor


@functools.cache
def errors(noise: float) -> Errors:
    likelihood = Normal(noise)
    found = []
    for decoder, latent in DECODERS.items():
        generator = torch.Generator().manual_seed(1)
        start = torch.randn(BATCH, latent, dtype=torch.float64, generator=generator)
        x = likelihood.sample(decoder(start), generator)
        truth = true_evidence(decoder, x, likelihood, latent)
        mode = find_map(decoder, x, start, likelihood)
        assert bool(mode.converged.all())
        sampled = importance_evidence(
            decoder, x, mode.z, likelihood, curvature="hessian", count=20_000, generator=generator
        )
        found.append(
            [
                log_evidence(decoder, x, mode.z, likelihood, curvature="gauss-newton").value
                - truth,
                log_evidence(decoder, x, mode.z, likelihood, curvature="hessian").value - truth,
                sampled.value - truth,
                sampled.standard_error,
            ]
        )
    return Errors(*(torch.cat(column) for column in zip(*found, strict=True)))


def median(error: Tensor) -> float:
    return float(error.abs().median())


def test_error_falls_with_the_noise() -> None:
    medians = [median(errors(noise).gauss_newton) for noise in NOISE]
    assert medians == sorted(medians, reverse=True)
    assert medians[0] < 0.25
    assert medians[-1] < medians[0] / 4


@pytest.mark.parametrize("noise", [0.25, 0.125])
def test_hessian_is_more_accurate_at_low_noise(noise: float) -> None:
    found = errors(noise)
    assert median(found.hessian) < 0.5 * median(found.gauss_newton)


def test_neither_curvature_gives_a_bound() -> None:
    found = errors(1.0)
    for error in (found.gauss_newton, found.hessian):
        assert float(error.min()) < -0.01
        assert float(error.max()) > 0.01


@pytest.mark.parametrize("noise", NOISE)
def test_importance_sampling_checks_it(noise: float) -> None:
    found = errors(noise)
    sure = 4 * found.standard_error < 0.01
    assert float(sure.double().mean()) > (0.5 if noise > 0.25 else 0.9)
    assert bool((found.importance[sure].abs() < 0.01).all())
    assert median(found.importance) < 0.01


@pytest.mark.parametrize("curvature", ["fisher", "hessian"])
def test_correction_repairs_a_start_off_the_mode(curvature: str) -> None:
    """At an offset of the size that an encoder's mean has, most of the loss is won back."""
    likelihood = Normal(0.125)
    generator = torch.Generator().manual_seed(2)
    start = torch.randn(BATCH, 2, dtype=torch.float64, generator=generator)
    x = likelihood.sample(bowl(start), generator)
    mode = find_map(bowl, x, start, likelihood).z
    best = log_evidence(bowl, x, mode, likelihood).value
    off = mode + 0.1 * torch.randn(BATCH, 2, dtype=torch.float64, generator=generator)
    plain = log_evidence(bowl, x, off, likelihood, correction=False).value
    corrected = log_evidence(bowl, x, off, likelihood, curvature=curvature).value  # type: ignore[arg-type]
    assert median(plain - best) > 0.3
    assert median(corrected - best) < 0.2 * median(plain - best)


def test_effective_sample_size_tells_of_a_missed_tail() -> None:
    """A decoder that saturates: the posterior has a tail that the proposal does not reach."""

    def saturating(z: Tensor) -> Tensor:
        return 2 * z.tanh()

    likelihood = Normal(0.25)
    x = torch.tensor([[0.0], [1.9]], dtype=torch.float64)
    mode = find_map(saturating, x, torch.zeros_like(x), likelihood).z
    sampled = importance_evidence(
        saturating, x, mode, likelihood, count=10_000, generator=torch.Generator().manual_seed(0)
    )
    assert float(sampled.effective_sample_size[0]) > 9_000
    assert float(sampled.effective_sample_size[1]) < 4_000
