"""Sequences of frames: sizes and speeds with prediction and without, beside FFV1.

    python -m sequences.compare [--frames DIR] [--report DIR]

`--frames` is a folder of folders, each with the frames of a sequence as pictures.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

import av
import numpy as np
from machine import one_core, processor
from sequences.scenes import Array, scenes

import gfwx

HERE = Path(__file__).parent
ROUNDS = 3


def main() -> None:
    """Measure all sequences, and write the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--frames", type=Path, help="folder of folders of pictures")
    parser.add_argument("--report", type=Path, help="folder of the report")
    asked = parser.parse_args()
    default = HERE.parents[1] / "build/sequences" if asked.frames else HERE / "report"
    results = []
    with one_core(), tempfile.TemporaryDirectory() as folder:
        for name, frames in scenes(asked.frames):
            results.append(measure(name, frames, Path(folder)))
            print(json.dumps(results[-1]), flush=True)
    write_report(asked.report or default, results)


def measure(name: str, frames: Array, folder: Path) -> dict[str, Any]:
    """Write and read a sequence in all ways, in turn, round after round."""
    ways: dict[str, tuple[Callable[[Array, Path], None], Callable[[Path], Array]]] = {
        "apart": (lambda frames, path: write(frames, path, None), read),
        "auto": (lambda frames, path: write(frames, path, "auto"), read),
        "FFV1": (write_ffv1, lambda path: read_ffv1(path, frames)),
    }
    found: dict[str, Any] = {way: {"write": [], "read": []} for way in ways}
    for _ in range(ROUNDS):
        for way, (encode, decode) in ways.items():
            path = folder / f"film.{'mkv' if way == 'FFV1' else 'gfwxs'}"
            start = time.perf_counter()
            encode(frames, path)
            middle = time.perf_counter()
            same = decode(path)
            end = time.perf_counter()
            if not np.array_equal(same, frames):
                raise ValueError(f"{name}: {way} gives other frames")
            found[way]["write"].append(frames.nbytes / (middle - start) / 1e6)
            found[way]["read"].append(frames.nbytes / (end - middle) / 1e6)
            found[way]["size"] = path.stat().st_size / frames.nbytes
    for one in found.values():
        one["write"] = statistics.median(one["write"])
        one["read"] = statistics.median(one["read"])
    path = folder / "film.gfwxs"
    write(frames, path, "auto")
    found["frame"] = {
        "milliseconds": 1000 * statistics.median(_any_frame(path, len(frames))),
        "group": groups(path),
    }
    return {"name": name, "shape": list(frames.shape), "dtype": str(frames.dtype), **found}


def write(frames: Array, path: Path, prediction: str | None) -> None:
    """Write a sequence of gfwx."""
    with gfwx.SequenceWriter(path, prediction=prediction, threads=1) as film:
        for frame in frames:
            film.append(frame)


def read(path: Path) -> Array:
    """Read it, frame by frame."""
    with gfwx.SequenceReader(path) as film:
        return film[:]


def groups(path: Path) -> int:
    """Return how many frames are decoded together."""
    with path.open("rb") as file:
        return max(group.frames for group in gfwx.sequences.container.read_contents(file).groups)


def _any_frame(path: Path, count: int) -> list[float]:
    """Seconds for frames far from each other."""
    seconds = []
    with gfwx.SequenceReader(path) as film:
        for number in range(0, count, 9):
            start = time.perf_counter()
            film.decode(number, threads=1)
            seconds.append(time.perf_counter() - start)
    return seconds


def write_ffv1(frames: Array, path: Path) -> None:
    """Write FFV1, version 3, in Matroska."""
    stored, given = _formats(frames)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(25))
        stream.width, stream.height = frames.shape[2], frames.shape[1]
        stream.pix_fmt = stored
        stream.codec_context.thread_count = 1
        stream.options = {"level": "3"}
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format=given)
            container.mux(stream.encode(picture.reformat(format=stored)))
        container.mux(stream.encode(None))


def read_ffv1(path: Path, like: Array) -> Array:
    """Read it."""
    _, given = _formats(like)
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        return np.stack([frame.to_ndarray(format=given) for frame in container.decode(video=0)])


def _formats(frames: Array) -> tuple[str, str]:
    """Name the format of pixels that FFV1 stores, and that of the arrays."""
    if frames.ndim == 4:
        return "bgr0", "rgb24"
    return ("gray16le", "gray16le") if frames.dtype == np.uint16 else ("gray", "gray")


def write_report(folder: Path, results: list[dict[str, Any]]) -> None:
    """Write the results as they are, and as a table."""
    facts = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": processor(),
        "libraries": f"gfwx {version('gfwx')}, FFV1 of PyAV {version('av')}",
    }
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"facts": facts, "results": results}, indent=1)
    (folder / "results.json").write_text(content + "\n", encoding="utf-8")
    lines = [
        "# Sequences of frames, without loss",
        "",
        "Made by `python -m nox -s bench_sequences`, on one thread; medians of "
        f"{ROUNDS} rounds. MB are 10^6 bytes of samples; speeds include the files.",
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {name} | {fact} |" for name, fact in facts.items()),
        "",
        "| | % of raw: each frame apart | predicted | FFV1 | write MB/s: apart | predicted | FFV1 "
        "| read MB/s: apart | predicted | FFV1 | any frame, ms | frames in a group |",
        f"| --- |{' ---: |' * 11}",
    ]
    for one in results:
        ways = [one[way] for way in ("apart", "auto", "FFV1")]
        shape = " x ".join(map(str, one["shape"]))
        cells = [
            f"{one['name']} ({shape} {one['dtype']})",
            *(f"{100 * way['size']:.1f}" for way in ways),
            *(f"{way['write']:.0f}" for way in ways),
            *(f"{way['read']:.0f}" for way in ways),
            f"{one['frame']['milliseconds']:.1f}",
            f"{one['frame']['group']}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    (folder / "sequences.md").write_text("\n".join([*lines, ""]), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
