"""The machine and the libraries that the figures are of."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import imagecodecs
from codecs_compared import CORES
from pictures import Picture

from gfwx import kernels

LIBRARIES = ("jpeg2k", "htj2k", "jpegxl", "jpegls", "qoi", "png", "webp", "lerc", "jpeg8")


def describe() -> dict[str, Any]:
    """Return the facts about this run."""
    libraries = [getattr(imagecodecs, f"{name}_version")() for name in LIBRARIES]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": processor(),
        "cores": CORES,
        "memory_GB": _memory(),
        "instruction_set": kernels.instruction_set,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "gfwx": version("gfwx"),
        "numpy": version("numpy"),
        "imagecodecs": f"{version('imagecodecs')} with {', '.join(libraries)}",
    }


def describe_picture(picture: Picture) -> dict[str, Any]:
    """Return the facts about a picture."""
    image = picture.load()
    pixels = image.shape[0] * image.shape[1]
    content = picture.file.read_bytes() if picture.file else b""
    return {
        "name": picture.name,
        "size": [image.shape[1], image.shape[0]],
        "megapixels": pixels / 1e6,
        "author": picture.author,
        "licence": picture.licence,
        "origin": picture.origin,
        "note": picture.note,
        "file_bits": 8 * len(content) / pixels,
        "sha256": hashlib.sha256(content).hexdigest() if content else "",
    }


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process on one core, where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def processor() -> str:
    """Name the processor."""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        facts = dict(line.split(":", 1) for line in lines if ":" in line)
        facts = {key.strip(): value.strip() for key, value in facts.items()}
        name = facts.get("model name", platform.processor())
        numbers = [facts.get(key, "?") for key in ("cpu family", "model", "stepping")]
        return f"{name} (family {numbers[0]}, model {numbers[1]}, stepping {numbers[2]})"
    return platform.processor()


def _memory() -> float | None:
    if not hasattr(os, "sysconf"):
        return None
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
