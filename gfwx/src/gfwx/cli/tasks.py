"""Which file becomes which: planned before any work begins."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from gfwx.cli.sources import STANDARD, Source
from gfwx.files import write_whole


@dataclass(frozen=True)
class Task:
    """A file and what is to be made of it.

    Attributes
    ----------
    source : Source
        What is read.
    target : Path or None
        What is written; None for standard output.
    """

    source: Source
    target: Path | None

    def write(self, data: bytes) -> None:
        """Write the result, which appears whole or not at all; raises OSError."""
        if self.target is None:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.target.resolve(), data)
        except OSError as error:  # which may name the temporary file
            raise OSError(error.errno, error.strerror, str(self.target)) from None


def plan(
    sources: Sequence[Source],
    output: str | None,
    suffixes: Collection[str],
    rename: Callable[[Path], Path],
) -> list[Task]:
    """Give each source its target.

    Parameters
    ----------
    sources : sequence of Source
        What is read.
    output : str or None
        What ``-o`` says: a file if it has one of `suffixes` and is no folder, "-", or a folder;
        None for targets beside their sources.
    suffixes : collection of str
        Names, in lower case, of the files that are written.
    rename : callable
        Makes the name of a target from that of a source.

    Raises
    ------
    click.UsageError
        Two sources have one target, or one is the target of another; standard output or one file
        for several sources; a terminal for pixels.
    """
    target = None if output is None or output == STANDARD else Path(output)
    is_file = target is not None and target.suffix.lower() in suffixes and not target.is_dir()
    if (is_file or output == STANDARD) and len(sources) > 1:
        raise click.UsageError(f"{len(sources)} files cannot become one ({output}); name a folder")
    tasks = []
    for source in sources:
        if output == STANDARD or (output is None and source.path is None):
            tasks.append(Task(source, None))
        elif is_file:
            tasks.append(Task(source, target))
        elif source.path is None:
            raise click.UsageError(f"standard input needs a file or - for -o, got {output}")
        elif target is None:
            tasks.append(Task(source, source.path.with_name(rename(source.path).name)))
        else:
            tasks.append(Task(source, target / rename(source.place)))
    if any(task.target is None for task in tasks) and sys.stdout.isatty():
        raise click.UsageError("pixels are not written to a terminal; name a file with -o")
    _refuse_collisions(tasks)
    return tasks


def _refuse_collisions(tasks: Sequence[Task]) -> None:
    made: dict[str, Source] = {}
    read = {os.path.realpath(task.source.path) for task in tasks if task.source.path is not None}
    for task in tasks:
        if task.target is None:
            continue
        place = os.path.realpath(task.target)
        if place in read:
            raise click.UsageError(f"{task.target} would be overwritten, and is an input too")
        other = made.setdefault(os.path.normcase(place), task.source)
        if other is not task.source:
            raise click.UsageError(
                f"{other.name} and {task.source.name} would both become {task.target}; nothing was "
                "done"
            )
