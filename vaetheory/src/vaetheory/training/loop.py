"""The training loop: deterministic, resumable, on one process or several."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel

from vaetheory.arguments import check_count
from vaetheory.errors import ArgumentError, VaetheoryError
from vaetheory.models import AutoEncoder, FittedPriorAutoEncoder
from vaetheory.training.checkpoint import (
    Checkpoint,
    load_checkpoint,
    optimiser_tensors,
    prefixed,
    restore_optimiser,
    save_checkpoint,
)
from vaetheory.training.configuration import Configuration
from vaetheory.training.data_sets import DataSet
from vaetheory.training.networks import build_model
from vaetheory.vector_map import cut


class TrainingError(VaetheoryError, RuntimeError):
    """Training cannot go on."""


@dataclass(frozen=True)
class Progress:
    """How far training is; given to the caller after each epoch.

    Attributes
    ----------
    epoch, epochs : int
        Epochs done, and all of them.
    objective : float
        Mean of the objective over the epoch's steps, in nats for each sample.
    seconds : float
        What the epoch took.
    model : AutoEncoder
        As it is now, in training mode.
    """

    epoch: int
    epochs: int
    objective: float
    seconds: float
    model: AutoEncoder


def train(
    configuration: Configuration,
    data: DataSet,
    folder: Path | None = None,
    *,
    resume: bool = False,
    interval: int = 10,
    device: torch.device | str = "cpu",
    report: Callable[[Progress], None] | None = None,
) -> AutoEncoder:
    """Train a model, or go on with training it.

    The weights that come of it depend on the configuration, the data, the number of threads and
    the kind of device alone, not on interruptions. If `torch.distributed` is initialised, each
    process takes its part of every batch, with the noise that one process would draw for it.

    Parameters
    ----------
    configuration : Configuration
        What to train, and how.
    data : DataSet
        What to train on.
    folder : Path, optional
        Receives a checkpoint now and then, and after the last epoch.
    resume : bool
        Begin where the checkpoint in the folder ends, if there is one.
    interval : int
        Epochs from one checkpoint to the next.
    device : torch.device
        Where to compute.
    report : callable, optional
        Called after each epoch.

    Returns
    -------
    AutoEncoder
        In evaluation mode; a fitted prior is that of all training data.

    Raises
    ------
    ArgumentError
        If the data have fewer samples than a batch, a checkpoint does not fit, or there is one and
        `resume` was not said.
    TrainingError
        If the objective is no longer finite.
    """
    check_count("interval", interval)
    run = Trainer(configuration, data, torch.device(device))
    if folder is not None:
        run.find_checkpoint(folder, resume)
    while run.epoch < configuration.epochs:
        progress = run.do_epoch()
        last = run.epoch == configuration.epochs
        if last:
            run.finish()
        if folder is not None and run.rank == 0 and (last or run.epoch % interval == 0):
            save_checkpoint(folder, run.checkpoint())
        if report is not None:
            report(progress)
    return run.model.eval()


class Trainer:
    """A model with its optimiser and its sources of randomness.

    Parameters
    ----------
    configuration, data, device
        As for `train`.

    Attributes
    ----------
    model : AutoEncoder
        What is trained.
    epoch : int
        Epochs done.
    """

    def __init__(self, configuration: Configuration, data: DataSet, device: torch.device) -> None:
        if len(data.training) < configuration.batch_size:
            raise ArgumentError(
                f"data must have a batch of {configuration.batch_size} samples at least, got "
                f"{len(data.training)}"
            )
        self.configuration = configuration
        self.shape = data.shape
        self.epoch = 0
        self.objectives: list[float] = []
        self.rank, self.processes = 0, 1
        self.group: distributed.ProcessGroup | None = None
        if distributed.is_available() and distributed.is_initialized():
            self.rank, self.processes = distributed.get_rank(), distributed.get_world_size()
            self.group = distributed.group.WORLD
        self.model = build_model(configuration, data.shape).to(device)
        self.module: torch.nn.Module = self.model
        if self.group is not None:
            # Buffers of the prior are the same in all processes anyway.
            self.module = DistributedDataParallel(self.model, broadcast_buffers=False)
        self.data = data.training.to(device, getattr(torch, configuration.precision))
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=configuration.learning_rate)
        # On the CPU, so that all kinds of devices get the same noise.
        self.noise = torch.Generator().manual_seed(configuration.seed)

    def find_checkpoint(self, folder: Path, resume: bool) -> None:
        """Go on from the folder's checkpoint, if there is one and it is wanted."""
        if not (folder.exists() and any(folder.iterdir())):
            return
        if not resume:
            raise ArgumentError(f"{folder} is not empty: say that training is to be resumed there")
        found = load_checkpoint(folder)
        if found.configuration != self.configuration or found.shape != self.shape:
            raise ArgumentError(f"{folder} has the checkpoint of a run with another configuration")
        found.restore(self.model)
        restore_optimiser(self.optimiser, found.part("optimiser"))
        self.noise.set_state(found.tensors["noise"])
        self.objectives = found.tensors["objective"].tolist()
        self.epoch = found.epoch

    def checkpoint(self) -> Checkpoint:
        """Gather all that `find_checkpoint` puts back."""
        tensors = {
            **prefixed("model", self.model.state_dict().items()),
            **prefixed("optimiser", optimiser_tensors(self.optimiser).items()),
            "noise": self.noise.get_state(),
            "objective": torch.tensor(self.objectives, dtype=torch.float64),
        }
        return Checkpoint(self.configuration, self.shape, self.epoch, tensors)

    def do_epoch(self) -> Progress:
        """Go through the training data once, but for what is left over from whole batches."""
        start = time.perf_counter()
        self.model.train()
        size = self.configuration.batch_size
        seed = self.configuration.seed + 1_000_003 * self.epoch
        order = torch.randperm(len(self.data), generator=torch.Generator().manual_seed(seed))
        steps = len(order) // size
        total = 0.0
        for step, batch in enumerate(cut(order[: steps * size], size)):
            self._set_learning_rate((self.epoch + step / steps) / self.configuration.epochs)
            total += self.step(batch)
        self.epoch += 1
        self.objectives.append(total / steps)
        epochs = self.configuration.epochs
        seconds = time.perf_counter() - start
        return Progress(self.epoch, epochs, total / steps, seconds, self.model)

    def finish(self) -> None:
        """Fit the prior to all training data, as the last batches have left it behind."""
        if isinstance(self.model, FittedPriorAutoEncoder):
            self.model.fit_prior(cut(self.data, 1000))

    def step(self, batch: Tensor) -> float:
        """Improve the model with the samples of those numbers; return the objective."""
        configuration = self.configuration
        shape = len(batch), configuration.samples, configuration.latent_size
        noise = torch.randn(shape, generator=self.noise, dtype=torch.float64)
        mine = slice(
            len(batch) * self.rank // self.processes,
            len(batch) * (self.rank + 1) // self.processes,
        )
        self.optimiser.zero_grad()
        advice = "a smaller learning rate may help"
        try:
            objective: Tensor = self.module(
                self.data[batch[mine].to(self.data.device)],
                configuration.samples,
                noise=noise[mine].to(self.data),
                group=self.group,
            )
        except ArgumentError as error:
            raise TrainingError(f"epoch {self.epoch + 1} has failed: {error}; {advice}") from error
        value = objective.item()
        if not math.isfinite(value):
            raise TrainingError(f"the objective is {value} in epoch {self.epoch + 1}; {advice}")
        torch.autograd.backward(-objective)
        self.optimiser.step()
        return value

    def _set_learning_rate(self, done: float) -> None:
        """Let it fall along half a cosine over the whole run."""
        rate = self.configuration.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
