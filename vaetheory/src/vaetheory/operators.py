"""Batches of symmetric matrices that are known by their products with vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from vaetheory.arguments import check_alike, check_count, check_shape, check_symmetric, check_tensor
from vaetheory.errors import ArgumentError, ArgumentTypeError


class SymmetricOperator(ABC):
    """A batch of b symmetric n x n matrices A that can be multiplied with vectors.

    Attributes
    ----------
    batch : int
        Number b of matrices.
    size : int
        Number n of rows of each.
    dtype : torch.dtype
        Type of the entries.
    device : torch.device
        Where the products are computed.
    """

    def __init__(
        self, batch: int, size: int, dtype: torch.dtype, device: torch.device | str
    ) -> None:
        check_count("batch", batch)
        check_count("size", size)
        self.batch = batch
        self.size = size
        self.dtype = dtype
        # As tensors have it: "cuda" becomes "cuda:0".
        self.device = torch.empty(0, device=device).device

    def product(self, vectors: Tensor) -> Tensor:
        """Multiply each matrix with each of its vectors.

        Parameters
        ----------
        vectors : Tensor, shape (b, k, n)
            k vectors, as rows, for each of the b matrices.

        Returns
        -------
        Tensor, shape (b, k, n)
            A v for each v: k products a matrix.
        """
        check_tensor("vectors", vectors)
        check_shape("vectors", vectors, (self.batch, "k", self.size))
        if vectors.dtype != self.dtype or vectors.device != self.device:
            raise ArgumentTypeError(
                f"vectors must have the operator's dtype and device, {self.dtype} on "
                f"{self.device}, got {vectors.dtype} on {vectors.device}"
            )
        return self._product(vectors)

    @abstractmethod
    def _product(self, vectors: Tensor) -> Tensor:
        """Multiply with vectors (b, k, n) that have been checked."""

    def dense(self) -> Tensor:
        """Return the matrices (b, n, n), made with n products each and symmetrised."""
        identity = torch.eye(self.size, dtype=self.dtype, device=self.device)
        rows = self.product(identity.expand(self.batch, -1, -1))
        return 0.5 * (rows + rows.mT)


class MatrixOperator(SymmetricOperator):
    """Matrices that are given by their entries.

    Parameters
    ----------
    matrix : Tensor, shape (b, n, n)
        Symmetric matrices.

    Raises
    ------
    ArgumentError
        If the shape is another, an entry is not finite, or a matrix is not symmetric.
    """

    def __init__(self, matrix: Tensor) -> None:
        check_symmetric("matrix", matrix)
        super().__init__(matrix.shape[0], matrix.shape[1], matrix.dtype, matrix.device)
        self.matrix = matrix

    def _product(self, vectors: Tensor) -> Tensor:
        return vectors @ self.matrix

    def dense(self) -> Tensor:
        """Return the matrices (b, n, n) as they were given."""
        return self.matrix


class FunctionOperator(SymmetricOperator):
    """Matrices that are given by a function that multiplies with them.

    Parameters
    ----------
    function : callable
        Maps vectors (b, k, n) to products (b, k, n). That it is linear and symmetric is assumed.
    batch, size : int
        Number b of matrices, and n of rows of each.
    dtype : torch.dtype
        Type of vectors and products.
    device : torch.device or str, optional
        Where they lie.
    """

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        batch: int,
        size: int,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> None:
        if not callable(function):
            raise ArgumentTypeError(f"function must be callable, got {type(function).__name__}")
        super().__init__(batch, size, dtype, device)
        self.function = function

    def _product(self, vectors: Tensor) -> Tensor:
        products = self.function(vectors)
        if not isinstance(products, Tensor):
            raise ArgumentTypeError(
                f"function must return a torch.Tensor, got {type(products).__name__}"
            )
        check_alike("function's result", products, "vectors", vectors)
        if products.shape != vectors.shape:
            raise ArgumentError(
                f"function must return the shape of its vectors, {tuple(vectors.shape)}, got "
                f"{tuple(products.shape)}"
            )
        return products
