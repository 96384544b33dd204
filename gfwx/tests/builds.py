"""Which builds of the kernels must be tested."""

from __future__ import annotations

import sys
from pathlib import Path

from gfwx import kernels

THREADS = (1, 2, 3)

# What each level of x86-64 asks of a processor, as Linux calls it.
FLAGS = {
    "v2": "cx16 lahf_lm popcnt pni ssse3 sse4_1 sse4_2",
    "v3": "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave",
    "v4": "avx512f avx512bw avx512cd avx512dq avx512vl",
}


def required_builds() -> tuple[str, ...]:
    """The builds that this processor can run, found without the package's own detection."""
    cpuinfo = Path("/proc/cpuinfo")
    if kernels.built() == ("portable",) or sys.platform != "linux" or not cpuinfo.exists():
        return kernels.runnable()
    flags = {
        flag
        for line in cpuinfo.read_text().splitlines()
        if line.startswith("flags")
        for flag in line.split(":")[1].split()
    }
    required = []
    for name, wanted in FLAGS.items():
        if not set(wanted.split()) <= flags:
            break
        required.append(name)
    return tuple(name for name in kernels.built() if name in required or name == "portable")
