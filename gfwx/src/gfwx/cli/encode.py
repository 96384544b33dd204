"""``gfwx encode``."""

from __future__ import annotations

import typing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from gfwx import codec
from gfwx.cli import batch, options
from gfwx.cli.pictures import SUFFIXES, Picture, read_picture
from gfwx.cli.sources import find_sources
from gfwx.cli.tasks import Task, plan
from gfwx.cli.whole import is_whole
from gfwx.errors import ArgumentError
from gfwx.files import read_header
from gfwx.header import Encoder, Filter, Intent
from gfwx.limits import DEFAULT_MAX_PIXELS
from gfwx.metadata import checksum
from gfwx.transforms import NAMED

SUFFIX: Final = ".gfwx"


@dataclass(frozen=True)
class Encoding:
    """Makes GFWX files.

    Attributes
    ----------
    options : dict
        Of `gfwx.encode`.
    max_pixels : int
        Most samples of a picture.
    """

    options: dict[str, Any] = field(default_factory=dict)
    max_pixels: int = DEFAULT_MAX_PIXELS

    def __call__(self, task: Task, threads: int | None) -> batch.Outcome:
        """Carry out a task."""
        picture = read_picture(task.source, self.max_pixels)
        encoded = encode_picture(picture, threads=threads, **self.options)
        task.write(encoded)
        return batch.Outcome(picture.image.nbytes, len(encoded))


def encode_picture(picture: Picture, **options: Any) -> bytes:
    """Encode a picture with its metadata and a checksum of what it decodes to.

    Raises
    ------
    ArgumentError
        As `gfwx.encode` does.
    """
    for name in ("intent", "bit_depth"):
        if options.get(name) is None:
            options[name] = getattr(picture, name)
    known = replace(picture.metadata, checksum=0)
    data = codec.encode(picture.image, metadata=known, **options)
    header = read_header(data)
    decoded = picture.image
    if not header.is_lossless:
        decoded = codec.decode(data, threads=options.get("threads"), max_pixels=decoded.size)
    known = replace(known, checksum=checksum(decoded))
    return replace(header, metadata=known.to_bytes()).pack() + data[header.size :]


@click.command("encode", short_help="Compress pictures.")
@options.inputs
@options.output(f"beside each input, as NAME{SUFFIX}")
@click.option(
    "-q",
    "--quality",
    type=click.IntRange(1, 1024),
    default=1024,
    show_default=True,
    help="1024 is lossless; 512 to edit further, 256 hard to tell from that, 64 good, 16 small.",
)
@click.option(
    "--chroma-scale",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="Divides the quality of colors; 8 for lossy photographs. Over 1 nothing is lossless.",
)
@click.option(
    "--encoder",
    type=click.Choice(["auto", *(one.value for one in Encoder if one != Encoder.TURBO)]),
    default="auto",
    show_default=True,
    help="contextual is slower, and smaller for photographs of 8 bits.",
)
@click.option(
    "--filter",
    type=click.Choice([one.value for one in Filter]),
    default=Filter.LINEAR.value,
    show_default=True,
    help="cubic is smoother, for lossy files; slower.",
)
@click.option(
    "--intent",
    type=click.Choice([one.value for one in Intent]),
    help="What the channels mean; by default as the picture says. Bayer intents make mosaics of "
    "gray pictures.",
)
@click.option(
    "--transform",
    type=click.Choice(["auto", *NAMED, "none"]),
    default="auto",
    show_default=True,
    help="Channel transform.",
)
@click.option(
    "--bit-depth", type=click.IntRange(1, 16), help="Bits that samples use, for readers to know."
)
@click.option(
    "--block-size",
    type=click.IntRange(2, 30),
    default=7,
    show_default=True,
    help="Logarithm of the side of blocks that are coded apart.",
)
@click.option(
    "--vertical-levels",
    type=click.IntRange(2, 8),
    help="Cut into bands of 2^N rows, for devices with little memory.",
)
@options.max_pixels
@options.jobs
@options.force
def encode_command(
    inputs: tuple[str, ...],
    output: str | None,
    max_pixels: int,
    jobs: int,
    force: bool,
    **settings: Any,
) -> None:
    """Compress pictures.

    IN is a picture, a folder, a pattern in quotes, or - for standard input. Pictures are what
    Pillow reads without taking bits away, TIFF files (tifffile), raw files of cameras (rawpy) and
    .npy. EXIF, ICC profile and XMP are kept, with a checksum.

    What is there already and complete is skipped, so that an interrupted command goes on.

    \b
    Examples:
        gfwx encode photos -o compressed
        gfwx encode scan.tif -o scan.gfwx --quality 256 --chroma-scale 8
    """  # noqa: D301
    if settings["transform"] == "none":
        settings["transform"] = None
    _refuse_contradictions(settings)
    sources, failures = find_sources(inputs, SUFFIXES)
    tasks = plan(sources, output, (SUFFIX,), lambda path: path.with_suffix(SUFFIX))
    batch.run(
        Encoding(settings, max_pixels),
        tasks,
        jobs=jobs,
        title="encoding",
        is_done=None if force else target_is_whole,
        failures=failures,
    )


def target_is_whole(task: Task) -> bool:
    """Whether what a task is to make is there and complete."""
    return is_whole(typing.cast(Path, task.target))


def _refuse_contradictions(settings: dict[str, Any]) -> None:
    """Refuse options that go with no picture."""
    apart = {name: settings[name] for name in settings if name not in ("intent", "bit_depth")}
    try:
        codec.encode(np.zeros((1, 1, 3), np.uint8), **apart)
    except ArgumentError as error:
        raise click.UsageError(str(error)) from None
