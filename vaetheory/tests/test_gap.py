"""The gap near its minimum, and the penalty of one covariance for all samples."""

import math

import pytest
import torch
from decoders import Affine, normal
from torch import Tensor, nn

from vaetheory.covariance import (
    Covariance,
    DiagonalCovariance,
    FullCovariance,
    LowRankCovariance,
    ScalarCovariance,
)
from vaetheory.elbo import taylor_elbo
from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.gap import evidence_gap
from vaetheory.likelihoods import Normal
from vaetheory.map_solver import find_map
from vaetheory.metric import DecoderMetric
from vaetheory.optimal_covariance import (
    constant_covariance,
    optimal_covariance,
    optimal_diagonal_covariance,
    optimal_scalar_covariance,
)

SIZE = 4


def precisions(count: int, generator: torch.Generator) -> Tensor:
    factor = normal((count, SIZE, SIZE), generator)
    return factor @ factor.mT + torch.eye(SIZE, dtype=factor.dtype, device=factor.device)


def slope(x: Tensor, y: Tensor) -> float:
    """Slope of a straight line through the logarithms."""
    x, y = x.log() - x.log().mean(), y.abs().log() - y.abs().log().mean()
    return float((x * y).sum() / x.square().sum())


def test_orders_of_the_gap(generator: torch.Generator) -> None:
    (precision,) = precisions(1, generator)
    direction = normal((SIZE, SIZE), generator)
    direction = (direction + direction.mT) / direction.norm()
    upper = torch.linalg.cholesky(torch.linalg.inv(precision))
    # Sigma = L (I + t S) L^T with L L^T = A^-1: M = A Sigma is similar to I + t S.
    steps = torch.logspace(-2.5, -1, 7, dtype=precision.dtype, device=precision.device)
    identity = torch.eye(SIZE, dtype=precision.dtype, device=precision.device)
    sigma = upper @ (identity + steps[:, None, None] * direction) @ upper.mT
    gap = evidence_gap(
        precision.expand(len(steps), -1, -1), FullCovariance(torch.linalg.cholesky(sigma))
    )
    squares = torch.trace(direction @ direction) * steps**2
    torch.testing.assert_close(gap.second_order, squares / 4)
    third = gap.value - gap.second_order
    assert abs(slope(steps, third) - 3) < 0.1
    cubes = torch.trace(direction @ direction @ direction) * steps**3
    fourth = third + cubes / 6
    assert abs(slope(steps, fourth) - 4) < 0.1


FAMILIES: list[Covariance] = [
    ScalarCovariance(torch.tensor([0.3]).double(), SIZE),
    DiagonalCovariance(torch.tensor([[0.3, 0.1, 2.0, 0.5]]).double()),
    LowRankCovariance(torch.ones(1, SIZE).double(), torch.ones(1, SIZE, 2).double()),
    FullCovariance(torch.ones(1, SIZE, SIZE).tril().double()),
]


@pytest.mark.parametrize("covariance", FAMILIES, ids=lambda one: type(one).__name__)
def test_gap_in_every_family(covariance: Covariance) -> None:
    precision = precisions(3, torch.Generator().manual_seed(0))
    product = precision @ covariance.dense()
    eigenvalues = torch.linalg.eigvals(product).real
    gap = evidence_gap(precision, covariance)
    torch.testing.assert_close(gap.value, 0.5 * (eigenvalues - eigenvalues.log() - 1).sum(1))
    torch.testing.assert_close(gap.second_order, 0.25 * (eigenvalues - 1).square().sum(1))


def test_best_of_each_family(generator: torch.Generator) -> None:
    precision = precisions(3, generator)
    for best, parameter in (
        (optimal_scalar_covariance(precision), "variance"),
        (optimal_diagonal_covariance(precision), "variance"),
        (optimal_covariance(precision), "factor"),
    ):
        value: Tensor = getattr(best, parameter).detach().requires_grad_()
        given = [value, SIZE] if isinstance(best, ScalarCovariance) else [value]
        made = type(best)(*given)
        (gradient,) = torch.autograd.grad(evidence_gap(precision, made).value.sum(), value)
        if parameter == "factor":
            gradient = gradient.tril()
        torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-9)


def test_constant_covariance_of_affine_decoders(generator: torch.Generator) -> None:
    """A mixture of four decoders, each for a part of the data, whose ELBOs are exact."""
    scale, data = 0.5, 6
    shared = Affine(3, data, generator)
    decoders = []
    for _ in range(4):
        decoder = Affine(3, data, generator)
        decoder.weight = shared.weight + 0.25 * decoder.weight
        decoders.append(decoder)
    likelihood = Normal(scale)
    x, mode, precisions = [], [], []
    for one in decoders:
        observed = likelihood.sample(one(normal((5, 3), generator)), generator)
        found_mode = find_map(one, observed, torch.zeros_like(observed[:, :3]), likelihood)
        x.append(observed)
        mode.append(found_mode.z)
        precisions.append(DecoderMetric(one, found_mode.z, likelihood).dense())
    precision = torch.cat(precisions)
    found = constant_covariance(precision)

    def mean_elbo(covariance: Tensor) -> Tensor:
        """The mean ELBO with one covariance (1, d, d), or with one for each sample."""
        parts = covariance.expand(len(precision), -1, -1).split(5)
        values = [
            taylor_elbo(one, some, z, FullCovariance.from_matrix(part), likelihood)
            for one, some, z, part in zip(decoders, x, mode, parts, strict=True)
        ]
        return torch.cat(values).mean()

    best = mean_elbo(torch.linalg.inv(precision))
    constant = mean_elbo(torch.linalg.inv(precision.mean(0))[None])
    assert float(best - constant) > 0.1
    torch.testing.assert_close(found.penalty, best - constant)
    torch.testing.assert_close(
        evidence_gap(precision, found.covariance).value.mean(), found.penalty
    )
    assert abs(float(found.quadratic_penalty / found.penalty) - 1) < 0.15
    # No other constant does better.
    for change in normal((20, 3, 3), generator):
        other = found.covariance.factor[0] + 0.05 * change.tril()
        assert float(mean_elbo((other @ other.mT)[None])) < float(constant)


class Helix(nn.Module):
    """Curved, but with a Jacobian that only rotates: (cos w.z, sin w.z, V z)."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.direction = normal((3,), generator)
        self.linear = normal((3, 4), generator)

    def forward(self, z: Tensor) -> Tensor:
        angle = z @ self.direction
        return torch.cat([angle.cos()[:, None], angle.sin()[:, None], z @ self.linear], 1)


def test_rotating_jacobian_costs_nothing(generator: torch.Generator) -> None:
    decoder = Helix(generator)
    z = normal((8, 3), generator)
    assert float((decoder(z[:4]) + decoder(z[4:]) - 2 * decoder(z[:4] / 2 + z[4:] / 2)).norm()) > 1
    found = constant_covariance(DecoderMetric(decoder, z, Normal(0.2)).dense())
    torch.testing.assert_close(found.penalty, torch.zeros_like(found.penalty), rtol=0, atol=1e-10)
    assert float(found.quadratic_penalty) < 1e-10


def test_penalty_is_never_negative(generator: torch.Generator) -> None:
    for _ in range(10):
        found = constant_covariance(precisions(3, generator))
        assert float(found.penalty) > 0
    one = constant_covariance(precisions(1, generator))
    assert math.isclose(float(one.penalty), 0, abs_tol=1e-12)


def test_gradients(generator: torch.Generator) -> None:
    factor = normal((3, SIZE, SIZE), generator).requires_grad_()
    variance = normal((3, SIZE), generator).exp().requires_grad_()

    def results(root: Tensor, variance: Tensor) -> tuple[Tensor, ...]:
        identity = torch.eye(SIZE, dtype=root.dtype, device=root.device)
        precision = root @ root.mT + identity
        gap = evidence_gap(precision, DiagonalCovariance(variance))
        constant = constant_covariance(precision)
        return (
            gap.value,
            gap.second_order,
            constant.penalty,
            constant.quadratic_penalty,
            constant.covariance.dense(),
            optimal_covariance(precision).dense(),
            optimal_diagonal_covariance(precision).variance,
            optimal_scalar_covariance(precision).variance,
        )

    assert torch.autograd.gradcheck(results, (factor, variance))


def test_bad_arguments() -> None:
    eye = torch.eye(2)[None]
    unit = ScalarCovariance(torch.ones(1), 2)
    with pytest.raises(ArgumentError, match="precision must be positive definite"):
        evidence_gap(-eye, unit)
    with pytest.raises(ArgumentError, match="precision must be symmetric"):
        constant_covariance(eye + torch.ones(2, 2).triu(1))
    with pytest.raises(ArgumentError, match="precision must be finite, but contains NaN"):
        constant_covariance(eye * torch.nan)
    with pytest.raises(ArgumentError, match=r"precision must have shape \(b, n, n\)"):
        optimal_diagonal_covariance(eye[0])
    with pytest.raises(ArgumentError, match="covariance must have the dimension 2 of precision"):
        evidence_gap(eye, ScalarCovariance(torch.ones(1), 3))
    with pytest.raises(ArgumentTypeError, match="covariance must be a Covariance, got Tensor"):
        evidence_gap(eye, eye)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="covariance must have the dtype of precision"):
        evidence_gap(eye.double(), unit)
    with pytest.raises(ArgumentError, match="the covariance's batch 3"):
        evidence_gap(eye.expand(2, -1, -1), ScalarCovariance(torch.ones(3), 2))
