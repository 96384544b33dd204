"""One program for what has to be measured in a process of its own.

``memory NPY-OR-DATA CODEC KIND encode|decode THREADS OUT`` prints the peak of memory of one call;
``calls NPY THREADS OPTIONS`` encodes and decodes once for each line of input, printing the times.
"""

from __future__ import annotations

import json
import pickle
import sys
import time
from pathlib import Path

import numpy as np
from codecs_compared import lossless_codecs

import gfwx


def memory(source: str, name: str, kind: str, direction: str, threads: str, out: str) -> None:
    """Print how far one call raises the peak of resident memory, and the size of its result.

    Without pages of files, which are those of programs that the call was the first to use.
    """
    (codec,) = (codec for codec in lossless_codecs(kind) if codec.name == name)
    tiny = np.zeros((16, 16, 3), np.uint8 if kind == "rgb8" else np.uint16)
    codec.decode(codec.encode([tiny], 1), 1)  # loads libraries
    if direction == "encode":
        image = np.load(source)
        before = _reset_peak()
        data = codec.encode([image], int(threads))
        peak = _peak_since(before)
        result = sum(map(len, data))
        Path(out).write_bytes(pickle.dumps([bytes(one) for one in data]))
    else:
        data = pickle.loads(Path(source).read_bytes())
        before = _reset_peak()
        (image,) = codec.decode(data, int(threads))
        peak = _peak_since(before)
        result = image.nbytes
    print(json.dumps({"peak": peak, "result": result}))


def calls(source: str, threads: str, options: str) -> None:
    """Encode and decode once for each line of input, and print the seconds."""
    image = np.load(source)
    settings = json.loads(options)
    for _ in sys.stdin:
        start = time.perf_counter()
        data = gfwx.encode(image, threads=int(threads), **settings)
        middle = time.perf_counter()
        gfwx.decode(data, threads=int(threads))
        end = time.perf_counter()
        print(json.dumps([middle - start, end - middle, len(data)]), flush=True)


def _reset_peak() -> tuple[int, int]:
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS"), _status("RssFile")


def _peak_since(before: tuple[int, int]) -> int:
    resident, of_files = before
    return _status("VmHWM") - resident - (_status("RssFile") - of_files)


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(key + ":"))
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    if sys.argv[1] == "memory":
        memory(*sys.argv[2:])
    else:
        calls(*sys.argv[2:])
