"""``vaetheory evaluate``."""

from __future__ import annotations

import csv
from pathlib import Path

import click
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from vaetheory.cli.errors import shown_briefly
from vaetheory.errors import ArgumentError
from vaetheory.training.checkpoint import load_checkpoint
from vaetheory.training.data_sets import load_data
from vaetheory.training.evaluation import Evaluation, evaluate, mean_and_error
from vaetheory.training.networks import build_model

TITLES = {
    "elbo": "ELBO",
    "iwae": "IWAE bound, {samples} samples",
    "evidence_at_mean": "evidence at the encoder's mean",
    "evidence_corrected": "the same, corrected",
    "evidence_at_map": "evidence at the most probable latent",
    "evidence_by_hessian": "the same, with the full Hessian",
    "check": "check: importance sampling there, {samples} samples",
    "gap": "gap of the ELBO, by theory",
}


@click.command("evaluate")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--data", help="Other data than the checkpoint's, as for train.")
@click.option(
    "--data-folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the files of MNIST or Fashion-MNIST are.",
)
@click.option("--count", type=click.IntRange(1), help="Only so many of the test samples.")
@click.option("--samples", type=click.IntRange(2), default=100, show_default=True, help="Latents.")
@click.option(
    "--piece", type=click.IntRange(1), default=500, show_default=True, help="Samples at a time."
)
@click.option("--tolerance", type=float, help="Of the search for the most probable latent, nats.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the latents."
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, ...")
@click.option(
    "--table",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write all values as CSV; by default evaluation.csv in FOLDER.",
)
def evaluate_command(
    folder: Path,
    data: str | None,
    data_folder: Path | None,
    count: int | None,
    samples: int,
    piece: int,
    tolerance: float | None,
    seed: int,
    device: str,
    table: Path | None,
) -> None:
    """Find the evidence of test data under the model in FOLDER.

    Writes a table with one row for each sample, and shows the means. Values are in nats.
    """
    with shown_briefly():
        checkpoint = load_checkpoint(folder)
        configuration = checkpoint.configuration
        tested = load_data(data or configuration.data, data_folder).testing[:count]
        if tuple(tested.shape[1:]) != checkpoint.shape:
            raise ArgumentError(
                f"data must have samples of shape {checkpoint.shape} for this model, got "
                f"{tuple(tested.shape[1:])}"
            )
        model = build_model(configuration, checkpoint.shape)
        checkpoint.restore(model)
        model.to(device).eval()
        x = tested.to(device, getattr(torch, configuration.precision))
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("samples", total=len(x))
            found = evaluate(
                model,
                x,
                samples=samples,
                piece=piece,
                tolerance=tolerance,
                seed=seed,
                report=lambda done: bar.update(task, completed=done),
            )
        path = table or folder / "evaluation.csv"
        write_table(path, found)
        show_summary(found, samples, checkpoint.epoch)
        click.echo(path)


def write_table(path: Path, found: Evaluation) -> None:
    """Write a row for each sample; the file appears whole or not at all."""
    columns = found.columns()
    new = path.with_name(path.name + ".new")
    with new.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["sample", *columns])
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        for number, row in enumerate(rows):
            writer.writerow([number, *row])
    new.replace(path)


def show_summary(found: Evaluation, samples: int, epoch: int) -> None:
    """Print means with their standard errors over the samples."""
    count = len(found.elbo)
    table = Table(title=f"{count} samples, model of epoch {epoch}; nats a sample")
    table.add_column("")
    table.add_column("mean", justify="right")
    table.add_column("standard error", justify="right")
    for name, title in TITLES.items():
        mean, error = mean_and_error(getattr(found, name))
        table.add_row(title.format(samples=samples), f"{mean:.3f}", f"{error:.3f}")
    table.add_row("penalty of one covariance for all, by theory", f"{found.penalty:.3f}", "")
    console = Console()
    console.print(table)
    distance = (found.evidence_by_hessian - found.check).abs().median()
    effective = found.effective_sample_size
    converged = int(found.converged.sum())
    console.print(
        f"Converged: {converged} of {count}. Evidence and check are {distance:.3f} nats apart "
        f"(median); the check's samples are worth {effective.median():.0f} of {samples} (median; "
        f"least {effective.min():.1f}).",
        soft_wrap=True,
    )
