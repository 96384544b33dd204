"""What one covariance for all images costs, predicted and measured, for more and less noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vaetheory.elbo import elbo
from vaetheory.experiments.findings import Cell, Findings, Table, stack, with_error
from vaetheory.experiments.runs import Runs
from vaetheory.likelihoods import Normal
from vaetheory.metric import Curvature, DecoderMetric
from vaetheory.models import AutoEncoder
from vaetheory.optimal_covariance import constant_covariance, optimal_covariance
from vaetheory.training.standard_posterior import (
    StandardPosterior,
    find_map_quietly,
    standard_posterior,
)

FACTORS: Final = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Noise of the data, as a multiple of what the model has learned."""
CASES: Final[tuple[tuple[str, Curvature], ...]] = (
    ("drawn from the model", "fisher"),
    ("test images", "fisher"),
    ("test images", "hessian"),
)
LATENTS: Final = 1000


@dataclass(frozen=True)
class _Penalty:
    """Nats an image: by sampling, by Jensen's inequality, and in second order."""

    measured: float
    jensen: float
    quadratic: float


def penalty_of_constant(runs: Runs) -> Findings:
    """Give up each image's own covariance for the best one for all, at several levels of noise."""
    seeds = range(runs.scale.seeds)
    models = runs.models([runs.configuration("elbo", seed=seed) for seed in seeds])
    found: dict[tuple[str, Curvature], list[list[_Penalty]]] = {}
    for done, (images, curvature) in enumerate(CASES):
        found[images, curvature] = []
        for number, factor in enumerate(FACTORS):
            runs.report("penalty", done * len(FACTORS) + number, len(CASES) * len(FACTORS))
            drawn = images == CASES[0][0]
            found[images, curvature].append(
                [_measure(model, runs.images(), factor, drawn, curvature) for model in models]
            )
    rows: list[list[Cell]] = [
        [
            images,
            curvature,
            factor,
            with_error(_column(penalties, "measured")),
            with_error(_column(penalties, "jensen")),
            with_error(_column(penalties, "quadratic")),
        ]
        for (images, curvature), levels in found.items()
        for factor, penalties in zip(FACTORS, levels, strict=True)
    ]
    table = Table(
        f"Means over {len(runs.images())} images, nats, with standard errors over "
        f"{runs.scale.seeds} seeds. Measured: the ELBO with each image's A^-1 less that with "
        f"(E[A])^-1, both around the most probable latent, with the same {LATENTS} latents.",
        ["images", "A", "noise, times the learned", "measured", "Jensen", "quadratic"],
        rows,
    )
    text = [
        f"Models with learned variances, d = {runs.scale.size}; their decoders are taken with more "
        "and with less noise than they have learned. Predicted: 1/2 (log det E[A] - E log det A), "
        "exact where log p(x, z) is a parabola, and 1/4 E tr((E[A]^-1 A - I)^2). For images drawn "
        "from the model the Fisher information is the curvature that matters, the more so the less "
        "noise there is. Test images leave residuals that the noise does not explain, and there "
        "the Hessian, which knows of them, predicts what the Fisher information cannot. The "
        "penalty is that of a decoder that was not trained for a constant covariance; one that is, "
        "adapts.",
    ]
    return Findings(
        "penalty",
        "The penalty of one covariance for all",
        text,
        [table],
        _figure(found),
        "The penalty, measured (bars: two standard errors over the seeds) and predicted.",
    )


@torch.no_grad()
def _measure(
    model: AutoEncoder, x: Tensor, factor: float, drawn: bool, curvature: Curvature
) -> _Penalty:
    decoder, _, mean, covariance, likelihood = standard_posterior(model.double(), x.double())
    assert isinstance(likelihood, Normal)
    noisy = Normal(factor * likelihood.scale(mean))
    generator = torch.Generator().manual_seed(0)
    x = noisy.sample(decoder(mean), generator) if drawn else x.double()
    z = find_map_quietly(StandardPosterior(decoder, x, mean, covariance, noisy)).z
    precision = DecoderMetric(decoder, z, noisy, x, curvature=curvature).dense()
    constant = constant_covariance(precision)
    noise = torch.randn((len(x), LATENTS, z.shape[1]), generator=generator, dtype=x.dtype)
    bounds = [
        elbo(decoder, x, z, one, noisy, samples=LATENTS, noise=noise).mean()
        for one in (optimal_covariance(precision), constant.covariance)
    ]
    return _Penalty(
        float(bounds[0] - bounds[1]), float(constant.penalty), float(constant.quadratic_penalty)
    )


def _column(penalties: list[_Penalty], name: str) -> Tensor:
    return stack([getattr(one, name) for one in penalties])


def _figure(found: dict[tuple[str, Curvature], list[list[_Penalty]]]) -> Figure:
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    panels = figure.subplots(1, len(found), sharey=True)
    for axes, ((images, curvature), levels) in zip(panels, found.items(), strict=True):
        for name, style in (("measured", "o"), ("jensen", "-"), ("quadratic", "--")):
            values = stack([_column(penalties, name) for penalties in levels])
            error = 2 * values.std(1) / values.shape[1] ** 0.5
            axes.errorbar(FACTORS, values.mean(1), error, fmt=style, capsize=3, label=name)
        axes.set_title(f"{images}, {curvature}", fontsize=10)
        axes.set(xscale="log", xlabel="noise, times the learned")
        axes.set_xticks(FACTORS, [f"{factor:g}" for factor in FACTORS])
        axes.minorticks_off()
    panels[0].set_ylabel("penalty, nats")
    panels[-1].legend(frameon=False)
    return figure
