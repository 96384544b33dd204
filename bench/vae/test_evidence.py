"""What does the evidence of an image take, and what do the bounds?"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from vaetheory.elbo import elbo
from vaetheory.evidence import log_evidence
from vaetheory.importance import importance_evidence
from vaetheory.iwae import iwae
from vaetheory.map_solver import find_map
from vaetheory.models import AutoEncoder
from vaetheory.training.data_sets import DataSet
from vaetheory.training.standard_posterior import StandardPosterior, standard_posterior

IMAGES, ROUNDS = 250, 7


def at_map(posterior: StandardPosterior, curvature: str) -> Tensor:
    decoder, x, mean, _, likelihood = posterior
    z = find_map(decoder, x, mean, likelihood).z
    return log_evidence(
        decoder,
        x,
        z,
        likelihood,
        correction=False,
        curvature="hessian" if curvature == "hessian" else "fisher",
    ).value


def sampled_at_map(posterior: StandardPosterior, count: int) -> Tensor:
    decoder, x, mean, _, likelihood = posterior
    z = find_map(decoder, x, mean, likelihood).z
    return importance_evidence(decoder, x, z, likelihood, count=count).value


WAYS: dict[str, Callable[[StandardPosterior], Tensor]] = {
    "ELBO, 100 latents": lambda posterior: elbo(*posterior, samples=100),
    "evidence at the encoder's mean, corrected": lambda posterior: (
        log_evidence(posterior.decoder, posterior.x, posterior.mean, posterior.likelihood).value
    ),
    "evidence at the MAP": lambda posterior: at_map(posterior, "fisher"),
    "the same, full Hessian": lambda posterior: at_map(posterior, "hessian"),
    "sampling around the MAP, 100 latents": lambda posterior: sampled_at_map(posterior, 100),
    "IWAE, 100 latents": lambda posterior: iwae(*posterior, samples=100),
    "IWAE, 10 000 latents": lambda posterior: iwae(*posterior, samples=10_000),
}


@pytest.mark.parametrize("way", WAYS)
def test_evidence(
    benchmark: BenchmarkFixture,
    way: str,
    model: AutoEncoder,
    digits: DataSet,
    lines: list[str],
) -> None:
    benchmark.group = f"evidence of {IMAGES} images, d = 16"
    with torch.no_grad():
        posterior = standard_posterior(model, digits.testing[:IMAGES])
        values = benchmark.pedantic(WAYS[way], (posterior,), rounds=ROUNDS, warmup_rounds=1)
    assert values.shape == (IMAGES,)
    assert bool(values.isfinite().all())
    if way == next(iter(WAYS)):
        lines += [
            f"Evidence of {IMAGES} images of scikit-learn's digits in one batch; d = 16, decoder "
            "16-256-256-64.",
            "",
            "| | ms an image, median |",
            "| --- | ---: |",
        ]
    seconds = statistics.median(benchmark.stats.stats.data)
    lines.append(f"| {way} | {1000 * seconds / IMAGES:.3f} |")
