"""The most probable latents, for all likelihoods, and what is reported when they are not found."""

import warnings

import pytest
import torch
from decoders import Curved, convolutional, normal
from test_likelihoods import LIKELIHOODS, output_shape
from torch import Tensor

from vaetheory.errors import ConvergenceWarning
from vaetheory.joint import joint_density
from vaetheory.likelihoods import Normal, Poisson
from vaetheory.map_solver import MapSolution, find_map
from vaetheory.metric import CURVATURES, Curvature

BATCH, LATENT = 6, 3


def newton_decrement(curvatures: Tensor, gradient: Tensor) -> Tensor:
    return 0.5 * (gradient * torch.linalg.solve(curvatures, gradient)).sum(1)


@pytest.mark.parametrize("exact_limit", [0, 256])
@pytest.mark.parametrize("curvature", CURVATURES)
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_reaches_a_maximum(
    name: str, curvature: Curvature, exact_limit: int, generator: torch.Generator
) -> None:
    likelihood = LIKELIHOODS[name]
    decoder = Curved(LATENT, output_shape(name), generator)
    with torch.no_grad():
        x = likelihood.sample(decoder(normal((BATCH, LATENT), generator)), generator)
    start = normal((BATCH, LATENT), generator)
    found = find_map(decoder, x, start, likelihood, curvature=curvature, exact_limit=exact_limit)
    joint = joint_density(decoder, x, found.z, likelihood)
    hessian = joint.metric(found.z, "hessian").dense()
    assert bool((torch.linalg.eigvalsh(hessian) > 0).all())
    assert bool((newton_decrement(hessian, joint.gradient(found.z)) < 1e-9).all())
    assert bool(found.converged.all())
    assert not found.z.requires_grad
    torch.testing.assert_close(found.log_joint, joint.log_prob(found.z))
    assert bool((found.log_joint >= joint.log_prob(start)).all())


def test_reported_decrement_is_an_upper_estimate(generator: torch.Generator) -> None:
    likelihood = Normal(0.3)
    decoder = Curved(LATENT, (6,), generator)
    with torch.no_grad():
        x = likelihood.sample(decoder(normal((BATCH, LATENT), generator)), generator)
    start = normal((BATCH, LATENT), generator)
    best = find_map(decoder, x, start, likelihood, tolerance=1e-13)
    for exact_limit in (0, 256):
        rough = find_map(decoder, x, start, likelihood, tolerance=1e-2, exact_limit=exact_limit)
        assert bool((best.log_joint - rough.log_joint < 1e-2).all())
        assert bool((rough.iterations <= best.iterations).all())
        assert bool((rough.decrement <= 1e-2).all())


def test_batch_does_not_matter(generator: torch.Generator) -> None:
    decoder = Curved(LATENT, (2, 3), generator)
    x = normal((BATCH, 2, 3), generator)
    start = normal((BATCH, LATENT), generator)
    together = find_map(decoder, x, start)
    for i in range(BATCH):
        alone = find_map(decoder, x[i : i + 1], start[i : i + 1])
        torch.testing.assert_close(alone.z[0], together.z[i])
        assert int(alone.iterations) == int(together.iterations[i])
        assert int(alone.products) == int(together.products[i])
    torch.testing.assert_close(find_map(decoder, x, start, rows=1).z, together.z)


def test_convolutional_decoder(generator: torch.Generator) -> None:
    decoder = convolutional(LATENT, generator)
    with torch.no_grad():
        x = decoder(normal((BATCH, LATENT), generator))
    x = Normal(0.1).sample(x, generator)
    found = find_map(decoder, x, torch.zeros_like(x[:, 0, 0, :LATENT]), Normal(0.1))
    joint = joint_density(decoder, x, found.z, Normal(0.1))
    assert bool((joint.gradient(found.z).norm(dim=1) < 1e-3).all())
    assert bool(found.converged.all())


@pytest.mark.parametrize("exact_limit", [0, 256])
def test_single_precision(exact_limit: int, generator: torch.Generator) -> None:
    decoder = Curved(LATENT, (6,), generator)
    x = normal((BATCH, 6), generator)
    start = normal((BATCH, LATENT), generator)
    double = find_map(decoder, x, start, Normal(0.3))
    single = find_map(decoder, x.float(), start.float(), Normal(0.3), exact_limit=exact_limit)
    assert single.z.dtype == torch.float32
    torch.testing.assert_close(single.log_joint.double(), double.log_joint, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("exact_limit", [0, 256])
def test_single_precision_reaches_its_tolerance(
    exact_limit: int, generator: torch.Generator
) -> None:
    """Data far from what the decoder makes: rounding hides the last steps' rise of log p(x, z)."""
    decoder = Curved(2, (20,), generator)
    x = 2 * normal((300, 20), generator)
    start = torch.zeros_like(x[:, :2])
    likelihood = Normal(0.05)
    single = find_map(decoder, x.float(), start.float(), likelihood, exact_limit=exact_limit)
    assert bool(single.converged.all())
    z = single.z.double()
    joint = joint_density(decoder, x, z, likelihood)
    left = newton_decrement(joint.metric(z, "fisher").dense(), joint.gradient(z))
    rounding = 4 * torch.finfo(torch.float32).eps * joint.log_prob(z).abs()
    assert bool((left < 2 * rounding.clamp(min=1e-5)).all())


def test_survives_steps_out_of_range() -> None:
    """A first step too far makes the Poisson rate overflow; it must be refused, not taken."""
    x = torch.full((1, 1), 50.0)
    found = find_map(lambda z: 20 * z, x, torch.full((1, 1), -1.0), Poisson(), damping=1e-6)
    assert bool(torch.isfinite(found.log_joint).all())
    assert abs(float(found.z) - 0.19) < 0.02


@pytest.mark.parametrize("exact_limit", [0, 256])
def test_says_when_it_has_not_converged(exact_limit: int, generator: torch.Generator) -> None:
    decoder = Curved(LATENT, (6,), generator)
    x = normal((BATCH, 6), generator)
    start = normal((BATCH, LATENT), generator)
    with pytest.warns(ConvergenceWarning, match=r"6 of 6 samples have not converged after 1 iter"):
        found = find_map(decoder, x, start, Normal(0.1), max_iterations=1, exact_limit=exact_limit)
    assert not bool(found.converged.any())
    assert found.iterations.tolist() == [1] * BATCH
    assert bool((found.decrement > 1e-10).all())


def test_is_silent_when_it_has(generator: torch.Generator) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decoder = Curved(LATENT, (6,), generator)
        find_map(decoder, normal((2, 6), generator), normal((2, LATENT), generator))


@pytest.mark.parametrize("exact_limit", [0, 256])
def test_a_minimum_is_not_reported_as_found(exact_limit: int, device: torch.device) -> None:
    # log p(x, z) is even in z, with a minimum at 0 and maxima where z^2 is near x.
    z = torch.zeros(1, 2, dtype=torch.float64, device=device)
    x = torch.full_like(z, 2.0)
    with pytest.warns(ConvergenceWarning, match="1 of 1 samples have not converged"):
        found = find_map(
            lambda z: z.square(),
            x,
            z,
            Normal(0.1),
            curvature="hessian",
            max_iterations=20,
            exact_limit=exact_limit,
        )
    assert not bool(found.converged.any())
    elsewhere = find_map(
        lambda z: z.square(), x, z + 0.5, Normal(0.1), curvature="hessian", exact_limit=exact_limit
    )
    assert bool(elsewhere.converged.all())


@pytest.mark.parametrize("exact_limit", [0, 256])
@pytest.mark.parametrize("shift", [0.0, 1e-9])
@pytest.mark.parametrize("valleys", [1, 2])
def test_minima_and_saddles_are_no_maxima(
    valleys: int, shift: float, exact_limit: int, generator: torch.Generator
) -> None:
    # The Hessian of -log p(x, z) at 0 has entries of 1 - 2 x for the squared coordinates.
    def decoder(z: Tensor) -> Tensor:
        return torch.cat([z[:, :valleys].square(), z[:, valleys:]], 1)

    def found(x: Tensor) -> MapSolution:
        z = torch.full_like(x, shift)
        z[:, valleys:] = 0.5 * x[:, valleys:]
        return find_map(
            decoder, x, z, curvature="hessian", exact_limit=exact_limit, max_iterations=60
        )

    x = torch.full((1, 2), 3.0, dtype=torch.float64, device=generator.device)
    if shift == 0:
        with pytest.warns(ConvergenceWarning, match="1 of 1 samples have not converged"):
            stuck = found(x)
        assert not stuck.converged.any()
        assert torch.isinf(stuck.decrement).all()
        # Where the very same point is a maximum it is one.
        assert found(x / 10).converged.all()
    else:
        # Off the stationary point, however little, the search leaves it.
        left = found(x)
        assert left.converged.all()
        torch.testing.assert_close(left.z[:, :valleys].square(), x[:, :valleys] - 0.5)
