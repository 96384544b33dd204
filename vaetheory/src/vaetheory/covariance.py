"""Posterior covariances: scalar, diagonal, low rank plus diagonal, and full."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from vaetheory.arguments import (
    check_alike,
    check_count,
    check_finite,
    check_positive,
    check_shape,
    check_symmetric,
    check_tensor,
    cholesky,
)
from vaetheory.errors import ArgumentError


@dataclass(frozen=True, eq=False)
class Covariance(ABC):
    """A batch of symmetric positive definite d x d matrices Sigma, in some parameters.

    The parameters have a leading batch dimension b; one of length 1 stands for a covariance that
    all samples share, and broadcasts against the vectors that it is applied to. Everything is
    differentiable in the parameters.
    """

    @property
    @abstractmethod
    def batch(self) -> int:
        """Number b of matrices."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Number d of rows of each."""

    @property
    def noise_dimension(self) -> int:
        """Number e of standard normal draws that make one from N(0, Sigma): d unless said."""
        return self.dimension

    @abstractmethod
    def from_noise(self, noise: Tensor) -> Tensor:
        """Make draws (b, k, d) from N(0, Sigma) of standard normal ones (b, k, e)."""

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw vectors (b, count, d) from N(0, Sigma), differentiable in Sigma."""
        check_count("count", count)
        like = self.diagonal()
        shape = (self.batch, count, self.noise_dimension)
        return self.from_noise(
            torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)
        )

    @abstractmethod
    def product(self, vectors: Tensor) -> Tensor:
        """Return Sigma v for each of the vectors (b, k, d)."""

    @abstractmethod
    def solve(self, vectors: Tensor) -> Tensor:
        """Return Sigma^-1 v for each of the vectors (b, k, d)."""

    @abstractmethod
    def logdet(self) -> Tensor:
        """Return log det Sigma, shape (b,)."""

    @abstractmethod
    def diagonal(self) -> Tensor:
        """Return the variances Sigma_ii, shape (b, d)."""

    @abstractmethod
    def dense(self) -> Tensor:
        """Return the matrices, shape (b, d, d)."""

    def trace(self) -> Tensor:
        """Return tr Sigma, shape (b,)."""
        return self.diagonal().sum(1)


@dataclass(frozen=True, eq=False)
class ScalarCovariance(Covariance):
    """Sigma = s I.

    Parameters
    ----------
    variance : Tensor, shape (b,)
        The variances s > 0.
    size : int
        The dimension d.
    """

    variance: Tensor
    size: int

    def __post_init__(self) -> None:
        check_tensor("variance", self.variance)
        check_shape("variance", self.variance, ("b",))
        check_positive("variance", self.variance)
        check_count("size", self.size)

    @property
    def batch(self) -> int:
        """Number b of matrices."""
        return self.variance.shape[0]

    @property
    def dimension(self) -> int:
        """Number d of rows of each."""
        return self.size

    def from_noise(self, noise: Tensor) -> Tensor:
        """Return sqrt(s) e."""
        return self.variance.sqrt()[:, None, None] * noise

    def product(self, vectors: Tensor) -> Tensor:
        """Return s v."""
        _check_vectors(self, vectors)
        return self.variance[:, None, None] * vectors

    def solve(self, vectors: Tensor) -> Tensor:
        """Return v / s."""
        _check_vectors(self, vectors)
        return vectors / self.variance[:, None, None]

    def logdet(self) -> Tensor:
        """Return d log s."""
        return self.size * self.variance.log()

    def diagonal(self) -> Tensor:
        """Return s, d times."""
        return self.variance[:, None].expand(-1, self.size)

    def dense(self) -> Tensor:
        """Return s I."""
        return torch.diag_embed(self.diagonal())


@dataclass(frozen=True, eq=False)
class DiagonalCovariance(Covariance):
    """Sigma = diag(s).

    Parameters
    ----------
    variance : Tensor, shape (b, d)
        The variances s > 0.
    """

    variance: Tensor

    def __post_init__(self) -> None:
        check_tensor("variance", self.variance)
        check_shape("variance", self.variance, ("b", "d"))
        check_positive("variance", self.variance)

    @property
    def batch(self) -> int:
        """Number b of matrices."""
        return self.variance.shape[0]

    @property
    def dimension(self) -> int:
        """Number d of rows of each."""
        return self.variance.shape[1]

    def from_noise(self, noise: Tensor) -> Tensor:
        """Return sqrt(s) e."""
        return self.variance.sqrt()[:, None] * noise

    def product(self, vectors: Tensor) -> Tensor:
        """Return s v, element by element."""
        _check_vectors(self, vectors)
        return self.variance[:, None] * vectors

    def solve(self, vectors: Tensor) -> Tensor:
        """Return v / s, element by element."""
        _check_vectors(self, vectors)
        return vectors / self.variance[:, None]

    def logdet(self) -> Tensor:
        """Return sum_i log s_i."""
        return self.variance.log().sum(1)

    def diagonal(self) -> Tensor:
        """Return s."""
        return self.variance

    def dense(self) -> Tensor:
        """Return diag(s)."""
        return torch.diag_embed(self.variance)


@dataclass(frozen=True, eq=False)
class LowRankCovariance(Covariance):
    """Sigma = diag(s) + U U^T.

    Inverse and determinant go through the r x r capacitance matrix C = I + U^T diag(s)^-1 U
    (the Woodbury identity and the matrix determinant lemma), in O(d r^2).

    Parameters
    ----------
    variance : Tensor, shape (b, d)
        The diagonal s > 0.
    factor : Tensor, shape (b, d, r)
        The factor U of rank r.
    """

    variance: Tensor
    factor: Tensor

    def __post_init__(self) -> None:
        check_tensor("variance", self.variance)
        check_shape("variance", self.variance, ("b", "d"))
        check_positive("variance", self.variance)
        check_tensor("factor", self.factor)
        check_shape("factor", self.factor, (*self.variance.shape, "r"))
        check_alike("factor", self.factor, "variance", self.variance)
        check_finite("factor", self.factor)

    @property
    def batch(self) -> int:
        """Number b of matrices."""
        return self.variance.shape[0]

    @property
    def dimension(self) -> int:
        """Number d of rows of each."""
        return self.variance.shape[1]

    @property
    def noise_dimension(self) -> int:
        """Return d + r."""
        return self.dimension + self.factor.shape[2]

    def from_noise(self, noise: Tensor) -> Tensor:
        """Return sqrt(s) e + U f, the noise being e and f side by side."""
        independent, shared = torch.tensor_split(noise, [self.dimension], dim=2)
        return self.variance.sqrt()[:, None] * independent + shared @ self.factor.mT

    def product(self, vectors: Tensor) -> Tensor:
        """Return s v + U (U^T v)."""
        _check_vectors(self, vectors)
        return self.variance[:, None] * vectors + (vectors @ self.factor) @ self.factor.mT

    def solve(self, vectors: Tensor) -> Tensor:
        """Return w - diag(s)^-1 U C^-1 U^T w, with w = v / s."""
        _check_vectors(self, vectors)
        scaled = vectors / self.variance[:, None]
        shared = (scaled @ self.factor).mT
        correction = torch.cholesky_solve(shared, self._capacitance_factor())
        return scaled - (self.factor @ correction).mT / self.variance[:, None]

    def logdet(self) -> Tensor:
        """Return log det C + sum_i log s_i."""
        pivots = self._capacitance_factor().diagonal(dim1=1, dim2=2)
        return 2 * pivots.log().sum(1) + self.variance.log().sum(1)

    def diagonal(self) -> Tensor:
        """Return s_i + sum_j U_ij^2."""
        return self.variance + self.factor.square().sum(2)

    def dense(self) -> Tensor:
        """Return diag(s) + U U^T."""
        return torch.diag_embed(self.variance) + self.factor @ self.factor.mT

    def _capacitance_factor(self) -> Tensor:
        """Cholesky factor of C = I + U^T diag(s)^-1 U."""
        identity = torch.eye(
            self.factor.shape[2], dtype=self.factor.dtype, device=self.factor.device
        )
        gram = self.factor.mT @ (self.factor / self.variance[:, :, None])
        return cholesky("I + factor^T variance^-1 factor", identity + gram)


@dataclass(frozen=True, eq=False)
class FullCovariance(Covariance):
    """Sigma = L L^T.

    Parameters
    ----------
    factor : Tensor, shape (b, d, d)
        The Cholesky factor L: lower triangular with a positive diagonal.
    """

    factor: Tensor

    def __post_init__(self) -> None:
        check_tensor("factor", self.factor)
        check_shape("factor", self.factor, ("b", "d", "d"))
        check_finite("factor", self.factor)
        if self.factor.shape[1] != self.factor.shape[2]:
            raise ArgumentError(f"factor must have shape (b, d, d), got {tuple(self.factor.shape)}")
        if bool((self.factor.triu(1) != 0).any()):
            raise ArgumentError("factor must be lower triangular")
        check_positive("factor's diagonal", self.factor.diagonal(dim1=1, dim2=2))

    @classmethod
    def from_matrix(cls, matrix: Tensor) -> FullCovariance:
        """Take the matrices Sigma (b, d, d) themselves.

        Raises
        ------
        ArgumentError
            If one is not symmetric positive definite.
        """
        check_symmetric("matrix", matrix)
        return cls(cholesky("matrix", matrix))

    @classmethod
    def from_precision(cls, precision: Tensor) -> FullCovariance:
        """Take the inverses A = Sigma^-1 (b, d, d).

        With the rows and columns of A in reverse order, its Cholesky factor turns into U upper
        triangular with A = U U^T; so Sigma = U^-T U^-1, and U^-T is the lower factor sought.

        Raises
        ------
        ArgumentError
            If one is not symmetric positive definite.
        """
        check_symmetric("precision", precision)
        upper = cholesky("precision", precision.flip(1, 2)).flip(1, 2)
        identity = torch.eye(precision.shape[1], dtype=precision.dtype, device=precision.device)
        factor = torch.linalg.solve_triangular(upper.mT, identity, upper=False)
        return cls(factor.tril())

    @property
    def batch(self) -> int:
        """Number b of matrices."""
        return self.factor.shape[0]

    @property
    def dimension(self) -> int:
        """Number d of rows of each."""
        return self.factor.shape[1]

    def from_noise(self, noise: Tensor) -> Tensor:
        """Return L e."""
        return noise @ self.factor.mT

    def product(self, vectors: Tensor) -> Tensor:
        """Return L (L^T v)."""
        _check_vectors(self, vectors)
        return (vectors @ self.factor) @ self.factor.mT

    def solve(self, vectors: Tensor) -> Tensor:
        """Return L^-T L^-1 v."""
        _check_vectors(self, vectors)
        return torch.cholesky_solve(vectors.mT, self.factor).mT

    def logdet(self) -> Tensor:
        """Return 2 sum_i log L_ii."""
        return 2 * self.factor.diagonal(dim1=1, dim2=2).log().sum(1)

    def diagonal(self) -> Tensor:
        """Return sum_j L_ij^2."""
        return self.factor.square().sum(2)

    def dense(self) -> Tensor:
        """Return L L^T."""
        return self.factor @ self.factor.mT


def _check_vectors(covariance: Covariance, vectors: Tensor) -> None:
    """Refuse vectors that are not (b, k, d); either batch may be 1 and broadcast."""
    check_tensor("vectors", vectors)
    check_shape("vectors", vectors, ("b", "k", covariance.dimension))
    if 1 != covariance.batch != vectors.shape[0] != 1:
        raise ArgumentError(
            f"vectors must have the covariance's batch {covariance.batch}, got {vectors.shape[0]}"
        )
