"""``vaetheory train``."""

from __future__ import annotations

import os
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import distributed

from vaetheory.cli.errors import shown_briefly
from vaetheory.errors import ArgumentError
from vaetheory.training import loop
from vaetheory.training.checkpoint import CONFIGURATION, load_checkpoint
from vaetheory.training.configuration import (
    LIKELIHOODS,
    OBJECTIVES,
    PRECISIONS,
    Configuration,
)
from vaetheory.training.data_sets import load_data

DEFAULTS = Configuration()
HELP = {
    "objective": "elbo: learned variances; bilbo: none; bilbo-held: none, with the prior held from "
    "earlier batches; bilbo-variances: learned variances with the fitted prior, the control; "
    "elbo-optimal: each sample's best covariance, computed; elbo-shared: the best one for all.",
    "data": "digits, mnist, fashion-mnist, or the path of a .npy or .npz file.",
    "latent_size": "Dimension of the latents.",
    "hidden": "Width of the hidden layers.",
    "layers": "Hidden layers of encoder and decoder each.",
    "likelihood": "normal has one learned scale.",
    "scale": "Where that scale starts.",
    "posterior_scale": "Standard deviation of the posteriors, where the prior fits itself.",
    "epochs": "Times to go through the data.",
    "batch_size": "Samples in a step, over all processes.",
    "samples": "Latents drawn for each of them.",
    "learning_rate": "Of Adam; falls to nothing along half a cosine.",
    "seed": "Of weights, order and noise.",
    "precision": "Of the model.",
}
CHOICES = {"objective": OBJECTIVES, "likelihood": LIKELIHOODS, "precision": PRECISIONS}


def settings_options(command: Any) -> Any:
    """Add an option for each setting of `Configuration`."""
    types = typing.get_type_hints(Configuration)
    for field in reversed(fields(Configuration)):
        name = field.name
        kind = click.Choice(CHOICES[name]) if name in CHOICES else types[name]
        option = click.option(
            "--" + name.replace("_", "-"),
            type=kind,
            default=getattr(DEFAULTS, name),
            show_default=True,
            help=HELP[name],
        )
        command = option(command)
    return command


@click.command("train")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@settings_options
@click.option(
    "--data-folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the files of MNIST or Fashion-MNIST are.",
)
@click.option(
    "--resume", is_flag=True, help="Go on from the checkpoint in FOLDER, if there is one."
)
@click.option(
    "--interval",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Epochs between checkpoints.",
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, ...")
@click.pass_context
def train_command(
    context: click.Context,
    /,
    folder: Path,
    data_folder: Path | None,
    resume: bool,
    interval: int,
    device: str,
    **settings: Any,
) -> None:
    """Train a VAE, and write it to FOLDER.

    An interrupted run goes on with --resume, and ends with the same weights. `torchrun
    --nproc-per-node 2 -m vaetheory train ...` shares every batch between two processes.
    """
    with shown_briefly(), processes(device) as (place, rank):
        configuration = Configuration(**settings)
        if resume and (folder / CONFIGURATION).exists():
            configuration = resumed(context, folder, settings)
        data = load_data(configuration.data, data_folder)
        console = Console(stderr=True, quiet=rank != 0)
        columns = (
            TextColumn("epoch {task.completed:.0f} of {task.total:.0f}"),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("", total=configuration.epochs)

            def report(progress: loop.Progress) -> None:
                text = f"{configuration.objective} {progress.objective:.3f} nats"
                bar.update(task, completed=progress.epoch, description=text)

            try:
                loop.train(
                    configuration,
                    data,
                    folder,
                    resume=resume,
                    interval=interval,
                    device=place,
                    report=report,
                )
            except KeyboardInterrupt:
                bar.stop()
                raise click.ClickException(
                    f"interrupted; go on with: vaetheory train {folder} --resume"
                ) from None
        if rank == 0:
            click.echo(folder)


def resumed(context: click.Context, folder: Path, settings: dict[str, Any]) -> Configuration:
    """Return the checkpoint's configuration, which settings that are given must agree with."""
    found = load_checkpoint(folder).configuration
    for name, value in settings.items():
        given = context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE
        if given and value != getattr(found, name):
            raise ArgumentError(
                f"{folder} was trained with {name} = {getattr(found, name)!r}, not {value!r}"
            )
    return found


@contextmanager
def processes(device: str) -> Iterator[tuple[torch.device, int]]:
    """Join the processes that torchrun has started, if it has; give device and rank."""
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise ArgumentError(f"device must be one of PyTorch's, got {device!r}") from error
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        yield place, 0
        return
    if place.type == "cuda":
        place = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(place)
    distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield place, distributed.get_rank()
    finally:
        distributed.destroy_process_group()
