"""Linear systems with batches of positive definite operators, by conjugate gradients."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vaetheory.arguments import check_alike, check_count, check_number, check_shape
from vaetheory.operators import SymmetricOperator


@dataclass(frozen=True, eq=False)
class Solution:
    """What `conjugate_gradients` found.

    Attributes
    ----------
    value : Tensor, shape (b, n)
        The solutions.
    residual : Tensor, shape (b,)
        Norm of b - (A + s I) u, relative to that of b.
    converged : Tensor of bool, shape (b,)
        Whether the residual is below the tolerance.
    positive : Tensor of bool, shape (b,)
        False where a direction of negative curvature was met: then the matrix is not positive
        definite, and the value is the last iterate before.
    products : Tensor of int, shape (b,)
        Products with A until each system was done.
    """

    value: Tensor
    residual: Tensor
    converged: Tensor
    positive: Tensor
    products: Tensor


@torch.no_grad()
def conjugate_gradients(
    operator: SymmetricOperator,
    right: Tensor,
    *,
    shift: Tensor | None = None,
    tolerance: float | Tensor = 1e-6,
    max_iterations: int | None = None,
) -> Solution:
    """Solve (A + s I) u = b for a batch of matrices A, one right side each.

    The method of Hestenes and Stiefel (1952). Systems that are done wait for the others.

    Parameters
    ----------
    operator : SymmetricOperator
        The matrices A, b of them, n x n.
    right : Tensor, shape (b, n)
        The right sides.
    shift : Tensor, shape (b,), optional
        What is added to each diagonal.
    tolerance : float or Tensor of shape (b,)
        Wanted norm of the residual, relative to the right side's.
    max_iterations : int, optional
        By default 2 n, but at least 20: rounding may need more than the n that suffice in theory.

    Returns
    -------
    Solution
        It carries no gradient.
    """
    if not isinstance(tolerance, Tensor):
        check_number("tolerance", tolerance, 0, may_be_low=True)
    check_shape("right", right, (operator.batch, operator.size))
    if shift is None:
        shift = right.new_zeros(operator.batch)
    check_shape("shift", shift, (operator.batch,))
    check_alike("shift", shift, "right", right)
    if max_iterations is None:
        max_iterations = max(20, 2 * operator.size)
    check_count("max_iterations", max_iterations)

    value = torch.zeros_like(right)
    residual = right.clone()
    direction = right.clone()
    norm = right.norm(dim=1)
    squared = residual.square().sum(1)
    target = (tolerance * norm).square()
    positive = torch.ones_like(norm, dtype=torch.bool)
    products = torch.zeros_like(norm, dtype=torch.int64)
    running = squared > target
    for _ in range(max_iterations):
        if not bool(running.any()):
            break
        product = operator.product(direction[:, None])[:, 0] + shift[:, None] * direction
        products += running
        curvature = (direction * product).sum(1)
        positive &= ~running | (curvature > 0)
        running &= positive
        step = torch.where(running, squared / curvature, 0.0)[:, None]
        value += step * direction
        residual -= step * product
        updated = residual.square().sum(1)
        ratio = torch.where(running, updated / squared, 0.0)[:, None]
        direction = residual + ratio * direction
        squared = torch.where(running, updated, squared)
        running &= squared > target
    relative = torch.where(norm > 0, squared.sqrt() / norm, 0.0)
    return Solution(value, relative, squared <= target, positive, products)
