"""Matrices with known log-determinants that several tests share."""

import torch
from decoders import normal
from torch import Tensor

from vaetheory.operators import FunctionOperator


def decaying(size: int) -> Tensor:
    """Eigenvalues 1 + 1e4 / i^2 in float64."""
    return 1 + 1e4 / torch.arange(1, size + 1, dtype=torch.float64).square()


def operator_with(
    eigenvalues: Tensor, batch: int = 1, dtype: torch.dtype = torch.float64
) -> FunctionOperator:
    """The same diagonal matrix `batch` times. Normal probes do not see that it is diagonal."""
    values = eigenvalues.to(dtype)
    return FunctionOperator(lambda v: v * values, batch, len(values), dtype, values.device)


def random_spd(batch: int, size: int, generator: torch.Generator, floor: float = 1.0) -> Tensor:
    """Matrices J^T J + floor I of random J."""
    factor = normal((batch, size, size), generator) / size**0.5
    identity = torch.eye(size, dtype=torch.float64, device=generator.device)
    return factor.mT @ factor + floor * identity
