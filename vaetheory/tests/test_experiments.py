"""The experiments, at a scale that takes seconds."""

import csv
import math
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from vaetheory.cli import reproduce
from vaetheory.cli.main import main
from vaetheory.experiments import cost_of_evidence, where_it_fails
from vaetheory.experiments.findings import Findings, Table
from vaetheory.experiments.page import NAMES, write_page
from vaetheory.experiments.runs import Runs
from vaetheory.experiments.scale import LARGE, SMALL, Scale, scale_for
from vaetheory.training.data_sets import load_data

TINY = Scale(
    sizes=(2, 3),
    size=3,
    large_sizes=(3, 20),
    hidden=8,
    batch_size=100,
    epochs=2,
    learning_rate=1e-3,
    seeds=2,
    more_seeds=3,
    images=6,
    few_images=4,
    reference=200,
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    said: list[tuple[str, int, int]] = []
    folder = tmp_path_factory.mktemp("models")
    return Runs(TINY, load_data("digits"), folder, 1, lambda *progress: said.append(progress))


@pytest.mark.parametrize("experiment", reproduce.EXPERIMENTS.items(), ids=lambda pair: pair[0])
def test_writes_text_tables_and_a_figure(
    experiment: tuple[str, Callable[[Runs], Findings]],
    runs: Runs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, function = experiment
    monkeypatch.setattr(cost_of_evidence, "TEMPERATURES", (2, 8))
    monkeypatch.setattr(where_it_fails, "_TINY_STEPS", 200)
    threads = torch.get_num_threads()
    findings = function(runs)
    assert torch.get_num_threads() == threads
    assert findings.name == name
    text = findings.write(tmp_path).read_text(encoding="utf-8")
    assert text.startswith(f"## {findings.title}\n")
    assert f"]({name}.png)" in text
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert findings.tables
    for number, table in enumerate(findings.tables, 1):
        assert table.rows
        assert all(len(row) == len(table.columns) for row in table.rows)
        numbers = [cell for row in table.rows for cell in row if isinstance(cell, float)]
        assert all(math.isfinite(number) for number in numbers)
        with (tmp_path / f"{name}-{number}.csv").open(encoding="utf-8") as file:
            assert len(list(csv.reader(file))) == 1 + len(table.rows)
    assert " nan" not in text


def test_models_are_trained_once(runs: Runs) -> None:
    configuration = runs.configuration("bilbo")
    (first,) = runs.models([configuration])
    changed = (runs.folder_of(configuration) / "state.safetensors").stat().st_mtime_ns
    (second,) = runs.models([configuration])
    assert (runs.folder_of(configuration) / "state.safetensors").stat().st_mtime_ns == changed
    found = second.state_dict()
    for key, tensor in first.state_dict().items():
        assert torch.equal(tensor, found[key])


def test_processes_train_the_same_models(runs: Runs, tmp_path: Path) -> None:
    configurations = [runs.configuration("elbo", 2, seed) for seed in range(2)]
    expected = runs.models(configurations)
    seen: list[int] = []
    others = Runs(TINY, runs.data, tmp_path, 2, lambda title, done, count: seen.append(done))
    with closing(others):
        trained = others.models(configurations)
    for mine, theirs in zip(expected, trained, strict=True):
        found = theirs.state_dict()
        for key, tensor in mine.state_dict().items():
            assert torch.equal(tensor, found[key])
    assert seen == [0, 1, 2]


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduce, "scale_for", lambda data: TINY)
    arguments = ["reproduce", "penalty", "--jobs", "1", "--seeds", "2", "--output", str(tmp_path)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    page = (tmp_path / "reproduction.md").read_text(encoding="utf-8")
    assert "# digits" in page
    assert "](reproduction/digits/penalty.png)" in page
    assert (tmp_path / "reproduction" / "digits" / "penalty.png").exists()
    wrong = CliRunner().invoke(main, ["reproduce", "everything"])
    assert wrong.exit_code == 2
    missing = CliRunner().invoke(main, ["reproduce", "penalty", "--data", "no.npy"])
    assert missing.exit_code == 1
    assert "no.npy" in missing.output


def test_page_has_all_data_sets_in_order(tmp_path: Path) -> None:
    for data in ("second", "first"):
        folder = tmp_path / "reproduction" / data
        folder.mkdir(parents=True)
        for name in reversed(NAMES):
            (folder / f"{name}.md").write_text(f"## {name} of {data}\n", encoding="utf-8")
    page = write_page(tmp_path).read_text(encoding="utf-8")
    places = [page.index(f"## {name} of {data}") for data in ("first", "second") for name in NAMES]
    assert places == sorted(places)


def test_tables() -> None:
    table = Table("Some.", ["a", "b"], [["x", 0.0001234], ["y", 12.3456], ["z", 3]])
    assert table.to_markdown() == (
        "Some.\n\n| a | b |\n| --- | ---: |\n| x | 0.000123 |\n| y | 12.35 |\n| z | 3 |\n"
    )


def test_scales() -> None:
    assert scale_for("fashion-mnist") is LARGE
    assert scale_for("mnist") is LARGE
    assert scale_for("digits") is scale_for("mine.npy") is SMALL
    assert SMALL.with_seeds(1).seeds_of(SMALL.size) == 1
    assert LARGE.seeds_of(16) == 5
    assert LARGE.seeds_of(8) == 3
