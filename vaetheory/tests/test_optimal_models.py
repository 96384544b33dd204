"""Models whose posterior covariances are computed."""

import torch
from decoders import Affine
from posteriors import normal_tensor
from torch import Tensor, nn

from vaetheory.evidence import log_evidence
from vaetheory.likelihoods import Normal
from vaetheory.metric import DecoderMetric
from vaetheory.training.networks import Network
from vaetheory.training.optimal_models import OptimalVAE, SharedOptimalVAE

LATENT, DATA, COUNT = 3, 8, 40


def parts(x: Tensor) -> tuple[nn.Module, nn.Module, Normal]:
    encoder, decoder = Network((DATA,), (LATENT,), 16, 1), Network((LATENT,), (DATA,), 16, 1)
    return encoder.to(x), decoder.to(x), Normal(0.4)


def test_each_samples_best_covariance(generator: torch.Generator) -> None:
    x = normal_tensor(generator, COUNT, DATA)
    encoder, decoder, likelihood = parts(x)
    model = OptimalVAE(encoder, decoder, LATENT, likelihood).to(x)
    mean, covariance = model.posterior(x)
    precision = DecoderMetric(decoder, mean, likelihood).dense()
    torch.testing.assert_close(covariance.dense(), torch.linalg.inv(precision))
    assert not covariance.dense().requires_grad
    torch.autograd.backward(model(x, generator=generator))
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_the_bound_is_the_evidence_of_an_affine_decoder(generator: torch.Generator) -> None:
    x = normal_tensor(generator, COUNT, DATA)
    decoder, likelihood = Affine(LATENT, DATA, generator), Normal(0.4)
    precision = DecoderMetric(decoder, x.new_zeros(1, LATENT), likelihood).dense()[0]
    pull = torch.linalg.solve(precision, decoder.weight.mT / 0.4**2)

    def encoder(data: Tensor) -> Tensor:
        return (data - decoder.bias) @ pull.mT

    exact = log_evidence(decoder, x, encoder(x), likelihood).value
    for kind in (OptimalVAE, SharedOptimalVAE):
        model = kind(encoder, decoder, LATENT, likelihood).to(x)
        for _ in range(3):
            model(x, generator=generator)  # averages A
        bound = model.eval().elbo(x, samples=2000, generator=generator)
        assert abs((bound - exact).mean()) < 0.02


def test_the_shared_covariance_is_of_the_mean_precision(generator: torch.Generator) -> None:
    x = normal_tensor(generator, 16, DATA)
    encoder, decoder, likelihood = parts(x)
    model = SharedOptimalVAE(encoder, decoder, LATENT, likelihood).to(x)
    before = model.posterior(x)[1].dense()
    torch.testing.assert_close(before, torch.eye(LATENT).to(x)[None])
    model(x, generator=generator)
    precision = DecoderMetric(decoder, encoder(x), likelihood).dense().mean(0, keepdim=True)
    torch.testing.assert_close(model.posterior(x)[1].dense(), torch.linalg.inv(precision))
    held = model.precision.clone()
    model.eval()(x, generator=generator)
    assert torch.equal(model.precision, held)
