"""Write and read a Zarr array larger than the workers' memory, with one codec after the other.

    python -m zarr_stacks.compare --gigabytes 2

makes a stack of planes, stores it uncompressed, copies it into an array of each codec, reads that,
and compares the two. Each codec has a new cluster, so that the peak of memory is its own.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dask
import dask.array as da
import zarr
from distributed import Client, LocalCluster
from zarr_stacks.codecs_compared import CODECS, UNCOMPRESSED
from zarr_stacks.scene import block

SIDE = 2048
HERE = Path(__file__).parent


def main() -> None:
    """Run what is asked for, then write the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=2.0, help="of samples, 2^30 bytes each")
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--memory", default="1GB", help="limit of each worker, 1 GB = 10^9 bytes")
    parser.add_argument("--codecs", nargs="*", choices=list(CODECS), default=list(CODECS))
    parser.add_argument("--folder", type=Path, help="for the arrays; by default a temporary one")
    parser.add_argument("--report", type=Path, help="folder of the report")
    asked = parser.parse_args()
    whole = asked.gigabytes == 2 and asked.codecs == list(CODECS)
    report = asked.report or (HERE / "report" if whole else HERE.parents[1] / "build/zarr_stacks")
    planes = max(2, round(asked.gigabytes * 2**30 / (2 * SIDE * SIDE)))
    with (
        tempfile.TemporaryDirectory(dir=asked.folder) as folder,
        dask.config.set({"distributed.comm.timeouts.connect": "60s"}),
    ):
        start_cluster = partial(cluster, asked.workers, asked.memory)
        source = Path(folder, "source.zarr")
        with start_cluster():
            write_source(source, planes)
        results = []
        for name in asked.codecs:
            with start_cluster() as client:
                results.append(measure(name, source, Path(folder, "target.zarr"), client))
            print(json.dumps(results[-1]), flush=True)
    facts = describe(planes, asked.workers, asked.memory)
    write_report(report, facts, results)
    limit = dask.utils.parse_bytes(asked.memory)
    bad = [one["codec"] for one in results if not one["equal"] or one["peak"] >= limit]
    if bad:
        sys.exit(f"not equal to the source, or over the limit of memory: {', '.join(bad)}")


@contextmanager
def cluster(workers: int, memory: str) -> Iterator[Any]:
    """Start processes of one thread each, with a limit of memory for each."""
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, memory_limit=memory, dashboard_address=":0"
        ) as started,
        Client(started) as client,
    ):
        yield client


def create(path: Path, planes: int, options: dict[str, Any]) -> Any:
    """Create an array whose chunks are planes."""
    return zarr.create_array(
        path, shape=(planes, SIDE, SIDE), chunks=(1, SIDE, SIDE), dtype="uint16", **options
    )


def write_source(path: Path, planes: int) -> None:
    """Make the stack, block by block where it is written, and store it uncompressed."""
    array = create(path, planes, UNCOMPRESSED)
    chunks = da.core.normalize_chunks(array.chunks, array.shape)
    stack = da.map_blocks(block, chunks=chunks, dtype=array.dtype, planes=planes, side=SIDE)
    da.store(stack, array, lock=False)


def measure(name: str, source: Path, target: Path, client: Any) -> dict[str, Any]:
    """Copy the source into an array of a codec, read it, and compare."""
    stack = da.from_zarr(str(source))
    few = stack[: len(client.scheduler_info(n_workers=-1)["workers"])]
    warm_up = create(target, len(few), CODECS[name])
    copy_to(warm_up, few)
    read(warm_up)
    shutil.rmtree(target)

    array = create(target, len(stack), CODECS[name])
    start = time.perf_counter()
    copy_to(array, stack)
    written = time.perf_counter()
    read(array)
    end = time.perf_counter()
    stored = sum(path.stat().st_size for path in target.rglob("c/**/*") if path.is_file())
    equal = not (da.from_zarr(array) != stack).any().compute()
    peak = max(client.run(peak_memory).values())
    shutil.rmtree(target)
    return {
        "codec": name,
        "size": stored / stack.nbytes,
        "write": stack.nbytes / (written - start) / 1e6,
        "read": stack.nbytes / (end - written) / 1e6,
        "peak": peak,
        "equal": bool(equal),
    }


def copy_to(array: Any, stack: Any) -> None:
    """Write an array, a chunk for each task."""
    da.store(stack, array, lock=False)


def read(array: Any) -> None:
    """Decode all chunks, and keep a sample of each."""
    da.from_zarr(array).map_blocks(first_sample, chunks=(1, 1, 1), dtype=array.dtype).compute()


def first_sample(chunk: Any) -> Any:
    """Return a copy of a chunk's first sample, so that the chunk itself can go."""
    return chunk[:1, :1, :1].copy()


def peak_memory() -> int:
    """Most bytes of memory that this process has held so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


def describe(planes: int, workers: int, memory: str) -> dict[str, str]:
    """Return the facts about this run."""
    cpu = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.split(": ")[1] for line in cpu if line.startswith("model name")]
    libraries = ("gfwx", "zarr", "numcodecs", "dask", "distributed", "imagecodecs", "numpy")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "array": f"{planes} x {SIDE} x {SIDE} uint16, {planes * SIDE * SIDE * 2 / 2**30:.2f} GiB, "
        "a plane in each chunk",
        "workers": f"{workers} of one thread, {memory} of memory each",
        "processor": f"{names[0] if names else platform.processor()}, {len(names)} cores",
        "libraries": ", ".join(f"{name} {version(name)}" for name in libraries),
    }


def write_report(folder: Path, facts: dict[str, str], results: list[dict[str, Any]]) -> None:
    """Write the results as they are, and as a table."""
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"facts": facts, "results": results}, indent=1)
    (folder / "results.json").write_text(content + "\n", encoding="utf-8")
    lines = [
        "# A Zarr array larger than the workers' memory",
        "",
        "Made by `python -m nox -s bench_zarr`. Speeds are of samples (1 MB = 10^6 bytes), all "
        "workers together, with all that zarr, dask and the disk need; writing also reads the "
        "uncompressed source. The peak is the most memory that one worker held.",
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {name} | {fact} |" for name, fact in facts.items()),
        "",
        "| | % of raw | write MB/s | read MB/s | peak MB | equal to the source |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
        *(
            f"| {one['codec']} | {100 * one['size']:.1f} | {one['write']:.0f} | {one['read']:.0f} "
            f"| {one['peak'] / 1e6:.0f} | {'yes' if one['equal'] else 'NO'} |"
            for one in results
        ),
        "",
    ]
    (folder / "zarr_stacks.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
