"""Carrying out many tasks, in several processes, with a progress bar and a list of failures."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import connection, get_context, parent_process
from typing import TypeAlias

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gfwx.cli.errors import EXPECTED, describe
from gfwx.cli.tasks import Task


@dataclass(frozen=True)
class Outcome:
    """What came of a task.

    Attributes
    ----------
    pixel_bytes, file_bytes : int
        Of the picture's samples, and of the GFWX file.
    failure : str or None
        What went wrong, in one line.
    there : bool
        Whether it had been done before.
    warnings : tuple of str
        One line each.
    finding : str or None
        What the command was to find out, in one line.
    """

    pixel_bytes: int = 0
    file_bytes: int = 0
    failure: str | None = None
    there: bool = False
    warnings: tuple[str, ...] = ()
    finding: str | None = None


Work: TypeAlias = Callable[[Task, int | None], Outcome]
"""Carries out a task with so many threads, None for all cores; in any process, so to be pickled."""


def available_cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run(
    work: Work,
    tasks: Sequence[Task],
    *,
    jobs: int,
    title: str,
    is_done: Callable[[Task], bool] | None = None,
    failures: Sequence[str] = (),
) -> None:
    """Carry out tasks, tell what came of them, and end with the exit code.

    Findings go to standard output, everything else to standard error.

    Parameters
    ----------
    work : callable
        What to do.
    tasks : sequence of Task
        With what.
    jobs : int
        Processes at most.
    title : str
        Says beside the bar what is done.
    is_done : callable, optional
        Whether a task's target is complete already, so that the task can be skipped.
    failures : sequence of str
        What went wrong before.

    Raises
    ------
    click.exceptions.Exit
        With 1 if anything failed.
    click.ClickException
        Interrupted, or a process was ended from outside.
    """
    one = partial(_carry_out, work, is_done)
    outcomes: list[Outcome] = []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    processes = min(jobs, len(tasks))
    with Progress(*columns, console=console, disable=len(tasks) < 2) as bar:
        counted = bar.add_task(title, total=len(tasks))
        try:
            with _results(one, tasks, processes) as results:
                for outcome in results:
                    outcomes.append(outcome)
                    bar.advance(counted)
        except KeyboardInterrupt:
            bar.stop()
            raise click.ClickException(
                "interrupted; the same command goes on where it stopped"
            ) from None
        except BrokenProcessPool:
            bar.stop()
            raise click.ClickException(
                "a process was ended from outside, maybe for want of memory; the same command goes "
                "on where it stopped, with fewer --jobs it takes less"
            ) from None
    _report(outcomes, failures)


@contextmanager
def _results(
    one: Callable[[Task, int | None], Outcome], tasks: Sequence[Task], processes: int
) -> Iterator[Iterator[Outcome]]:
    """Give the outcomes as they come."""
    if processes < 2:
        yield (one(task, None) for task in tasks)
        return
    # Threads would not do: Pillow holds the interpreter's lock while it decodes. Processes are not
    # forked, as this one has threads.
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _prepare_process)
    try:
        with _interrupts_ignored():  # by the new processes, for good
            futures: list[Future[Outcome]] = [pool.submit(one, task, 1) for task in tasks]
        yield (future.result() for future in as_completed(futures))
    finally:
        # What has been begun is finished; the rest is left.
        pool.shutdown(wait=True, cancel_futures=True)


def _prepare_process() -> None:
    """End this process when the one that started it is gone, whatever ended that."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _carry_out(
    work: Work, is_done: Callable[[Task], bool] | None, task: Task, threads: int | None
) -> Outcome:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if is_done is not None and task.target is not None and is_done(task):
                return Outcome(there=True)
            outcome = work(task, threads)
        except EXPECTED as error:
            return Outcome(failure=describe(error, task.source.name))
    lines = dict.fromkeys(" ".join(str(one.message).split()) for one in caught)
    return replace(outcome, warnings=tuple(f"{task.source.name}: {line}" for line in lines))


def _report(outcomes: Sequence[Outcome], failures: Sequence[str]) -> None:
    for finding in sorted(one.finding for one in outcomes if one.finding is not None):
        click.echo(finding)
    for outcome in outcomes:
        for warning in outcome.warnings:
            click.echo(f"Warning: {warning}", err=True)
    done = [one for one in outcomes if one.failure is None and not one.there]
    there = sum(one.there for one in outcomes)
    failed = [*failures, *(one.failure for one in outcomes if one.failure is not None)]
    pixels, files = (
        sum(getattr(one, name) for one in done) for name in ("pixel_bytes", "file_bytes")
    )
    if pixels:
        click.echo(
            f"{_count(len(done))}: {pixels / 1e6:.2f} MB of pixels, {files / 1e6:.2f} MB in GFWX "
            f"({100 * files / pixels:.1f} %)",
            err=True,
        )
    if there:
        click.echo(
            f"{_count(there)} there already and complete (--force makes them anew)", err=True
        )
    for line in failed:
        click.echo(f"Error: {line}", err=True)
    if failed:
        if len(outcomes) + len(failures) > 1:
            click.echo(f"{len(failed)} failed", err=True)
        raise click.exceptions.Exit(1)


def _count(number: int) -> str:
    return f"{number} picture{'' if number == 1 else 's'}"
