"""``gfwx decode``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from gfwx import codec
from gfwx.cli import batch, options
from gfwx.cli.encode import SUFFIX, target_is_whole
from gfwx.cli.errors import PictureError
from gfwx.cli.formats import FORMATS, SUFFIXES, format_of, write_picture
from gfwx.cli.sources import STANDARD, find_sources
from gfwx.cli.tasks import Task, plan
from gfwx.header import Header


@dataclass(frozen=True)
class Decoding:
    """Makes pictures of GFWX files.

    Attributes
    ----------
    format : str
        One of `FORMATS`.
    downsampling, max_pixels : int
        As for `gfwx.decode`.
    partial : bool
        Whether incomplete files are decoded as far as they go.
    """

    format: str
    downsampling: int = 0
    max_pixels: int = 0
    partial: bool = False

    def __call__(self, task: Task, threads: int | None) -> batch.Outcome:
        """Carry out a task."""
        data = task.source.contents()
        header = Header.parse(data)
        image, following = codec.decode(
            data,
            downsampling=self.downsampling,
            max_pixels=self.max_pixels,
            threads=threads,
            keep_dims=True,
            partial=True,
        )
        if image is None or (following is not None and not self.partial):
            hint = "" if image is None else "; --partial decodes what is there"
            raise PictureError(f"it ends early, after {len(data)} bytes{hint}")
        task.write(write_picture(self.format, image, header))
        return batch.Outcome(image.nbytes, len(data))


@click.command("decode", short_help="Bring pictures back.")
@options.inputs
@options.output("beside each input, with the name of the format")
@options.downsampling
@click.option(
    "--format",
    type=click.Choice(list(FORMATS)),
    help="png for gray and colors; tiff and npy for everything. By default as "
    "FILE is named, else png.",
)
@click.option("--partial", is_flag=True, help="Decode what there is of incomplete files.")
@options.max_pixels
@options.jobs
@options.force
def decode_command(
    inputs: tuple[str, ...],
    output: str | None,
    downsampling: int,
    format: str | None,
    partial: bool,
    max_pixels: int,
    jobs: int,
    force: bool,
) -> None:
    """Bring pictures back from GFWX files.

    IN is a GFWX file, a folder, a pattern in quotes, or - for standard input. EXIF, ICC profile and
    XMP are written as far as the format has a place for them. Pixels are written as they are: not
    turned, and mosaics of cameras as gray pictures.

    \b
    Examples:
        gfwx decode compressed -o restored
        gfwx decode scan.gfwx -o scan.tif
        gfwx decode - < scan.gfwx > scan.png
    """  # noqa: D301
    named = format_of(output) if output not in (None, STANDARD) else None
    if named and format and named != format and not Path(str(output)).is_dir():
        raise click.UsageError(f"--format {format} and the name {output} contradict each other")
    chosen = format or named or next(iter(FORMATS))
    sources, failures = find_sources(inputs, (SUFFIX,))
    tasks = plan(sources, output, SUFFIXES, lambda path: path.with_suffix(FORMATS[chosen]))
    batch.run(
        Decoding(chosen, downsampling, max_pixels, partial),
        tasks,
        jobs=jobs,
        title="decoding",
        is_done=None if force else target_is_whole,
        failures=failures,
    )
