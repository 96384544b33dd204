"""Threads change nothing but the time: the same bytes and pictures, from any thread, after fork."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from strategies import DTYPES, content

import gfwx
from gfwx import threads as thread_pool
from gfwx.transforms import Step

OPTIONS: dict[str, dict[str, Any]] = {
    "fast": {"encoder": "fast", "transform": "uyv", "intent": "rgb"},
    "contextual": {"encoder": "contextual", "filter": "cubic", "quality": 300, "intent": "rgb"},
    "high-bitrate": {"encoder": "high-bitrate", "block_size": 4},
    "bayer": {"encoder": "fast", "intent": "bayer-rggb", "quality": 500},
    "tranches": {"encoder": "contextual", "vertical_levels": 3, "chroma_scale": 8, "quality": 90},
}


def picture(index: int = 0, intent: str = "rgb") -> NDArray[Any]:
    shape = (6, 240, 317, 1) if intent.startswith("bayer") else (2, 240, 317, 3)
    return content("smooth", shape, DTYPES[index % 4], index)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("index", range(4))
def test_any_number_of_threads(index: int, options: dict[str, Any]) -> None:
    image = picture(index, options.get("intent", "rgb"))
    file = gfwx.encode(image, **options, threads=1)
    whole = gfwx.decode(file, threads=1)
    small = gfwx.decode(file, downsampling=2, threads=1)
    part = gfwx.decode(file[: len(file) // 2], threads=1, partial=True)
    for threads in (2, 3, 8, None):
        assert gfwx.encode(image, **options, threads=threads) == file
        assert_array_equal(gfwx.decode(file, threads=threads), whole)
        assert_array_equal(gfwx.decode(file, downsampling=2, threads=threads), small)
        again = gfwx.decode(file[: len(file) // 2], threads=threads, partial=True)
        assert_array_equal(again[0], part[0])
        assert again[1] == part[1]


def test_more_threads_than_work() -> None:
    image = np.arange(6, dtype=np.uint8).reshape(2, 3)
    file = gfwx.encode(image, threads=1)
    assert gfwx.encode(image, threads=64) == file
    assert_array_equal(gfwx.decode(file, threads=64), image)


def test_a_million_threads() -> None:
    image = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    file = gfwx.encode(image, threads=1)
    tracemalloc.start()
    try:
        assert gfwx.encode(image, threads=10**6) == file
        assert_array_equal(gfwx.decode(file, threads=10**6), image)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", [(40, 50, 2), (700, 1300, 2)])
@pytest.mark.parametrize("encoder", ["fast", "contextual"])
def test_coefficients_that_are_checked(encoder: str, shape: tuple[int, int, int]) -> None:
    """A transform with such factors might make a coefficient for which there is no code."""
    image = np.random.default_rng(7).integers(0, 99, shape, np.uint16)
    options: dict[str, Any] = {"encoder": encoder, "transform": [Step(1, {0: 1 << 20})]}
    file = gfwx.encode(image, **options, threads=1)
    for threads in (2, 3):
        assert gfwx.encode(image, **options, threads=threads) == file
    assert_array_equal(gfwx.decode(file, threads=3), image)


@pytest.mark.parametrize("threads", [1, 3, None])
def test_calls_from_several_threads_at_once(threads: int | None) -> None:
    jobs = [(index, options) for index in range(8) for options in OPTIONS.values()]

    def run(index: int, options: dict[str, Any], threads: int | None) -> tuple[bytes, bytes]:
        image = picture(index, options.get("intent", "rgb"))
        file = gfwx.encode(image, **options, threads=threads)
        return file, gfwx.decode(file, threads=threads).tobytes()

    expected = [run(*job, 1) for job in jobs]
    with ThreadPoolExecutor(8) as pool:
        results = [pool.submit(run, *job, threads) for job in jobs]
        assert [result.result(timeout=120) for result in results] == expected


def test_threads_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that there are do the work."""
    image = picture()
    file = gfwx.encode(image, threads=1)
    start = threading.Thread.start
    for most in range(3):
        started = 0

        def limited(thread: threading.Thread, most: int = most) -> None:
            nonlocal started
            if thread.name.startswith("gfwx"):
                started += 1
                if started > most:
                    raise RuntimeError("can't start new thread")
            start(thread)

        monkeypatch.setattr(thread_pool, "_pool", None)
        monkeypatch.setattr(thread_pool, "_pool_size", 0)
        monkeypatch.setattr(threading.Thread, "start", limited)
        for _ in range(5):
            assert gfwx.encode(image, threads=5) == file
            assert_array_equal(gfwx.decode(file, threads=5), image)
        assert started > most


FORK = """
import os, warnings
import numpy as np
import gfwx

warnings.simplefilter("ignore", DeprecationWarning)  # Python's own, about threads and fork
image = (np.arange(300 * 400 * 3) % 251).astype(np.uint8).reshape(300, 400, 3)
file = gfwx.encode(image, threads=3)
child = os.fork()
right = gfwx.encode(image, threads=3) == file and (gfwx.decode(file, threads=3) == image).all()
if child == 0:
    os._exit(0 if right else 1)
_, status = os.waitpid(child, 0)
assert right and status == 0, status
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_after_fork() -> None:
    """A child has none of its parent's threads, and must not wait for them."""
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=60)


EXIT = """
import numpy as np
import gfwx

gfwx.decode(gfwx.encode(np.zeros((500, 500, 3), np.uint8), threads=3), threads=3)
"""

LATE = """
import atexit, os, threading, time
import numpy as np
import gfwx

image = (np.arange(500 * 500 * 3) % 251).astype(np.uint8).reshape(500, 500, 3)
file = gfwx.encode(image, threads=3)

def work(late):
    if late:
        threading.main_thread().join()
        time.sleep(0.1)
    if gfwx.encode(image, threads=3) != file or (gfwx.decode(file, threads=3) != image).any():
        os._exit(1)
    print("done")

atexit.register(work, False)
threading.Thread(target=work, args=(True,)).start()
"""


def test_interpreter_exits() -> None:
    """Threads that wait for work do not keep the process alive."""
    subprocess.run([sys.executable, "-c", EXIT], check=True, timeout=60)


def test_work_while_the_interpreter_exits() -> None:
    """When no more threads can be started."""
    done = subprocess.run(
        [sys.executable, "-c", LATE], check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout.split() == ["done", "done"], done.stderr


INTERRUPT_A_TASK_THAT_WAITS = """
import signal, threading, time
from gfwx.tasks import Tasks

naps = iter([0.2, 1.0])
main = threading.main_thread()

def nap():
    time.sleep(0.1 if threading.current_thread() is main else next(naps))

tasks = Tasks()
first = [tasks.add(nap) for _ in range(3)]
second = tasks.add(lambda: print("never"), first)  # the main thread takes it, and waits
tasks.add(lambda: print("never"), [second])
signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.setitimer(signal.ITIMER_REAL, 0.5)
try:
    tasks.run(3)
except KeyboardInterrupt:
    print("interrupted")
"""

INTERRUPT_THE_END = """
import signal, threading, time
from gfwx import threads

running = 0

def work(_):
    global running
    if threading.current_thread() is not threading.main_thread():
        running += 1
        time.sleep(1)
        running -= 1

signal.signal(signal.SIGALRM, signal.default_int_handler)
signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)  # more than once
try:
    threads.run(work, [0, 1], 2)
except KeyboardInterrupt:
    signal.setitimer(signal.ITIMER_REAL, 0)
    print("interrupted", running)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer signals")
@pytest.mark.parametrize(
    ("script", "expected"),
    [(INTERRUPT_A_TASK_THAT_WAITS, "interrupted"), (INTERRUPT_THE_END, "interrupted 0")],
    ids=["waiting task", "end"],
)
def test_interrupts(script: str, expected: str) -> None:
    """They end the call once no other thread works for it, and nothing waits forever."""
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout.strip() == expected, done.stderr
