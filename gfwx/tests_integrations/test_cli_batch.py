"""Batches of real processes that are killed, interrupted, and go on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import colors, folder_of_pictures

import gfwx

COUNT = 100
PROGRAM = (
    # Those who start tests in the background may ignore interrupts, which new processes inherit.
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from gfwx.cli.main import main; main(prog_name='gfwx')"
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs signals and groups of processes")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("batch") / "in"
    folder_of_pictures(folder, COUNT, side=150)
    return folder


def start(pictures: Path, output: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, "encode", str(pictures), "-o", str(output)]
    return subprocess.Popen(
        [*command, "--jobs", "2"], stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def made(output: Path) -> list[Path]:
    return sorted(output.rglob("*.gfwx"))


def wait_for(condition: object, seconds: float = 60) -> None:
    assert callable(condition)
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it takes too long"
        time.sleep(0.002)


def group_is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def check(pictures: Path, output: Path) -> None:
    """Hold every file with a final name against the picture that it is of."""
    for path in made(output):
        number = int(path.stem)
        np.testing.assert_array_equal(gfwx.imread(path), colors(150, 150, number))
    others = [path for path in output.rglob("*") if path.is_file() and path.suffix != ".gfwx"]
    assert all(re.fullmatch(r"\.gfwx-[0-9a-f]+\.tmp", path.name) for path in others)


def finish(pictures: Path, output: Path) -> None:
    before = len(made(output))
    process = start(pictures, output)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert f"{COUNT}/{COUNT}" in errors  # the bar
    if before:
        assert f"{before} picture{'s' * (before > 1)} there already and complete" in errors
    assert len(made(output)) == COUNT
    check(pictures, output)


@pytest.mark.parametrize("done", [0, 1, 40])
def test_a_killed_batch_leaves_whole_files_and_goes_on(
    done: int, pictures: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    process = start(pictures, output)
    wait_for(lambda: len(made(output)) >= done)
    process.kill()
    process.communicate(timeout=60)
    wait_for(lambda: group_is_gone(process.pid), 20)  # its processes end with it
    assert len(made(output)) < COUNT
    check(pictures, output)
    finish(pictures, output)


def test_an_interrupted_batch_tidies_up_and_goes_on(pictures: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    process = start(pictures, output)
    wait_for(lambda: len(made(output)) >= 3)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.splitlines()[-1] == (
        "Error: interrupted; the same command goes on where it stopped"
    )
    assert "Traceback" not in errors
    assert 3 <= len(made(output)) < COUNT
    assert not list(output.rglob(".*"))
    finish(pictures, output)


def workers(process: subprocess.Popen[str]) -> list[int]:
    listing = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(process.pid)],
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
    return [int(line.split()[0]) for line in listing.splitlines() if "spawn_main" in line]


def test_a_process_that_is_killed_is_told_of(pictures: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    process = start(pictures, output)
    wait_for(lambda: len(workers(process)) == 2)
    os.kill(workers(process)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Error: a process was ended from outside" in errors
    assert "Traceback" not in errors
    check(pictures, output)
    finish(pictures, output)
