"""``gfwx truncate``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from gfwx.cli import batch, options
from gfwx.cli.encode import SUFFIX
from gfwx.cli.errors import PictureError
from gfwx.cli.sources import find_sources
from gfwx.cli.tasks import Task, plan
from gfwx.header import BytesLike
from gfwx.structure import read_structure


@dataclass(frozen=True)
class Truncation:
    """Cuts GFWX files off where a level ends.

    Attributes
    ----------
    downsampling : int or None
        The picture of 1/2^downsampling of the size is kept...
    most : int or None
        ...or the largest one in so many bytes.
    """

    downsampling: int | None
    most: int | None

    def __call__(self, task: Task, threads: int | None) -> batch.Outcome:
        """Carry out a task."""
        data = task.source.contents()
        task.write(data[: self.end(data)])
        return batch.Outcome()

    def end(self, data: BytesLike) -> int:
        """Number of bytes to keep; raises PictureError if there is no such level."""
        levels = read_structure(data).levels
        if self.downsampling is not None:
            for level in levels:
                if level.downsampling == self.downsampling:
                    return level.end
            most = levels[0].downsampling if levels else 0
            least = levels[-1].downsampling if levels else 0
            raise PictureError(
                f"it has no level for --downsampling {self.downsampling}, but for {least} to {most}"
            )
        ends = [level.end for level in levels if self.most is None or level.end <= self.most]
        if not ends:
            raise PictureError(f"no level ends within {self.most} bytes")
        return ends[-1]

    def is_done(self, task: Task) -> bool:
        """Whether the target is there, and as long as it is to be."""
        target = task.target
        if task.source.path is None or target is None or not target.is_file():
            return False
        return target.stat().st_size == self.end(task.source.contents())


@click.command("truncate", short_help="Smaller files, cut off where a level ends.")
@options.inputs
@click.option(
    "-o",
    "--output",
    metavar="DIR|FILE",
    required=True,
    help="Folder, in which the structure of input folders is kept; a file for one input; - for "
    "standard output.",
)
@click.option(
    "-d",
    "--downsampling",
    type=click.IntRange(0, 30),
    metavar="N",
    help="Keep what it takes for 1/2^N of the width and height.",
)
@click.option(
    "--bytes", "most", type=click.IntRange(1), help="Keep all levels that end in so many bytes."
)
@options.jobs
@options.force
def truncate_command(
    inputs: tuple[str, ...],
    output: str,
    downsampling: int | None,
    most: int | None,
    jobs: int,
    force: bool,
) -> None:
    """Make GFWX files smaller by cutting them off where a level of detail ends.

    What is left decodes to a smaller picture with the same --downsampling, or, with --partial, to a
    softer one of the full size. gfwx info shows the levels.

    \b
    Example:
        gfwx truncate compressed -o previews --downsampling 2
    """  # noqa: D301
    if (downsampling is None) == (most is None):
        raise click.UsageError("one of --downsampling and --bytes says where to cut")
    sources, failures = find_sources(inputs, (SUFFIX,))
    tasks = plan(sources, output, (SUFFIX,), Path)
    cut = Truncation(downsampling, most)
    batch.run(
        cut,
        tasks,
        jobs=jobs,
        title="truncating",
        is_done=None if force else cut.is_done,
        failures=failures,
    )
