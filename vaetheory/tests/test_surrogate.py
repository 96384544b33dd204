"""Gradients of log-determinants from one forward-mode derivative."""

from functools import partial

import pytest
import torch
from decoders import Curved, normal
from torch import Tensor

from vaetheory.conjugate_gradients import conjugate_gradients
from vaetheory.errors import ArgumentError, ArgumentTypeError, ConvergenceWarning
from vaetheory.jacobian import Jacobian
from vaetheory.log_determinants import (
    attach_gradient,
    logdet,
    logdet_surrogate,
    quadratic_form,
    sample_inverse,
    sample_inverse_by_solving,
)
from vaetheory.metric import DecoderMetric

LATENT = 3


@pytest.fixture
def decoder(generator: torch.Generator) -> Curved:
    return Curved(LATENT, (2, 3), generator)


@pytest.fixture
def z(generator: torch.Generator) -> Tensor:
    return normal((2, LATENT), generator).requires_grad_()


@pytest.mark.parametrize("sampler", ["cholesky", "solving"])
def test_gradient_is_unbiased(
    decoder: Curved, z: Tensor, sampler: str, generator: torch.Generator
) -> None:
    metric = DecoderMetric(decoder, z)
    jacobian = Jacobian(decoder, z)
    inputs = (z, *decoder.parameters())
    exact = torch.autograd.grad(logdet(metric).value.sum(), inputs)
    if sampler == "cholesky":
        vectors = sample_inverse(metric, 1500, generator=generator)
    else:
        vectors = sample_inverse_by_solving(jacobian, 300, tolerance=1e-10, generator=generator)
    samples = []
    for some in vectors.split(1, dim=1):
        surrogate = logdet_surrogate(jacobian, some).sum()
        samples.append(torch.autograd.grad(surrogate, inputs))
    for gradient, draws in zip(exact, zip(*samples, strict=True), strict=True):
        stacked = torch.stack(draws)
        error = stacked.std(0) / len(draws) ** 0.5
        # 4.5 rather than 4: there are some eighty entries.
        assert ((stacked.mean(0) - gradient).abs() < 4.5 * error).all()


@pytest.mark.parametrize("sampler", ["cholesky", "solving"])
def test_draws_have_the_inverse_as_covariance(
    decoder: Curved, z: Tensor, sampler: str, generator: torch.Generator
) -> None:
    metric = DecoderMetric(decoder, z.detach())
    count = 500
    if sampler == "cholesky":
        vectors = sample_inverse(metric, count, generator=generator)
    else:
        jacobian = Jacobian(decoder, z.detach())
        vectors = sample_inverse_by_solving(jacobian, count, tolerance=1e-10, generator=generator)
    expected = metric.dense().inverse()
    variance = expected.diagonal(dim1=1, dim2=2)
    error = ((variance[:, :, None] * variance[:, None] + expected.square()) / count).sqrt()
    assert ((vectors.mT @ vectors / count - expected).abs() < 4 * error).all()


def test_quadratic_form(decoder: Curved, z: Tensor, generator: torch.Generator) -> None:
    vectors = normal((2, 4, LATENT), generator)
    expected = (vectors * DecoderMetric(decoder, z).product(vectors)).sum(2)
    torch.testing.assert_close(quadratic_form(Jacobian(decoder, z), vectors), expected)


def test_gradcheck(decoder: Curved, z: Tensor, generator: torch.Generator) -> None:
    vectors = normal((2, 2, LATENT), generator)

    def values(z: Tensor, *_: Tensor) -> tuple[Tensor, Tensor]:
        jacobian = Jacobian(decoder, z)
        return logdet_surrogate(jacobian, vectors), quadratic_form(jacobian, vectors)

    assert torch.autograd.gradcheck(values, (z, *decoder.parameters()))


def test_attach_gradient() -> None:
    value = torch.tensor([2.0, 3.0])
    surrogate = torch.tensor([1.0, 5.0], requires_grad=True)
    attached = attach_gradient(value, 4 * surrogate)
    attached.sum().backward()
    assert torch.equal(attached.detach(), value)
    assert surrogate.grad is not None
    assert torch.equal(surrogate.grad, torch.tensor([4.0, 4.0]))


def test_bad_arguments(decoder: Curved, z: Tensor) -> None:
    jacobian = Jacobian(decoder, z)
    with pytest.raises(ArgumentTypeError, match="jacobian must be a Jacobian, got Curved"):
        logdet_surrogate(decoder, z[:, None])  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="vectors must be finite, but contains NaN"):
        logdet_surrogate(jacobian, z[:, None] * torch.nan)
    with pytest.raises(ArgumentError, match=r"surrogate must have shape \(2,\)"):
        attach_gradient(z.sum(1), z)


def test_unfinished_solving_warns(
    decoder: Curved, z: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried = partial(conjugate_gradients, max_iterations=1)
    monkeypatch.setattr("vaetheory.log_determinants.surrogate.conjugate_gradients", hurried)
    with pytest.warns(ConvergenceWarning, match="conjugate gradients stopped"):
        sample_inverse_by_solving(Jacobian(decoder, z), 1)
