"""Affine decoders, for which the evidence and the posterior have closed forms."""

from dataclasses import dataclass

import pytest
import torch
from decoders import Affine, normal
from torch import Tensor

from vaetheory.covariance import DiagonalCovariance, FullCovariance, ScalarCovariance
from vaetheory.errors import ArgumentError
from vaetheory.evidence import log_evidence
from vaetheory.gap import evidence_gap
from vaetheory.importance import importance_evidence
from vaetheory.likelihoods import Normal, Poisson
from vaetheory.map_solver import find_map
from vaetheory.metric import CURVATURES, Curvature, DecoderMetric
from vaetheory.operators import SymmetricOperator
from vaetheory.optimal_covariance import optimal_covariance

BATCH, LATENT, DATA, SCALE = 4, 3, 6, 0.4


@dataclass
class Case:
    """W z + b with noise of scale sigma, data, and the closed forms."""

    decoder: Affine
    x: Tensor
    precision: Tensor
    mode: Tensor
    log_evidence: Tensor


@pytest.fixture
def case(generator: torch.Generator) -> Case:
    decoder = Affine(LATENT, DATA, generator)
    weight, bias = decoder.weight, decoder.bias
    x = (
        bias
        + normal((BATCH, DATA), generator) @ torch.linalg.qr(normal((DATA, DATA), generator))[0]
    )
    options = {"dtype": x.dtype, "device": x.device}
    precision = weight.mT @ weight / SCALE**2 + torch.eye(LATENT, **options)
    mode = torch.linalg.solve(precision, weight.mT @ (x - bias).mT / SCALE**2).mT
    marginal = torch.distributions.MultivariateNormal(
        bias, weight @ weight.mT + SCALE**2 * torch.eye(DATA, **options)
    )
    return Case(decoder, x, precision.expand(BATCH, -1, -1), mode, marginal.log_prob(x))


@dataclass
class Exact:
    """A log-determinant by products that happens to be exact."""

    value: Tensor
    standard_error: Tensor | None
    products: int


def exact(operator: SymmetricOperator) -> Exact:
    return Exact(torch.logdet(operator.dense()), None, operator.size)


@pytest.mark.parametrize("curvature", CURVATURES)
@pytest.mark.parametrize("determinant", [None, exact])
def test_evidence_at_the_mode(case: Case, curvature: Curvature, determinant: object) -> None:
    for correction in (True, False):
        found = log_evidence(
            case.decoder,
            case.x,
            case.mode,
            Normal(SCALE),
            curvature=curvature,
            correction=correction,
            determinant=determinant,  # type: ignore[arg-type]
        )
        torch.testing.assert_close(found.value, case.log_evidence, rtol=0, atol=1e-10)
        assert found.standard_error is None


@pytest.mark.parametrize("curvature", CURVATURES)
@pytest.mark.parametrize("determinant", [None, exact])
def test_evidence_anywhere(
    case: Case, curvature: Curvature, determinant: object, generator: torch.Generator
) -> None:
    z = normal((BATCH, LATENT), generator)
    found = log_evidence(
        case.decoder,
        case.x,
        z,
        Normal(SCALE),
        curvature=curvature,
        determinant=determinant,  # type: ignore[arg-type]
    )
    torch.testing.assert_close(found.value, case.log_evidence, rtol=1e-9, atol=1e-9)
    # Without the correction it is less by 1/2 (z - z*)^T A (z - z*).
    off = z - case.mode
    lost = 0.5 * torch.einsum("bi,bij,bj->b", off, case.precision, off)
    torch.testing.assert_close(found.correction, lost, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found.logdet, torch.logdet(case.precision))


@pytest.mark.parametrize("curvature", CURVATURES)
@pytest.mark.parametrize("exact_limit", [0, 256])
def test_map(
    case: Case, curvature: Curvature, exact_limit: int, generator: torch.Generator
) -> None:
    found = find_map(
        case.decoder,
        case.x,
        3 * normal((BATCH, LATENT), generator),
        Normal(SCALE),
        curvature=curvature,
        exact_limit=exact_limit,
    )
    assert bool(found.converged.all())
    torch.testing.assert_close(found.z, case.mode, rtol=0, atol=1e-8)
    assert bool((found.decrement <= 1e-10).all())
    assert bool((found.iterations <= 12).all())
    evidence = log_evidence(case.decoder, case.x, found.z, Normal(SCALE))
    torch.testing.assert_close(evidence.value, case.log_evidence, rtol=0, atol=1e-10)


def test_single_precision(case: Case, generator: torch.Generator) -> None:
    x = case.x.float()
    found = find_map(case.decoder, x, normal((BATCH, LATENT), generator).float(), Normal(SCALE))
    assert bool(found.converged.all())
    evidence = log_evidence(case.decoder, x, found.z, Normal(SCALE)).value
    assert evidence.dtype == torch.float32
    torch.testing.assert_close(evidence.double(), case.log_evidence, rtol=1e-5, atol=1e-4)


def test_importance_sampling_from_the_posterior_is_exact(
    case: Case, generator: torch.Generator
) -> None:
    found = importance_evidence(
        case.decoder, case.x, case.mode, Normal(SCALE), count=7, generator=generator
    )
    torch.testing.assert_close(found.value, case.log_evidence, rtol=0, atol=1e-10)
    torch.testing.assert_close(found.effective_sample_size, torch.full_like(found.value, 7.0))
    assert bool((found.standard_error < 1e-6).all())


def test_importance_sampling_from_elsewhere(case: Case, generator: torch.Generator) -> None:
    mean = case.mode + 0.1
    covariance = FullCovariance.from_matrix(1.5 * torch.linalg.inv(case.precision[:1]))
    found = importance_evidence(
        case.decoder,
        case.x,
        mean,
        Normal(SCALE),
        proposal=covariance,
        count=4000,
        generator=generator,
    )
    off = (found.value - case.log_evidence).abs()
    assert bool((off < 4 * found.standard_error).all())
    assert bool((found.standard_error > 1e-3).all())
    assert bool((found.effective_sample_size < 4000).all())


def test_standard_error_of_importance_sampling(case: Case, generator: torch.Generator) -> None:
    repeats, count = 400, 100
    covariance = FullCovariance.from_matrix(1.5 * torch.linalg.inv(case.precision[:1]))
    found = importance_evidence(
        case.decoder,
        case.x[:1].expand(repeats, -1),
        case.mode[:1].expand(repeats, -1),
        Normal(SCALE),
        proposal=covariance,
        count=count,
        generator=generator,
    )
    spread = found.value.std()
    # The standard deviation of 400 normal numbers has a relative error of 3.5 %.
    assert abs(float(found.standard_error.mean() / spread) - 1) < 4 * 0.035


def test_gap_is_the_difference_from_the_elbo(case: Case, generator: torch.Generator) -> None:
    variance = normal((BATCH, LATENT), generator).exp() / 20
    covariance = DiagonalCovariance(variance)
    mean = case.mode
    trace = (case.precision.diagonal(dim1=1, dim2=2) * variance).sum(1)
    log_joint = Normal(SCALE).log_prob(case.x, case.decoder(mean)) - 0.5 * mean.square().sum(1)
    # E_q log p(x, z) + entropy; log 2 pi of prior and entropy cancel.
    elbo = log_joint - 0.5 * trace + 0.5 * (LATENT + covariance.logdet())
    gap = evidence_gap(case.precision, covariance)
    torch.testing.assert_close(case.log_evidence - elbo, gap.value)
    divergence = torch.distributions.kl_divergence(
        torch.distributions.MultivariateNormal(mean, covariance.dense()),
        torch.distributions.MultivariateNormal(mean, precision_matrix=case.precision),
    )
    torch.testing.assert_close(gap.value, divergence)


def test_gap_at_the_optimum_is_zero(case: Case) -> None:
    metric = DecoderMetric(case.decoder, case.mode, Normal(SCALE))
    best = optimal_covariance(metric.dense())
    gap = evidence_gap(metric.dense(), best)
    torch.testing.assert_close(gap.value, torch.zeros_like(gap.value), rtol=0, atol=1e-12)
    torch.testing.assert_close(gap.second_order, torch.zeros_like(gap.value), rtol=0, atol=1e-12)


def test_minimising_the_gap_reaches_the_optimum(case: Case) -> None:
    precision = case.precision[:1]
    factor = torch.eye(LATENT, dtype=case.x.dtype, device=case.x.device)[None].requires_grad_()
    optimiser = torch.optim.LBFGS(
        [factor],
        max_iter=500,
        tolerance_grad=1e-12,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = evidence_gap(precision, FullCovariance(factor.tril())).value.sum()
        value.backward()
        return value

    optimiser.step(loss)
    found = FullCovariance(factor.detach().tril()).dense()
    torch.testing.assert_close(found, torch.linalg.inv(precision), rtol=1e-8, atol=1e-8)


def test_indefinite_curvature_is_refused(case: Case) -> None:
    def bent(z: Tensor) -> Tensor:
        return case.decoder(z**2)

    z = torch.zeros_like(case.mode)
    # The second derivative at 0 is I - 2 diag(W^T (x - b)) / sigma^2.
    x = case.decoder.bias + 10 * case.decoder.weight.sum(1).expand(BATCH, -1)
    for determinant in (None, exact):
        with pytest.raises(
            ArgumentError, match=r"'hessian' of log p\(x, z\) at z must be positive"
        ):
            log_evidence(
                bent,
                x,
                z + 0.01,
                Normal(SCALE),
                curvature="hessian",
                determinant=determinant,
            )


def test_importance_sampling_without_any_weight() -> None:
    x, z = torch.ones(2, 1), torch.zeros(2, 1)
    # Rates that overflow to infinity wherever the samples fall.
    found = importance_evidence(
        lambda z: z.new_full(z.shape, 200.0),
        x,
        z,
        Poisson(),
        proposal=ScalarCovariance(torch.ones(1), 1),
        count=4,
    )
    assert bool((found.value == -torch.inf).all())
    assert bool((found.effective_sample_size == 0).all())
    assert bool((found.standard_error == torch.inf).all())
