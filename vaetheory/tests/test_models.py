"""The models: what they compute, that they learn, and what they refuse."""

import copy

import pytest
import torch
from decoders import Affine, Curved
from posteriors import normal_tensor
from torch import Tensor, nn

from vaetheory.bilbo import bilbo, fitted_prior
from vaetheory.elbo import elbo, taylor_elbo
from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.likelihoods import Bernoulli, Normal
from vaetheory.models import VAE, ConstantVarianceVAE, FittedPriorVAE

BATCH, LATENT, DATA = 20, 2, 6


class TwoHeads(nn.Module):
    """Means and log variances, linear in the data."""

    def __init__(self, data: int, latent: int) -> None:
        super().__init__()
        self.mean = nn.Linear(data, latent)
        self.log_variance = nn.Linear(data, latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.mean(x), self.log_variance(x)


@pytest.fixture
def x(generator: torch.Generator) -> Tensor:
    return normal_tensor(generator, BATCH, DATA)


@pytest.fixture
def model(generator: torch.Generator) -> ConstantVarianceVAE:
    encoder = Curved(DATA, (LATENT,), generator)
    decoder = Curved(LATENT, (DATA,), generator)
    return ConstantVarianceVAE(encoder, decoder, LATENT, Normal(0.5)).to(encoder.first)


def seeded(x: Tensor) -> torch.Generator:
    return torch.Generator(x.device).manual_seed(4)


def test_plain_model_trains_with_the_elbo(x: Tensor, generator: torch.Generator) -> None:
    model = VAE(TwoHeads(DATA, LATENT), Curved(LATENT, (DATA,), generator), LATENT).to(x)
    mean, covariance = model.posterior(x)
    expected = elbo(model.decoder, x, mean, covariance, samples=3, generator=seeded(x))
    torch.testing.assert_close(model.elbo(x, 3, seeded(x)), expected)
    torch.testing.assert_close(model(x, 3, seeded(x)), expected.mean())
    torch.testing.assert_close(model.reconstruct(x), model.decoder(mean))
    assert set(model.state_dict()) == {
        "encoder.mean.weight",
        "encoder.mean.bias",
        "encoder.log_variance.weight",
        "encoder.log_variance.bias",
        "decoder.first",
        "decoder.second",
    }


def test_trains_with_the_batch(model: ConstantVarianceVAE, x: Tensor) -> None:
    mean, covariance = model.posterior(x)
    expected = bilbo(
        model.decoder, x, mean, covariance, model.likelihood, samples=3, generator=seeded(x)
    )
    torch.testing.assert_close(model(x, 3, seeded(x)), expected)
    # The batch is now in the held prior, and nothing but the batch.
    fitted = fitted_prior(mean, covariance).dense()
    torch.testing.assert_close(model.prior_covariance().dense(), fitted)


def test_trains_with_the_held_prior(model: ConstantVarianceVAE, x: Tensor) -> None:
    model.train_with = "held"
    model.prior.fit(*model.posterior(x[:5]))
    prior = model.prior_covariance()
    mean, covariance = model.posterior(x)
    expected = elbo(
        model.decoder, x, mean, covariance, model.likelihood, prior=prior, generator=seeded(x)
    )
    torch.testing.assert_close(model(x, generator=seeded(x)), expected.mean())
    assert not torch.equal(model.prior_covariance().dense(), prior.dense())


def test_evaluates_under_the_held_prior(model: ConstantVarianceVAE, x: Tensor) -> None:
    model(x[:10])
    model.eval()
    state = copy.deepcopy(model.state_dict())
    mean, covariance = model.posterior(x)
    expected = elbo(
        model.decoder,
        x,
        mean,
        covariance,
        model.likelihood,
        prior=model.prior_covariance(),
        samples=2,
        generator=seeded(x),
    )
    torch.testing.assert_close(model.elbo(x, 2, seeded(x)), expected)
    torch.testing.assert_close(model(x, 2, seeded(x)), expected.mean())
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, state[name])


def test_prior_fitted_to_a_data_set(model: ConstantVarianceVAE, x: Tensor) -> None:
    model.fit_prior(x.split(7))
    expected = fitted_prior(*model.posterior(x)).dense()
    torch.testing.assert_close(model.prior_covariance().dense(), expected)


def test_learned_variances_with_a_fitted_prior(x: Tensor, generator: torch.Generator) -> None:
    model = FittedPriorVAE(TwoHeads(DATA, LATENT), Curved(LATENT, (DATA,), generator), LATENT).to(x)
    mean, covariance = model.posterior(x)
    expected = bilbo(model.decoder, x, mean, covariance, samples=3, generator=seeded(x))
    torch.testing.assert_close(model(x, 3, seeded(x)), expected)
    prior = fitted_prior(mean, covariance).dense()
    torch.testing.assert_close(model.prior_covariance().dense(), prior)
    model.fit_prior(x.split(7))
    torch.testing.assert_close(model.prior_covariance().dense(), prior)
    under_prior = elbo(
        model.decoder,
        x,
        mean,
        covariance,
        prior=model.prior_covariance(),
        samples=3,
        generator=seeded(x),
    )
    torch.testing.assert_close(model.eval()(x, 3, seeded(x)), under_prior.mean())


def test_folded_model_is_the_same(model: ConstantVarianceVAE, x: Tensor) -> None:
    model.fit_prior([x])
    model.eval()
    folded = model.fold_prior()
    torch.testing.assert_close(folded.reconstruct(x), model.reconstruct(x), rtol=1e-10, atol=1e-10)
    identity = torch.eye(LATENT, dtype=x.dtype, device=x.device)[None]
    torch.testing.assert_close(folded.prior_covariance().dense(), identity)
    values = [
        taylor_elbo(one.decoder, x, *one.posterior(x), one.likelihood, prior=one.prior_covariance())
        for one in (model, folded)
    ]
    torch.testing.assert_close(*values, rtol=1e-10, atol=1e-10)
    # The noise is L^-1 that of before, so that even samples agree.
    torch.testing.assert_close(
        folded.elbo(x, 3, seeded(x)), model.elbo(x, 3, seeded(x)), rtol=1e-10, atol=1e-10
    )
    assert not folded.training
    # It can be trained on, stored and loaded.
    folded.train()
    folded(x).backward()
    restored = model.fold_prior()
    restored.load_state_dict(folded.state_dict())
    torch.testing.assert_close(restored.reconstruct(x), folded.reconstruct(x))


def test_generates_from_the_prior(model: ConstantVarianceVAE, x: Tensor) -> None:
    model.decoder = nn.Identity()
    model.fit_prior([x])
    drawn = model.generate(4000, seeded(x))
    covariance = drawn.mT @ drawn / len(drawn)
    expected = model.prior_covariance().dense()[0]
    deviation = (
        (expected.square() + expected.diagonal()[:, None] * expected.diagonal()) / len(drawn)
    ).sqrt()
    assert bool(((covariance - expected).abs() < 4 * deviation).all())
    plain = VAE(TwoHeads(DATA, LATENT), nn.Identity(), LATENT, Bernoulli()).to(x)
    images = plain.generate(3, seeded(x))
    assert images.shape == (3, LATENT)
    assert bool(((images > 0) & (images < 1)).all())


@pytest.mark.parametrize("kind", ["plain", "control", "batch", "held"])
def test_learns(kind: str, generator: torch.Generator) -> None:
    # Data of a linear model with noise 0.5, whose log evidence is known.
    source = Affine(LATENT, DATA, generator)
    z = normal_tensor(generator, 2000, LATENT)
    x = source(z) + 0.5 * normal_tensor(generator, 2000, DATA)
    noise = 0.25 * torch.eye(DATA, dtype=x.dtype, device=x.device)
    marginal = torch.distributions.MultivariateNormal(
        source.bias, source.weight @ source.weight.mT + noise
    )
    decoder = nn.Linear(LATENT, DATA).to(x)
    likelihood = Normal(1.0, learned=True)
    model: VAE | FittedPriorVAE | ConstantVarianceVAE
    if kind in ("plain", "control"):
        family = VAE if kind == "plain" else FittedPriorVAE
        model = family(TwoHeads(DATA, LATENT), decoder, LATENT, likelihood).to(x)
    else:
        encoder = nn.Linear(DATA, LATENT)
        model = ConstantVarianceVAE(
            encoder,
            decoder,
            LATENT,
            likelihood,
            train_with="batch" if kind == "batch" else "held",
        ).to(x)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.3 * normal_tensor(generator, *parameter.shape))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
    for step in range(600):
        optimiser.param_groups[0]["lr"] = 0.05 * (1 - step / 600)
        start = 200 * (step % 10)
        optimiser.zero_grad()
        (-model(x[start : start + 200], generator=generator)).backward()
        optimiser.step()
    model.eval()
    if not isinstance(model, VAE):
        model.fit_prior([x])
    with torch.no_grad():
        found = model.elbo(x, 10, generator).mean()
    assert abs(found - marginal.log_prob(x).mean()) < 0.1


def test_bad_arguments(model: ConstantVarianceVAE, x: Tensor) -> None:
    encoder, decoder = model.encoder, model.decoder
    with pytest.raises(ArgumentError, match="train_with must be one of 'batch', 'held'"):
        ConstantVarianceVAE(encoder, decoder, LATENT, train_with="all")  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="likelihood must be a Likelihood, got float"):
        ConstantVarianceVAE(encoder, decoder, LATENT, 0.5)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="size must be at least 1, got 0"):
        VAE(TwoHeads(DATA, 1), decoder, 0)
    with pytest.raises(ArgumentError, match=r"encoder's output must have shape \(20, 3\)"):
        ConstantVarianceVAE(encoder, decoder, 3).to(x)(x)
    with pytest.raises(ArgumentTypeError, match="encoder must return a pair of means and log"):
        VAE(encoder, decoder, LATENT).to(x)(x)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="output must be a torch\\.Tensor, got tuple"):
        ConstantVarianceVAE(TwoHeads(DATA, LATENT).to(x), decoder, LATENT).to(x)(x)
    with pytest.raises(ArgumentError, match="variance must be finite, but contains NaN"):
        VAE(lambda x: (encoder(x), torch.nan * encoder(x)), decoder, LATENT).to(x)(x)
    with pytest.raises(ArgumentError, match="batches must hold at least one batch"):
        model.fit_prior([])


def test_the_objective_is_indifferent_to_the_variance(
    x: Tensor, generator: torch.Generator
) -> None:
    encoder = Curved(DATA, (LATENT,), generator)
    decoder = Curved(LATENT, (DATA,), generator)
    unit = ConstantVarianceVAE(encoder, decoder, LATENT, Normal(0.5)).to(x)
    scaled = ConstantVarianceVAE(
        lambda x: 0.3 * encoder(x), lambda z: decoder(z / 0.3), LATENT, Normal(0.5), variance=0.09
    ).to(x)
    torch.testing.assert_close(scaled(x, 3, seeded(x)), unit(x, 3, seeded(x)))
    torch.testing.assert_close(
        scaled.eval().elbo(x, 3, seeded(x)), unit.eval().elbo(x, 3, seeded(x))
    )
    torch.testing.assert_close(scaled.posterior(x)[1].dense()[0], 0.09 * torch.eye(LATENT).to(x))
    with pytest.raises(ArgumentError, match="variance must be positive and finite, got 0"):
        ConstantVarianceVAE(encoder, decoder, LATENT, variance=0)
