"""A trained model that the suites share, one thread, and the report at the end."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from vaetheory.models import AutoEncoder
from vaetheory.training.configuration import Configuration
from vaetheory.training.data_sets import DataSet, load_data
from vaetheory.training.loop import train

LINES = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("vaetheory benchmarks")
    group.addoption("--report", type=Path, metavar="DIR", help="where to write the report")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LINES] = []


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def lines(request: pytest.FixtureRequest) -> list[str]:
    """Lines of the report."""
    return request.config.stash[LINES]


@pytest.fixture(scope="session")
def digits() -> DataSet:
    return load_data("digits")


@pytest.fixture(scope="session")
def model(digits: DataSet) -> AutoEncoder:
    """Networks as large as for Fashion-MNIST, trained on digits."""
    return train(Configuration(objective="elbo", epochs=20), digits)


def pytest_sessionfinish(session: pytest.Session) -> None:
    lines = session.config.stash[LINES]
    if not lines:
        return
    folder = session.config.getoption("--report") or Path(__file__).parent / "report"
    folder.mkdir(parents=True, exist_ok=True)
    head = (
        "# Training steps, and evidence per image\n\n"
        "Made by `nox -s bench_vae`, on one thread; PyTorch "
        f"{torch.__version__.split('+')[0]}, Python {platform.python_version()}, "
        f"{platform.machine()}. Times are those of one machine: compare them with each other.\n\n"
    )
    (folder / "index.md").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
