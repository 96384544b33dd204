"""The log evidence log p(x) of data under a VAE's decoder, from one point of its latent space."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import torch
from torch import Tensor

from vaetheory.arguments import (
    Decoder,
    check_alike,
    check_choice,
    check_count,
    check_finite,
    check_shape,
    check_tensor,
    cholesky,
)
from vaetheory.conjugate_gradients import conjugate_gradients
from vaetheory.errors import ArgumentError, ArgumentTypeError, ConvergenceWarning
from vaetheory.joint import joint_density
from vaetheory.likelihoods import Likelihood
from vaetheory.log_determinants import attach_gradient, logdet
from vaetheory.metric import CURVATURES, Curvature, DecoderMetric
from vaetheory.operators import SymmetricOperator
from vaetheory.trace import draw_probes

GRADIENT_PROBES: Final = 8
"""Random vectors that estimate the gradient of a log-determinant that is itself an estimate."""


class EstimatedLogDeterminant(Protocol):
    """What an estimator of log-determinants returns: values (b,), their errors, its products."""

    @property
    def value(self) -> Tensor:
        """Estimates of log det A, shape (b,)."""

    @property
    def standard_error(self) -> Tensor | None:
        """Their standard errors, shape (b,), if there are any."""

    @property
    def products(self) -> int:
        """Products with A for each matrix."""


@dataclass(frozen=True, eq=False)
class LogEvidence:
    """What `log_evidence` found.

    Attributes
    ----------
    value : Tensor, shape (b,)
        log p(x | nu(z)) - 1/2 |z|^2 - 1/2 log det A + correction.
    log_likelihood : Tensor, shape (b,)
        log p(x | nu(z)).
    logdet : Tensor, shape (b,)
        log det A.
    correction : Tensor, shape (b,)
        1/2 g^T A^-1 g; zeros where it was not asked for.
    standard_error : Tensor, shape (b,), or None
        Of the value, as far as the log-determinant is an estimate that comes with one.
    products : int
        Products with A for each sample, those for the correction included.
    """

    value: Tensor
    log_likelihood: Tensor
    logdet: Tensor
    correction: Tensor
    standard_error: Tensor | None
    products: int


def log_evidence(
    decoder: Decoder,
    x: Tensor,
    z: Tensor,
    likelihood: Likelihood | None = None,
    *,
    curvature: Curvature = "fisher",
    correction: bool = True,
    determinant: Callable[[SymmetricOperator], EstimatedLogDeterminant] | None = None,
    exact_limit: int = 256,
    rows: int | None = None,
    generator: torch.Generator | None = None,
) -> LogEvidence:
    """Approximate log p(x) from one latent z for each sample.

    The value is

        log p(x | nu(z)) - 1/2 |z|^2 - 1/2 log det A + 1/2 g^T A^-1 g,

    with the gradient g = d log p(x, z) / d z and the curvature A (see `DecoderMetric`), both at z:
    the integral of p(x, z) with log p(x, z) replaced by a parabola through z. The last term, the
    decrement correction, is zero at the maximum of log p(x, z).

    For a normal likelihood and an affine decoder this is log p(x) itself, at every z. For any other
    decoder it is an approximation, Laplace's at the maximum (see `find_map`), and neither an upper
    nor a lower bound: it errs with the decoder's curvature over the width of the posterior. Check
    it on some samples with `importance_evidence`. As it is no bound, it is no training objective.

    Parameters
    ----------
    decoder : callable
        Maps latents (b, d) to outputs (b, *t), each sample by itself.
    x : Tensor, shape (b, *s)
        Data.
    z : Tensor, shape (b, d)
        Latents: best the most probable ones. With the correction an encoder's means may do.
    likelihood : Likelihood, optional
        By default the normal distribution with unit variance.
    curvature : {"fisher", "gauss-newton", "hessian"}
        Which A. "hessian" is the more accurate one where the noise is small, but needs second
        derivatives, and is refused where it is not positive definite, as it may be off the maximum.
    correction : bool
        Add the last term. It costs one more solution of a linear system where A is not formed.
    determinant : callable, optional
        Computes log det A from products alone: a function of a `SymmetricOperator` that returns an
        `EstimatedLogDeterminant`. Then the correction comes from conjugate gradients. By default A
        is formed and factorised for d up to `exact_limit`, with d products, and beyond this is
        `vaetheory.log_determinants.logdet` with 256 products; for others give
        ``functools.partial(logdet, products=...)``.
    exact_limit : int
        The largest d for which A is formed, where `determinant` is not given.
    rows : int, optional
        How many outputs to compute at a time.
    generator : torch.Generator, optional
        Source of randomness where log det A or its gradient is estimated.

    Returns
    -------
    LogEvidence
        Differentiable in x, z and the decoder's parameters. Where log det A is an estimate without
        gradient, its gradient is one too: unbiased, from 8 random vectors w as the derivative of
        w^T A w with one w replaced by A^-1 w and held fixed. A `ConvergenceWarning` tells if
        conjugate gradients have not converged.

    Raises
    ------
    ArgumentError
        If an argument does not fit the others or holds NaN, or A is not positive definite.
    ArgumentTypeError
        If an argument has the wrong type, dtype or device.

    References
    ----------
    Fyffe, arXiv:1912.10309, the log evidence of a VAE with the optimal posterior covariance.
    Tierney and Kadane, "Accurate approximations for posterior moments and marginal densities",
    Journal of the American Statistical Association 81, 1986.
    """
    joint = joint_density(decoder, x, z, likelihood, rows)
    check_choice("curvature", curvature, CURVATURES)
    check_count("exact_limit", exact_limit, minimum=0)
    metric = joint.metric(z, curvature)
    gradient = joint.gradient(z) if correction else torch.zeros_like(z)
    standard_error = None
    if determinant is None and metric.size <= exact_limit:
        factor = cholesky(_name(curvature), metric.dense())
        log_determinant = 2 * factor.diagonal(dim1=1, dim2=2).log().sum(1)
        whitened = torch.linalg.solve_triangular(factor, gradient[:, :, None], upper=False)
        added = 0.5 * whitened.square().sum((1, 2))
        products = metric.size
    else:
        if determinant is None:
            # What is added to I has no negative eigenvalues.
            bounded = curvature == "fisher" or (
                curvature == "gauss-newton" and joint.likelihood.natural
            )
            floor = 1.0 if bounded else 0.0
            determinant = functools.partial(logdet, floor=floor, generator=generator)
        elif not callable(determinant):
            raise ArgumentTypeError(
                f"determinant must be callable, got {type(determinant).__name__}"
            )
        estimate = determinant(metric)
        _check_estimate(estimate, metric)
        log_determinant, spent = _with_gradient(estimate.value, metric, curvature, generator)
        products = estimate.products + spent
        if estimate.standard_error is not None:
            standard_error = 0.5 * estimate.standard_error
        added, spent = (
            _correction(metric, gradient, curvature) if correction else (gradient.sum(1), 0)
        )
        products += spent
        # Only now: where A is indefinite, the correction has said so more clearly.
        check_finite("determinant's value", log_determinant)
    log_likelihood = joint.log_likelihood(z)
    at_point = log_likelihood - 0.5 * z.square().sum(1) - 0.5 * log_determinant
    return LogEvidence(
        at_point + added, log_likelihood, log_determinant, added, standard_error, products
    )


def _check_estimate(estimate: object, metric: DecoderMetric) -> None:
    names = ("value", "standard_error", "products")
    if not all(hasattr(estimate, name) for name in names):
        raise ArgumentTypeError(
            "determinant must return an object with value, standard_error and products, got "
            f"{type(estimate).__name__}"
        )
    value, standard_error, products = (getattr(estimate, name) for name in names)
    check_count("determinant's products", products, minimum=0)
    tensors = {"value": value} | (
        {} if standard_error is None else {"standard_error": standard_error}
    )
    for name, tensor in tensors.items():
        check_tensor(f"determinant's {name}", tensor)
        check_shape(f"determinant's {name}", tensor, (metric.batch,))
        check_alike(f"determinant's {name}", tensor, "z", metric.z)


def _with_gradient(
    value: Tensor, metric: DecoderMetric, curvature: Curvature, generator: torch.Generator | None
) -> tuple[Tensor, int]:
    """Return log det A with a gradient, if one is wanted, and how many products that took.

    d log det A = tr(A^-1 dA) = E[(A^-1 w)^T dA w] for w with independent signs as entries.
    """
    if value.requires_grad or not torch.is_grad_enabled():
        return value, 0
    probes = draw_probes(metric, GRADIENT_PROBES, "rademacher", generator)
    if not metric.product(probes[:, :1]).requires_grad:
        return value, 1
    solutions, spent = zip(
        *[_solve(metric, probe, curvature, "gradient") for probe in probes.unbind(1)], strict=True
    )
    forms = (torch.stack(solutions, 1) * metric.product(probes)).sum(2)
    return attach_gradient(value, forms.mean(1)), sum(spent) + 1 + GRADIENT_PROBES


def _correction(
    metric: DecoderMetric, gradient: Tensor, curvature: Curvature
) -> tuple[Tensor, int]:
    """Return 1/2 g^T A^-1 g from products, and how many it took.

    With u = A^-1 g taken as a constant, g^T u - 1/2 u^T A u has the same value and the same
    derivatives, and an error in u enters only squared.
    """
    constant, spent = _solve(metric, gradient, curvature, "decrement correction")
    product = metric.product(constant[:, None])[:, 0]
    value = (gradient * constant).sum(1) - 0.5 * (constant * product).sum(1)
    return value, spent + 1


def _solve(
    metric: DecoderMetric, right: Tensor, curvature: Curvature, purpose: str
) -> tuple[Tensor, int]:
    """Return A^-1 times the right side (b, d), without gradient, and the products it took."""
    tolerance = math.sqrt(torch.finfo(right.dtype).eps)
    solution = conjugate_gradients(metric, right, tolerance=tolerance)
    if not bool(solution.positive.all()):
        first = int((~solution.positive).nonzero()[0, 0])
        raise ArgumentError(
            f"{_name(curvature)} must be positive definite, but matrix {first} of the batch is not"
        )
    if not bool(solution.converged.all()):
        warnings.warn(
            f"the {purpose} is inexact: conjugate gradients left a relative residual of "
            f"{solution.residual.max():.2g}",
            ConvergenceWarning,
            stacklevel=4,
        )
    return solution.value, int(solution.products.max())


def _name(curvature: Curvature) -> str:
    return f"the curvature {curvature!r} of log p(x, z) at z"
