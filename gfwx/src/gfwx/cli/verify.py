"""``gfwx verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from gfwx import codec
from gfwx.arguments import as_samples
from gfwx.cli import options
from gfwx.cli.errors import EXPECTED, PictureError, describe
from gfwx.cli.pictures import read_picture
from gfwx.cli.sources import STANDARD, Source
from gfwx.files import read_metadata
from gfwx.header import Header
from gfwx.metadata import checksum


@click.command("verify", short_help="Check that a file is what was encoded.")
@click.argument("file")
@click.argument("source", required=False)
@options.max_pixels
def verify_command(file: str, source: str | None, max_pixels: int) -> None:
    """Check that FILE decodes to what it was made of.

    With SOURCE, a picture, all samples are compared; for a lossy file the errors are told. Without
    it, what is decoded is held against the checksum that gfwx encode has stored. The exit code is 1
    where something is wrong.
    """
    read = Source(None if file == STANDARD else Path(file), Path(file))
    try:
        data = read.contents()
        header = Header.parse(data)
        image = codec.decode(data, keep_dims=True, max_pixels=max_pixels)
        if source is None:
            text = _by_checksum(header, image)
        else:
            text = _by_source(header, image, Path(source), max_pixels)
    except EXPECTED as error:
        click.echo(f"Error: {describe(error, read.name)}", err=True)
        raise click.exceptions.Exit(1) from None
    click.echo(f"{read.name}: {text}")


def _by_checksum(header: Header, image: NDArray[Any]) -> str:
    stored = read_metadata(header).checksum
    if stored is None:
        raise PictureError("it has no checksum; name the picture that it was made of")
    if checksum(image) != stored:
        raise PictureError("its pixels are damaged: the checksum is another")
    return "the checksum is right"


def _by_source(header: Header, image: NDArray[Any], source: Path, max_pixels: int) -> str:
    try:
        expected = as_samples(read_picture(Source(source, source), max_pixels).image)
    except EXPECTED as error:
        raise PictureError(f"the source {describe(error, str(source))}") from None
    if expected.shape != image.shape or expected.dtype != image.dtype:
        raise PictureError(
            f"{source} has {expected.dtype} samples of shape {expected.shape}, the file "
            f"{image.dtype} of shape {image.shape} (layers, height, width, channels)"
        )
    if np.array_equal(expected, image):
        return f"all samples are those of {source}"
    errors = np.abs(expected.astype(np.int32) - image)
    if header.is_lossless:
        different = np.count_nonzero(errors)
        raise PictureError(f"{different} of {errors.size} samples are not those of {source}")
    peak = np.iinfo(image.dtype).max if header.bit_depth in (8, 16) else 2**header.bit_depth - 1
    ratio = 10 * np.log10(peak**2 / np.mean(np.square(errors, dtype=np.float64)))
    return (
        f"a lossy file: samples differ from those of {source} by up to {errors.max()}, "
        f"{errors.mean():.3f} on average (PSNR {ratio:.2f} dB)"
    )
