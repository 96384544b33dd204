"""Encoders and decoders of fully connected layers, and the model of a configuration."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from vaetheory.likelihoods import Bernoulli, Likelihood, Normal
from vaetheory.models import VAE, AutoEncoder, ConstantVarianceVAE, FittedPriorVAE
from vaetheory.training.configuration import Configuration
from vaetheory.training.optimal_models import OptimalVAE, SharedOptimalVAE


class Network(nn.Module):
    """Hidden layers of one width with GELU, which is smooth as evidence wants it, between shapes.

    Parameters
    ----------
    inputs, outputs : tuple of int
        Shapes of one sample before and after.
    hidden, layers : int
        Width and number of the hidden layers.
    """

    def __init__(
        self, inputs: tuple[int, ...], outputs: tuple[int, ...], hidden: int, layers: int
    ) -> None:
        super().__init__()
        self.outputs = outputs
        widths = [math.prod(inputs), *layers * [hidden], math.prod(outputs)]
        parts: list[nn.Module] = []
        for before, after in pairwise(widths):
            parts += [nn.Linear(before, after), nn.GELU()]
        self.layers = nn.Sequential(*parts[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Map (b, *inputs) to (b, *outputs)."""
        mapped: Tensor = self.layers(x.flatten(1))
        return mapped.reshape(len(x), *self.outputs)


class PairNetwork(nn.Module):
    """A `Network` that gives means and log variances (b, d).

    Parameters
    ----------
    inputs : tuple of int
        Shape of one sample.
    size : int
        d.
    hidden, layers : int
        As for `Network`.
    scale : float
        Standard deviation for a second output of 0.
    """

    def __init__(
        self, inputs: tuple[int, ...], size: int, hidden: int, layers: int, scale: float = 1.0
    ) -> None:
        super().__init__()
        self.network = Network(inputs, (2, size), hidden, layers)
        self.shift = 2 * math.log(scale)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map data (b, *inputs) to both."""
        pair = self.network(x)
        return pair[:, 0], pair[:, 1] + self.shift


def build_model(configuration: Configuration, shape: tuple[int, ...]) -> AutoEncoder:
    """Make the model that a configuration describes, with weights from its seed.

    Parameters
    ----------
    configuration : Configuration
        Settings.
    shape : tuple of int
        Shape of one sample.
    """
    size = configuration.latent_size
    widths = configuration.hidden, configuration.layers
    likelihood: Likelihood = (
        Normal(configuration.scale, learned=True)
        if configuration.likelihood == "normal"
        else Bernoulli()
    )
    model: AutoEncoder
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(configuration.seed)
        decoder = Network((size,), shape, *widths)
        if configuration.objective == "elbo":
            model = VAE(PairNetwork(shape, size, *widths), decoder, size, likelihood)
        elif configuration.objective == "bilbo-variances":
            pair = PairNetwork(shape, size, *widths, configuration.posterior_scale)
            model = FittedPriorVAE(pair, decoder, size, likelihood)
        elif configuration.objective in ("elbo-optimal", "elbo-shared"):
            kind = OptimalVAE if configuration.objective == "elbo-optimal" else SharedOptimalVAE
            model = kind(Network(shape, (size,), *widths), decoder, size, likelihood)
        else:
            model = ConstantVarianceVAE(
                Network(shape, (size,), *widths),
                decoder,
                size,
                likelihood,
                train_with="held" if configuration.objective == "bilbo-held" else "batch",
                variance=configuration.posterior_scale**2,
            )
    return model.to(getattr(torch, configuration.precision))
