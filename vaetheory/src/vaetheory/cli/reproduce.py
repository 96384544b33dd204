"""``vaetheory reproduce``."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import click
import torch
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from vaetheory.cli.errors import shown_briefly
from vaetheory.experiments.cost_of_evidence import cost_of_evidence
from vaetheory.experiments.decoder_determinants import decoder_determinants
from vaetheory.experiments.findings import Findings
from vaetheory.experiments.gap_in_training import gap_in_training
from vaetheory.experiments.learned_variances import learned_variances
from vaetheory.experiments.page import write_page
from vaetheory.experiments.penalty_of_constant import penalty_of_constant
from vaetheory.experiments.runs import Runs
from vaetheory.experiments.scale import scale_for
from vaetheory.experiments.where_it_fails import where_it_fails
from vaetheory.training.data_sets import load_data

EXPERIMENTS: Final[dict[str, Callable[[Runs], Findings]]] = {
    "variances": learned_variances,
    "cost": cost_of_evidence,
    "gap": gap_in_training,
    "penalty": penalty_of_constant,
    "determinants": decoder_determinants,
    "failures": where_it_fails,
}


@click.command("reproduce")
@click.argument("name", type=click.Choice([*EXPERIMENTS, "all"]))
@click.option(
    "--data",
    default="digits",
    show_default=True,
    help="digits (minutes), mnist or fashion-mnist (hours), or the path of a .npy or .npz file.",
)
@click.option(
    "--data-folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the files of MNIST or Fashion-MNIST are.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default=True,
    help="Folder for reproduction.md, and for figures, tables and models in reproduction/.",
)
@click.option("--seeds", type=click.IntRange(1), help="Models of each kind, instead of 3 and 5.")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    show_default="processors",
    help="Models to train at a time.",
)
def reproduce_command(
    name: str, data: str, data_folder: Path | None, output: Path, seeds: int | None, jobs: int
) -> None:
    r"""Measure what the theory claims, on models trained for it: experiment NAME, or all of them.

    \b
    variances     need they be learned?
    cost          error against time for the evidence of an image
    gap           what the ELBO loses, during training
    penalty       what one covariance for all images costs
    determinants  log-determinants of decoders from products
    failures      where it fails

    Models are kept, so that an interrupted command goes on where it was.
    """
    with shown_briefly():
        loaded = load_data(data, data_folder)
        scale = scale_for(data)
        if seeds is not None:
            scale = scale.with_seeds(seeds)
        folder = output / "reproduction" / Path(data).stem
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        console = Console()
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(name)

            def report(title: str, done: int, count: int) -> None:
                bar.update(task, description=title, completed=done, total=count)

            with closing(Runs(scale, loaded, folder / "models", jobs, report)) as runs:
                for one in EXPERIMENTS if name == "all" else [name]:
                    report(one, 0, 1)
                    torch.manual_seed(0)
                    written = EXPERIMENTS[one](runs).write(folder)
                    bar.stop()  # which would be drawn among what is printed
                    console.print(Markdown(written.read_text(encoding="utf-8")))
                    bar.start()
        click.echo(write_page(output))
