"""Likelihoods against torch.distributions, and their curvatures against second derivatives."""

import math

import pytest
import torch
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

BATCH, DATA, CLASSES = 2, (2, 3), 4

LIKELIHOODS: dict[str, Likelihood] = {
    "unit normal": Normal(),
    "normal": Normal(0.3),
    "Bernoulli": Bernoulli(),
    "categorical": Categorical(),
    "Poisson": Poisson(),
    "mean and variance": MeanVarianceNormal(),
}


@pytest.fixture(params=LIKELIHOODS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def likelihood(name: str) -> Likelihood:
    return LIKELIHOODS[name]


def output_shape(name: str) -> tuple[int, ...]:
    return {"categorical": (CLASSES,), "mean and variance": (2,)}.get(name, ()) + DATA


@pytest.fixture
def output(name: str, generator: torch.Generator) -> Tensor:
    return torch.randn(
        BATCH,
        *output_shape(name),
        dtype=torch.float64,
        device=generator.device,
        generator=generator,
    )


def distribution(name: str, output: Tensor) -> torch.distributions.Distribution:
    if name in ("unit normal", "normal"):
        return torch.distributions.Normal(output, 0.3 if name == "normal" else 1.0)
    if name == "Bernoulli":
        return torch.distributions.Bernoulli(logits=output)
    if name == "categorical":
        return torch.distributions.Categorical(logits=output.movedim(1, -1))
    if name == "Poisson":
        return torch.distributions.Poisson(output.exp())
    return torch.distributions.Normal(output[:, 0], (0.5 * output[:, 1]).exp())


def test_log_prob(
    name: str, likelihood: Likelihood, output: Tensor, generator: torch.Generator
) -> None:
    x = likelihood.sample(output, generator)
    expected = distribution(name, output).log_prob(x).sum((1, 2))
    torch.testing.assert_close(likelihood.log_prob(x, output), expected)


def test_samples_and_mean(
    name: str, likelihood: Likelihood, output: Tensor, generator: torch.Generator
) -> None:
    count = 20_000
    many = output.repeat_interleave(count, 0)
    samples = likelihood.sample(many, generator)
    assert samples.shape == (BATCH * count, *DATA)
    likelihood.check_data(samples, output.shape[1:], many.flatten(1))
    mean = likelihood.mean(output)
    if name == "categorical":
        samples = nn.functional.one_hot(samples, CLASSES).movedim(-1, 1).to(output.dtype)
        variance = mean * (1 - mean)
    else:
        variance = distribution(name, output).variance
    assert mean.shape == (BATCH, *samples.shape[1:])
    found = samples.unflatten(0, (BATCH, count)).mean(1)
    assert bool(((found - mean).abs() < 4 * (variance / count).sqrt()).all())


def hessian(likelihood: Likelihood, x: Tensor, output: Tensor) -> Tensor:
    """-d^2 log p(x | nu) / d nu^2 of one sample, (t, t), by reverse mode twice."""
    return -torch.autograd.functional.hessian(
        lambda nu: likelihood.log_prob(x, nu.reshape(output.shape)).sum(), output.flatten()
    )


def test_fisher_product_is_the_mean_curvature(
    name: str, likelihood: Likelihood, output: Tensor, generator: torch.Generator
) -> None:
    output = output[:1]
    count = 400
    size = output.numel()
    identity = torch.eye(size, dtype=output.dtype, device=output.device)
    fisher = likelihood.fisher_product(output, identity.reshape(1, size, *output.shape[1:]))
    fisher = fisher.reshape(size, size)
    x = likelihood.sample(output.repeat_interleave(count, 0), generator)
    curvatures = torch.stack([hessian(likelihood, one[None], output) for one in x])
    error = (curvatures.mean(0) - fisher).abs()
    # Curvatures that do not depend on x have no spread, only rounding.
    assert bool((error < 4 * curvatures.std(0) / math.sqrt(count) + 1e-12).all())


def test_curvature_product_and_score(
    likelihood: Likelihood, output: Tensor, generator: torch.Generator
) -> None:
    x = likelihood.sample(output, generator)
    vectors = torch.randn(
        BATCH, 3, *output.shape[1:], dtype=output.dtype, device=output.device, generator=generator
    )
    products = likelihood.curvature_product(x, output, vectors)
    for i in range(BATCH):
        expected = vectors[i].flatten(1) @ hessian(likelihood, x[i : i + 1], output[i : i + 1])
        torch.testing.assert_close(products[i].flatten(1), expected)
    output = output.clone().requires_grad_()
    (score,) = torch.autograd.grad(likelihood.log_prob(x, output).sum(), output)
    torch.testing.assert_close(likelihood.score(x, output), score)


def test_gradients(likelihood: Likelihood, output: Tensor, generator: torch.Generator) -> None:
    x = likelihood.sample(output, generator)
    output = output.requires_grad_()
    vectors = output.detach()[:, None].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda nu: likelihood.log_prob(x, nu), output)
    assert torch.autograd.gradcheck(likelihood.fisher_product, (output, vectors))


def test_learned_scale(device: torch.device) -> None:
    likelihood = Normal(0.5, learned=True).to(device)
    (parameter,) = likelihood.parameters()
    x = torch.randn(3, 5, device=device)
    likelihood.log_prob(x, torch.zeros_like(x)).sum().backward()
    # d/d log sigma of -1/2 |r|^2 / sigma^2 - m log sigma.
    assert parameter.grad is not None
    torch.testing.assert_close(parameter.grad, x.square().sum() / 0.25 - 15)
    assert set(likelihood.state_dict()) == {"log_scale"}
    assert not list(Normal(0.5).parameters())


def test_scale_as_a_tensor_keeps_its_gradient() -> None:
    scale = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    x = torch.ones(1, 4, dtype=torch.float64)

    def log_prob(value: Tensor) -> Tensor:
        return Normal(value).log_prob(x, torch.zeros_like(x))

    assert torch.autograd.gradcheck(log_prob, scale)


Z = torch.zeros(2, 3)


@pytest.mark.parametrize(
    ("likelihood", "x", "message"),
    [
        (Normal(), torch.zeros(2, 4), r"x must have shape \(2, 4, 5\)"),
        (Normal(), torch.full((2, 4, 5), torch.inf), "x must be finite, but contains infinite"),
        (Bernoulli(), torch.full((2, 4, 5), 1.5), "x must lie between 0 and 1"),
        (Poisson(), torch.full((2, 4, 5), 1.5), "x must hold counts"),
        (Poisson(), torch.full((2, 4, 5), -1.0), "x must hold counts"),
        (Categorical(), torch.full((2, 5), 4), "x must hold classes from 0 to 3"),
        (Categorical(), torch.zeros(2, 4, 5).long(), r"x must have shape \(2, 5\)"),
        (MeanVarianceNormal(), torch.zeros(2, 5), "decoder must return outputs"),
    ],
)
def test_bad_data(likelihood: Likelihood, x: Tensor, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        likelihood.check_data(x, (4, 5), Z)


def test_bad_types() -> None:
    with pytest.raises(ArgumentTypeError, match=r"x must be a torch.Tensor, got NoneType"):
        Normal().check_data(None, (4,), Z)
    with pytest.raises(ArgumentTypeError, match=r"x must have the dtype of z, torch.float32"):
        Normal().check_data(torch.zeros(2, 4, dtype=torch.float64), (4,), Z)
    with pytest.raises(ArgumentTypeError, match="x must be a tensor of int64"):
        Categorical().check_data(torch.zeros(2), (4,), Z)
    with pytest.raises(ArgumentTypeError, match="x must be on the device of z"):
        Normal().check_data(torch.zeros(2, 4, device="meta"), (4,), Z)
    with pytest.raises(ArgumentError, match="scale must be positive"):
        Normal(0.0)
    with pytest.raises(ArgumentError, match="scale must be one number"):
        Normal(torch.ones(2))


def test_bernoulli_far_from_an_even_chance() -> None:
    output = torch.tensor([[-40.0], [-25.0], [25.0], [40.0]], dtype=torch.float64)
    found = Bernoulli().log_prob((output > 0).double(), output)
    # log p of what is nearly certain: -log(1 + exp(-|nu|)).
    torch.testing.assert_close(found, -output.abs()[:, 0].neg().exp().log1p(), rtol=1e-14, atol=0)
