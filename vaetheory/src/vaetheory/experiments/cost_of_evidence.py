"""What the evidence of an image costs, by error: from one Jacobian, and by sampling."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vaetheory.covariance import FullCovariance
from vaetheory.evidence import log_evidence
from vaetheory.experiments.annealed_importance import annealed_evidence
from vaetheory.experiments.findings import Findings, Table, stack, with_error
from vaetheory.experiments.runs import Runs, one_thread
from vaetheory.importance import importance_evidence
from vaetheory.iwae import iwae
from vaetheory.metric import Curvature, DecoderMetric
from vaetheory.models import AutoEncoder
from vaetheory.training.configuration import Objective
from vaetheory.training.standard_posterior import (
    StandardPosterior,
    curvature_at,
    find_map_quietly,
    standard_posterior,
)

COUNTS: Final = (1, 10, 100, 1000, 10_000)
TEMPERATURES: Final = (10, 30, 100)
KINDS: Final[dict[Objective, str]] = {"elbo": "Learned variances", "bilbo": "BILBO"}
MAP: Final = "at the MAP"
HESSIAN: Final = "at the MAP, full Hessian"
MEAN: Final = "at the encoder's mean, corrected"
OWN: Final = "IWAE, the model's posterior"
LAPLACE: Final = "sampling around the MAP"
ANNEALED: Final = "annealed importance sampling"
_MANY: Final = 4
_LEAST_SECONDS: Final = 2.0
"""What takes less is timed a second time, and the least counts."""


@dataclass(frozen=True, eq=False)
class _Point:
    """One method at one setting, on the images of one model."""

    method: str
    setting: int
    errors: Tensor
    seconds: float


def cost_of_evidence(runs: Runs) -> Findings:
    """Estimate the evidence of the same images in every way, and time it on one thread."""
    found: dict[Objective, list[list[_Point]]] = {}
    truths: list[list[str | int | float]] = []
    for objective, title in KINDS.items():
        configurations = [
            runs.configuration(objective, seed=seed) for seed in range(runs.scale.seeds)
        ]
        found[objective] = []
        for seed, model in enumerate(runs.models(configurations)):
            with one_thread():
                points, truth = _measure(runs, model, f"cost, {objective}, seed {seed}")
            found[objective].append(points)
            truths.append([title, seed, *truth])
    count = len(runs.images(runs.scale.few_images))
    tables = [
        Table(
            f"Median |error| of log p(x), nats, over {count} test images, and time an image on one "
            f"thread, in a batch of {count} images, or of {_MANY * count} for what needs no "
            "samples: means over the seeds, with the errors' standard error.",
            ["model", "method", "setting", "error, median", "error, mean", "ms an image"],
            [row for objective in KINDS for row in _rows(objective, found[objective])],
        ),
        Table(
            f"The truth: {runs.scale.reference} latents around the most probable one.",
            ["model", "seed", "its standard error (median)", "the largest", "worth, least of all"],
            truths,
        ),
    ]
    text = [
        f"Models with d = {runs.scale.size}. The evidence at the most probable latent (MAP) takes "
        "a search and one Jacobian, or one full Hessian; corrected at the encoder's mean, the "
        "Jacobian alone. Against them: the IWAE bound with the model's own posterior, importance "
        "sampling around the MAP, and annealed importance sampling with 16 chains of Hamiltonian "
        "Monte Carlo.",
        *(
            _verdict(objective, method, found[objective])
            for objective in KINDS
            for method in (MAP, HESSIAN)
        ),
    ]
    return Findings(
        "cost",
        "The evidence is cheap",
        text,
        tables,
        _figure(found),
        "Median |error| of log p(x) against seconds an image; lines join settings of one method.",
    )


@torch.no_grad()
def _measure(runs: Runs, model: AutoEncoder, title: str) -> tuple[list[_Point], list[float]]:
    count = runs.scale.few_images
    posterior = standard_posterior(model, runs.images(count))
    many = standard_posterior(model, runs.images(_MANY * count))
    decoder, x, mean, _, likelihood = posterior
    generator = torch.Generator().manual_seed(0)
    z = find_map_quietly(posterior).z
    reference = importance_evidence(
        decoder,
        x,
        z,
        likelihood,
        proposal=FullCovariance.from_precision(curvature_at(posterior, z)),
        count=runs.scale.reference,
        generator=generator,
    )

    def sampled(count: int) -> Tensor:
        z = find_map_quietly(posterior).z
        return importance_evidence(
            decoder, x, z, likelihood, count=count, generator=generator
        ).value

    methods: list[tuple[str, int, Callable[[], Tensor]]] = [
        (MAP, 1, partial(_at_map, many, "fisher")),
        (HESSIAN, 1, partial(_at_map, many, "hessian")),
        (MEAN, 1, lambda: log_evidence(decoder, many.x, many.mean, likelihood).value),
    ]
    for count in COUNTS:
        own = partial(iwae, *posterior, samples=count, generator=generator)
        # Two latents are the fewest that come with a standard error.
        most = max(count, 2)
        methods += [(OWN, count, own), (LAPLACE, most, partial(sampled, most))]
    for number in TEMPERATURES:
        anneal = partial(
            annealed_evidence,
            *(decoder, x, mean.shape[1], likelihood),
            temperatures=number,
            generator=generator,
        )
        methods.append((ANNEALED, number, anneal))
    points = []
    for done, (method, setting, estimate) in enumerate(methods):
        runs.report(title, done, len(methods))
        values, seconds = _timed(estimate)
        errors = values[: len(x)] - reference.value
        points.append(_Point(method, setting, errors, seconds / len(values)))
    error = reference.standard_error
    least = reference.effective_sample_size.min()
    return points, [float(error.median()), float(error.max()), float(least)]


def _at_map(posterior: StandardPosterior, curvature: Curvature) -> Tensor:
    solution = find_map_quietly(posterior)
    decoder, _, _, _, likelihood = posterior
    if curvature == "hessian":
        precision = curvature_at(posterior, solution.z)
    else:
        precision = DecoderMetric(decoder, solution.z, likelihood).dense()
    size = solution.z.shape[1]
    return solution.log_joint + 0.5 * (size * math.log(2 * math.pi) - torch.logdet(precision))


def _timed(estimate: Callable[[], Tensor]) -> tuple[Tensor, float]:
    start = time.perf_counter()
    values = estimate()
    seconds = time.perf_counter() - start
    if seconds < _LEAST_SECONDS:
        start = time.perf_counter()
        estimate()
        seconds = min(seconds, time.perf_counter() - start)
    return values, seconds


def _medians(seeds: list[list[_Point]]) -> list[tuple[_Point, Tensor, Tensor, float]]:
    """Put the seeds together: a point, median |errors|, mean errors (seeds,), and seconds."""
    together = []
    for points in zip(*seeds, strict=True):
        errors = [point.errors.double() for point in points]
        together.append(
            (
                points[0],
                stack([one.abs().median() for one in errors]),
                stack([one.mean() for one in errors]),
                float(stack([point.seconds for point in points]).mean()),
            )
        )
    return together


def _rows(objective: Objective, seeds: list[list[_Point]]) -> list[list[str | int | float]]:
    return [
        [
            KINDS[objective],
            point.method,
            point.setting,
            with_error(median, 3),
            with_error(mean, 3),
            1000 * seconds,
        ]
        for point, median, mean, seconds in _medians(seeds)
    ]


def _verdict(objective: Objective, method: str, seeds: list[list[_Point]]) -> str:
    """Say how much longer the IWAE bound takes for the error of the evidence at the MAP."""
    together = _medians(seeds)
    at_map = next(entry for entry in together if entry[0].method == method)
    error, seconds = float(at_map[1].mean()), at_map[3]
    own = [entry for entry in together if entry[0].method == OWN]
    reached = [entry for entry in own if float(entry[1].mean()) <= error]
    if reached:
        point, _, _, cost = reached[0]
        claim = (
            f"the IWAE bound with the model's own posterior reaches that with {point.setting} "
            f"latents, in {cost / seconds:.0f} times the time"
        )
    else:
        point, median, _, cost = own[-1]
        claim = (
            f"the IWAE bound with the model's own posterior is still {float(median.mean()):.2f} "
            f"off with {point.setting} latents, in {cost / seconds:.0f} times the time: a lower "
            "limit for what it needs"
        )
    return (
        f"{KINDS[objective]}: the evidence {method} is off by {error:.3f} nats "
        f"(median) and takes {1000 * seconds:.2f} ms an image; {claim}."
    )


def _figure(found: dict[Objective, list[list[_Point]]]) -> Figure:
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    for one, (objective, seeds) in zip(axes, found.items(), strict=True):
        together = _medians(seeds)
        for method in (MAP, HESSIAN, MEAN, OWN, LAPLACE, ANNEALED):
            entries = [entry for entry in together if entry[0].method == method]
            times = [entry[3] for entry in entries]
            errors = [float(entry[1].mean()) for entry in entries]
            mark = {"markersize": 9, "marker": "*"} if len(entries) == 1 else {"marker": "o"}
            one.loglog(times, errors, label=method, **mark)
        one.set_title(KINDS[objective], fontsize=10)
        one.set_xlabel("seconds an image")
    axes[0].set_ylabel("median |error| of log p(x), nats")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
