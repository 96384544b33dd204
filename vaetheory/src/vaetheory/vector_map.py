"""Apply a function of (sample, vector) to several vectors for each sample, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from vaetheory.arguments import differentiating

ELEMENTS = 2**21
"""Elements of output that are computed at a time unless the caller says otherwise.

Decoders hold several activations as large as their output, so 16 MB of float64 here may be some
hundred megabytes in the decoder.
"""


class VectorMap:
    """A function of samples and vectors, applied to k vectors for each of b samples.

    The function is mapped over the vectors by `torch.func.vmap`, so that what depends on the sample
    alone is computed once for all of them. Where a decoder holds operations that vmap refuses, the
    samples are repeated along the batch instead, once for each vector.

    Parameters
    ----------
    function : callable
        Maps tensors (c, ...) of the samples and vectors (c, ...), one for each sample, to results
        (c, ...), each row by itself.
    samples : tuple of Tensor, shapes (b, ...)
        What the function needs of each sample.
    rows : int
        Number of (sample, vector) pairs that are computed at a time.
    """

    def __init__(
        self, function: Callable[..., Tensor], samples: tuple[Tensor, ...], rows: int
    ) -> None:
        self.function = function
        self.samples = samples
        self.rows = rows
        self._vmap_works = True

    def __call__(self, vectors: Tensor) -> Tensor:
        """Map vectors (b, k, ...) to results (b, k, ...)."""
        batch, count = vectors.shape[:2]
        pieces: list[list[Tensor]] = []
        for these, some in chunks(batch, count, self.rows):
            if some.start == 0:
                pieces.append([])
            samples = tuple(sample[these] for sample in self.samples)
            pieces[-1].append(self._apply(samples, vectors[these, some]))
        return torch.cat([torch.cat(piece, 1) for piece in pieces])

    def _apply(self, samples: tuple[Tensor, ...], vectors: Tensor) -> Tensor:
        if self._vmap_works:
            try:
                return torch.func.vmap(
                    lambda vector: self.function(*samples, vector), in_dims=1, out_dims=1
                )(vectors)
            except torch.OutOfMemoryError:
                raise
            except (RuntimeError, ValueError, TypeError):
                # Either vmap cannot do it or nothing can: the second way tells.
                self._vmap_works = False
        batch, count = vectors.shape[:2]
        repeated = (sample.repeat_interleave(count, 0) for sample in samples)
        with differentiating():
            results = self.function(*repeated, vectors.flatten(0, 1))
        return results.reshape(batch, count, *results.shape[1:])


def default_rows(*elements: int) -> int:
    """Return how many pairs to compute at a time, given the elements that one takes."""
    return max(1, ELEMENTS // max(elements))


def cut(tensor: Tensor, rows: int, dim: int = 0) -> Sequence[Tensor]:
    """Cut a dimension into pieces of at most `rows`."""
    return torch.tensor_split(tensor, list(range(rows, tensor.shape[dim], rows)), dim=dim)


def chunks(batch: int, vectors: int, rows: int) -> Iterator[tuple[slice, slice]]:
    """Cut a grid of b samples and k vectors each into pieces of at most `rows` pairs.

    The vectors of a sample stay together where they fit. Pieces come sample by sample.
    """
    samples_at_once = max(1, rows // vectors)
    vectors_at_once = min(vectors, rows)
    for first in range(0, batch, samples_at_once):
        for start in range(0, vectors, vectors_at_once):
            yield slice(first, first + samples_at_once), slice(start, start + vectors_at_once)
