"""Integrals over one or two dimensions by adaptive quadrature, as an independent truth."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def log_integral(
    log_density: Callable[[Tensor], Tensor],
    dimension: int,
    half_width: float = 7.0,
    tolerance: float = 1e-8,
) -> float:
    """Logarithm of the integral of exp(log_density) over a box around 0.

    Gauss-Legendre rules with 6 and 10 points a side are compared on each cell, and a cell where
    they differ is cut in two along every side.
    """
    cells_a_side = {1: 128, 2: 28}[dimension]
    edges = torch.linspace(-half_width, half_width, cells_a_side + 1, dtype=torch.float64)
    centres = torch.cartesian_prod(*[(edges[1:] + edges[:-1]) / 2] * dimension)
    centres = centres.reshape(-1, dimension)
    radius = half_width / cells_a_side
    top = float(log_density(centres).max())

    def rule(centres: Tensor, radius: float, order: int) -> Tensor:
        points, weights = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(order))
        offsets = torch.cartesian_prod(*[points] * dimension).reshape(-1, dimension)
        products = torch.cartesian_prod(*[weights] * dimension).reshape(-1, dimension).prod(1)
        values = log_density((centres[:, None] + radius * offsets).reshape(-1, dimension))
        return (values - top).exp().reshape(len(centres), -1) @ products * radius**dimension

    total = 0.0
    for _ in range(30):
        fine = rule(centres, radius, 10)
        error = (fine - rule(centres, radius, 6)).abs()
        # A share of the whole for each cell.
        split = error > tolerance * (total + float(fine.sum())) / len(centres)
        total += float(fine[~split].sum())
        if not bool(split.any()):
            return top + float(np.log(total))
        radius /= 2
        corners = torch.cartesian_prod(*[torch.tensor([-radius, radius]).double()] * dimension)
        centres = (centres[split][:, None] + corners.reshape(-1, dimension)).reshape(-1, dimension)
    raise AssertionError("quadrature has not converged")
