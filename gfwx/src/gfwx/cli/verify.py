"""``gfwx verify``."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from gfwx import codec
from gfwx.arguments import as_samples
from gfwx.cli import batch, options
from gfwx.cli.encode import SUFFIX
from gfwx.cli.errors import EXPECTED, PictureError, describe
from gfwx.cli.pictures import SUFFIXES, read_picture
from gfwx.cli.sources import Source, find_sources
from gfwx.cli.tasks import Task
from gfwx.files import read_metadata
from gfwx.header import Header
from gfwx.metadata import checksum


@dataclass(frozen=True)
class Verification:
    """Checks what GFWX files decode to.

    Attributes
    ----------
    pictures : Path or None
        What they were made of: a file, or a folder with one of the same name for each; None for
        their checksums.
    max_pixels : int
        As for `gfwx.decode`.
    """

    pictures: Path | None
    max_pixels: int

    def __call__(self, task: Task, threads: int | None) -> batch.Outcome:
        """Carry out a task."""
        data = task.source.contents()
        header = Header.parse(data)
        image = codec.decode(data, keep_dims=True, threads=threads, max_pixels=self.max_pixels)
        if self.pictures is None:
            text = _by_checksum(header, image)
        else:
            picture = _picture_for(task.source, self.pictures)
            text = _by_picture(header, image, picture, self.max_pixels)
        return batch.Outcome(finding=f"{task.source.name}: {text}")


@click.command("verify", short_help="Check that files are what was encoded.")
@options.inputs
@click.option(
    "-s",
    "--source",
    metavar="FILE|DIR",
    type=click.Path(exists=True, path_type=Path),
    help="What they were made of: a picture for one input, or a folder with the pictures.",
)
@options.max_pixels
@options.jobs
def verify_command(
    inputs: tuple[str, ...], source: Path | None, max_pixels: int, jobs: int
) -> None:
    """Check that GFWX files decode to what they were made of.

    IN is a GFWX file, a folder, a pattern in quotes, or - for standard input. What is decoded is
    held against the checksum that gfwx encode has stored, or with --source against the pictures
    themselves; for lossy files the errors are told. The exit code is 1 where something is wrong.

    \b
    Examples:
        gfwx verify compressed
        gfwx verify compressed --source photos
    """  # noqa: D301
    sources, failures = find_sources(inputs, (SUFFIX,))
    if source is not None and not source.is_dir() and len(sources) > 1:
        raise click.UsageError(f"{len(sources)} files are not made of one ({source})")
    tasks = [Task(one, None) for one in sources]
    verification = Verification(source, max_pixels)
    batch.run(verification, tasks, jobs=jobs, title="verifying", failures=failures)


def _picture_for(file: Source, pictures: Path) -> Path:
    """Path of the picture that a file was made of; raises PictureError."""
    if not pictures.is_dir():
        return pictures
    place = pictures / file.place
    found = [
        path
        for path in sorted(place.parent.glob(f"{glob.escape(place.stem)}.*"))
        if path.suffix.lower() in SUFFIXES and path.stem == place.stem
    ]
    if len(found) == 1:
        return found[0]
    what = "no picture" if not found else "more than one picture"
    raise PictureError(f"there is {what} for it in {place.parent}")


def _by_checksum(header: Header, image: NDArray[Any]) -> str:
    stored = read_metadata(header).checksum
    if stored is None:
        raise PictureError("it has no checksum; name what it was made of with --source")
    if checksum(image) != stored:
        raise PictureError("its pixels are damaged: the checksum is another")
    return "the checksum is right"


def _by_picture(header: Header, image: NDArray[Any], source: Path, max_pixels: int) -> str:
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
