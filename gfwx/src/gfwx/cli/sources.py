"""What the arguments of a command name: files, folders, patterns, standard input."""

from __future__ import annotations

import glob
import mmap
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from gfwx.files import contents

STANDARD = "-"
"""Name of standard input and output."""


@dataclass(frozen=True)
class Source:
    """A file to work on.

    Attributes
    ----------
    path : Path or None
        Where it is; None for standard input.
    place : Path
        Where it is kept below an output folder.
    """

    path: Path | None
    place: Path

    @property
    def name(self) -> str:
        """As messages call it."""
        return "standard input" if self.path is None else str(self.path)

    def contents(self) -> mmap.mmap | bytes:
        """Map the file into memory, or read standard input; raises OSError."""
        return sys.stdin.buffer.read() if self.path is None else contents(self.path)


def find_sources(
    arguments: Sequence[str], suffixes: Collection[str]
) -> tuple[list[Source], list[str]]:
    """Find the files that arguments name.

    Parameters
    ----------
    arguments : sequence of str
        Files, folders, patterns such as ``photos/**/*.png``, or "-".
    suffixes : collection of str
        Names, in lower case, of files that are taken from folders, in which those that begin with
        a dot are left out.

    Returns
    -------
    sources : list of Source
        In the order of the arguments; each file once.
    failures : list of str
        What is wrong with other arguments.

    Raises
    ------
    click.UsageError
        Standard input is one of several.
    """
    if STANDARD in arguments:
        if len(arguments) > 1:
            raise click.UsageError("standard input (-) must be the only input")
        return [Source(None, Path(STANDARD))], []
    found: dict[str, Source] = {}
    failures: list[str] = []
    for argument in arguments:
        for source in _named(argument, suffixes, failures):
            assert source.path is not None
            found.setdefault(os.path.realpath(source.path), source)
    return list(found.values()), failures


def _named(argument: str, suffixes: Collection[str], failures: list[str]) -> Iterator[Source]:
    path = Path(argument)
    if path.is_dir():
        yield from _below(path, path, suffixes, failures)
    elif not os.path.lexists(path) and glob.has_magic(argument):
        root = Path()
        for part in path.parts:
            if glob.has_magic(part):
                break
            root /= part
        # Not those of pathlib, which take no absolute patterns.
        matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207
        if not matches:
            failures.append(f"{argument}: no file matches")
        for match in map(Path, matches):
            if not match.is_dir():
                yield Source(match, match.relative_to(root))
            elif "**" not in argument:
                yield from _below(match, root, suffixes, failures)
    else:  # that it is missing shows when it is opened
        yield Source(path, Path(path.name))


def _below(
    folder: Path, root: Path, suffixes: Collection[str], failures: list[str]
) -> Iterator[Source]:
    def fail(error: OSError) -> None:
        failures.append(f"{error.filename}: {error.strerror}")

    failed, count = len(failures), 0
    for parent, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes:
                count += 1
                path = Path(parent, name)
                yield Source(path, path.relative_to(root))
    if not count and len(failures) == failed:
        failures.append(f"{folder}: no files to work on in this folder")
