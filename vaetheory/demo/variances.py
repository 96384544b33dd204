"""Train three small VAEs on photographs: what learned variances bring.

Run this file where vaetheory and scikit-image are installed; it takes two minutes on one core. The
photographs come with scikit-image.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import skimage.color
import skimage.data
import torch
from torch import Tensor, nn

import vaetheory as vt
from vaetheory.covariance import Covariance
from vaetheory.likelihoods import Likelihood

PHOTOGRAPHS = ("chelsea", "astronaut", "coffee")
PATCH, LATENT, HIDDEN = 8, 16, 256
TRAINING, TESTED = 48_000, 300


@dataclass(frozen=True)
class Model:
    """A trained model with the prior N(0, I), and its posteriors of the test patches."""

    name: str
    decoder: Callable[[Tensor], Tensor]
    likelihood: Likelihood
    mean: Tensor
    covariance: Covariance


def main() -> None:
    """Train and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=24)
    options = parser.parse_args()
    training, tested = patches()
    print(f"{len(training)} patches of {PATCH} x {PATCH} pixels, d = {LATENT}, tested on")
    print(f"{len(tested)} others. Means over these, in nats:")
    print(f"{'':50}{'log p(x)':>12}{'ELBO':>12}{'penalty':>12}")
    for train in (learned_variances, learned_variances_and_prior, constant_variance):
        torch.manual_seed(0)
        print(row(train(training, tested.double(), options.epochs), tested.double()), flush=True)
    print(
        "log p(x) by importance sampling around the most probable latent. The penalty is what the\n"
        "ELBO loses, by theory, if the best posterior covariance of each patch gives way to the\n"
        "best one that all share."
    )


def row(model: Model, x: Tensor) -> str:
    """One row of the table."""
    generator = torch.Generator().manual_seed(1)
    decoder, likelihood = model.decoder, model.likelihood
    z = vt.find_map(decoder, x, model.mean, likelihood).z
    evidence = vt.importance_evidence(decoder, x, z, likelihood, count=2000, generator=generator)
    bound = vt.elbo(
        decoder, x, model.mean, model.covariance, likelihood, samples=100, generator=generator
    )
    precision = vt.DecoderMetric(decoder, model.mean, likelihood).dense()
    values = evidence.value.mean(), bound.mean(), vt.constant_covariance(precision).penalty
    return f"{model.name:50}" + "".join(f"{float(value):12.2f}" for value in values)


def patches() -> tuple[Tensor, Tensor]:
    """Random patches (n, 64) of the photographs, without their means, and of equal contrast."""
    generator = np.random.default_rng(0)
    found = []
    for name in PHOTOGRAPHS:
        picture = skimage.color.rgb2gray(getattr(skimage.data, name)())
        windows = np.lib.stride_tricks.sliding_window_view(picture, (PATCH, PATCH))
        count = (TRAINING + TESTED) // len(PHOTOGRAPHS)
        places = (generator.integers(0, size, count) for size in windows.shape[:2])
        found.append(windows[tuple(places)].reshape(count, -1))
    x = generator.permutation(np.concatenate(found))
    x = x - x.mean(1, keepdims=True)
    # Flat patches would be nothing but the noise of the camera.
    x = x / (x.std(1, keepdims=True) + 0.02)
    whole = torch.as_tensor(x, dtype=torch.float32)
    return whole[:TRAINING], whole[TRAINING:]


class Encoder(nn.Module):
    """Two hidden layers, then means and log variances (b, d) each."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network(PATCH**2, 2 * LATENT)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return both for patches (b, 64)."""
        mean, log_variance = self.network(x).chunk(2, 1)
        return mean, log_variance


def network(inputs: int, outputs: int) -> nn.Module:
    """Two hidden layers."""
    return nn.Sequential(
        nn.Linear(inputs, HIDDEN),
        nn.GELU(),
        nn.Linear(HIDDEN, HIDDEN),
        nn.GELU(),
        nn.Linear(HIDDEN, outputs),
    )


def maximise(
    model: nn.Module, objective: Callable[[Tensor], Tensor], training: Tensor, epochs: int
) -> None:
    """Train with Adam, the learning rate falling to nothing."""
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.02, epochs)
    for _ in range(epochs):
        for batch in training[torch.randperm(len(training))].split(250):
            optimiser.zero_grad()
            (-objective(batch)).backward()
            optimiser.step()
        schedule.step()
    model.eval().double().requires_grad_(False)


def plain() -> vt.VAE:
    """A VAE with a learned noise of the pixels."""
    decoder = network(LATENT, PATCH**2)
    return vt.VAE(Encoder(), decoder, LATENT, vt.Normal(0.3, learned=True))


def learned_variances(training: Tensor, tested: Tensor, epochs: int) -> Model:
    """Train the plain VAE by its ELBO."""
    model = plain()
    maximise(model, model, training, epochs)
    posterior = model.posterior(tested)
    return Model("learned variances, prior N(0, I)", model.decoder, model.likelihood, *posterior)


def learned_variances_and_prior(training: Tensor, tested: Tensor, epochs: int) -> Model:
    """Train the plain VAE by BILBO: the control, which has the prior's freedom too."""
    model = plain()
    maximise(
        model,
        lambda x: vt.bilbo(model.decoder, x, *model.posterior(x), model.likelihood),
        training,
        epochs,
    )
    prior = vt.fitted_prior(*model.posterior(training.double()))
    mean, covariance = model.posterior(tested)
    encoder, decoder = vt.fold_prior(lambda _: mean, model.decoder, prior)
    folded = vt.fold_covariance(covariance, prior)
    name = "learned variances, fitted prior (BILBO), folded"
    return Model(name, decoder, model.likelihood, encoder(tested), folded)


def constant_variance(training: Tensor, tested: Tensor, epochs: int) -> Model:
    """Train a model without learned variances by BILBO."""
    model = vt.ConstantVarianceVAE(
        network(PATCH**2, LATENT),
        network(LATENT, PATCH**2),
        LATENT,
        vt.Normal(0.3, learned=True),
    )
    maximise(model, model, training, epochs)
    model.fit_prior([training.double()])
    folded = model.fold_prior()
    posterior = folded.posterior(tested)
    name = "constant variance, fitted prior (BILBO), folded"
    return Model(name, folded.decoder, model.likelihood, *posterior)


if __name__ == "__main__":
    main()
