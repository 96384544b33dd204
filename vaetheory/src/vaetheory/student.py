"""Quantiles of Student's distribution, for limits from few probes."""

from __future__ import annotations

import math
from functools import lru_cache

TWO_SIGMA = 0.5 * (1 + math.erf(math.sqrt(2)))
"""Probability that a normal variable lies below its mean plus two standard deviations."""


def student_probability(value: float, freedom: int) -> float:
    """P(t <= value) of Student's t with a whole number of degrees of freedom, in closed form.

    Abramowitz and Stegun, 26.7.3 and 26.7.4: a finite series in the angle atan(value / sqrt(nu)).
    """
    angle = math.atan(value / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2 == 1
    term = cosine if odd else 1.0
    total = 0.0
    for power in range(1 if odd else 0, freedom - 1, 2):
        total += term
        term *= cosine**2 * (power + 1) / (power + 2)
    within = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return 0.5 * (1 + within)


@lru_cache(maxsize=256)
def student_quantile(probability: float, freedom: int) -> float:
    """Return the value that Student's t stays below with a probability of 1/2 or more."""
    low, high = 0.0, 1.0
    while student_probability(high, freedom) < probability:
        high *= 2
    while high - low > 1e-12 * high:
        middle = 0.5 * (low + high)
        if student_probability(middle, freedom) < probability:
            low = middle
        else:
            high = middle
    return high


def two_sigma_factor(probes: int) -> float:
    """Return by how much a standard error from few probes has to grow.

    Two of the grown ones cover the truth as often as two of the true ones cover it under the
    normal distribution.
    """
    return 0.5 * student_quantile(TWO_SIGMA, probes - 1)
