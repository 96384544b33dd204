"""Chi-square quantiles, and the limit for means of quadratic forms."""

import pytest
import torch

from vaetheory.chi_square import chi_square_quantile, mean_limit


@pytest.mark.parametrize(
    ("probability", "freedom", "expected"),
    # Tables; with two degrees of freedom -2 log(1 - p).
    [
        (0.95, 1, 3.841458820694124),
        (0.01, 10, 2.558212160187208),
        (0.99, 100, 135.80672317102676),
        (0.3, 2, 0.7133498878774648),
    ],
)
def test_quantiles(probability: float, freedom: float, expected: float) -> None:
    found = chi_square_quantile(probability, torch.tensor([freedom], dtype=torch.float64))
    assert found.item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("count", [2, 3, 8, 64])
@pytest.mark.parametrize("spectrum", ["one", "alike", "decaying"])
def test_the_limit_is_exceeded_in_one_of_a_hundred_runs(spectrum: str, count: int) -> None:
    runs, size = 4000, 20
    weights = {
        "one": torch.eye(size)[0],
        "alike": torch.ones(size),
        "decaying": torch.logspace(0, -4, size),
    }[spectrum].double()
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((runs, count, size), generator=generator, dtype=torch.float64)
    forms = (weights * noise.square()).sum(2)
    violated = (mean_limit(forms, size) < weights.sum()).double().mean()
    # Four standard errors of a share of 0.01.
    assert violated < 0.01 + 4 * (0.01 / runs) ** 0.5
    wide = mean_limit(forms, size).median() / weights.sum()
    assert wide < 1 + 12 / count**0.5 or count <= 3
