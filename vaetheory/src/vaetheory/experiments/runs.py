"""The trained models that the experiments share, kept as checkpoints."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from vaetheory.experiments.scale import Scale
from vaetheory.models import AutoEncoder
from vaetheory.training.checkpoint import CONFIGURATION
from vaetheory.training.configuration import Configuration, Objective
from vaetheory.training.data_sets import DataSet
from vaetheory.training.loop import train

Work = TypeVar("Work")
Result = TypeVar("Result")

Report = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, eq=False)
class Runs:
    """Models of one data set, trained when they are first asked for.

    Attributes
    ----------
    scale : Scale
        Their sizes.
    data : DataSet
        What they are trained and tested on.
    folder : Path
        Holds a checkpoint of each.
    jobs : int
        Processes that train at a time, each on one thread.
    report : callable
        Told how far training is.
    """

    scale: Scale
    data: DataSet
    folder: Path
    jobs: int
    report: Report

    def configuration(
        self, objective: Objective, size: int | None = None, seed: int = 0
    ) -> Configuration:
        """Return the settings of a model; d is the scale's `size` if none is given."""
        scale = self.scale
        return Configuration(
            objective=objective,
            data=self.data.name,
            latent_size=scale.size if size is None else size,
            hidden=scale.hidden,
            epochs=scale.epochs,
            batch_size=scale.batch_size,
            learning_rate=scale.learning_rate,
            seed=seed,
        )

    def folder_of(self, configuration: Configuration) -> Path:
        """Return where the model of a configuration is kept: a name of all that may differ."""
        usual = self.configuration(
            configuration.objective, configuration.latent_size, configuration.seed
        )
        parts = [f"{configuration.objective}-d{configuration.latent_size}"]
        for name in ("likelihood", "posterior_scale", "batch_size", "epochs"):
            value = getattr(configuration, name)
            if value != getattr(usual, name):
                parts.append(f"{name.replace('_', '-')}-{value}")
        return self.folder / "-".join([*parts, f"seed{configuration.seed}"])

    def models(self, configurations: Iterable[Configuration]) -> list[AutoEncoder]:
        """Return the models of some configurations, having trained those that were not yet."""
        wanted = list(configurations)
        missing = [one for one in wanted if not self._is_there(one)]
        self.in_parallel("training", _train, missing)
        return [self._train_one(one) for one in wanted]

    def images(self, count: int | None = None) -> Tensor:
        """Return the first test samples, by default as many as the scale says."""
        return self.data.testing[: count or self.scale.images]

    def _is_there(self, configuration: Configuration) -> bool:
        return (self.folder_of(configuration) / CONFIGURATION).exists()

    def in_parallel(
        self, title: str, function: Callable[[Runs, Work], Result], work: Sequence[Work]
    ) -> list[Result]:
        """Call a function for each piece of work, in processes of one thread each.

        With one job it is called here, and on one thread too, as weights depend on their number.
        """
        if not work:
            return []
        self.report(title, 0, len(work))
        if self.jobs == 1:
            results = []
            for done, one in enumerate(work):
                with one_thread():
                    results.append(function(self, one))
                self.report(title, done + 1, len(work))
            return results
        silent = replace(self, report=_say_nothing)
        futures = [self._pool.submit(_call_on_one_thread, function, silent, one) for one in work]
        for done, future in enumerate(as_completed(futures)):
            future.result()
            self.report(title, done + 1, len(work))
        return [future.result() for future in futures]

    @cached_property
    def _pool(self) -> ProcessPoolExecutor:
        """Processes for all that is done in parallel: each takes seconds to start."""
        # Not forked: threads would not survive it.
        return ProcessPoolExecutor(self.jobs, mp_context=multiprocessing.get_context("spawn"))

    def close(self) -> None:
        """End the processes, and give up what they have not begun."""
        if "_pool" in vars(self):
            self._pool.shutdown(cancel_futures=True)
            del vars(self)["_pool"]

    def _train_one(self, configuration: Configuration) -> AutoEncoder:
        """Train a model, or load what has been trained."""
        return train(
            configuration,
            self.data,
            self.folder_of(configuration),
            resume=True,
            interval=configuration.epochs,
        )


def _train(runs: Runs, configuration: Configuration) -> None:
    runs._train_one(configuration)


def _call_on_one_thread(function: Callable[[Runs, Work], Result], runs: Runs, work: Work) -> Result:
    with one_thread():
        return function(runs, work)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, as what is timed must be, and what is to be had again to the bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _say_nothing(title: str, done: int, count: int) -> None:
    """Take the place of a report in processes that have no screen."""
