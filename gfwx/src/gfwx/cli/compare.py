"""``gfwx compare``."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import click
import imagecodecs
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from gfwx import codec
from gfwx.cli import options
from gfwx.cli.errors import EXPECTED, describe
from gfwx.cli.pictures import SUFFIXES, Picture, read_picture
from gfwx.cli.sources import find_sources

Encode: TypeAlias = Callable[[NDArray[Any]], bytes]
Decode: TypeAlias = Callable[[bytes], NDArray[Any]]


@dataclass
class Totals:
    """What a codec did with all pictures that it takes.

    Attributes
    ----------
    pictures : int
        How many.
    raw, size : int
        Bytes of samples and of files.
    encoding, decoding : float
        Seconds.
    """

    pictures: int = 0
    raw: int = 0
    size: int = 0
    encoding: float = 0.0
    decoding: float = 0.0

    def add(self, image: NDArray[Any], encode: Encode, decode: Decode) -> None:
        """Encode and decode a picture; raises whatever the codec does, or ValueError on losses."""
        begin = time.perf_counter()
        data = encode(image)
        middle = time.perf_counter()
        decoded = decode(data)
        end = time.perf_counter()
        if decoded.shape != image.shape or not np.array_equal(decoded, image):
            raise ValueError("another picture came back")
        self.pictures += 1
        self.raw += image.nbytes
        self.size += len(data)
        self.encoding += middle - begin
        self.decoding += end - middle


@click.command("compare", short_help="Sizes and speeds beside other formats.")
@options.inputs
@options.max_pixels
def compare_command(inputs: tuple[str, ...], max_pixels: int) -> None:
    """Compress pictures without loss in several formats, and show sizes and speeds.

    The others are those of imagecodecs, with their own defaults. Each works on one thread, on
    pixels in memory, and has to bring them back. A format that cannot hold a picture has no part in
    it: compare sizes where the numbers of pictures are equal.
    """
    sources, failures = find_sources(inputs, SUFFIXES)
    totals: dict[str, Totals] = {}
    columns = (TextColumn("comparing"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=len(sources) < 2) as bar:
        for source in bar.track(sources):
            try:
                picture = read_picture(source, max_pixels)
                for name, encode, decode in _gfwx(picture):
                    totals.setdefault(name, Totals()).add(picture.image, encode, decode)
            except EXPECTED as error:
                failures.append(describe(error, source.name))
                continue
            for name, encode, decode in _others():
                with contextlib.suppress(Exception):  # each has its own way to say that it cannot
                    totals.setdefault(name, Totals()).add(picture.image, encode, decode)
    if totals:
        _show(totals)
    for line in failures:
        click.echo(f"Error: {line}", err=True)
    if failures:
        raise click.exceptions.Exit(1)


def _gfwx(picture: Picture) -> Iterator[tuple[str, Encode, Decode]]:
    encode = partial(codec.encode, intent=picture.intent, bit_depth=picture.bit_depth, threads=1)
    decode = partial(codec.decode, threads=1, max_pixels=picture.image.size)
    for name, encoder in (("gfwx", "auto"), ("gfwx, contextual", "contextual")):
        yield name, partial(encode, encoder=encoder), decode


def _others() -> Iterator[tuple[str, Encode, Decode]]:
    one = {"numthreads": 1}
    yield "PNG", imagecodecs.png_encode, imagecodecs.png_decode
    webp_encode = partial(imagecodecs.webp_encode, lossless=True, **one)
    yield "WebP", webp_encode, imagecodecs.webp_decode
    yield "QOI", imagecodecs.qoi_encode, imagecodecs.qoi_decode
    jpeg2k_encode = partial(imagecodecs.jpeg2k_encode, level=0, reversible=True, **one)
    yield "JPEG 2000", jpeg2k_encode, partial(imagecodecs.jpeg2k_decode, **one)
    htj2k_encode = partial(imagecodecs.htj2k_encode, reversible=True)
    yield "HTJ2K", htj2k_encode, imagecodecs.htj2k_decode
    jpegxl_encode = partial(imagecodecs.jpegxl_encode, lossless=True, **one)
    yield "JPEG XL", jpegxl_encode, partial(imagecodecs.jpegxl_decode, **one)


def _show(totals: dict[str, Totals]) -> None:
    table = Table(title=f"{totals['gfwx'].raw / 1e6:.2f} MB of pixels, without loss, on one thread")
    table.add_column("")
    for column in ("pictures", "bytes", "% of raw", "encode MB/s", "decode MB/s"):
        table.add_column(column, justify="right")
    for name, found in totals.items():
        if not found.pictures:
            table.add_row(name, "0", *["-"] * 4)
            continue
        table.add_row(
            name,
            str(found.pictures),
            str(found.size),
            f"{100 * found.size / found.raw:.1f}",
            f"{found.raw / found.encoding / 1e6:.0f}",
            f"{found.raw / found.decoding / 1e6:.0f}",
        )
    Console().print(table)
