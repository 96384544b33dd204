"""log |det J| of square Jacobians, and 1/2 log det(J^T J) of tall ones, as in injective flows."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from vaetheory.arguments import check_choice, check_count, check_finite, check_number
from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.jacobian import Jacobian
from vaetheory.log_determinants.estimate import METHODS, Method
from vaetheory.log_determinants.krylov import krylov_logdet
from vaetheory.log_determinants.result import LogDeterminant
from vaetheory.metric import DecoderMetric

SINGULAR = 10.0
"""Ratio of the least singular value to the largest, in units of epsilon and for columns of unit
norm, up to which J is singular. Of singular ones it was up to 1.8, for 2 to 5000 outputs."""


def jacobian_logdet(
    jacobian: Jacobian,
    products: int = 256,
    *,
    method: Method = "auto",
    depth: int | None = None,
    floor: float = 0.0,
    generator: torch.Generator | None = None,
) -> LogDeterminant:
    """Return the log-volume 1/2 log det(J^T J), which is log |det J| where J is square.

    Exact, from J and without squaring its condition number, where the budget suffices for all d
    products with J; then the value is differentiable. Otherwise estimated from products with J^T J,
    each one forward-mode and one reverse-mode derivative, without gradient: `logdet_surrogate` with
    draws from N(0, (J^T J)^-1) has twice that.

    Parameters
    ----------
    jacobian : Jacobian
        J, with at least as many outputs as latent dimensions.
    products : int
        Most products for each sample.
    method : {"auto", "exact", "krylov"}
        As for `logdet`.
    depth : int, optional
        As for `logdet`. Without the identity the spectrum reaches down towards zero, and more depth
        is needed than for J^T J + I.
    floor : float
        No singular value of J lies below it.
    generator : torch.Generator, optional
        Source of the probes.

    Raises
    ------
    ArgumentError
        If J has fewer outputs than latent dimensions, or not full rank.
    """
    if not isinstance(jacobian, Jacobian):
        raise ArgumentTypeError(f"jacobian must be a Jacobian, got {type(jacobian).__name__}")
    check_count("products", products)
    check_number("floor", floor, 0, may_be_low=True)
    check_choice("method", method, METHODS)
    elements = jacobian.output_shape.numel()
    if elements < jacobian.size:
        raise ArgumentError(
            f"jacobian must have at least as many outputs as its {jacobian.size} latent "
            f"dimensions, got {elements}"
        )
    if method == "exact" or (method == "auto" and jacobian.size <= products):
        return _exact(jacobian, floor)
    metric = DecoderMetric(
        jacobian.decoder,
        jacobian.z,
        prior_precision=0.0,
        output_shape=jacobian.output_shape,
        rows=jacobian.rows,
    )
    squared = krylov_logdet(metric, products, depth=depth, floor=floor**2, generator=generator)

    def half(tensor: Tensor | None) -> Tensor | None:
        return None if tensor is None else 0.5 * tensor

    return replace(
        squared,
        value=0.5 * squared.value,
        standard_error=half(squared.standard_error),
        lower=half(squared.lower),
        upper=half(squared.upper),
        gap=half(squared.gap),
    )


def _exact(jacobian: Jacobian, floor: float) -> LogDeterminant:
    """sum_i log |R_ii| with J = Q R."""
    dense = jacobian.dense().flatten(1, -2)
    check_finite("jacobian", dense)
    size = jacobian.size
    _check_singular_values(dense.detach(), floor)
    if dense.shape[1] == size:
        value = torch.linalg.slogdet(dense).logabsdet
    else:
        value = torch.linalg.qr(dense).R.diagonal(dim1=1, dim2=2).abs().log().sum(1)
    bound = value.detach()
    return LogDeterminant(
        value=value,
        standard_error=torch.zeros_like(bound),
        lower=bound,
        upper=bound,
        products=size,
        method="exact",
    )


def _check_singular_values(dense: Tensor, floor: float) -> None:
    """Refuse J without full rank, or with singular values below the floor."""
    resolution = SINGULAR * torch.finfo(dense.dtype).eps
    # Columns that are small in all leave the determinant its digits.
    norms = dense.norm(dim=1, keepdim=True)
    scales = torch.linalg.svdvals(dense / torch.where(norms > 0, norms, 1.0))
    if bool((scales[:, -1] <= resolution * scales[:, 0]).any()):
        raise ArgumentError("jacobian must have full rank, but is singular to working precision")
    if floor > 0:
        scales = torch.linalg.svdvals(dense)
        if bool((scales[:, -1] < floor - resolution * scales[:, 0]).any()):
            raise ArgumentError(f"jacobian must have no singular value below floor = {floor:g}")
