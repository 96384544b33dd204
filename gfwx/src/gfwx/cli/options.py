"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from gfwx.cli.batch import available_cores
from gfwx.limits import DEFAULT_MAX_PIXELS

FC = TypeVar("FC", bound="Callable[..., Any] | click.Command")
"""What click's options are put on."""

inputs = click.argument("inputs", nargs=-1, required=True, metavar="IN...")

force = click.option("--force", is_flag=True, help="Make again what is there already and complete.")

jobs = click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1),
    default=available_cores,
    show_default="cores",
    help="Files to work on at a time.",
)

max_pixels = click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=DEFAULT_MAX_PIXELS,
    show_default=True,
    help="Refuse pictures with more samples (width x height x channels x layers).",
)

downsampling = click.option(
    "-d",
    "--downsampling",
    type=click.IntRange(0, 30),
    default=0,
    show_default=True,
    help="Make pictures of 1/2^N of the width and height, reading only what that needs.",
    metavar="N",
)


def output(what: str) -> Callable[[FC], FC]:
    """Make the option ``-o``; `what` says what happens without it."""
    return click.option(
        "-o",
        "--output",
        metavar="DIR|FILE",
        help="Folder, in which the structure of input folders is kept; a file for one input; - "
        f"for standard output. By default {what}.",
    )
