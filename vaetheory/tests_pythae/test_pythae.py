"""A VAE of pythae, trained by pythae, is evaluated as it is.

pythae brings many packages, so these tests have an environment of their own, where they always run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from pythae.models import VAE, VAEConfig
from pythae.pipelines import TrainingPipeline
from pythae.trainers import BaseTrainerConfig
from torch import Tensor

import vaetheory as vt
from vaetheory.likelihoods import Likelihood

torch.set_num_threads(1)

TRAINED, TESTED, LATENT, SHAPE = 500, 40, 2, (1, 4, 4)


@dataclass
class Trained:
    """A model of pythae, and all that it takes to see it as vaetheory does."""

    model: VAE
    x: Tensor
    decoder: Callable[[Tensor], Tensor]
    likelihood: Likelihood
    mean: Tensor
    covariance: vt.DiagonalCovariance


@pytest.fixture(scope="module", params=["mse", "bce"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(TRAINED + TESTED, LATENT, generator=generator)
    x = torch.sigmoid(2 * z @ torch.randn(LATENT, 16, generator=generator)).reshape(-1, *SHAPE)
    if request.param == "bce":
        x = torch.bernoulli(x, generator=generator)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = VAE(
            VAEConfig(input_dim=SHAPE, latent_dim=LATENT, reconstruction_loss=request.param)
        )
        folder: Path = tmp_path_factory.mktemp("training")
        settings = BaseTrainerConfig(str(folder), num_epochs=30, learning_rate=1e-3, no_cuda=True)
        TrainingPipeline(model=model, training_config=settings)(train_data=x[:TRAINED])
    model.eval()
    x = x[TRAINED:]
    with torch.no_grad():
        code = model.encoder(x)

    def decoder(z: Tensor) -> Tensor:
        picture: Tensor = model.decoder(z)["reconstruction"]
        # Trained with "bce", it gives probabilities.
        return picture if request.param == "mse" else torch.logit(picture)

    likelihood = vt.Normal() if request.param == "mse" else vt.Bernoulli()
    covariance = vt.DiagonalCovariance(code.log_covariance.exp())
    return Trained(model, x, decoder, likelihood, code.embedding, covariance)


@torch.no_grad()
def test_losses_are_the_terms_of_the_elbo(trained: Trained) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        output = trained.model({"data": trained.x})
    divergence = vt.kl_divergence(trained.mean, trained.covariance)
    torch.testing.assert_close(divergence.mean(), output.reg_loss)
    fit = trained.likelihood.log_prob(trained.x, trained.decoder(output.z))
    if isinstance(trained.likelihood, vt.Normal):
        fit = fit + 8 * torch.log(torch.tensor(2 * torch.pi))  # which the loss leaves out
    torch.testing.assert_close(fit.mean(), -output.recon_loss, rtol=1e-5, atol=1e-4)


@torch.no_grad()
def test_evidence(trained: Trained) -> None:
    generator = torch.Generator().manual_seed(2)
    before = {name: value.clone() for name, value in trained.model.state_dict().items()}
    decoder, x, likelihood = trained.decoder, trained.x, trained.likelihood
    # The decoder's ReLU has kinks, where the gradient does not tend to zero.
    mode = vt.find_map(decoder, x, trained.mean, likelihood, tolerance=1e-3)
    assert bool(mode.converged.all())
    found = vt.log_evidence(decoder, x, mode.z, likelihood)
    check = vt.importance_evidence(decoder, x, mode.z, likelihood, generator=generator)
    bound = vt.elbo(
        decoder, x, trained.mean, trained.covariance, likelihood, samples=200, generator=generator
    )
    assert float(check.effective_sample_size.min()) > 500
    assert float((found.value - check.value).abs().max()) < 0.3
    assert abs(float((found.value - check.value).mean())) < 0.05
    assert float(bound.mean()) < float(check.value.mean())
    # Its own estimate, with the encoder's posterior as the proposal.
    with torch.random.fork_rng():
        torch.manual_seed(3)
        theirs = float(trained.model.get_nll(x, n_samples=1000, batch_size=1000))
    sampled = vt.importance_evidence(
        decoder,
        x,
        trained.mean,
        likelihood,
        proposal=trained.covariance,
        generator=generator,
    )
    # Both are means over the samples of estimates with this error.
    error = 2**0.5 * float(sampled.standard_error.square().sum().sqrt()) / len(x)
    assert abs(float(sampled.value.mean()) - theirs) < 4 * error
    assert abs(float(check.value.mean()) - theirs) < 0.02
    for name, value in trained.model.state_dict().items():
        assert torch.equal(value, before[name])
