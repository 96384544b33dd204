"""Training: that it learns, can be interrupted, and is the same on two processes."""

import dataclasses
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed

from vaetheory.errors import ArgumentError, ArgumentTypeError
from vaetheory.training.checkpoint import CONFIGURATION, STATE, load_checkpoint
from vaetheory.training.configuration import OBJECTIVES, Configuration
from vaetheory.training.data_sets import DataSet, load_data
from vaetheory.training.loop import Progress, TrainingError, train
from vaetheory.training.networks import build_model

each_objective = pytest.mark.parametrize("objective", OBJECTIVES)


@pytest.fixture(scope="module")
def data() -> DataSet:
    return load_data("digits")


def short(**settings: object) -> Configuration:
    changed: dict[str, object] = {"latent_size": 4, "hidden": 32, "epochs": 4, **settings}
    return Configuration(**changed)  # type: ignore[arg-type]


class KilledError(Exception):
    """As if the process had been killed."""


def after(epoch: int) -> Callable[[Progress], None]:
    def stop(progress: Progress) -> None:
        if progress.epoch == epoch:
            raise KilledError

    return stop


@each_objective
def test_learns(objective: str, data: DataSet) -> None:
    found: list[float] = []
    model = train(
        short(objective=objective, epochs=8, likelihood="bernoulli"),
        data,
        report=lambda progress: found.append(progress.objective),
    )
    assert len(found) == 8
    assert found[-1] > found[0] + 5
    assert not model.training
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        tested = model.elbo(data.testing, 4, generator).mean()
    assert abs(tested - found[-1]) < 2
    assert model.generate(3).shape == (3, 8, 8)


@each_objective
def test_an_interrupted_run_ends_with_the_same_weights(
    objective: str, data: DataSet, tmp_path: Path
) -> None:
    configuration = short(objective=objective)
    whole = train(configuration, data).state_dict()
    # Two epochs are lost: checkpoints are written every second one.
    with pytest.raises(KilledError):
        train(configuration, data, tmp_path, interval=2, report=after(3))
    assert load_checkpoint(tmp_path).epoch == 2
    seen: list[int] = []
    train(
        configuration,
        data,
        tmp_path,
        resume=True,
        report=lambda progress: seen.append(progress.epoch),
    )
    assert seen == [3, 4]
    found = load_checkpoint(tmp_path)
    assert found.epoch == 4
    assert len(found.tensors["objective"]) == 4
    weights = found.part("model")
    assert weights.keys() == whole.keys()
    for name, tensor in whole.items():
        assert torch.equal(weights[name], tensor), name
    # Nothing is left to do.
    again = train(configuration, data, tmp_path, resume=True).state_dict()
    assert all(torch.equal(again[name], tensor) for name, tensor in whole.items())


def test_seeds_and_precisions(data: DataSet) -> None:
    first, same, other = (
        train(short(epochs=1, seed=seed), data).state_dict() for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["decoder.layers.0.weight"], other["decoder.layers.0.weight"])
    double = train(short(epochs=1, precision="float64"), data).state_dict()
    assert double["decoder.layers.0.weight"].dtype == torch.float64


def test_a_folder_in_use_is_left_alone(data: DataSet, tmp_path: Path) -> None:
    train(short(epochs=1), data, tmp_path)
    before = (tmp_path / STATE).read_bytes()
    with pytest.raises(ArgumentError, match="is not empty: say that training is to be resumed"):
        train(short(epochs=1), data, tmp_path)
    with pytest.raises(ArgumentError, match="the checkpoint of a run with another configuration"):
        train(short(epochs=2), data, tmp_path, resume=True)
    smaller = DataSet("digits", data.training[:, :4], data.testing[:, :4])
    with pytest.raises(ArgumentError, match="the checkpoint of a run with another configuration"):
        train(short(epochs=1), smaller, tmp_path, resume=True)
    assert (tmp_path / STATE).read_bytes() == before


def test_damaged_checkpoints(data: DataSet, tmp_path: Path) -> None:
    def refused(message: str) -> None:
        with pytest.raises(ArgumentError, match=message):
            load_checkpoint(tmp_path)

    refused("is no checkpoint: it has no file configuration.json")
    train(short(epochs=1), data, tmp_path)
    state, configuration = (tmp_path / name for name in (STATE, CONFIGURATION))
    whole, text = state.read_bytes(), configuration.read_text()
    for length in (0, 5, 100, len(whole) // 2, len(whole) - 1):
        state.write_bytes(whole[:length])
        refused("is damaged or no safetensors")
    state.write_bytes(whole.replace(b"vaetheory training state", b"another library's state "))
    refused("is not the state of a run of vaetheory")
    state.write_bytes(whole)
    configuration.write_text("{")
    refused("configuration must be JSON")
    configuration.write_text("[]")
    refused("configuration must be a JSON object")
    settings = json.loads(text)
    configuration.write_text(json.dumps({**settings, "colour": "red"}))
    refused("must have the settings of `Configuration`: colour")
    configuration.write_text(json.dumps({**settings, "hidden": 33}))
    found = load_checkpoint(tmp_path)
    with pytest.raises(ArgumentError, match="checkpoint does not fit its configuration"):
        train(found.configuration, data, tmp_path, resume=True)
    configuration.write_bytes(b"\xff\xfe")
    refused("is no text")


def test_bad_configurations(data: DataSet) -> None:
    for settings, message in (
        ({"objective": "vae"}, "objective must be one of"),
        ({"likelihood": "cauchy"}, "likelihood must be one of"),
        ({"precision": "float16"}, "precision must be one of"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"batch_size": 1}, "batch_size must be at least 2"),
        ({"scale": 0.0}, "scale must be positive and finite"),
        ({"learning_rate": float("nan")}, "learning_rate must be positive and finite"),
        ({"seed": -1}, "seed must be at least 0"),
    ):
        with pytest.raises(ArgumentError, match=message):
            short(**settings)
    with pytest.raises(ArgumentTypeError, match="hidden must be an int"):
        short(hidden=2.5)
    with pytest.raises(ArgumentError, match="data must have a batch of 2000 samples at least"):
        train(short(batch_size=2000), data)
    with pytest.raises(
        TrainingError, match=r"epoch 1 has failed: .* a smaller learning rate may help"
    ):
        train(short(learning_rate=1e30), data)


def test_a_configuration_is_read_as_it_was_written() -> None:
    configuration = short(objective="elbo", scale=0.123, data="a/b.npz")
    assert Configuration.from_json(configuration.to_json()) == configuration
    changed = dataclasses.replace(configuration, seed=3)
    assert Configuration.from_json(changed.to_json()) != configuration


# Not "elbo-shared", whose average of A takes the first samples of each process's part.
STEPS = {"elbo": 20, "bilbo": 200, "bilbo-held": 20, "bilbo-variances": 20, "elbo-optimal": 20}
PROCESSES = 2


def curve(objective: str) -> Tensor:
    """The objective of each of the first steps: every epoch is one step."""
    data = load_data("digits")
    data = DataSet("digits", data.training[:101], data.testing)
    objectives: list[float] = []
    train(
        short(objective=objective, epochs=STEPS[objective], precision="float64"),
        data,
        report=lambda progress: objectives.append(progress.objective),
    )
    return torch.tensor(objectives, dtype=torch.float64)


def run_part(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo",
        init_method=(folder / "meeting").as_uri(),
        rank=rank,
        world_size=PROCESSES,
        timeout=timedelta(seconds=60),
    )
    curves = {objective: curve(objective) for objective in STEPS}
    torch.save(curves, folder / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.skipif(
    not (distributed.is_available() and distributed.is_gloo_available()), reason="needs gloo"
)
def test_two_processes_have_the_loss_of_one(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(run_part, (tmp_path,), PROCESSES)
    found = [torch.load(tmp_path / f"{rank}.pt") for rank in range(PROCESSES)]
    for objective in STEPS:
        expected = curve(objective)
        assert expected[-1] > expected[0]
        for one in found:
            torch.testing.assert_close(one[objective], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("objective", ["bilbo", "bilbo-held", "bilbo-variances"])
def test_scale_of_the_posteriors(objective: str, data: DataSet) -> None:
    # Learned variances begin with outputs near 0.
    model = build_model(short(objective=objective, posterior_scale=0.2), data.shape)
    with torch.no_grad():
        variance = model.posterior(data.testing)[1].diagonal()
    torch.testing.assert_close(variance.mean().item(), 0.04, rtol=0.1, atol=0)
    with pytest.raises(ArgumentError, match="posterior_scale must be positive and finite, got 0"):
        short(posterior_scale=0)
