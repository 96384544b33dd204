"""The Jacobian of a decoder, by its products with vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vaetheory.arguments import (
    Decoder,
    check_alike,
    check_count,
    check_latent,
    check_shape,
    decoder_output_shape,
    differentiating,
)
from vaetheory.vector_map import VectorMap, chunks, cut, default_rows


class Jacobian:
    """J = d nu / d z of a decoder nu at one latent z for each sample of a batch.

    Products come from forward-mode (J v) and reverse-mode (J^T u) differentiation; J itself, of
    shape (m, d), is formed by `dense` alone. They are differentiable in z and in the decoder's
    parameters; where no derivative is wanted, call them under `torch.no_grad` to save memory.

    Parameters
    ----------
    decoder : callable
        Maps latents (b, d) to outputs (b, *t), each sample by itself: a module with batch
        normalisation or dropout has to be in evaluation mode.
    z : Tensor, shape (b, d)
        Where the derivative is taken.
    output_shape : sequence of int, optional
        The shape (*t) of one output. The decoder is run to find it where it is not given.
    rows : int, optional
        How many outputs to compute at a time; by default about two million elements.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If z is not a finite (b, d) tensor, or the decoder does not map batches to batches.
    """

    def __init__(
        self,
        decoder: Decoder,
        z: Tensor,
        *,
        output_shape: Sequence[int] | None = None,
        rows: int | None = None,
    ) -> None:
        check_latent("z", z)
        self.decoder = decoder
        self.z = z
        self.batch, self.size = z.shape
        self.output_shape = (
            decoder_output_shape(decoder, z) if output_shape is None else torch.Size(output_shape)
        )
        if rows is not None:
            check_count("rows", rows)
        self.rows = rows or default_rows(self.output_shape.numel(), self.size)
        self._push = VectorMap(self._push_forward, (z,), self.rows)
        self._pull = VectorMap(self._pull_back, (z,), self.rows)

    def output(self) -> Tensor:
        """Return the decoder's outputs nu(z), shape (b, *t)."""
        with differentiating():
            return torch.cat([self.decoder(z) for z in cut(self.z, self.rows)])

    def product(self, vectors: Tensor) -> Tensor:
        """Return J v, shape (b, k, *t), for vectors (b, k, d)."""
        check_alike("vectors", vectors, "z", self.z)
        check_shape("vectors", vectors, (self.batch, "k", self.size))
        return self._push(vectors)

    def transposed_product(self, vectors: Tensor) -> Tensor:
        """Return J^T u, shape (b, k, d), for vectors (b, k, *t)."""
        check_alike("vectors", vectors, "z", self.z)
        check_shape("vectors", vectors, (self.batch, "k", *self.output_shape))
        return self._pull(vectors)

    def dense(self) -> Tensor:
        """Return J itself, shape (b, *t, d), by whichever kind of product needs fewer."""
        elements = self.output_shape.numel()
        if self.size <= elements:
            return self.product(self._identity(self.size)).movedim(1, -1)
        unit_outputs = self._identity(elements).reshape(self.batch, -1, *self.output_shape)
        rows = self.transposed_product(unit_outputs)
        return rows.reshape(self.batch, *self.output_shape, self.size)

    def gram(self) -> Tensor:
        """Return J^T J, shape (b, d, d).

        From J where one sample's fits into the memory that `rows` allows; otherwise with d
        products by J and J^T.
        """
        if self.size > self.rows:
            identity = self._identity(self.size)
            pieces = cut(identity, self.rows, dim=1)
            gram = torch.cat([self.transposed_product(self.product(some)) for some in pieces], 1)
            return 0.5 * (gram + gram.mT)
        grams = []
        for these, _ in chunks(self.batch, self.size, self.rows):
            rows = self.part(these).product(self._identity(self.size)[these]).flatten(2)
            grams.append(rows @ rows.mT)
        return torch.cat(grams)

    def part(self, samples: slice) -> Jacobian:
        """Return the Jacobian of some samples of the batch."""
        return Jacobian(
            self.decoder, self.z[samples], output_shape=self.output_shape, rows=self.rows
        )

    def _identity(self, size: int) -> Tensor:
        identity = torch.eye(size, dtype=self.z.dtype, device=self.z.device)
        return identity.expand(self.batch, -1, -1)

    def _push_forward(self, z: Tensor, vector: Tensor) -> Tensor:
        product: Tensor = torch.func.jvp(self.decoder, (z,), (vector,))[1]
        return product

    def _pull_back(self, z: Tensor, vector: Tensor) -> Tensor:
        pull_back = torch.func.vjp(self.decoder, z)[1]
        product: Tensor = pull_back(vector)[0]
        return product
