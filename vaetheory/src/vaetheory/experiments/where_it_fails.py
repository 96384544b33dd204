"""Where the theory stops: strong curvature, tiny batches, likelihoods that do not match."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vaetheory.bilbo import bilbo_bias, fitted_prior
from vaetheory.covariance import FullCovariance, ScalarCovariance
from vaetheory.evidence import log_evidence
from vaetheory.experiments.findings import Cell, Findings, Table, stack, with_error
from vaetheory.experiments.runs import Runs
from vaetheory.importance import importance_evidence
from vaetheory.joint import log_prior
from vaetheory.likelihoods import Normal
from vaetheory.metric import DecoderMetric
from vaetheory.models import AutoEncoder, FittedPriorAutoEncoder
from vaetheory.training.configuration import Configuration, Objective
from vaetheory.training.evaluation import evaluate
from vaetheory.training.standard_posterior import (
    StandardPosterior,
    curvature_at,
    find_map_quietly,
    standard_posterior,
)

GAINS: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
SCALES: Final = (0.1, 0.3, 1.0)
SCALED_OBJECTIVES: Final[tuple[Objective, ...]] = ("bilbo", "bilbo-variances")
BATCHES: Final = (4, 8, 16, 32, 64, 128, 256)
TINY: Final = (8, 32)
TINY_OBJECTIVES: Final[tuple[Objective, ...]] = ("bilbo", "bilbo-held", "bilbo-variances", "elbo")
LATENTS: Final = 2000
_CURVED_SHAPE: Final = (1, 32, 4)
"""Latents, hidden units and data of the random networks whose curvature is set by a gain."""
_CURVED_NOISE: Final = 0.5
_MISSED: Final = 5.0
_NETWORKS: Final = 20
_DRAWN: Final = 10
_GRID: Final = 10_001
_HALF_WIDTH: Final = 7.0
_DRAWS: Final = 400
_TINY_STEPS: Final = 1500
"""Steps with the smallest batches, at least; larger ones take fewer."""


@dataclass(frozen=True, eq=False)
class _Check:
    """Evidence at the MAP against importance sampling there, for the images of one model."""

    errors: Tensor
    standard_error: Tensor
    worth: Tensor
    converged: Tensor

    def row(self) -> list[Cell]:
        """Return what the tables show."""
        return [
            float(self.errors.abs().median()),
            float(self.errors.mean()),
            float(self.standard_error.median()),
            f"{self.worth.median():.0f} ({self.worth.quantile(0.1):.0f})",
            f"{100 * float(self.converged.double().mean()):.0f} %",
        ]


CHECKED: Final = ("error, median", "error, mean", "SE of the check", "worth", "converged")


def where_it_fails(runs: Runs) -> Findings:
    """Look for the limits of the evidence at the MAP, and of BILBO."""
    seeds = range(runs.scale.seeds)
    learned = runs.models([runs.configuration("elbo", seed=seed) for seed in seeds])
    constant = runs.models([runs.configuration("bilbo", seed=seed) for seed in seeds])
    curved = [_curved(runs, gain) for gain in GAINS]
    unlike = {
        name: _pool([_check(model, change(runs.images())) for model in learned])
        for name, change in CHANGES.items()
    }
    biases = [_bias(runs, constant, batch) for batch in BATCHES]
    tables = [
        Table(
            f"Strong curvature: random networks (d = {_CURVED_SHAPE[0]}, one hidden layer of tanh) "
            "whose units see the latent multiplied by a gain, so that they bend and saturate "
            f"within the prior; {_NETWORKS} of them, {_DRAWN} data drawn from each. Errors: "
            "evidence at the MAP, with Fisher information and with the full Hessian, and "
            f"importance sampling there with {LATENTS} latents, each less the integral by "
            "quadrature: median of the absolute values, and the highest tenth. Worth of the "
            f"latents: median. Missed: where the sampling is off by more than {_MISSED:g} of its "
            "standard errors.",
            ["gain", "Fisher", "Hessian", "sampling", "SE of sampling", "worth", "missed"],
            [[gain, *row.cells()] for gain, row in zip(GAINS, curved, strict=True)],
        ),
        Table(
            "Data unlike those of the training: test images that were changed, models with learned "
            f"variances, {runs.scale.seeds} seeds with {len(runs.images())} images each. Error: "
            "evidence at the MAP (Fisher) less importance sampling there with "
            f"{LATENTS} latents; worth of these: median, and the lowest tenth.",
            ["images", *CHECKED],
            [[name, *check.row()] for name, check in unlike.items()],
        ),
        _mismatched(runs),
        Table(
            "Tiny batches: the value of BILBO for a random batch, less that for all training data, "
            f"nats a sample ({_DRAWS} batches, {runs.scale.seeds} seeds), and what "
            "`bilbo_bias` says.",
            ["batch", "measured", "predicted"],
            [
                [batch, with_error(measured), with_error(predicted)]
                for batch, (measured, predicted) in zip(BATCHES, biases, strict=True)
            ],
        ),
        _tiny_batches(runs),
        _scales(runs),
    ]
    text = [
        "The evidence at the MAP takes log p(x, z) for a parabola. Where it is none, the value is "
        "off. As long as the posterior has one mode, the check says so: its latents are worth "
        "little. Modes that the search has not found are missed by both, and no check from one "
        f"mode can tell: with a gain of {GAINS[-1]:g} the sampling is off by more than {_MISSED:g} "
        f"of its standard errors for {100 * curved[-1].missed:.0f} % of the data, with one of "
        f"{GAINS[0]:g} for {100 * curved[0].missed:.0f} %.",
        "BILBO for a batch is too high by what the prior fits of that batch alone; held priors do "
        "not have that fault. Trained with tiny batches, the gradient lies in the span of a few "
        "means.",
    ]
    return Findings(
        "failures",
        "Where it fails",
        text,
        tables,
        _figure(curved, biases),
        "Left: errors of the evidence at the MAP and of its check as curvature grows. Right: the "
        "bias of BILBO by batch size, measured and predicted.",
    )


def _spoiled(x: Tensor) -> Tensor:
    """Set one value in ten to 0 or 1."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.rand(x.shape, generator=generator)
    return torch.where(drawn < 0.1, (drawn < 0.05).to(x), x)


CHANGES: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "as they are": lambda x: x,
    "turned upside down": lambda x: x.flip(1),
    "inverted": lambda x: 1 - x,
    "one value in ten set to 0 or 1": _spoiled,
}


@torch.no_grad()
def _check(model: AutoEncoder, x: Tensor) -> _Check:
    posterior = standard_posterior(model, x)
    decoder, _, _, _, likelihood = posterior
    solution = find_map_quietly(posterior)
    evidence = log_evidence(decoder, x, solution.z, likelihood, correction=False).value
    generator = torch.Generator().manual_seed(0)
    check = importance_evidence(
        decoder, x, solution.z, likelihood, count=LATENTS, generator=generator
    )
    return _Check(
        (evidence - check.value).double(),
        check.standard_error.double(),
        check.effective_sample_size.double(),
        solution.converged,
    )


def _pool(checks: list[_Check]) -> _Check:
    """Put the images of all seeds together."""
    return _Check(
        torch.cat([one.errors for one in checks]),
        torch.cat([one.standard_error for one in checks]),
        torch.cat([one.worth for one in checks]),
        torch.cat([one.converged for one in checks]),
    )


@dataclass(frozen=True, eq=False)
class _Curved:
    """What is found with one gain: |errors| of Fisher, Hessian and sampling, for all data."""

    errors: tuple[Tensor, Tensor, Tensor]
    standard_error: Tensor
    worth: Tensor

    @property
    def missed(self) -> float:
        """Share of the data for which the sampling is off by far more than it knows."""
        return float((self.errors[2] > _MISSED * self.standard_error).double().mean())

    def medians(self) -> list[float]:
        """Return those of the errors, and of the standard error of sampling."""
        return [float(one.median()) for one in (*self.errors, self.standard_error)]

    def cells(self) -> list[Cell]:
        """Return what the table shows."""
        *errors, standard_error = self.medians()
        tenths = [float(one.quantile(0.9)) for one in self.errors]
        return [
            *(f"{one:.3f} ({tenth:.3f})" for one, tenth in zip(errors, tenths, strict=True)),
            standard_error,
            f"{self.worth.median():.0f}",
            f"{100 * self.missed:.0f} %",
        ]


@torch.no_grad()
def _curved(runs: Runs, gain: float) -> _Curved:
    """Compare the evidence with the integral by quadrature, where there is one latent."""
    runs.report("failures, curvature", GAINS.index(gain), len(GAINS))
    size, hidden, outputs = _CURVED_SHAPE
    likelihood = Normal(_CURVED_NOISE)
    generator = torch.Generator().manual_seed(0)
    grid = torch.linspace(-_HALF_WIDTH, _HALF_WIDTH, _GRID, dtype=torch.float64)[:, None]
    cell = math.log(2 * _HALF_WIDTH / (_GRID - 1))
    found: list[list[Tensor]] = []
    for _ in range(_NETWORKS):
        first, second = (
            factor * torch.randn(shape, generator=generator, dtype=torch.float64)
            for factor, shape in ((gain, (hidden, size)), (hidden**-0.5, (outputs, hidden)))
        )
        decoder = partial(_two_layers, first, second)
        z = torch.randn((_DRAWN, size), generator=generator, dtype=torch.float64)
        x = likelihood.sample(decoder(z), generator)
        outputs_there = decoder(grid)
        joint = [likelihood.log_prob(one.expand_as(outputs_there), outputs_there) for one in x]
        truth = (torch.stack(joint) + log_prior(grid)).logsumexp(1) + cell
        covariance = ScalarCovariance(z.new_ones(1), size)
        posterior = StandardPosterior(decoder, x, z, covariance, likelihood)
        solution = find_map_quietly(posterior)
        precisions = (
            DecoderMetric(decoder, solution.z, likelihood).dense(),
            curvature_at(posterior, solution.z),
        )
        laplace = [
            solution.log_joint + 0.5 * (size * math.log(2 * math.pi) - torch.logdet(one))
            for one in precisions
        ]
        proposal = FullCovariance.from_precision(precisions[1])
        check = importance_evidence(
            *(decoder, x, solution.z, likelihood),
            proposal=proposal,
            count=LATENTS,
            generator=generator,
        )
        errors = [(one - truth).abs() for one in (*laplace, check.value)]
        found.append([*errors, check.standard_error, check.effective_sample_size])
    fisher, hessian, sampling, standard_error, worth = map(torch.cat, zip(*found, strict=True))
    return _Curved((fisher, hessian, sampling), standard_error, worth)


def _two_layers(first: Tensor, second: Tensor, z: Tensor) -> Tensor:
    return (z @ first.mT).tanh() @ second.mT


def _mismatched(runs: Runs) -> Table:
    """Take the metric of another likelihood than the model's."""
    seeds = range(runs.scale.seeds)
    models = runs.models(
        [replace(runs.configuration("bilbo", seed=seed), likelihood="bernoulli") for seed in seeds]
    )
    rows: list[list[Cell]] = []
    found: dict[str, list[Tensor]] = {}
    for model in models:
        for name, errors in _errors_by_metric(standard_posterior(model, runs.images())).items():
            found.setdefault(name, []).append(errors)
    for name, of_seeds in found.items():
        together = torch.cat(of_seeds).double()
        rows.append([name, float(together.abs().median()), float(together.mean())])
    return Table(
        "A likelihood that does not match: models with Bernoulli likelihood (BILBO), their "
        "evidence at the MAP with A from its Fisher information, and with the A of a normal "
        "likelihood.",
        ["A from", "error, median", "error, mean"],
        rows,
    )


@torch.no_grad()
def _errors_by_metric(posterior: StandardPosterior) -> dict[str, Tensor]:
    decoder, x, _, _, likelihood = posterior
    z = find_map_quietly(posterior).z
    generator = torch.Generator().manual_seed(0)
    check = importance_evidence(decoder, x, z, likelihood, count=LATENTS, generator=generator).value
    evidence = log_evidence(decoder, x, z, likelihood, correction=False)
    wrong = torch.logdet(DecoderMetric(decoder, z).dense())
    return {
        "Fisher information": evidence.value - check,
        "J^T J + I, as if normal": evidence.value + 0.5 * (evidence.logdet - wrong) - check,
    }


@torch.no_grad()
def _bias(runs: Runs, models: list[AutoEncoder], batch: int) -> tuple[Tensor, Tensor]:
    """Measure the first term of BILBO for random batches; the second has no bias."""
    measured, predicted = [], []
    for model in models:
        assert isinstance(model, FittedPriorAutoEncoder)
        mean, covariance = model.posterior(runs.data.training)
        whole = fitted_prior(mean, covariance).logdet()[0]
        generator = torch.Generator().manual_seed(0)
        gains = []
        for _ in range(_DRAWS):
            some = torch.randint(len(mean), (batch,), generator=generator)
            gains.append(0.5 * (whole - fitted_prior(mean[some], covariance).logdet()[0]))
        measured.append(stack(gains).mean())
        predicted.append(bilbo_bias(mean, covariance, batch_size=batch))
    return stack(measured), stack(predicted)


def _tiny_batches(runs: Runs) -> Table:
    """Train with tiny batches."""
    seeds = range(runs.scale.seeds)
    epochs = max(1, round(_TINY_STEPS * TINY[0] / len(runs.data.training)))
    wanted = [
        replace(runs.configuration(objective, seed=seed), batch_size=batch, epochs=epochs)
        for batch in TINY
        for objective in TINY_OBJECTIVES
        for seed in seeds
    ]
    runs.models(wanted)
    evidence = runs.in_parallel("failures, tiny batches", _evidence, wanted)
    found: dict[tuple[int, Objective], list[float]] = {}
    for configuration, value in zip(wanted, evidence, strict=True):
        key = configuration.batch_size, configuration.objective
        found.setdefault(key, []).append(value)
    return Table(
        f"Training with tiny batches, {epochs} epochs: log p(x) of test images, nats, and its "
        f"standard error over {runs.scale.seeds} seeds. To be compared within a row: larger "
        "batches take fewer steps.",
        ["batch", "BILBO", "BILBO, held prior", "BILBO, learned variances", "ELBO"],
        [
            [
                batch,
                *(with_error(stack(found[batch, objective])) for objective in TINY_OBJECTIVES),
            ]
            for batch in TINY
        ],
    )


def _scales(runs: Runs) -> Table:
    """Train with posteriors of several scales, to which the objective is indifferent."""
    seeds = range(runs.scale.seeds)
    wanted = [
        replace(runs.configuration(objective, seed=seed), posterior_scale=scale)
        for scale in SCALES
        for objective in SCALED_OBJECTIVES
        for seed in seeds
    ]
    runs.models(wanted)
    evidence = runs.in_parallel("failures, scales", _evidence, wanted)
    found: dict[tuple[float, Objective], list[float]] = {}
    for configuration, value in zip(wanted, evidence, strict=True):
        key = configuration.posterior_scale, configuration.objective
        found.setdefault(key, []).append(value)
    return Table(
        "Scale of the posteriors. BILBO is the same for latents that are scaled along with Sigma, "
        "but the optimiser starts elsewhere: log p(x) of test images for Sigma = s^2 I throughout "
        "(BILBO) or to begin with (learned variances), nats, and its standard error over "
        f"{runs.scale.seeds} seeds.",
        ["s", "BILBO", "BILBO, learned variances"],
        [
            [scale, *(with_error(stack(found[scale, one])) for one in SCALED_OBJECTIVES)]
            for scale in SCALES
        ],
    )


def _evidence(runs: Runs, configuration: Configuration) -> float:
    """Return the mean evidence of the test images under a model."""
    (model,) = runs.models([configuration])
    return float(evaluate(model, runs.images(), samples=LATENTS // 2, piece=100).check.mean())


def _figure(curved: list[_Curved], biases: list[tuple[Tensor, Tensor]]) -> Figure:
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    labels = ("Fisher", "Hessian", "sampling", "standard error of sampling")
    for label, values in zip(
        labels, zip(*(one.medians() for one in curved), strict=True), strict=True
    ):
        left.loglog(GAINS, values, "o-" if label in labels[:3] else "s--", label=label)
    left.set(xlabel="gain of the weights", ylabel="|error| of log p(x), nats (median)")
    left.set_xticks(GAINS, [f"{gain:g}" for gain in GAINS])
    left.minorticks_off()
    left.legend(frameon=False)
    right.loglog(BATCHES, [float(one.mean()) for one, _ in biases], "o", label="measured")
    right.loglog(BATCHES, [float(one.mean()) for _, one in biases], "-", label="bilbo_bias")
    right.set(xlabel="batch size", ylabel="bias of BILBO, nats a sample")
    right.legend(frameon=False)
    return figure
