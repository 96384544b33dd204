"""``vaetheory train`` as its users call it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from vaetheory.cli.main import main
from vaetheory.training.checkpoint import STATE, load_checkpoint

SMALL = ("--latent-size", "3", "--hidden", "16", "--layers", "1")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


def start(*arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "vaetheory", *map(str, arguments)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell's background jobs, and what they start, ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def test_trains_and_resumes(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    result = run("train", folder, *SMALL, "--epochs", 2, "--objective", "elbo", "--seed", 7)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{folder}\n"
    assert "epoch 2 of 2" in result.stderr
    found = load_checkpoint(folder).configuration
    assert (found.objective, found.latent_size, found.seed) == ("elbo", 3, 7)
    again = run("train", folder, *SMALL)
    assert again.exit_code == 1
    assert "is not empty: say that training is to be resumed" in again.stderr
    # Settings come from the checkpoint, and must not contradict it.
    assert run("train", folder, "--resume").exit_code == 0
    other = run("train", folder, "--resume", "--seed", 8)
    assert other.exit_code == 1
    assert "was trained with seed = 7, not 8" in other.stderr


LONG = (*SMALL, "--epochs", 150, "--interval", 1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert run("train", folder, *LONG).exit_code == 0
    return load_checkpoint(folder).tensors


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_ends_with_the_same_weights(
    number: signal.Signals, whole: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    folder = tmp_path / "killed"
    process = start("train", folder, *LONG)
    until = time.monotonic() + 60
    while not (folder / STATE).exists() and time.monotonic() < until:
        time.sleep(0.01)
    while process.poll() is None and time.monotonic() < until:
        process.send_signal(number)
        time.sleep(0.5)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    if number == signal.SIGINT:
        assert f"interrupted; go on with: vaetheory train {folder} --resume" in errors
    assert load_checkpoint(folder).epoch < 150
    assert run("train", folder, "--resume").exit_code == 0
    killed = load_checkpoint(folder).tensors
    assert killed.keys() == whole.keys()
    for name, tensor in whole.items():
        assert torch.equal(killed[name], tensor), name


def test_two_processes(tmp_path: Path) -> None:
    settings = (*SMALL, "--epochs", 2, "--precision", "float64")
    assert run("train", tmp_path / "one", *settings).exit_code == 0
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["-m", "vaetheory", "train", str(tmp_path / "two"), *map(str, settings)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr
    one, two = (load_checkpoint(tmp_path / name) for name in ("one", "two"))
    for name, tensor in one.tensors.items():
        np.testing.assert_allclose(two.tensors[name], tensor, rtol=1e-8, atol=1e-8)


def test_errors_are_one_line(tmp_path: Path) -> None:
    np.save(tmp_path / "bad.npy", np.full((30, 4), np.nan))
    for arguments, message in (
        (("--data", "imagenet"), "data must be 'digits'"),
        (("--data", tmp_path / "bad.npy"), "contains NaN or infinity"),
        (("--epochs", 0), "epochs must be at least 1, got 0"),
        (("--device", "abacus"), "device must be one of PyTorch's, got 'abacus'"),
        (("--learning-rate", 1e30), "a smaller learning rate may help"),
    ):
        result = run("train", tmp_path / "run", *SMALL, *arguments)
        assert result.exit_code == 1, result.output
        assert f"Error: {message}" in result.stderr or message in result.stderr
        assert "Traceback" not in result.output


def test_help_names_every_setting() -> None:
    text = run("train", "--help").output
    for option in ("--objective", "--latent-size", "--resume", "--device", "--data-folder"):
        assert option in text
    assert "train" in run("--help").output
