"""What a trained model's evidence is, sample by sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from vaetheory.arguments import check_count
from vaetheory.covariance import FullCovariance
from vaetheory.elbo import elbo
from vaetheory.evidence import log_evidence
from vaetheory.gap import evidence_gap
from vaetheory.importance import importance_evidence
from vaetheory.iwae import iwae
from vaetheory.metric import DecoderMetric
from vaetheory.models import AutoEncoder
from vaetheory.training.standard_posterior import (
    curvature_at,
    find_map_quietly,
    standard_posterior,
)
from vaetheory.vector_map import cut


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` found. All values in nats, one for each sample.

    Attributes
    ----------
    elbo : Tensor, shape (n,)
        With the model's posteriors.
    iwae : Tensor, shape (n,)
        The importance-weighted bound with as many samples from these.
    evidence_at_mean : Tensor, shape (n,)
        `log_evidence` at the encoder's mean, without correction.
    evidence_corrected : Tensor, shape (n,)
        The same with the correction.
    evidence_at_map : Tensor, shape (n,)
        `log_evidence` at the most probable latent.
    evidence_by_hessian : Tensor, shape (n,)
        The same with the full Hessian; with the Fisher information where that is not positive
        definite.
    check, check_error, effective_sample_size : Tensor, shape (n,)
        `importance_evidence` with that curvature, its standard error, and how many samples it was
        worth.
    gap : Tensor, shape (n,)
        What the ELBO loses to the evidence by theory, at the encoder's mean.
    converged : Tensor of bool, shape (n,)
        Whether the search for the most probable latent has converged.
    decrement : Tensor, shape (n,)
        By how many nats the joint density could still rise where it ended.
    penalty : Tensor, shape ()
        By how much the mean ELBO with the best covariance that all samples share is below that with
        each sample's best; see `constant_covariance`.
    """

    elbo: Tensor
    iwae: Tensor
    evidence_at_mean: Tensor
    evidence_corrected: Tensor
    evidence_at_map: Tensor
    evidence_by_hessian: Tensor
    check: Tensor
    check_error: Tensor
    effective_sample_size: Tensor
    gap: Tensor
    converged: Tensor
    decrement: Tensor
    penalty: Tensor

    def columns(self) -> dict[str, Tensor]:
        """Return what there is for each sample, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)[:-1]}


@torch.no_grad()
def evaluate(
    model: AutoEncoder,
    x: Tensor,
    *,
    samples: int = 100,
    piece: int = 500,
    tolerance: float | None = None,
    seed: int = 0,
    report: Callable[[int], None] | None = None,
) -> Evaluation:
    """Evaluate a model on data, a piece at a time, so that memory does not grow with the data.

    A fitted prior is folded into the decoder first.

    Parameters
    ----------
    model : AutoEncoder
        In evaluation mode.
    x : Tensor, shape (n, *s)
        Data, with the model's dtype and device.
    samples : int
        Latents for each sample: for the ELBO, the IWAE bound and the check.
    piece : int
        Samples at a time.
    tolerance : float, optional
        Of the search for the most probable latent, in nats; see `find_map`.
    seed : int
        Of the latents that are drawn.
    report : callable, optional
        Called with the number of samples that are done.

    Returns
    -------
    Evaluation
        On the CPU. Samples that have not converged are marked, without a warning.
    """
    check_count("samples", samples, 2)
    check_count("piece", piece)
    generator = torch.Generator(x.device).manual_seed(seed)
    parts: list[dict[str, Tensor]] = []
    total = torch.zeros((), dtype=x.dtype, device=x.device)
    total_log_determinant = torch.zeros_like(total)
    done = 0
    for some in cut(x, piece):
        columns, precision, log_determinants = _evaluate_piece(
            model, some, samples, tolerance, generator
        )
        parts.append({name: column.cpu() for name, column in columns.items()})
        total = total + precision.sum(0)
        total_log_determinant = total_log_determinant + log_determinants.sum()
        done += len(some)
        if report is not None:
            report(done)
    mean = total / len(x)
    penalty = 0.5 * (torch.logdet(mean) - total_log_determinant / len(x))
    whole = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return Evaluation(**whole, penalty=penalty.cpu())


def _evaluate_piece(
    model: AutoEncoder,
    x: Tensor,
    samples: int,
    tolerance: float | None,
    generator: torch.Generator,
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Return the columns, the curvatures A at the encoder's means, and their log-determinants."""
    posterior = standard_posterior(model, x)
    decoder, x, mean, covariance, likelihood = posterior
    bound = elbo(*posterior, samples=samples, generator=generator)
    weighted = iwae(*posterior, samples=samples, generator=generator)
    corrected = log_evidence(decoder, x, mean, likelihood)
    solution = find_map_quietly(posterior, tolerance)
    evidence = log_evidence(decoder, x, solution.z, likelihood, correction=False)
    curvature = curvature_at(posterior, solution.z)
    change = torch.logdet(curvature) - evidence.logdet
    check = importance_evidence(
        decoder,
        x,
        solution.z,
        likelihood,
        proposal=FullCovariance.from_precision(curvature),
        count=samples,
        generator=generator,
    )
    precision = DecoderMetric(decoder, mean, likelihood).dense()
    columns = {
        "elbo": bound,
        "iwae": weighted,
        "evidence_at_mean": corrected.value - corrected.correction,
        "evidence_corrected": corrected.value,
        "evidence_at_map": evidence.value,
        "evidence_by_hessian": evidence.value - 0.5 * change,
        "check": check.value,
        "check_error": check.standard_error,
        "effective_sample_size": check.effective_sample_size,
        "gap": evidence_gap(precision, covariance).value,
        "converged": solution.converged,
        "decrement": solution.decrement,
    }
    return columns, precision, corrected.logdet


def mean_and_error(values: Tensor) -> tuple[float, float]:
    """Return the mean of values (n,) and its standard error, 0 for one value, in double."""
    values = values.double()
    error = values.std() / len(values) ** 0.5 if len(values) > 1 else values.new_tensor(0.0)
    return float(values.mean()), float(error)
