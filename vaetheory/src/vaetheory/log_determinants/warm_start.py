"""Log-determinants of a matrix that changes slowly, as in training."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vaetheory.arguments import check_count, check_number, check_shape
from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.log_determinants.block_lanczos import block_lanczos
from vaetheory.log_determinants.krylov import krylov_logdet
from vaetheory.log_determinants.result import LogDeterminant
from vaetheory.operators import FunctionOperator, SymmetricOperator
from vaetheory.trace import check_operator, draw_probes

REST_DEPTH = 3
"""Powers for what the basis leaves: it is close to I, so that probes are worth more than depth.
With 2 the errors of slowly decaying spectra are biased by more than the standard error."""

LEAST_REST = 2 * REST_DEPTH
"""Products for what the basis leaves: two probes."""

GAP_SHARE = 0.1
"""Part of the distance between the two quadrature rules that enters the standard error besides, as
their limit is less certain from so few powers."""

LEAST_GROWTH = 0.01
"""Nats by which the rest has to grow, for a basis that leaves next to nothing is not stale."""


@dataclass(frozen=True, eq=False)
class RitzBasis:
    """What is kept from one step to the next.

    Attributes
    ----------
    vectors : Tensor, shape (b, r, n)
        Orthonormal vectors near the eigenvectors of the largest eigenvalues.
    remainder : Tensor, shape (b,)
        log det M, what the basis did not capture, when it was new.
    """

    vectors: Tensor
    remainder: Tensor


@dataclass(frozen=True, eq=False)
class WarmLogDeterminant:
    """A log-determinant, and the basis for the next step.

    Attributes
    ----------
    estimate : LogDeterminant
        The log-determinants; `products` counts all that were spent in this step.
    basis : RitzBasis
        To be given to the next call.
    refreshed : bool
        Whether the basis was made anew in this step.
    """

    estimate: LogDeterminant
    basis: RitzBasis
    refreshed: bool


@torch.no_grad()
def warm_logdet(
    operator: SymmetricOperator,
    products: int,
    basis: RitzBasis | None = None,
    *,
    rank: int | None = None,
    floor: float = 1.0,
    staleness: float = 1.2,
    refresh_products: int | None = None,
    generator: torch.Generator | None = None,
) -> WarmLogDeterminant:
    """Estimate log det A with a basis that was kept from the step before.

    The Nystrom approximation B of A from the basis costs r products. As floor I <= B <= A, the
    matrix M = B^-1/2 A B^-1/2 has no eigenvalue below 1, and log det A = log det B + log det M,
    of which the rest of the products estimates the second with fresh probes. The next basis are the
    eigenvectors of B, one step of subspace iteration ahead.

    The basis is stale if log det M, in the mean over the matrices and relative to its value when
    the basis was new, has grown beyond `staleness` and by more than 0.01 nats; then it is made anew
    from a block Krylov space, in the same call, and the estimate repeated.

    Parameters
    ----------
    operator : SymmetricOperator
        The matrices A, b of them, n x n.
    products : int
        Products a step, at least rank + 6.
    basis : RitzBasis, optional
        From the step before; none in the first.
    rank : int, optional
        Number r of vectors, by default a third of the products.
    floor : float
        No eigenvalue of A lies below it; positive.
    staleness : float
        See above; above 1.
    refresh_products : int, optional
        What a new basis may take, by default four times the rank.
    generator : torch.Generator, optional
        Source of the probes.
    """
    check_operator(operator)
    check_count("products", products, 8)
    rank = products // 3 if rank is None else rank
    check_count("rank", rank)
    if products < rank + LEAST_REST:
        raise ArgumentError(
            f"products must be at least rank + {LEAST_REST}, got {products} and {rank}"
        )
    check_number("floor", floor, 0)
    check_number("staleness", staleness, 1)
    if basis is not None and not isinstance(basis, RitzBasis):
        raise ArgumentTypeError(f"basis must be a RitzBasis, got {type(basis).__name__}")
    if refresh_products is None:
        refresh_products = 4 * rank
    check_count("refresh_products", refresh_products, 2 * rank)
    spent = 0
    if basis is not None:
        check_shape("basis.vectors", basis.vectors, (operator.batch, rank, operator.size))
        step = _estimate(operator, products, basis.vectors, floor, generator)
        spent = step.estimate.products
        fresh, now = basis.remainder.mean(), step.basis.remainder.mean()
        if bool(now <= torch.maximum(staleness * fresh, fresh + LEAST_GROWTH)):
            kept = replace(step.basis, remainder=basis.remainder)
            return replace(step, basis=kept)
    vectors, cost = _new_basis(operator, rank, refresh_products, generator)
    step = _estimate(operator, products, vectors, floor, generator)
    total = replace(step.estimate, products=spent + cost + step.estimate.products)
    return WarmLogDeterminant(total, step.basis, refreshed=True)


def _estimate(
    operator: SymmetricOperator,
    products: int,
    vectors: Tensor,
    floor: float,
    generator: torch.Generator | None,
) -> WarmLogDeterminant:
    """Estimate with a given basis (b, r, n); `basis` of the result is the next one."""
    rank = vectors.shape[1]
    image = operator.product(vectors) - floor * vectors
    values, turn = torch.linalg.eigh(_symmetric(vectors @ image.mT))
    tolerance = 2 * torch.finfo(values.dtype).eps * values[:, -1:].abs()
    kept = values > tolerance
    root = torch.where(kept, values, 1.0).rsqrt() * kept
    # B - floor I = Z^T Z with the rows of Z; its eigenvectors from those of Z Z^T.
    factor = (turn * root[:, None, :]).mT @ image
    sizes, turn = torch.linalg.eigh(_symmetric(factor @ factor.mT))
    # The largest first, so that rounding in those that hardly exist does not turn them.
    sizes, turn = sizes.flip(1), turn.flip(2)
    found = sizes > torch.finfo(sizes.dtype).eps * sizes[:, :1]
    root = torch.where(found, sizes, 1.0).rsqrt() * found
    directions: Tensor = torch.linalg.qr(factor.mT @ (turn * root[:, None, :])).Q.mT
    sizes = sizes * found
    shrink = (1 + sizes / floor).rsqrt() - 1

    def divide_by_root(points: Tensor) -> Tensor:
        """B^-1/2 v, times sqrt(floor)."""
        inside = (points @ directions.mT) * shrink[:, None, :]
        result: Tensor = points + inside @ directions
        return result

    def multiply(points: Tensor) -> Tensor:
        return divide_by_root(operator.product(divide_by_root(points))) / floor

    rest = krylov_logdet(
        FunctionOperator(multiply, operator.batch, operator.size, operator.dtype, operator.device),
        products - rank,
        depth=REST_DEPTH,
        # Products have rounding errors relative to the largest eigenvalue of A, not of M.
        floor=1 / (1 + 100 * torch.finfo(sizes.dtype).eps * (1 + sizes.max().item() / floor)),
        generator=generator,
    )
    captured = (sizes / floor).log1p().sum(1) + operator.size * math.log(floor)
    assert rest.lower is not None
    assert rest.gap is not None
    error = rest.standard_error
    if error is not None:
        error = torch.hypot(error, GAP_SHARE * rest.gap)
    estimate = replace(
        rest,
        value=captured + rest.value,
        standard_error=error,
        lower=captured + rest.lower,
        upper=None if rest.upper is None else captured + rest.upper,
        products=rank + rest.products,
    )
    return WarmLogDeterminant(estimate, RitzBasis(directions, rest.value), refreshed=False)


def _new_basis(
    operator: SymmetricOperator,
    rank: int,
    products: int,
    generator: torch.Generator | None,
) -> tuple[Tensor, int]:
    """Ritz vectors (b, r, n) of a block Krylov space, and the products spent."""
    width = max(1, rank // 2)
    depth = min(products // width, operator.size // width - 1)
    if depth * width < rank:
        raise ArgumentError(
            f"rank must leave room for a Krylov space in {operator.size} dimensions, got {rank}"
        )
    start = draw_probes(operator, width, "normal", generator)
    space = block_lanczos(operator, start, depth, generator)
    inner = space.matrix.shape[2]
    turn = torch.linalg.eigh(_symmetric(space.matrix[:, :inner])).eigenvectors[:, :, -rank:]
    return (space.basis[:, :, :inner] @ turn.to(operator.dtype)).mT.contiguous(), width * depth


def _symmetric(matrix: Tensor) -> Tensor:
    return 0.5 * (matrix + matrix.mT)
