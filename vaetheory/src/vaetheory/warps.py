"""Changes of a likelihood's parameter after which its Fisher information is the identity."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vaetheory.errors import ArgumentError
from vaetheory.likelihoods import Bernoulli, Likelihood, Normal, Poisson


def unit_normal_warp(likelihood: Likelihood) -> Callable[[Tensor], Tensor]:
    """Return the map w of outputs nu to parameters in which the likelihood is locally N(., I).

    In the parameter w the Fisher information is G / (dw/dnu)^2; it is the identity for

    - the normal distribution with scale sigma: w = nu / sigma,
    - Bernoulli with logit nu: w = 2 arcsin sqrt(p) = 2 arctan exp(nu / 2),
    - Poisson with log rate nu: w = 2 sqrt(lambda) = 2 exp(nu / 2).

    So the metric J^T G J + I of a decoder nu equals J_w^T J_w + I of the decoder w(nu(z)): formulas
    for the normal distribution with unit variance apply to the warped decoder.

    Such a map exists globally if the likelihood has one parameter for each element. For several, it
    does only if the metric G is flat; those of `Categorical` (a sphere) and `MeanVarianceNormal` (a
    hyperbolic plane) are curved, and there remains the Fisher information at each point.

    Parameters
    ----------
    likelihood : Likelihood
        One of the three above.

    Returns
    -------
    callable
        Maps outputs (b, *t) to (b, *t), element by element; differentiable.

    Raises
    ------
    ArgumentError
        If there is no such map.

    References
    ----------
    Fyffe, arXiv:1912.10309, other likelihoods. Bartlett, "The use of transformations", 1947.
    """
    if isinstance(likelihood, Normal):
        return lambda output: output / likelihood.scale(output)
    if isinstance(likelihood, Bernoulli):
        return lambda output: 2 * torch.atan((0.5 * output).exp())
    if isinstance(likelihood, Poisson):
        return lambda output: 2 * (0.5 * output).exp()
    raise ArgumentError(
        f"likelihood must be Normal, Bernoulli or Poisson: no warp to the unit normal exists for "
        f"{type(likelihood).__name__}"
    )
