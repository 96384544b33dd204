"""An orthonormal basis of a block Krylov space, and the matrix in it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vaetheory.errors import ArgumentError
from vaetheory.operators import SymmetricOperator


@dataclass(frozen=True, eq=False)
class BlockKrylov:
    """The Krylov space of p start vectors S to depth q, in coordinates.

    With V the orthonormal basis of span(S, A S, ..., A^q S), whose first p q columns are V':

    Attributes
    ----------
    matrix : Tensor, shape (b, p (q + 1), p q)
        V^T A V', in float64. It is all of A V', as that lies in the span of V.
    start : Tensor, shape (b, p, p)
        S = V[:, :p] start, in float64.
    basis : Tensor, shape (b, n, p (q + 1))
        V.
    probes, depth : int
        p and q.
    resolution : float
        Size of rounding errors in `matrix`, relative to the largest eigenvalue.
    """

    matrix: Tensor
    start: Tensor
    basis: Tensor
    probes: int
    depth: int
    resolution: float

    def part(self, depth: int) -> BlockKrylov:
        """Return the space to a smaller depth."""
        inner, outer = self.probes * depth, self.probes * (depth + 1)
        return BlockKrylov(
            self.matrix[:, :outer, :inner],
            self.start,
            self.basis[:, :, :outer],
            self.probes,
            depth,
            self.resolution,
        )


@torch.no_grad()
def block_lanczos(
    operator: SymmetricOperator,
    start: Tensor,
    depth: int,
    generator: torch.Generator | None = None,
) -> BlockKrylov:
    """Build the Krylov space by the block Lanczos method with full reorthogonalisation.

    Golub and Underwood (1977). Where the space stops growing because A maps it into itself, random
    directions take the place of the missing ones, with zeros in the matrix: the results are right.

    Parameters
    ----------
    operator : SymmetricOperator
        The matrices A, b of them, n x n.
    start : Tensor, shape (b, p, n)
        The start vectors, linearly independent.
    depth : int
        Number q of times that A is applied; p (q + 1) is at most n. Takes p q products.
    generator : torch.Generator, optional
        For the random directions.

    Raises
    ------
    ArgumentError
        If a product is not finite.
    """
    batch, probes = start.shape[:2]
    resolution = torch.finfo(start.dtype).eps
    basis, triangle = torch.linalg.qr(start.mT)
    matrix = torch.zeros(
        batch, probes * (depth + 1), probes * depth, dtype=torch.float64, device=start.device
    )
    block = basis
    scale = start.new_zeros(batch)
    for step in range(depth):
        product = operator.product(block.mT.contiguous()).mT
        if not bool(torch.isfinite(product).all()):
            raise ArgumentError("operator must give finite products, but one contains NaN or inf")
        scale = torch.maximum(scale, product.norm(dim=1).amax(1))
        columns = slice(probes * step, probes * (step + 1))
        done = probes * (step + 1)
        inside = basis.mT @ product
        rest = product - basis @ inside
        again = basis.mT @ rest
        rest = rest - basis @ again
        matrix[:, :done, columns] = (inside + again).double()
        block, outside = _orthonormalise(rest, basis, resolution * scale, generator)
        matrix[:, done : done + probes, columns] = outside.double()
        basis = torch.cat([basis, block], 2)
    return BlockKrylov(matrix, triangle.double(), basis, probes, depth, resolution)


def _orthonormalise(
    vectors: Tensor, basis: Tensor, threshold: Tensor, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Write vectors (b, n, p) as Q R with Q orthonormal and orthogonal to the basis."""
    block, triangle = torch.linalg.qr(vectors)
    missing = triangle.diagonal(dim1=1, dim2=2).abs() <= threshold[:, None]
    if bool(missing.any()):
        noise = torch.randn(
            block.shape, generator=generator, dtype=block.dtype, device=block.device
        )
        block = torch.where(missing[:, None, :], noise / block.shape[1] ** 0.5, block)
        triangle = torch.where(missing[:, :, None], 0.0, triangle)
    for _ in range(2):
        block = block - basis @ (basis.mT @ block)
        block, change = torch.linalg.qr(block)
        triangle = change @ triangle
    return block, triangle
