"""Gradients of log-determinants from one forward-mode derivative."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from vaetheory.arguments import (
    check_alike,
    check_count,
    check_finite,
    check_number,
    check_shape,
    cholesky,
)
from vaetheory.conjugate_gradients import conjugate_gradients
from vaetheory.errors import ArgumentTypeError, ConvergenceWarning
from vaetheory.jacobian import Jacobian
from vaetheory.metric import DecoderMetric
from vaetheory.operators import SymmetricOperator
from vaetheory.trace import check_operator


def quadratic_form(jacobian: Jacobian, vectors: Tensor, prior_precision: float = 1.0) -> Tensor:
    """Return v^T A v = |J v|^2 + c |v|^2, with one forward-mode derivative for each vector.

    Parameters
    ----------
    jacobian : Jacobian
        J of b samples with d latent dimensions.
    vectors : Tensor, shape (b, k, d)
        The vectors v.
    prior_precision : float
        c.

    Returns
    -------
    Tensor, shape (b, k)
    """
    _check_jacobian(jacobian)
    check_number("prior_precision", prior_precision, 0, may_be_low=True)
    push = jacobian.product(vectors).flatten(2)
    return push.square().sum(2) + prior_precision * vectors.square().sum(2)


def logdet_surrogate(jacobian: Jacobian, vectors: Tensor) -> Tensor:
    """Return the mean of |J v|^2, whose gradient estimates that of log det A without bias.

    d log det A = tr(A^-1 dA) = d E |J v|^2 for v ~ N(0, A^-1), where v is held fixed. It is the
    gradient of the ELBO's trace term at the optimal covariance (Fyffe, arXiv:1912.10309). The value
    itself is not the log-determinant. A = J^T J + c I for any constant c, 0 included.

    Parameters
    ----------
    jacobian : Jacobian
        J; its products carry the gradient in z and in the decoder's parameters.
    vectors : Tensor, shape (b, k, d)
        Draws from N(0, A^-1), from `sample_inverse` or a `Covariance`; they are detached.

    Returns
    -------
    Tensor, shape (b,)
    """
    _check_jacobian(jacobian)
    check_finite("vectors", vectors)
    return jacobian.product(vectors.detach()).flatten(2).square().sum(2).mean(1)


def attach_gradient(value: Tensor, surrogate: Tensor) -> Tensor:
    """Return the value of the one tensor with the gradient of the other."""
    check_shape("surrogate", surrogate, value.shape)
    check_alike("surrogate", surrogate, "value", value)
    return value.detach() + (surrogate - surrogate.detach())


@torch.no_grad()
def sample_inverse(
    operator: SymmetricOperator, count: int, *, generator: torch.Generator | None = None
) -> Tensor:
    """Draw vectors (b, count, n) from N(0, A^-1), by Cholesky factorisation of A.

    Takes n products a matrix, and O(n^3) beside. v = L^-T e, with A = L L^T and e ~ N(0, I).
    """
    check_operator(operator)
    check_count("count", count)
    factor = cholesky("operator", operator.dense())
    noise = torch.randn(
        (operator.batch, operator.size, count),
        generator=generator,
        dtype=operator.dtype,
        device=operator.device,
    )
    vectors: Tensor = torch.linalg.solve_triangular(factor.mT, noise, upper=True)
    return vectors.mT


@torch.no_grad()
def sample_inverse_by_solving(
    jacobian: Jacobian,
    count: int,
    *,
    tolerance: float = 1e-6,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw vectors (b, count, d) from N(0, (J^T J + I)^-1) by products alone.

    With e ~ N(0, I) in the data and u ~ N(0, I) in the latent space, w = J^T e + u has the
    covariance A, so that A^-1 w, from conjugate gradients, has the covariance A^-1.

    Parameters
    ----------
    jacobian : Jacobian
        J.
    count : int
        Number of vectors.
    tolerance : float
        Of the linear systems, relative to w.
    generator : torch.Generator, optional
        Source of randomness.

    Warns
    -----
    ConvergenceWarning
        If conjugate gradients do not reach the tolerance.
    """
    _check_jacobian(jacobian)
    check_count("count", count)
    z = jacobian.z.detach()
    metric = DecoderMetric(
        jacobian.decoder, z, output_shape=jacobian.output_shape, rows=jacobian.rows
    )

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=z.dtype, device=z.device)

    draws = []
    for _ in range(count):
        push = noise(jacobian.batch, 1, *jacobian.output_shape)
        right = jacobian.transposed_product(push)[:, 0] + noise(jacobian.batch, jacobian.size)
        solution = conjugate_gradients(metric, right, tolerance=tolerance)
        if not bool(solution.converged.all()):
            warnings.warn(
                f"conjugate gradients stopped at a relative residual of "
                f"{float(solution.residual.max()):.3g}, above the tolerance {tolerance:g}",
                ConvergenceWarning,
                stacklevel=2,
            )
        draws.append(solution.value)
    return torch.stack(draws, 1)


def _check_jacobian(jacobian: object) -> None:
    if not isinstance(jacobian, Jacobian):
        raise ArgumentTypeError(f"jacobian must be a Jacobian, got {type(jacobian).__name__}")
