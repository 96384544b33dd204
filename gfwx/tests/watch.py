"""Watching calls of the codec: how long they take and how much memory they add."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path


def memory() -> tuple[int, int]:
    """Resident memory of this process now and at most since `forget_peak`, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    now, peak = (int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return now, peak


def forget_peak() -> None:
    """Start the peak of `memory` anew."""
    Path("/proc/self/clear_refs").write_text("5")


def can_watch_memory() -> bool:
    """Whether this system tells the peak of the resident memory."""
    return sys.platform == "linux" and os.access("/proc/self/clear_refs", os.W_OK)


@contextlib.contextmanager
def within(seconds: float, megabytes: float) -> Iterator[None]:
    """Assert that what is done inside takes no more time and adds no more memory at its peak."""
    watched = can_watch_memory()
    before = peak = 0
    if watched:
        forget_peak()
        before, _ = memory()
    start = time.perf_counter()
    try:
        yield
    finally:
        took = time.perf_counter() - start
        if watched:
            _, peak = memory()
    assert took < seconds, f"took {took:.2f} s"
    added = (peak - before) / 2**20
    assert added < megabytes, f"added {added:.0f} MB of memory"
