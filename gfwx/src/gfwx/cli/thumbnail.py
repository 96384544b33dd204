"""``gfwx thumbnail``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from gfwx import codec, raw
from gfwx.cli import batch, options
from gfwx.cli.encode import SUFFIX, target_is_whole
from gfwx.cli.formats import write_picture
from gfwx.cli.sources import find_sources
from gfwx.cli.tasks import Task, plan
from gfwx.header import Header, Intent
from gfwx.layout import layout_of, most_downsampling


@dataclass(frozen=True)
class Thumbnail:
    """Makes small pictures of GFWX files, from their beginnings.

    Attributes
    ----------
    size : int
        Most columns and rows.
    max_pixels : int
        As for `gfwx.decode`.
    """

    size: int
    max_pixels: int

    def __call__(self, task: Task, threads: int | None) -> batch.Outcome:
        """Carry out a task."""
        data = task.source.contents()  # mapped, so that no more is read than is needed
        header = Header.parse(data)
        downsampling = downsampling_for(header, self.size)
        is_mosaic = header.intent in raw.PATTERNS.values() and header.planes == 1
        if is_mosaic and not header.signed and downsampling > 0:
            image = raw.preview(data, downsampling, threads=threads)[np.newaxis]
            # Of its metadata nothing holds any more: it is turned, and of the colors of sRGB.
            header = Header(image.shape[2], image.shape[1], channels=3, intent=Intent.RGB)
        else:
            image = codec.decode(
                data,
                downsampling=downsampling,
                keep_dims=True,
                threads=threads,
                max_pixels=self.max_pixels,
            )
        task.write(write_picture("png", image, header))
        return batch.Outcome()


def downsampling_for(header: Header, size: int) -> int:
    """Least downsampling with which a picture has at most `size` columns and rows, or the most."""
    most = most_downsampling(header)
    for downsampling in range(most + 1):
        layout = layout_of(header, downsampling)
        if max(layout.columns, layout.rows) <= size:
            return downsampling
    return most


@click.command("thumbnail", short_help="Small pictures, from the beginnings of files.")
@options.inputs
@options.output("beside each input, as NAME-thumbnail.png")
@click.option(
    "-s",
    "--size",
    type=click.IntRange(1),
    default=256,
    show_default=True,
    help="Most columns and rows; the picture has 1/2, 1/4, 1/8... of its size.",
)
@options.max_pixels
@options.jobs
@options.force
def thumbnail_command(
    inputs: tuple[str, ...],
    output: str | None,
    size: int,
    max_pixels: int,
    jobs: int,
    force: bool,
) -> None:
    """Make small PNG pictures of GFWX files, reading only the beginnings that it takes.

    Mosaics of cameras become pictures of colors.

    \b
    Example:
        gfwx thumbnail compressed -o thumbnails --size 128
    """  # noqa: D301
    sources, failures = find_sources(inputs, (SUFFIX,))
    tasks = plan(sources, output, (".png",), _renamed)
    batch.run(
        Thumbnail(size, max_pixels),
        tasks,
        jobs=jobs,
        title="thumbnails",
        is_done=None if force else target_is_whole,
        failures=failures,
    )


def _renamed(path: Path) -> Path:
    return path.with_name(f"{path.stem}-thumbnail.png")
