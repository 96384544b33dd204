"""Running ``gfwx`` as its users do, on pictures that are made up."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image

from gfwx.cli.main import main


def run(*arguments: object, stdin: bytes | None = None) -> Result:
    """Run a command in this process; nothing but an exit may come of it."""
    result = CliRunner().invoke(main, [str(one) for one in arguments], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def colors(height: int = 40, width: int = 50, seed: int = 0) -> NDArray[np.uint8]:
    """Red, green and blue that no two places share."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def folder_of_pictures(folder: Path, count: int, side: int = 40) -> None:
    """Fill a folder and one in it with PNG files."""
    for number in range(count):
        path = folder / ("deep" if number % 2 else ".") / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(colors(side, side, number)).save(path, compress_level=1)


def sixteen_bit_png(samples: NDArray[np.uint16], filters: str = "01234", **chunks: bytes) -> bytes:
    """PNG file of 16 bits with the filters in turn, by the words of the standard, byte by byte."""
    height, width, channels = samples.shape
    size = 2 * channels
    lines = [bytes(row) for row in samples.astype(">u2").view(np.uint8).reshape(height, -1)]
    above = bytes(width * size)
    filtered = bytearray()
    for number, line in enumerate(lines):
        kind = int(filters[number % len(filters)])
        filtered.append(kind)
        for at, value in enumerate(line):
            a = line[at - size] if at >= size else 0
            b = above[at]
            c = above[at - size] if at >= size else 0
            p = a + b - c
            nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            filtered.append((value - (0, a, b, (a + b) // 2, nearest)[kind]) % 256)
        above = line
    color = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, 0)
    parts = [("IHDR", header), *chunks.items(), ("IDAT", zlib.compress(bytes(filtered)))]
    data = b"\x89PNG\r\n\x1a\n"
    for name, content in (*parts, ("IEND", b"")):
        body = name.encode() + content
        data += struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))
    return data


def opened(path: Path) -> tuple[NDArray[Any], Image.Image]:
    """Samples of a picture, and the picture, as Pillow reads it."""
    with Image.open(path) as image:
        image.load()
        return np.asarray(image), image
