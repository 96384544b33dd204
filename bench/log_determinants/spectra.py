"""The matrices of the comparison, made from a recipe: dense, float64, no eigenvalue below 1."""

from __future__ import annotations

import torch
from torch import Tensor

NAMES = ("pow", "mlp", "kern")


def matrix(name: str, size: int) -> Tensor:
    """Return the matrix (size, size) of that name.

    pow: eigenvalues 1 + 1e4 / i^2 in a random basis. mlp: J^T J + I of a network with two layers of
    tanh, whose weights decay with the input's index as 30 i^-0.75. kern: K / 0.01 + I, with K the
    kernel exp(-|x - y|^2 / (2 * 0.1^2)) of points at random in the unit square.
    """
    generator = torch.Generator().manual_seed(7)
    identity = torch.eye(size, dtype=torch.float64)
    if name == "pow":
        basis = torch.linalg.qr(_normal(size, size, generator)).Q
        index = torch.arange(1, size + 1, dtype=torch.float64)
        made = (basis * (1 + 1e4 / index.square())) @ basis.mT
    elif name == "mlp":
        gains = 30 * torch.arange(1, size + 1, dtype=torch.float64) ** -0.75
        point = _normal(size, 1, generator)
        jacobian = identity
        for _ in range(2):
            weight = _normal(size, size, generator) / size**0.5 * gains
            point = (weight @ point).tanh()
            jacobian = (1 - point.square()) * (weight @ jacobian)
        made = jacobian.mT @ jacobian + identity
    else:
        points = torch.rand(size, 2, dtype=torch.float64, generator=generator)
        made = torch.exp(-torch.cdist(points, points).square() / (2 * 0.1**2)) / 0.01 + identity
    return 0.5 * (made + made.mT)


def _normal(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    return torch.randn(rows, columns, dtype=torch.float64, generator=generator)
