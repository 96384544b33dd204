"""A pool of threads for kernels, which run without the interpreter's lock.

The calling thread works too, so that calls from several threads, or from within the pool, never
wait for a free worker. A forked process starts without workers and gets its own when needed.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from threading import Lock
from typing import Final, TypeVar

from gfwx.errors import ArgumentError, ArgumentTypeError

Item = TypeVar("Item")
Result = TypeVar("Result")

LARGE_PICTURE: Final = 1 << 18
"""Samples from which ``threads=None`` takes all cores: below, starting them costs more."""

_pool: ThreadPoolExecutor | None = None
_pool_size = 0
_lock = Lock()


def resolve(threads: int | None, samples: int) -> int:
    """Make the number of threads to work with.

    Parameters
    ----------
    threads : int or None
        The caller's wish; None for all cores where the picture is large.
    samples : int
        Size of the picture.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        `threads` is less than 1, or no integer.
    """
    if threads is None:
        return _cores() if samples >= LARGE_PICTURE else 1
    try:
        count = operator.index(threads)
    except TypeError:
        raise ArgumentTypeError(f"threads must be an integer or None, got {threads!r}") from None
    if count < 1:
        raise ArgumentError(f"threads must be at least 1, got {count}")
    return count


def run(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    threads: int,
    give_up: Callable[[], None] = lambda: None,
) -> list[Result]:
    """Call a function with each item, on up to so many threads at once.

    Parameters
    ----------
    function : callable
        Takes an item. Its exceptions reach the caller; then items not yet begun are left out.
    items : sequence
        What to do, in the order in which to begin.
    threads : int
        At most so many calls run at the same time.
    give_up : callable
        Called when items are left out, so that calls that wait for others do not wait forever.

    Returns
    -------
    list
        The results, in the order of the items. However the call ends, also when it is interrupted,
        no other thread works for it any more.
    """
    helpers = min(threads, len(items)) - 1
    if helpers < 1:
        return [function(item) for item in items]
    results: dict[int, Result] = {}
    waiting = iter(range(len(items)))
    turn = Lock()

    def work() -> None:
        nonlocal waiting
        try:
            while True:
                with turn:
                    index = next(waiting, None)
                if index is None:
                    return
                results[index] = function(items[index])
        except BaseException:
            waiting = iter(())
            give_up()
            raise

    futures: list[Future[None]] = []
    try:
        try:
            _submit(work, helpers, futures)
            work()
        finally:
            _wait(futures)
    finally:
        _wait(futures)  # in case that an interrupt came before the first could hold it back
    for future in futures:
        if not future.cancelled() and (error := future.exception()) is not None:
            raise error
    return [results[index] for index in range(len(items))]


def _wait(futures: Sequence[Future[None]]) -> None:
    """Wait until none of them is under way, and only then let an interrupt through."""
    interrupt: BaseException | None = None
    while True:
        try:
            for future in futures:
                if not future.cancel():
                    future.exception()
            break
        except BaseException as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt


def bands(length: int, threads: int, least: int = 16) -> list[tuple[int, int]]:
    """Cut a range into pieces for threads: one each, or more where they are not small.

    Parameters
    ----------
    length : int
        The range is 0 to `length`.
    threads : int
        Number of threads that will work.
    least : int
        Pieces are not made shorter.

    Returns
    -------
    list of (int, int)
        First and last + 1 of each piece.
    """
    pieces = 1 if threads == 1 else max(1, min(4 * threads, length // least))
    cuts = [length * piece // pieces for piece in range(pieces + 1)]
    return list(pairwise(cuts))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _submit(work: Callable[[], None], count: int, futures: list[Future[None]]) -> None:
    """Give work to so many threads, or as many as there can be; the caller does the rest."""
    global _pool, _pool_size
    with _lock:
        if _pool is None or _pool_size < count:
            if _pool is not None:
                _pool.shutdown(wait=False)  # what it has begun goes on
            _pool = ThreadPoolExecutor(count, thread_name_prefix="gfwx")
            _pool_size = count
        for _ in range(count):
            # Not the pool's own future: when no thread can be started it is lost, although the
            # work may still be done.
            futures.append(Future())
            try:
                _pool.submit(_carry_out, work, futures[-1])
            except RuntimeError:  # also while the interpreter exits
                return


def _carry_out(work: Callable[[], None], future: Future[None]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        work()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(None)


def _forget() -> None:
    global _pool, _pool_size, _lock
    _pool, _pool_size, _lock = None, 0, Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
