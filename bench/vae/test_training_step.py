"""What does a training step of BILBO take beside one of the ELBO?"""

from __future__ import annotations

import statistics
import time

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from vaetheory.training.configuration import Configuration, Objective
from vaetheory.training.data_sets import DataSet
from vaetheory.training.loop import Trainer

TITLES: dict[Objective, str] = {
    "elbo": "ELBO, learned variances",
    "bilbo": "BILBO",
    "bilbo-held": "BILBO, held prior",
    "bilbo-variances": "BILBO, learned variances",
}
BATCH, PAIRS, WARM = 250, 150, 10
IMAGES = torch.rand((1000, 28, 28), generator=torch.Generator().manual_seed(0))
DATA = DataSet("images", IMAGES, IMAGES)


def trainer(objective: Objective) -> Trainer:
    """784-512-512-16 and back, one latent a sample, Adam."""
    configuration = Configuration(
        objective=objective, latent_size=16, hidden=512, batch_size=BATCH, epochs=1
    )
    made = Trainer(configuration, DATA, torch.device("cpu"))
    for _ in range(WARM):
        made.step(torch.arange(BATCH))
    return made


@pytest.mark.parametrize("objective", TITLES)
def test_training_step(benchmark: BenchmarkFixture, objective: Objective) -> None:
    benchmark.group = "training step, 784-512-512-16, batch 250"
    benchmark.pedantic(trainer(objective).step, (torch.arange(BATCH),), rounds=20)


def test_ratios_of_pairs(lines: list[str]) -> None:
    """Take steps in turn, the order within a round turned from round to round."""
    trainers = {objective: trainer(objective) for objective in TITLES}
    batch = torch.arange(BATCH)
    times: dict[Objective, list[float]] = {objective: [] for objective in TITLES}
    for number in range(PAIRS):
        order = list(TITLES) if number % 2 else list(TITLES)[::-1]
        for objective in order:
            start = time.perf_counter()
            trainers[objective].step(batch)
            times[objective].append(time.perf_counter() - start)
    lines += [
        f"One training step, networks 784-512-512-16 and back, batch {BATCH}, Adam: {PAIRS} rounds "
        "of one step each in turn.",
        "",
        "| objective | ms, median | ratio to the ELBO, median of pairs |",
        "| --- | ---: | ---: |",
    ]
    for objective, title in TITLES.items():
        pairs = zip(times[objective], times["elbo"], strict=True)
        ratio = statistics.median(mine / elbo for mine, elbo in pairs)
        milliseconds = 1000 * statistics.median(times[objective])
        lines.append(f"| {title} | {milliseconds:.2f} | {ratio:.3f} |")
        assert len(times[objective]) == PAIRS
    lines.append("")
