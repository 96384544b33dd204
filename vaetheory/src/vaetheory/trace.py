"""Traces from matrix-vector products: probing with any covariance, Hutch++ and XTrace."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import torch
from torch import Tensor

from vaetheory.arguments import check_choice, check_count
from vaetheory.covariance import Covariance
from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.operators import SymmetricOperator
from vaetheory.student import two_sigma_factor

Probes = Literal["normal", "rademacher", "sphere"]
PROBES: Final = ("normal", "rademacher", "sphere")

LEFT_OUT_SPREAD = 1.25
"""Factor on standard errors of estimates that leave each probe out of the others' approximation.

Such estimates are not independent, and their spread shows less than the error; measured.
"""


@dataclass(frozen=True, eq=False)
class TraceEstimate:
    """An estimate of traces.

    Attributes
    ----------
    value : Tensor, shape (b,)
        The estimates; unbiased, and differentiable where the operator's products are.
    standard_error : Tensor, shape (b,), or None
        From the spread between probes, with Student's correction for their number; None where a
        single probe leaves no spread.
    products : int
        Products with each matrix.
    """

    value: Tensor
    standard_error: Tensor | None
    products: int


def draw_probes(
    operator: SymmetricOperator,
    count: int,
    distribution: Probes = "normal",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw vectors (b, count, n) with mean 0 and covariance I.

    ``"sphere"`` is uniform on the sphere of radius sqrt(n).
    """
    check_count("count", count)
    check_choice("distribution", distribution, PROBES)
    shape = (operator.batch, count, operator.size)
    if distribution == "rademacher":
        bits = torch.randint(0, 2, shape, generator=generator, device=operator.device)
        return (2 * bits - 1).to(operator.dtype)
    noise = torch.randn(shape, generator=generator, dtype=operator.dtype, device=operator.device)
    if distribution == "sphere":
        noise *= operator.size**0.5 / noise.norm(dim=2, keepdim=True)
    return noise


def hutchinson(
    operator: SymmetricOperator,
    products: int,
    *,
    distribution: Probes = "rademacher",
    generator: torch.Generator | None = None,
) -> TraceEstimate:
    """Estimate tr A as the mean of v^T A v over probes v with E[v v^T] = I.

    Hutchinson (1990). The variance is 2 |A|_F^2 / products for normal probes; Rademacher probes
    leave out the diagonal, those on a sphere the mean of the eigenvalues.

    Parameters
    ----------
    operator : SymmetricOperator
        The matrices A, b of them, n x n.
    products : int
        Number of probes.
    distribution : {"rademacher", "normal", "sphere"}
        Of the probes.
    generator : torch.Generator, optional
        Source of randomness.
    """
    check_operator(operator)
    check_count("products", products)
    probes = draw_probes(operator, products, distribution, generator)
    return _mean((probes * operator.product(probes)).sum(2), products)


def covariance_trace(
    operator: SymmetricOperator,
    covariance: Covariance,
    products: int,
    *,
    distribution: Literal["normal", "rademacher"] = "normal",
    generator: torch.Generator | None = None,
) -> TraceEstimate:
    """Estimate tr(A Sigma) by probing A with the covariance Sigma.

    With ``"normal"`` the mean of v^T A v over v ~ N(0, Sigma), of variance
    2 tr(A Sigma A Sigma) / products (Fyffe, arXiv:1912.10309, the trace of the Taylor form); with
    ``"rademacher"`` that of (Sigma r)^T A r over signs r.

    Parameters
    ----------
    operator : SymmetricOperator
        The matrices A, b of them, n x n.
    covariance : Covariance
        Sigma, with batch b or 1 and dimension n. Differentiable, if normal probes are drawn.
    products : int
        Number of probes.
    distribution : {"normal", "rademacher"}
        See above.
    generator : torch.Generator, optional
        Source of randomness.
    """
    check_operator(operator)
    check_covariance(covariance, operator)
    check_count("products", products)
    check_choice("distribution", distribution, ("normal", "rademacher"))
    if distribution == "rademacher":
        signs = draw_probes(operator, products, "rademacher", generator)
        return _mean((covariance.product(signs) * operator.product(signs)).sum(2), products)
    vectors = sample_covariance(covariance, operator, products, generator)
    return _mean((vectors * operator.product(vectors)).sum(2), products)


def hutch_plus_plus(
    operator: SymmetricOperator,
    products: int,
    *,
    generator: torch.Generator | None = None,
) -> TraceEstimate:
    """Estimate tr A as the exact trace on a random range of A and Hutchinson's on the rest.

    With Q an orthonormal basis of A S for random S, tr A = tr(Q^T A Q) + tr(P A P), P = I - Q Q^T.
    A third of the products goes to each of S, Q and the probes of P A P. Meyer, Musco, Musco and
    Woodruff (2021), arXiv:2010.09649.

    Parameters
    ----------
    operator : SymmetricOperator
        The matrices A, b of them, n x n.
    products : int
        Number of products with A, at least 3.
    generator : torch.Generator, optional
        Source of randomness.
    """
    check_operator(operator)
    check_count("products", products, 3)
    rank = min(products // 3, operator.size)
    sketch = operator.product(draw_probes(operator, rank, "rademacher", generator))
    basis = torch.linalg.qr(sketch.mT).Q.mT
    captured = (basis * operator.product(basis)).sum((1, 2))
    count = products - 2 * rank
    probes = draw_probes(operator, count, "rademacher", generator)
    rest = probes - (probes @ basis.mT) @ basis
    return _mean(captured[:, None] + (rest * operator.product(rest)).sum(2), products)


def xtrace(
    operator: SymmetricOperator,
    products: int,
    *,
    generator: torch.Generator | None = None,
) -> TraceEstimate:
    """Estimate tr A with every probe both in the range and, left out of it, as a test vector.

    With Q_i a basis of A times all probes but the i-th, and w_i that probe off Q_i, the estimate is
    the mean of tr(Q_i^T A Q_i) + (n - p + 1) w_i^T A w_i / |w_i|^2. Epperly, Tropp and Webber
    (2024), arXiv:2301.07825.

    Parameters
    ----------
    operator : SymmetricOperator
        The matrices A, b of them, n x n.
    products : int
        Number of products with A, at least 4 and at most 2 n; an odd one is not used. With 2 n
        every direction is in each range, and the trace is exact and takes n products.
    generator : torch.Generator, optional
        Source of randomness.
    """
    check_operator(operator)
    check_count("products", products, 4)
    count = products // 2
    if count > operator.size:
        raise ArgumentError(
            f"products must be at most twice the size {operator.size}, got {products}"
        )
    if count == operator.size:
        exact = operator.dense().diagonal(dim1=1, dim2=2).sum(1)
        return TraceEstimate(exact, torch.zeros_like(exact.detach()), operator.size)
    probes = draw_probes(operator, count, "normal", generator).mT
    sketch = operator.product(probes.mT).mT
    # Noise no larger than rounding takes the place of directions that A does not have. As it is
    # independent of the probes, the estimate stays unbiased.
    scale = sketch.detach().norm(dim=1).amax(1)[:, None, None]
    scale = torch.where(scale > 0, torch.finfo(scale.dtype).eps * scale, 1.0)
    noise = draw_probes(operator, count, "sphere", generator).mT / operator.size**0.5
    basis, triangle = torch.linalg.qr(sketch + scale * noise)
    image = operator.product(basis.mT).mT
    small = basis.mT @ image
    # Without column i the range loses one direction, Q s_i: s_i is orthogonal to the other
    # columns of R, so it is column i of R^-T, normalised.
    identity = torch.eye(count, dtype=small.dtype, device=small.device)
    inverse = torch.linalg.solve_triangular(triangle, identity, upper=True).mT
    lost = inverse / inverse.norm(dim=1, keepdim=True)
    inside = basis.mT @ probes
    inside = inside - lost * (lost * inside).sum(1, keepdim=True)
    captured = small.diagonal(dim1=1, dim2=2).sum(1)[:, None] - (lost * (small @ lost)).sum(1)
    # From the vectors off Q_i themselves: a difference of squares would lose small ones.
    off = probes - basis @ inside
    form = (off * (sketch - image @ inside)).sum(1)
    norm = off.square().sum(1)
    estimate = _mean(captured + (operator.size - count + 1) * form / norm, 2 * count)
    assert estimate.standard_error is not None
    return replace(estimate, standard_error=LEFT_OUT_SPREAD * estimate.standard_error)


def check_operator(operator: object) -> None:
    """Refuse what is not a `SymmetricOperator`."""
    if not isinstance(operator, SymmetricOperator):
        raise ArgumentTypeError(
            f"operator must be a SymmetricOperator, got {type(operator).__name__}"
        )


def check_covariance(covariance: object, operator: SymmetricOperator) -> None:
    """Refuse what is not a `Covariance` that fits the operator."""
    if not isinstance(covariance, Covariance):
        raise ArgumentTypeError(f"covariance must be a Covariance, got {type(covariance).__name__}")
    if covariance.dimension != operator.size or covariance.batch not in (1, operator.batch):
        raise ArgumentError(
            f"covariance must have the operator's batch {operator.batch} (or 1) and dimension "
            f"{operator.size}, got {covariance.batch} and {covariance.dimension}"
        )


def sample_covariance(
    covariance: Covariance,
    operator: SymmetricOperator,
    count: int,
    generator: torch.Generator | None,
) -> Tensor:
    """Draw vectors (b, count, n) from N(0, Sigma), independent ones for each matrix."""
    if covariance.batch == operator.batch:
        return covariance.sample(count, generator)
    return covariance.sample(operator.batch * count, generator).reshape(
        operator.batch, count, operator.size
    )


def _mean(samples: Tensor, products: int) -> TraceEstimate:
    """Mean of the samples (b, k) and its standard error."""
    count = samples.shape[1]
    error = None
    if count > 1:
        error = samples.detach().std(1) * (two_sigma_factor(count) / count**0.5)
    return TraceEstimate(samples.mean(1), error, products)
