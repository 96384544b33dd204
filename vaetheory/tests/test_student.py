"""Student's distribution against tables and against its definition."""

import math

import pytest
import torch

from vaetheory.student import student_probability, student_quantile, two_sigma_factor


@pytest.mark.parametrize(
    ("probability", "freedom", "quantile"),
    # From the usual tables.
    [(0.99, 1, 31.821), (0.99, 2, 6.965), (0.99, 7, 2.998), (0.975, 4, 2.776), (0.95, 30, 1.697)],
)
def test_tables(probability: float, freedom: int, quantile: float) -> None:
    assert student_quantile(probability, freedom) == pytest.approx(quantile, abs=6e-4)


@pytest.mark.parametrize("freedom", [1, 2, 3, 8, 15])
def test_against_the_integral_of_the_density(freedom: int) -> None:
    x = torch.linspace(0, 1.7, 100001, dtype=torch.float64)
    density = (1 + x.square() / freedom) ** (-(freedom + 1) / 2)
    constant = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
    integral = torch.trapezoid(density, x) * constant / math.sqrt(math.pi * freedom)
    assert student_probability(1.7, freedom) == pytest.approx(0.5 + integral.item(), abs=1e-9)


def test_many_probes_need_no_correction() -> None:
    assert two_sigma_factor(100000) == pytest.approx(1, abs=1e-4)
    assert two_sigma_factor(4) > 1.5
