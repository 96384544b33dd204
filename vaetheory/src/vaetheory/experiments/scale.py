"""How large the experiments are for each data set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True)
class Scale:
    """Sizes of the models and the samples of all experiments.

    Attributes
    ----------
    sizes : tuple of int
        Dimensions d of the latents where these are compared.
    size : int
        d elsewhere.
    large_sizes : tuple of int
        d for log-determinants.
    hidden, batch_size, epochs : int
    learning_rate : float
        Of the models; see `Configuration`.
    seeds : int
        Models of each kind.
    more_seeds : int
        The same for `size`.
    images : int
        Test samples whose evidence is found.
    few_images : int
        The same where that is done in many ways.
    reference : int
        Latents for the evidence that others are compared with, where sampling alone can tell.
    """

    sizes: tuple[int, ...]
    size: int
    large_sizes: tuple[int, ...]
    hidden: int
    batch_size: int
    epochs: int
    learning_rate: float
    seeds: int
    more_seeds: int
    images: int
    few_images: int
    reference: int

    def seeds_of(self, size: int) -> int:
        """Return how many models there are of each kind with that d."""
        return self.more_seeds if size == self.size else self.seeds

    def with_seeds(self, seeds: int) -> Scale:
        """Return the same with so many models of each kind."""
        return replace(self, seeds=seeds, more_seeds=seeds)


SMALL: Final = Scale(
    sizes=(8,),
    size=8,
    large_sizes=(8, 64),
    hidden=64,
    batch_size=100,
    epochs=60,
    learning_rate=6e-3,
    seeds=3,
    more_seeds=3,
    images=60,
    few_images=30,
    reference=10_000,
)
"""For scikit-learn's digits and arrays of the user's own: minutes on two cores."""

LARGE: Final = Scale(
    sizes=(8, 16, 32),
    size=16,
    large_sizes=(16, 64, 256, 1024),
    hidden=256,
    batch_size=250,
    epochs=20,
    learning_rate=1e-3,
    seeds=3,
    more_seeds=5,
    images=100,
    few_images=60,
    reference=30_000,
)
"""For MNIST and Fashion-MNIST: some hours."""


def scale_for(data: str) -> Scale:
    """Return the scale for a data set, as `load_data` names it."""
    return LARGE if data in ("mnist", "fashion-mnist") else SMALL
