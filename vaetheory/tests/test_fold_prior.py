"""Folding a prior leaves reconstructions and bounds as they were."""

import copy

import pytest
import torch
from decoders import Curved, convolutional
from posteriors import FAMILIES, SigmaPoints, normal_tensor, random_covariance
from torch import Tensor, nn

from vaetheory.bilbo import bilbo, fitted_prior
from vaetheory.covariance import FullCovariance
from vaetheory.elbo import elbo, taylor_elbo
from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.fold_prior import fold_covariance, fold_prior

BATCH, LATENT, DATA = 6, 3, 5


@pytest.fixture
def x(generator: torch.Generator) -> Tensor:
    return normal_tensor(generator, BATCH, DATA)


@pytest.fixture
def encoder(generator: torch.Generator) -> Curved:
    # The same small network, the other way round.
    return Curved(DATA, (LATENT,), generator).requires_grad_(False)


@pytest.fixture
def decoder(generator: torch.Generator) -> Curved:
    return Curved(LATENT, (DATA,), generator).requires_grad_(False)


@pytest.mark.parametrize("prior_family", FAMILIES)
@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_changes(
    x: Tensor,
    encoder: Curved,
    decoder: Curved,
    family: str,
    prior_family: str,
    generator: torch.Generator,
) -> None:
    prior = random_covariance(prior_family, 1, LATENT, generator)
    covariance = random_covariance(family, BATCH, LATENT, generator)
    mean = encoder(x)
    folded_encoder, folded_decoder = fold_prior(encoder, decoder, prior)
    folded_mean = folded_encoder(x)
    folded_covariance = fold_covariance(covariance, prior)

    def close(one: Tensor, two: Tensor) -> None:
        torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-10)

    close(folded_decoder(folded_mean), decoder(mean))
    close(
        taylor_elbo(folded_decoder, x, folded_mean, folded_covariance),
        taylor_elbo(decoder, x, mean, covariance, prior=prior),
    )
    # The columns of the Cholesky factor fold with it, and so do the sigma points.
    points = [
        SigmaPoints(matrix.factor)
        for matrix in (folded_covariance, FullCovariance.from_matrix(covariance.dense()))
    ]
    close(
        elbo(folded_decoder, x, folded_mean, points[0], samples=2 * LATENT),
        elbo(decoder, x, mean, points[1], samples=2 * LATENT, prior=prior),
    )


def test_fitted_prior_becomes_the_identity(
    x: Tensor, encoder: Curved, decoder: Curved, generator: torch.Generator
) -> None:
    covariance = random_covariance("full", 1, LATENT, generator)
    prior = fitted_prior(encoder(x), covariance)
    folded_encoder, folded_decoder = fold_prior(encoder, decoder, prior)
    folded_covariance = fold_covariance(covariance, prior)
    refitted = fitted_prior(folded_encoder(x), folded_covariance).dense()[0]
    identity = torch.eye(LATENT, dtype=x.dtype, device=x.device)
    torch.testing.assert_close(refitted, identity, rtol=1e-10, atol=1e-10)
    # So that BILBO is now the plain ELBO.
    points = SigmaPoints(folded_covariance.factor.expand(BATCH, -1, -1))
    arguments = (folded_decoder, x, folded_encoder(x), points)
    torch.testing.assert_close(
        bilbo(*arguments, samples=2 * LATENT),
        elbo(*arguments, samples=2 * LATENT).mean(),
        rtol=1e-10,
        atol=1e-10,
    )


def test_modules_keep_their_state(x: Tensor, generator: torch.Generator) -> None:
    prior = random_covariance("full", 1, LATENT, generator)
    decoder = convolutional(LATENT, generator)
    encoder = nn.Linear(DATA, LATENT).to(x)
    folded = nn.ModuleList(fold_prior(encoder, decoder, prior))
    state = copy.deepcopy(folded.state_dict())
    other = random_covariance("full", 1, LATENT, generator)
    restored = nn.ModuleList(
        fold_prior(copy.deepcopy(encoder), convolutional(LATENT, generator), other)
    )
    restored.load_state_dict(state)
    z = folded[0](x)
    torch.testing.assert_close(restored[0](x), z)
    torch.testing.assert_close(restored[1](z), folded[1](z))
    # The encoder and the decoder are shared, so that they can be trained on.
    assert {id(one) for one in folded.parameters()} >= {id(one) for one in encoder.parameters()}


def test_gradients(x: Tensor, encoder: Curved, decoder: Curved, generator: torch.Generator) -> None:
    prior = random_covariance("full", 1, LATENT, generator)
    folded_encoder, folded_decoder = fold_prior(encoder, decoder, prior)
    assert torch.autograd.gradcheck(folded_encoder, x.requires_grad_())
    z = normal_tensor(generator, 2, LATENT).requires_grad_()
    assert torch.autograd.gradcheck(folded_decoder, z)
    diagonal = normal_tensor(generator, 2, LATENT).square().requires_grad_()

    def folded(variance: Tensor) -> Tensor:
        matrix = torch.diag_embed(variance + 0.1)
        return fold_covariance(FullCovariance.from_matrix(matrix), prior).factor

    assert torch.autograd.gradcheck(folded, diagonal)


def test_bad_arguments(encoder: Curved, decoder: Curved, generator: torch.Generator) -> None:
    prior = random_covariance("full", 1, LATENT, generator)
    with pytest.raises(ArgumentTypeError, match="encoder must be callable, got int"):
        fold_prior(1, decoder, prior)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="decoder must be callable, got int"):
        fold_prior(encoder, 1, prior)  # type: ignore[arg-type]
    with pytest.raises(ArgumentTypeError, match="prior must be a Covariance, got Tensor"):
        fold_prior(encoder, decoder, prior.dense())  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="prior must have a batch of 1, got 2"):
        fold_prior(encoder, decoder, random_covariance("full", 2, LATENT, generator))
    with pytest.raises(ArgumentTypeError, match="covariance must be a Covariance, got Tensor"):
        fold_covariance(prior.dense(), prior)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="covariance must have the dimension 3 of the prior"):
        fold_covariance(random_covariance("full", 1, 2, generator), prior)
