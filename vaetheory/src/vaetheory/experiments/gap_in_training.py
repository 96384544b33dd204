"""What the ELBO loses to the evidence while a model is trained, measured and by theory."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vaetheory.elbo import elbo
from vaetheory.evidence import log_evidence
from vaetheory.experiments.findings import Cell, Findings, Table, stack, with_error
from vaetheory.experiments.runs import Runs
from vaetheory.gap import evidence_gap
from vaetheory.importance import importance_evidence
from vaetheory.metric import DecoderMetric
from vaetheory.models import AutoEncoder, FittedPriorAutoEncoder
from vaetheory.optimal_covariance import constant_covariance
from vaetheory.training.configuration import Objective
from vaetheory.training.loop import Progress, train
from vaetheory.training.standard_posterior import find_map_quietly, standard_posterior
from vaetheory.vector_map import cut

KINDS: Final[dict[Objective, str]] = {
    "elbo": "learned variances, prior N(0, I)",
    "bilbo-variances": "learned variances, fitted prior",
    "bilbo": "BILBO",
}
LATENTS: Final = 1000


@dataclass(frozen=True, eq=False)
class _Snapshot:
    """A model as it is after some epoch, on the test images.

    Attributes
    ----------
    measured, formula, second_order : Tensor, shape (images,)
        log p(x) - ELBO by sampling; the gap's formula and its second order at the encoder's mean,
        both with what the mean itself loses by not being the most probable latent.
    variance_ratio : Tensor, shape (images, d)
        A_ii Sigma_ii, 1 where a variance is the best one.
    penalty, variation : float
        Penalty of one covariance for all; E tr((E[A]^-1 A - I)^2), how much A varies.
    """

    epoch: int
    measured: Tensor
    formula: Tensor
    second_order: Tensor
    variance_ratio: Tensor
    penalty: float
    variation: float


def gap_in_training(runs: Runs) -> Findings:
    """Train three kinds of models, and look at the gap now and then."""
    seeds = range(runs.scale.seeds)
    wanted = [(objective, seed) for objective in KINDS for seed in seeds]
    watched = runs.in_parallel("gap", _watch, wanted)
    found: dict[Objective, list[list[_Snapshot]]] = {objective: [] for objective in KINDS}
    for (objective, _), snapshots in zip(wanted, watched, strict=True):
        found[objective].append(snapshots)
    gaps: list[list[Cell]] = []
    variations: list[list[Cell]] = []
    for objective, title in KINDS.items():
        for at_epoch in zip(*found[objective], strict=True):
            snapshots = list(at_epoch)
            measured = stack([one.measured.mean() for one in snapshots])
            ratios = torch.cat([one.variance_ratio.flatten() for one in snapshots])
            low, middle, high = ratios.quantile(ratios.new_tensor([0.1, 0.5, 0.9])).tolist()
            gaps.append(
                [
                    title,
                    snapshots[0].epoch,
                    with_error(measured),
                    with_error(stack([one.formula.mean() for one in snapshots])),
                    with_error(stack([one.second_order.mean() for one in snapshots])),
                    with_error(
                        stack([(one.measured - one.formula).abs().median() for one in snapshots])
                    ),
                    f"{middle:.2f} ({low:.2f} to {high:.2f})",
                ]
            )
            variations.append(
                [
                    title,
                    snapshots[0].epoch,
                    with_error(stack([one.variation for one in snapshots])),
                    with_error(stack([one.penalty for one in snapshots])),
                ]
            )
    count = len(runs.images())
    tables = [
        Table(
            f"Means over {count} test images, nats, with standard errors over "
            f"{runs.scale.seeds} seeds. Measured: log p(x) by importance sampling less the ELBO, "
            f"{LATENTS} latents each. Apart: |measured - formula|, median over the images. "
            "A_ii Sigma_ii: median over images and latents, and from the first to the last tenth; "
            "1 is the best variance.",
            ["model", "epoch", "measured", "formula", "second order", "apart", "A_ii Sigma_ii"],
            gaps,
        ),
        Table(
            "How much A varies from image to image: E tr((E[A]^-1 A - I)^2), the sum of the "
            "squared coefficients of variation, and the penalty of one covariance for all.",
            ["model", "epoch", "variation of A", "penalty, nats"],
            variations,
        ),
    ]
    text = [
        f"Models with d = {runs.scale.size}, looked at during training. By theory the ELBO loses "
        "1/2 (tr M - log det M - d), M = A Sigma, and 1/2 g^T A^-1 g as the encoder's mean is not "
        "the most probable latent; the second order has 1/4 tr((M - I)^2) in place of the former.",
        _verdict(found),
    ]
    return Findings(
        "gap",
        "The ELBO is tight, and by how much is known",
        text,
        tables,
        _figure(found),
        "Left: what the ELBO loses, measured (dots) and by the formula (lines). Middle: the same "
        "image by image at the end. Right: how much A varies, with learned variances and without.",
    )


def _watch(runs: Runs, kind: tuple[Objective, int]) -> list[_Snapshot]:
    """Train, and take a snapshot after 1, 2, 4, ... epochs and after the last."""
    objective, seed = kind
    configuration = runs.configuration(objective, seed=seed)
    snapshots: list[_Snapshot] = []

    def look(progress: Progress) -> None:
        if progress.epoch & (progress.epoch - 1) and progress.epoch < progress.epochs:
            return
        model = copy.deepcopy(progress.model).eval()
        if isinstance(model, FittedPriorAutoEncoder):
            model.fit_prior(cut(runs.data.training, 1000))
        snapshots.append(_look(model, runs.images(), progress.epoch))

    train(configuration, runs.data, report=look)
    return snapshots


@torch.no_grad()
def _look(model: AutoEncoder, x: Tensor, epoch: int) -> _Snapshot:
    posterior = standard_posterior(model, x)
    decoder, _, mean, covariance, likelihood = posterior
    generator = torch.Generator().manual_seed(0)
    bound = elbo(*posterior, samples=LATENTS, generator=generator)
    z = find_map_quietly(posterior).z
    evidence = importance_evidence(
        decoder, x, z, likelihood, count=LATENTS, generator=generator
    ).value
    precision = DecoderMetric(decoder, mean, likelihood).dense()
    gap = evidence_gap(precision, covariance)
    correction = log_evidence(decoder, x, mean, likelihood).correction
    constant = constant_covariance(precision)
    return _Snapshot(
        epoch,
        (evidence - bound).double(),
        (gap.value + correction).double(),
        (gap.second_order + correction).double(),
        (precision.diagonal(dim1=1, dim2=2) * covariance.diagonal()).double(),
        float(constant.penalty),
        4 * float(constant.quadratic_penalty),
    )


def _verdict(found: dict[Objective, list[list[_Snapshot]]]) -> str:
    def last(objective: Objective, name: str) -> Tensor:
        return stack([getattr(snapshots[-1], name) for snapshots in found[objective]])

    measured, formula = last("elbo", "measured").mean(1), last("elbo", "formula").mean(1)
    with_learned = last("bilbo-variances", "variation")
    constant = last("bilbo", "variation")
    return (
        f"At the end of training with learned variances the ELBO loses {with_error(measured)} nats "
        f"an image; the formula says {with_error(formula)}. The constant covariance is a "
        f"regulariser: with it A varies by {with_error(constant)} at the end, with learned "
        f"variances and the same prior by {with_error(with_learned)}."
    )


def _figure(found: dict[Objective, list[list[_Snapshot]]]) -> Figure:
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    gaps, images, variations = figure.subplots(1, 3)
    for objective, seeds in found.items():
        title = KINDS[objective]
        epochs = [one.epoch for one in seeds[0]]
        (line,) = gaps.loglog(epochs, _means(seeds, "formula"), label=title)
        gaps.plot(epochs, _means(seeds, "measured"), "o", color=line.get_color())
        last = seeds[0][-1]
        images.loglog(last.formula, last.measured, ".", color=line.get_color(), markersize=3)
        for snapshots in seeds:
            variations.loglog(
                epochs, [one.variation for one in snapshots], "-", color=line.get_color()
            )
    limits = images.get_xlim()
    images.plot(limits, limits, color="black", linewidth=0.8)
    gaps.set(xlabel="epoch", ylabel="log p(x) - ELBO, nats")
    images.set(xlabel="formula, nats", ylabel="measured, nats")
    variations.set(xlabel="epoch", ylabel="variation of A")
    figure.legend(*gaps.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _means(seeds: Sequence[Sequence[_Snapshot]], name: str) -> Tensor:
    """Mean over seeds and images after each of the epochs."""
    return stack(
        [
            stack([getattr(one, name).mean() for one in snapshots]).mean()
            for snapshots in zip(*seeds, strict=True)
        ]
    )
