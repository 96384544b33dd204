"""Random numbers, and posterior covariances of every family from parameters without constraints."""

import torch
from torch import Tensor

from vaetheory.covariance import (
    Covariance,
    DiagonalCovariance,
    FullCovariance,
    LowRankCovariance,
    ScalarCovariance,
)

FAMILIES = ("scalar", "diagonal", "low rank", "full")


def normal_tensor(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, device=generator.device, generator=generator)


def random_parameters(
    family: str, batch: int, size: int, generator: torch.Generator
) -> tuple[Tensor, ...]:
    shapes: dict[str, list[tuple[int, ...]]] = {
        "scalar": [(batch,)],
        "diagonal": [(batch, size)],
        "low rank": [(batch, size), (batch, size, size - 1)],
        "full": [(batch, size, size)],
    }
    return tuple(0.5 * normal_tensor(generator, *shape) for shape in shapes[family])


def make_covariance(family: str, size: int, *parameters: Tensor) -> Covariance:
    if family == "scalar":
        return ScalarCovariance(parameters[0].exp(), size)
    if family == "diagonal":
        return DiagonalCovariance(parameters[0].exp())
    if family == "low rank":
        return LowRankCovariance(parameters[0].exp(), parameters[1])
    diagonal = parameters[0].diagonal(dim1=1, dim2=2).exp()
    return FullCovariance(parameters[0].tril(-1) + torch.diag_embed(diagonal))


def random_covariance(family: str, batch: int, size: int, generator: torch.Generator) -> Covariance:
    return make_covariance(family, size, *random_parameters(family, batch, size, generator))


class SigmaPoints(FullCovariance):
    """Sigma = L L^T whose 2 d "samples" are the columns of +-sqrt(d) L.

    They have mean zero and covariance Sigma, so that expectations of quadratics are exact.
    """

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        assert count == 2 * self.dimension
        columns = self.dimension**0.5 * self.factor.mT
        return torch.cat([columns, -columns], 1)
