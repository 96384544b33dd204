"""Log-determinants of trained decoders' metrics, by every way the library has."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vaetheory.experiments.findings import Findings, Table, stack
from vaetheory.experiments.runs import Runs, one_thread
from vaetheory.jacobian import Jacobian
from vaetheory.likelihoods import Normal
from vaetheory.log_determinants import VariationalLogDeterminant, logdet, warm_logdet
from vaetheory.log_determinants.variational import Family, QuadraticForm
from vaetheory.log_determinants.warm_start import RitzBasis
from vaetheory.metric import DecoderMetric
from vaetheory.models import AutoEncoder
from vaetheory.training.configuration import Configuration
from vaetheory.training.standard_posterior import standard_posterior

BUDGETS: Final = (16, 32, 64, 128, 256)
LONG_BUDGETS: Final = (64, 256, 1024)
EXACT: Final = "exact: Gram matrix, Cholesky"
KRYLOV: Final = "logdet: block Krylov"
WARM: Final = "warm_logdet: a step later"
DIAGONAL: Final = "variational, diagonal"
SCALARS: Final = "variational, diagonal, scalars alone"
LOW_RANK: Final = "variational, low rank + diagonal"
METHODS: Final = (EXACT, KRYLOV, WARM, DIAGONAL, SCALARS, LOW_RANK)
IMAGES: Final = 4
_STEPS: Final = 8
_RANK: Final = 4
_DRIFT: Final = 0.01
"""Between one training step and the next, in standard deviations of the prior."""


@dataclass(frozen=True, eq=False)
class _Point:
    """One way at one budget, for the matrices of one model."""

    method: str
    products: int
    errors: Tensor
    seconds: float


def decoder_determinants(runs: Runs) -> Findings:
    """Estimate log det A of trained decoders with d latents, for several d."""
    found: dict[int, list[list[_Point]]] = {}
    for size in runs.scale.large_sizes:
        models = runs.models(_configuration(runs, size, seed) for seed in range(runs.scale.seeds))
        with one_thread():
            found[size] = [
                _measure(runs, model, f"determinants, d = {size}, seed {seed}")
                for seed, model in enumerate(models)
            ]
    table = Table(
        f"|error| of log det A in nats, over {IMAGES} test images and {runs.scale.seeds} seeds, "
        "and time for one matrix on one thread. Products: with A, or values of v^T A v where "
        "scalars alone are used. A variational value is an upper bound: its error does not go "
        "below what its family of covariances loses.",
        ["d", "way", "products", "error, median", "largest", "ms"],
        [
            [
                size,
                points[0].method,
                points[0].products,
                float(errors.median()),
                float(errors.max()),
                1000 * float(stack([point.seconds for point in points]).mean()),
            ]
            for size, seeds in found.items()
            for points, errors in _together(seeds)
        ],
    )
    text = [
        "A = J^T J / sigma^2 + I of decoders trained with learned variances, at the encoder's "
        "means of test images, in float64; the exact log-determinant is known for all. The "
        "comparison with other libraries is in `bench/log_determinants`.",
        _verdict(found),
    ]
    return Findings(
        "determinants",
        "Log-determinants of decoders from products",
        text,
        [table],
        _figure(found),
        "Median |error| of log det A by products spent, for decoders with d latents.",
    )


def _configuration(runs: Runs, size: int, seed: int) -> Configuration:
    """Train longer where the model is needed elsewhere too."""
    whole = runs.configuration("elbo", size, seed)
    if size in runs.scale.sizes:
        return whole
    return replace(whole, epochs=max(1, whole.epochs // 4))


@torch.no_grad()
def _measure(runs: Runs, model: AutoEncoder, title: str) -> list[_Point]:
    decoder, x, mean, _, likelihood = standard_posterior(
        model.double(), runs.images(IMAGES).double()
    )
    assert isinstance(likelihood, Normal)
    size = mean.shape[1]
    generator = torch.Generator().manual_seed(0)
    metric = DecoderMetric(decoder, mean, likelihood)
    truth = logdet(metric, method="exact").value
    drifted = mean + _DRIFT * torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
    later = DecoderMetric(decoder, drifted, likelihood)
    later_truth = logdet(later, method="exact").value
    jacobian = Jacobian(decoder, mean)
    precision = 1 / likelihood.scale(x).square()

    def scalars(vectors: Tensor) -> Tensor:
        push = jacobian.product(vectors).flatten(2)
        return precision * push.square().sum(2) + vectors.square().sum(2)

    points: list[_Point] = []

    def add(method: str, products: int, truth: Tensor, estimate: Callable[[], Tensor]) -> None:
        runs.report(title, len(points), 1 + 2 * len(BUDGETS) + 3 * len(LONG_BUDGETS))
        start = time.perf_counter()
        errors = estimate() - truth
        seconds = (time.perf_counter() - start) / IMAGES
        points.append(_Point(method, products, errors.abs(), seconds))

    def krylov(budget: int) -> Tensor:
        return logdet(metric, budget, floor=1.0, generator=generator).value

    def warm(budget: int, basis: RitzBasis) -> Tensor:
        return warm_logdet(later, budget, basis, generator=generator).estimate.value

    add(EXACT, size, truth, lambda: logdet(metric, method="exact").value)
    for budget in (budget for budget in BUDGETS if budget < size):
        add(KRYLOV, budget, truth, partial(krylov, budget))
        basis = warm_logdet(metric, budget, generator=generator).basis
        add(WARM, budget, later_truth, partial(warm, budget, basis))
    forms: list[tuple[str, QuadraticForm, Family]] = [
        (DIAGONAL, metric, "diagonal"),
        (SCALARS, scalars, "diagonal"),
        (LOW_RANK, metric, "low-rank"),
    ]
    for budget in LONG_BUDGETS:
        for method, form, family in forms:
            add(method, budget, truth, partial(_variational, form, family, size, budget, generator))
    return points


def _variational(
    form: QuadraticForm, family: Family, size: int, budget: int, generator: torch.Generator
) -> Tensor:
    """Fit Sigma with half of the budget by natural steps, and evaluate F with the other."""
    rank = _RANK if family == "low-rank" else None
    bound = VariationalLogDeterminant(
        IMAGES, size, family, rank=rank, dtype=torch.float64, generator=generator
    )
    probes = budget // 2 // _STEPS
    for step in range(_STEPS):
        rate = 1 / (1 + step / 2)
        # A step of low rank takes a product for each column too.
        fresh = probes if rank is None else max(1, probes - rank)
        bound.natural_step(form, rate, probes=max(2, fresh), generator=generator)
    return bound.bound(form, budget - _STEPS * probes, generator).value


def _together(seeds: Sequence[Sequence[_Point]]) -> list[tuple[tuple[_Point, ...], Tensor]]:
    """Put the seeds together, ordered by method."""
    together = [
        (points, torch.cat([point.errors for point in points]))
        for points in zip(*seeds, strict=True)
    ]
    return sorted(together, key=lambda entry: METHODS.index(entry[0][0].method))


def _verdict(found: dict[int, list[list[_Point]]]) -> str:
    size = max(found)
    entries = _together(found[size])
    krylov = [entry for entry in entries if entry[0][0].method == KRYLOV]
    points, errors = krylov[-1]
    exact = entries[0][0]
    ratio = float(stack([one.seconds for one in exact]).mean()) / float(
        stack([one.seconds for one in points]).mean()
    )
    return (
        f"With d = {size}, `logdet` is within {float(errors.median()):.2g} nats (median) after "
        f"{points[0].products} products, in {1 / ratio:.2g} times the time of the exact value. The "
        "variational minimum is a slow estimator of the value, as is to be expected: it is for "
        "training along with a model, and for bounds."
    )


def _figure(found: dict[int, list[list[_Point]]]) -> Figure:
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    axes = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
    for one, (size, seeds) in zip(axes, found.items(), strict=True):
        for method in METHODS[1:]:
            entries = [entry for entry in _together(seeds) if entry[0][0].method == method]
            products = [points[0].products for points, _ in entries]
            errors = [float(errors.median()) for _, errors in entries]
            one.loglog(products, errors, "o-", label=method)
        one.set_title(f"d = {size}", fontsize=10)
        one.set_xlabel("products")
    axes[0].set_ylabel("median |error| of log det A, nats")
    figure.legend(*axes[-1].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
