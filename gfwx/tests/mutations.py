"""Mutated files: nothing but a picture or a `GfwxError` may come of them.

``python mutations.py JOURNAL COUNT [FIRST]`` decodes that many mutations in turn whole, downsampled
and in part, and prints what came of them. The file JOURNAL names the one in progress, for the case
of a crash or a hang. Each mutation follows from its number alone, so that a COUNT of 1 repeats it.
The builds of the kernels take turns.
"""

from __future__ import annotations

import faulthandler
import os
import random
import struct
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
from vectors import cases
from watch import can_watch_memory, forget_peak, memory

import gfwx
from gfwx import kernels

MAX_PIXELS = 2**22
MEGABYTES_OVER = int(os.environ.get("GFWX_MUTATION_MEGABYTES", "64"))
SECONDS = float(os.environ.get("GFWX_MUTATION_SECONDS", "2"))
"""Most memory over the declared size and most time of one decode. Sanitizers need more."""

INTENTS = {
    1: ("mono", "bayer-rggb", "bayer-bggr", "generic", "bayer-grbg", "bayer-gbrg", "bayer-generic"),
    2: ("generic",),
    3: ("rgb", "bgr", "generic"),
    4: ("rgba", "bgra", "cmyk", "rgba-premultiplied", "bgra-premultiplied"),
    9: ("generic",),
}


@cache
def seeds() -> tuple[bytes, ...]:
    """Valid files of every type, encoder, filter, intent, with tranches, layers and metadata."""
    turbo = sorted((case.turbo_file() for case in cases() if case.is_turbo), key=len)
    return (*encoded(240), *turbo[:24], *of_many_blocks())


def encoded(count: int) -> Iterator[bytes]:
    """Files of small pictures whose parameters go round in cycles of different lengths."""
    rng = np.random.default_rng(3)
    encoders = cycle(("fast", "contextual", "high-bitrate"))
    wavelets: tuple[str | int, ...] = ("linear", "cubic", 2, "linear", 3, "cubic", 4, 5, 6, 7, 8)
    filters = cycle(wavelets)
    types: Iterator[type] = cycle((np.uint8, np.uint16, np.int8, np.uint8, np.int16))
    layouts = cycle(((1, 3), (1, 1), (2, 3), (1, 4), (1, 1), (3, 1), (1, 2), (1, 1), (5, 9)))
    qualities = cycle((1024, 600, 64, 1024, 1, 1023, 250))
    intents = {channels: cycle(names) for channels, names in INTENTS.items()}
    for number in range(count):
        layers, channels = next(layouts)
        dtype, wavelet = np.dtype(next(types)), next(filters)
        height, width = rng.integers(1, 48, 2)
        rows = np.arange(height)[:, None, None] * rng.integers(-9, 9)
        columns = np.arange(width)[:, None] * rng.integers(-9, 9)
        noise = rng.integers(0, rng.choice([2, 30, 70000]), (layers, height, width, channels))
        intent = next(intents[channels])
        yield gfwx.encode(
            (rows + columns + noise).astype(dtype),
            int(next(qualities)),
            encoder=next(encoders),
            filter="linear" if isinstance(wavelet, int) else wavelet,
            vertical_levels=wavelet if isinstance(wavelet, int) else None,
            chroma_scale=int(rng.choice([1, 8, 256])),
            block_size=int(rng.choice([2, 3, 5, 7, 30])),
            intent=intent,
            transform="a710" if channels == 4 and number % 2 else "auto",
            metadata=bytes(number % 13),
        )


@cache
def of_many_blocks() -> tuple[bytes, ...]:
    """Valid files with blocks so many and so large that kernels decode them side by side."""
    rng = np.random.default_rng(4)
    files = []
    for number in range(24):
        dtype = np.dtype((np.uint8, np.int16, np.int8, np.uint16)[number % 4])
        amplitude = (3, 40, 70000)[number % 3]
        height, width = rng.integers(70, 160, 2)
        slope = np.arange(height)[:, None] + np.arange(width)
        files.append(
            gfwx.encode(
                (slope + rng.integers(0, amplitude, (height, width))).astype(dtype),
                (1024, 300)[number // 3 % 2],
                encoder=("fast", "high-bitrate")[number // 6 % 2],
                filter="cubic" if number // 2 % 4 == 1 else "linear",
                vertical_levels=5 if number // 2 % 4 == 2 else None,
                block_size=int(rng.integers(4, 6)),
                intent="bayer-rggb" if number // 2 % 4 == 3 else "mono",
            )
        )
    return tuple(files)


def mutation(number: int, files: tuple[bytes, ...]) -> bytes:
    """A mutation: bits flipped, bytes or words replaced, cut or spliced, once or a few times."""
    rng = random.Random(number)
    original = rng.choice(files)
    data = bytearray(original)
    # Half of the mutations leave the header as it is.
    header_size = gfwx.read_header(original).size
    first = header_size if number % 2 else 0
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if len(data) <= first + 4:
            break
        # Without this few mutations would meet the header, the program and the first tables.
        last = rng.choice((len(data), min(len(data), max(first, header_size) + 24)))
        at = rng.randrange(first, last)
        match rng.randrange(8):
            case 0 | 1:
                data[at] ^= 1 << rng.randrange(8)
            case 2:
                data[at] = rng.randrange(256)
            case 3:
                word = max(first, at // 4 * 4)
                value = rng.choice((0, 1, 2**31, 2**32 - 1, len(data) // 4, rng.getrandbits(32)))
                data[word : word + 4] = struct.pack("<I", value)
            case 4:
                del data[at:]
            case 5:
                del data[at : at + 4 * rng.randrange(1, 9)]
            case 6:
                data[at:at] = rng.randbytes(4 * rng.randrange(1, 9))
            case 7:
                other = rng.choice(files)
                data[at:] = other[min(at, rng.randrange(len(other))) :]
    return bytes(data)


def requests(number: int) -> Iterator[dict[str, Any]]:
    """The ways in which a mutation is decoded."""
    threads = 2 if number % 8 == 0 else None
    yield {"threads": threads}
    yield {"downsampling": 1 + number % 3, "threads": threads}
    yield {"partial": True, "keep_dims": True, "threads": threads}


def try_decoding(data: bytes, **options: Any) -> str:
    """Decode and check; the name of what came of it."""
    try:
        result = gfwx.decode(data, max_pixels=MAX_PIXELS, **options)
    except gfwx.GfwxError as error:
        return type(error).__name__
    image, following = result if options.get("partial") else (result, None)
    assert following is None or isinstance(following, int)
    if image is None:
        assert following is not None
        return "no picture yet"
    header = gfwx.read_header(data)
    assert image.dtype == header.dtype
    d = options.get("downsampling", 0)
    assert image.size == header.planes * -(-header.width >> d) * -(-header.height >> d)
    return "picture"


def decode_or_refuse(data: bytes, **options: Any) -> tuple[object, ...]:
    """Decode: the picture's bytes and what else is returned, or the error."""
    try:
        result = gfwx.decode(data, max_pixels=MAX_PIXELS, **options)
    except gfwx.GfwxError as error:
        return type(error), str(error)
    image, following = result if options.get("partial") else (result, None)
    return None if image is None else image.tobytes(), following


def declared_size(data: bytes) -> int:
    """Bytes of the picture that a header declares, 0 if there is none."""
    try:
        header = gfwx.read_header(data)
    except gfwx.GfwxError:
        return 0
    return min(MAX_PIXELS, header.planes * header.width * header.height) * header.dtype.itemsize


def fail(unraisable: Any) -> NoReturn:
    """End the process: exceptions in code that cannot raise them would only be a warning."""
    traceback.print_exception(unraisable.exc_value)
    print(unraisable.err_msg, unraisable.object, file=sys.stderr, flush=True)
    os._exit(3)


def main(journal: BinaryIO, count: int, first: int = 0) -> None:
    """Decode mutations and print what came of them."""
    sys.unraisablehook = fail
    outcomes: Counter[str] = Counter()
    watched = can_watch_memory()
    builds = kernels.runnable()
    for number in range(first, first + count):
        faulthandler.dump_traceback_later(30 + 30 * SECONDS, exit=True)
        build = builds[number // 3 % len(builds)]  # whatever the requests
        kernels.select(build)
        data = mutation(number, seeds())
        for options in requests(number):
            journal.seek(0)
            journal.write(f"mutation {number}, {build}, {options}".ljust(120).encode())
            if watched:
                forget_peak()
                before, _ = memory()
            start = time.perf_counter()
            outcome = try_decoding(data, **options)
            took = time.perf_counter() - start
            outcomes[outcome] += 1
            assert took < SECONDS, f"mutation {number} took {took:.2f} s with {options}"
            if watched:
                added = memory()[1] - before - declared_size(data)
                assert added < MEGABYTES_OVER << 20, (
                    f"mutation {number} took {added >> 20} MB over its size with {options}"
                )
    faulthandler.cancel_dump_traceback_later()
    print(
        f"{count} mutations of {len(seeds())} files in {', '.join(builds)}:",
        dict(outcomes.most_common()),
    )


if __name__ == "__main__":
    with Path(sys.argv[1]).open("wb", buffering=0) as file:
        main(file, *map(int, sys.argv[2:]))
