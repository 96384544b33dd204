"""Evaluation of trained models, as a function and as ``vaetheory evaluate``."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from decoders import Affine
from posteriors import normal_tensor
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from vaetheory.bilbo import fitted_prior
from vaetheory.cli.main import main
from vaetheory.likelihoods import Normal
from vaetheory.models import ConstantVarianceVAE
from vaetheory.training.evaluation import evaluate

LATENT, DATA, COUNT = 2, 6, 30


@pytest.fixture
def x(generator: torch.Generator) -> Tensor:
    return normal_tensor(generator, COUNT, DATA)


def test_affine_model(x: Tensor, generator: torch.Generator) -> None:
    decoder = Affine(LATENT, DATA, generator)
    model = ConstantVarianceVAE(nn.Linear(DATA, LATENT), decoder, LATENT, Normal(0.5)).to(x)
    model.fit_prior([x])
    model.eval()
    prior = fitted_prior(*model.posterior(x)).dense()[0]
    identity = torch.eye(DATA, dtype=x.dtype, device=x.device)
    marginal = MultivariateNormal(
        decoder.bias, decoder.weight @ prior @ decoder.weight.mT + 0.25 * identity
    )
    exact = marginal.log_prob(x).detach().cpu()
    seen: list[int] = []
    found = evaluate(model, x, samples=50, piece=7, report=seen.append)
    assert seen == [7, 14, 21, 28, 30]
    torch.testing.assert_close(found.evidence_at_map, exact, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found.evidence_by_hessian, exact, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found.evidence_corrected, exact, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(found.check, exact, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(found.effective_sample_size, torch.full_like(exact, 50))
    assert bool(found.converged.all())
    assert bool((found.evidence_at_mean < exact).all())
    # What the bound loses beside the parabola around the encoder's mean.
    loss = found.evidence_at_mean - found.elbo - found.gap
    assert abs(loss.mean()) < 4 * loss.std() / COUNT**0.5
    # A decoder whose Jacobian is constant.
    assert abs(found.penalty) < 1e-10
    whole = evaluate(model, x, samples=50)
    for name in ("evidence_at_map", "evidence_at_mean", "gap"):
        torch.testing.assert_close(getattr(whole, name), getattr(found, name))
    assert all(len(column) == COUNT for column in found.columns().values())


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert run("train", folder, "--epochs", 3, "--latent-size", 4, "--hidden", 32).exit_code == 0
    return folder


def test_command(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    result = run("evaluate", folder, "--samples", 20, "--piece", 100, "--table", table)
    assert result.exit_code == 0, result.output
    assert "299/299" in result.stderr
    assert "299 samples, model of epoch 3" in result.stdout
    assert result.stdout.splitlines()[-1] == str(table)
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["sample"]) for row in rows] == list(range(299))
    values = {name: np.array([float(row[name]) for row in rows]) for name in ("elbo", "check")}
    assert values["elbo"].mean() < values["check"].mean()
    assert f"{values['elbo'].mean():.3f}" in result.stdout
    few = run("evaluate", folder, "--samples", 20, "--count", 5)
    assert few.exit_code == 0, few.output
    assert len((folder / "evaluation.csv").read_text().splitlines()) == 6


def test_errors_are_one_line(folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "other.npy", np.zeros((20, 3)))
    for arguments, message in (
        ((tmp_path,), "is no checkpoint: it has no file configuration.json"),
        ((folder, "--data", tmp_path / "other.npy"), "data must have samples of shape (8, 8)"),
        ((folder, "--data", "imagenet"), "data must be 'digits'"),
    ):
        result = run("evaluate", *arguments)
        assert result.exit_code == 1, result.output
        assert message in result.stderr
        assert "Traceback" not in result.output
