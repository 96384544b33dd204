"""The held prior: its average, its order of use and update, and its gradient beside BILBO's."""

import copy

import pytest
import torch
from decoders import Curved
from posteriors import (
    FAMILIES,
    make_covariance,
    normal_tensor,
    random_covariance,
    random_parameters,
)
from torch import Tensor

from vaetheory.bilbo import bilbo, fitted_prior
from vaetheory.covariance import FullCovariance
from vaetheory.elbo import elbo
from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.held_prior import HeldPrior
from vaetheory.kl_divergence import kl_divergence

BATCH, LATENT, DATA = 7, 3, 5


@pytest.fixture
def prior(device: torch.device) -> HeldPrior:
    return HeldPrior(LATENT, decay=0.8).to(device, torch.float64)


def batches(count: int, generator: torch.Generator) -> list[Tensor]:
    return [normal_tensor(generator, BATCH, LATENT) for _ in range(count)]


def test_starts_as_the_identity(prior: HeldPrior, generator: torch.Generator) -> None:
    (mean,) = batches(1, generator)
    covariance = random_covariance("diagonal", BATCH, LATENT, generator)
    prior.eval()
    torch.testing.assert_close(prior(mean, covariance), kl_divergence(mean, covariance))


def test_uses_the_past_and_then_updates(prior: HeldPrior, generator: torch.Generator) -> None:
    covariance = random_covariance("scalar", 1, LATENT, generator)
    first, second = batches(2, generator)
    unit = prior.covariance()
    torch.testing.assert_close(prior(first, covariance), kl_divergence(first, covariance, unit))
    after_one = fitted_prior(first, covariance)
    torch.testing.assert_close(prior.covariance().dense(), after_one.dense())
    value = prior(second, covariance)
    torch.testing.assert_close(value, kl_divergence(second, covariance, after_one))
    prior.eval()
    before = prior.second_moment.clone()
    prior(second, covariance)
    assert torch.equal(prior.second_moment, before)


@pytest.mark.parametrize("family", FAMILIES)
def test_average(prior: HeldPrior, family: str, generator: torch.Generator) -> None:
    weights = torch.tensor([0.8**i for i in range(4, -1, -1)], dtype=torch.float64)
    moments = []
    for mean in batches(5, generator):
        covariance = random_covariance(family, BATCH, LATENT, generator)
        prior.update(mean, covariance)
        moments.append(covariance.dense().mean(0) + mean.mT @ mean / BATCH)
    weights = (weights / weights.sum()).to(prior.second_moment)
    expected = (weights[:, None, None] * torch.stack(moments)).sum(0)
    torch.testing.assert_close(prior.second_moment, expected, rtol=1e-12, atol=1e-12)
    assert prior.updates == 5


def test_fit_to_a_data_set(prior: HeldPrior, generator: torch.Generator) -> None:
    covariance = random_covariance("full", 1, LATENT, generator)
    means = torch.cat(batches(4, generator))
    prior.fit(means, covariance)
    expected = fitted_prior(means, covariance).dense()
    torch.testing.assert_close(prior.covariance().dense(), expected)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_gradient_is_that_of_bilbo(
    prior: HeldPrior, family: str, shared: bool, generator: torch.Generator
) -> None:
    decoder = Curved(LATENT, (DATA,), generator)
    (mean,) = batches(1, generator)
    x = normal_tensor(generator, BATCH, DATA)
    parameters = random_parameters(family, 1 if shared else BATCH, LATENT, generator)
    inputs = [value.requires_grad_() for value in (mean, *parameters)] + [*decoder.parameters()]
    covariance = make_covariance(family, LATENT, *parameters)
    prior.fit(mean, covariance)

    def seeded() -> torch.Generator:
        return torch.Generator(x.device).manual_seed(5)

    value = bilbo(decoder, x, mean, covariance, generator=seeded())
    held = elbo(decoder, x, mean, covariance, prior=prior.covariance(), generator=seeded()).mean()
    by_module = (
        elbo(decoder, x, mean, covariance, generator=seeded())
        + kl_divergence(mean, covariance)
        - prior(mean, covariance)
    ).mean()
    expected = torch.autograd.grad(value, inputs, retain_graph=True)
    for other in (held, by_module):
        torch.testing.assert_close(other, value, rtol=1e-12, atol=1e-12)
        gradients = torch.autograd.grad(other, inputs, retain_graph=True)
        for one, two in zip(gradients, expected, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-11, atol=1e-11)


def test_gradients(prior: HeldPrior, generator: torch.Generator) -> None:
    (mean,) = batches(1, generator)
    (parameter,) = random_parameters("full", BATCH, LATENT, generator)
    prior.fit(normal_tensor(generator, 9, LATENT), random_covariance("full", 1, LATENT, generator))
    prior.eval()

    def value(mean: Tensor, parameter: Tensor) -> Tensor:
        divergence: Tensor = prior(mean, make_covariance("full", LATENT, parameter))
        return divergence

    assert torch.autograd.gradcheck(value, (mean.requires_grad_(), parameter.requires_grad_()))


def test_state(prior: HeldPrior, generator: torch.Generator) -> None:
    covariance = random_covariance("scalar", 1, LATENT, generator)
    past, future = batches(2, generator)
    prior.update(past, covariance)
    assert set(prior.state_dict()) == {"second_moment", "updates"}
    assert not list(prior.parameters())
    restored = HeldPrior(LATENT, decay=0.8).to(prior.second_moment)
    restored.load_state_dict(copy.deepcopy(prior.state_dict()))
    for one in (prior, restored):
        one.update(future, covariance)
    assert torch.equal(prior.second_moment, restored.second_moment)


def test_single_precision(device: torch.device, generator: torch.Generator) -> None:
    prior = HeldPrior(LATENT).to(device)
    mean = normal_tensor(generator, BATCH, LATENT).float()
    covariance = make_covariance("scalar", LATENT, mean.new_zeros(1))
    for _ in range(3):
        prior(mean, covariance)
    torch.testing.assert_close(prior.covariance().dense(), fitted_prior(mean, covariance).dense())


def test_bad_arguments(prior: HeldPrior, generator: torch.Generator) -> None:
    covariance = random_covariance("scalar", 1, 2, generator)
    mean = normal_tensor(generator, BATCH, 2)
    with pytest.raises(ArgumentError, match="decay must be at least 0 and below 1, got 1"):
        HeldPrior(3, decay=1)
    with pytest.raises(ArgumentTypeError, match="size must be an int, got float"):
        HeldPrior(3.0)  # type: ignore[arg-type]
    for function in (prior.update, prior.fit):
        with pytest.raises(ArgumentError, match="mean must have the dimension 3 of the prior"):
            function(mean, covariance)
    with pytest.raises(ArgumentError, match="prior must have batch 7 or 1 and dimension 2"):
        prior(mean, covariance)
    with pytest.raises(ArgumentTypeError, match="mean must have the dtype of second_moment"):
        prior.update(
            normal_tensor(generator, BATCH, 3).float(), make_covariance("scalar", 3, torch.zeros(1))
        )


def test_decay_close_to_one_in_short_precision() -> None:
    moments = [FullCovariance.from_matrix(torch.eye(2)[None] * size) for size in (1.0, 3.0, 5.0)]
    prior = HeldPrior(2, decay=1 - 1e-9)
    for moment in moments:
        prior.take_in(moment)
    # As good as an even average.
    torch.testing.assert_close(prior.second_moment, 3 * torch.eye(2))


def test_updates_start_from_a_fit(prior: HeldPrior, generator: torch.Generator) -> None:
    mean, other = batches(2, generator)
    covariance = random_covariance("diagonal", BATCH, LATENT, generator)
    prior.fit(mean, covariance)
    fitted = prior.second_moment.clone()
    prior.update(other, covariance)
    expected = 0.8 * fitted + 0.2 * fitted_prior(other, covariance).dense()[0]
    torch.testing.assert_close(prior.second_moment, expected)
