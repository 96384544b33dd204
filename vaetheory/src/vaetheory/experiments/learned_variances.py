"""Need variances be learned? Evidence of models with and without, beside the proper control."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Final

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vaetheory.experiments.findings import Cell, Findings, Table, stack, with_error
from vaetheory.experiments.runs import Runs, one_thread
from vaetheory.training.configuration import Configuration, Objective
from vaetheory.training.evaluation import evaluate, mean_and_error
from vaetheory.training.loop import Trainer

TITLES: Final[dict[Objective, str]] = {
    "elbo": "learned",
    "bilbo-variances": "learned, fitted prior",
    "bilbo": "BILBO",
    "bilbo-held": "BILBO, held prior",
    "elbo-shared": "best constant",
    "elbo-optimal": "A^-1",
}
CONTROL: Final[Objective] = "bilbo-variances"
LATENTS: Final = 1000
"""For the evidence of each image."""
DEFAULT_VARIANCE: Final = Configuration.posterior_scale**2
_ROUNDS: Final = 5
_STEPS: Final = 4


@dataclass(frozen=True, eq=False)
class _Measured:
    """Figures of all seeds of one kind of model, each shape (seeds,)."""

    evidence: Tensor
    elbo: Tensor
    penalty: Tensor
    effective: Tensor
    parameters: Tensor


def learned_variances(runs: Runs) -> Findings:
    """Train every kind of model with every d, and compare the evidence of test images."""
    # All at once, so that no process waits for the others between two kinds.
    wanted = [
        runs.configuration(objective, size, seed)
        for size in runs.scale.sizes
        for objective in TITLES
        for seed in range(runs.scale.seeds_of(size))
    ]
    runs.models(wanted)
    evaluated = runs.in_parallel("evidence", _evaluate, wanted)
    by_kind: dict[tuple[int, Objective], list[list[float]]] = {}
    for configuration, figures in zip(wanted, evaluated, strict=True):
        kind = configuration.latent_size, configuration.objective
        by_kind.setdefault(kind, []).append(figures)
    found = {kind: _Measured(*stack(figures).T) for kind, figures in by_kind.items()}
    rows: list[list[Cell]] = []
    gaps: list[list[Cell]] = []
    for size in runs.scale.sizes:
        seconds = _seconds_per_epoch(runs, size)
        control = found[size, CONTROL]
        for objective in TITLES:
            title, one = TITLES[objective], found[size, objective]
            rows.append(
                [
                    title,
                    size,
                    with_error(one.evidence),
                    with_error(one.elbo),
                    with_error(one.penalty),
                    with_error(one.effective, 0),
                    int(one.parameters[0]),
                    seconds[objective],
                ]
            )
            if objective != CONTROL:
                gap = one.evidence - control.evidence
                mean, error = mean_and_error(gap)
                gaps.append(
                    [
                        title,
                        size,
                        len(gap),
                        with_error(gap),
                        f"{mean / error:.1f}" if error else "-",
                    ]
                )
    tables = [
        Table(
            f"Means over {len(runs.images())} test images, nats an image, with the standard error "
            "over the seeds. log p(x) is found by importance sampling around the most probable "
            f"latent, with {LATENTS} latents; 'worth' is how many of these the sampling was worth "
            "(median over the images); the penalty is what the ELBO would lose, by theory, if each "
            "image's best covariance gave way to the best one for all.",
            [
                "model",
                "d",
                "log p(x)",
                "ELBO",
                "penalty",
                "worth",
                "parameters",
                "s an epoch",
            ],
            rows,
        ),
        Table(
            "log p(x) less that of the control with the same seed: mean and standard error over "
            "the seeds, and their ratio.",
            ["model", "d", "seeds", "difference", "in standard errors"],
            gaps,
        ),
    ]
    text = [
        "Six kinds of models with the same networks, optimiser, batches and number of epochs: "
        "learned variances with the prior N(0, I); the same with the fitted prior of BILBO, the "
        f"control; BILBO with Sigma = {DEFAULT_VARIANCE:g} I, its prior from the batch or held "
        "from earlier ones (the theory is indifferent to that factor, the optimiser is not: see "
        "where it fails); and "
        "with the prior N(0, I) two that compute Sigma, the best constant (E[A])^-1 and each "
        "image's A^-1. What a model gains beside the control, or loses, comes of the variances "
        "alone.",
        _verdict(runs, found),
    ]
    return Findings(
        "variances",
        "Variances need not be learned",
        text,
        tables,
        _figure(runs, found),
        "log p(x) less that of the control, for each kind of model; bars: two standard errors.",
    )


def _evaluate(runs: Runs, configuration: Configuration) -> list[float]:
    """Return the figures of `_Measured` for one model."""
    (model,) = runs.models([configuration])
    found = evaluate(model, runs.images(), samples=LATENTS, piece=100)
    return [
        float(found.check.mean()),
        float(found.elbo.mean()),
        float(found.penalty),
        float(found.effective_sample_size.median()),
        sum(parameter.numel() for parameter in model.parameters()),
    ]


def _seconds_per_epoch(runs: Runs, size: int) -> dict[Objective, float]:
    """Time steps of all kinds of models in turn, on one thread: the median of the rounds' least."""
    trainers = {
        objective: Trainer(
            replace(runs.configuration(objective, size), epochs=1), runs.data, torch.device("cpu")
        )
        for objective in TITLES
    }
    batch = torch.arange(runs.scale.batch_size)
    least: dict[Objective, list[float]] = {objective: [] for objective in TITLES}
    with one_thread():
        for _ in range(_ROUNDS):
            for objective, trainer in trainers.items():
                times = []
                for _ in range(_STEPS):
                    start = time.perf_counter()
                    trainer.step(batch)
                    times.append(time.perf_counter() - start)
                least[objective].append(min(times))
    steps = len(runs.data.training) // runs.scale.batch_size
    return {objective: steps * float(stack(times).median()) for objective, times in least.items()}


def _verdict(runs: Runs, found: dict[tuple[int, Objective], _Measured]) -> str:
    size = runs.scale.size
    control = found[size, CONTROL]
    gap = found[size, "bilbo"].evidence - control.evidence
    gain = found[size, "bilbo"].evidence - found[size, "elbo"].evidence
    mean, error = mean_and_error(gap)
    claim = (
        "learning variances brings nothing here that BILBO with a constant Sigma has not"
        if mean >= -2 * error
        else "here learned variances are worth something"
    )
    return (
        f"With d = {size}, BILBO without variances has {with_error(gap)} nats more than the "
        f"control, over {len(gap)} seeds: {claim}. It has {with_error(gain)} nats more than "
        "learned variances with the prior N(0, I); what of that the control has too comes of the "
        "prior that fits itself, not of leaving out the variances."
    )


def _figure(runs: Runs, found: dict[tuple[int, Objective], _Measured]) -> Figure:
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots(1, len(runs.scale.sizes), sharey=True, squeeze=False)[0]
    kinds = [objective for objective in TITLES if objective != CONTROL]
    for one, size in zip(axes, runs.scale.sizes, strict=True):
        for row, objective in enumerate(kinds):
            gap = found[size, objective].evidence - found[size, CONTROL].evidence
            mean, error = mean_and_error(gap)
            one.errorbar(mean, -row, xerr=2 * error, fmt="o", capsize=3)
            one.plot(gap, [-row - 0.25] * len(gap), ".", color="grey", markersize=3)
        one.axvline(0, color="black", linewidth=0.8)
        one.set_title(f"d = {size}", fontsize=10)
        one.set_xlabel("log p(x) less the control's, nats")
        one.set_yticks([-row for row in range(len(kinds))], [TITLES[kind] for kind in kinds])
    return figure
