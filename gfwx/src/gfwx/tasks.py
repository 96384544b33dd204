"""Work on one picture: tasks in the order in which to begin them, some of which need others.

Without barriers between the stages: who has nothing left to do in one begins with the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import pairwise
from threading import Condition

from gfwx import threads


class Tasks:
    """Tasks in order."""

    def __init__(self) -> None:
        self._functions: list[Callable[[], object] | None] = []
        self._needs: list[frozenset[int]] = []
        self._ended: set[int] = set()
        self._failed = False
        self._changed: Condition | None = None  # with one thread nobody waits

    def add(self, function: Callable[[], object], needs: Iterable[int] = ()) -> int:
        """Append a task.

        Parameters
        ----------
        function : callable
            What to do.
        needs : iterable of int
            Numbers of tasks that must have ended before, and of events. They stand before it, so
            that somebody has begun them.

        Returns
        -------
        int
            The task's number.
        """
        return self._append(function, needs)

    def add_event(self) -> int:
        """Append an event, which a task that is added next signals halfway; return its number."""
        return self._append(None, ())

    def signal(self, number: int) -> None:
        """Let those begin that need an event, or a task."""
        if self._changed is not None:
            with self._changed:
                self._ended.add(number)
                self._changed.notify_all()

    def run(self, workers: int) -> None:
        """Carry out all tasks, once.

        Parameters
        ----------
        workers : int
            At most so many run at the same time. Exceptions reach the caller; then tasks not yet
            begun are left out.
        """
        try:
            if workers == 1:
                for function in self._functions:
                    if function is not None:
                        function()
            else:
                self._changed = changed = Condition()
                numbers = [n for n, function in enumerate(self._functions) if function is not None]

                def give_up() -> None:
                    self._failed = True
                    with changed:
                        changed.notify_all()

                def carry_out(number: int) -> None:
                    self._carry_out(number, changed)

                threads.run(carry_out, numbers, workers, give_up)
        finally:
            # Those that signal events refer to this object, and to all memory of the picture.
            self._functions.clear()

    def _append(self, function: Callable[[], object] | None, needs: Iterable[int]) -> int:
        self._functions.append(function)
        self._needs.append(frozenset(needs))
        return len(self._functions) - 1

    def _carry_out(self, number: int, changed: Condition) -> None:
        function, needs = self._functions[number], self._needs[number]
        assert function is not None
        with changed:
            changed.wait_for(lambda: self._failed or self._ended.issuperset(needs))
        if not self._failed:
            function()
            self.signal(number)


def add_in_turn(
    tasks: Tasks,
    first: Callable[[range], None],
    second: Callable[[range], None],
    count: int,
    group: int,
    ring: int,
    workers: int,
    *,
    first_needs: Sequence[int] = (),
    second_needs: Sequence[int] = (),
) -> None:
    """Append tasks that call two functions with ranges of numbers, the second close upon the first.

    ``second`` begins for n when ``first`` has ended for n - 1, n and n + 1. There is room for so
    many results of ``first`` at a time: it begins for n when all calls of ``second`` that look at
    n - ring have ended.

    Parameters
    ----------
    tasks : Tasks
        Receives them.
    first, second : callable
        Take some numbers that follow each other.
    count : int
        The numbers are 0 to count - 1.
    group : int
        How many numbers ``first`` takes at most, and with one thread ``second``; else that takes
        one, so that threads end together.
    ring : int
        At least group + 2, or `count`.
    workers : int
        Threads that will work.
    first_needs, second_needs : sequence of int
        Tasks that all calls of the functions need besides.
    """
    groups = -(-count // group)
    if groups > workers:
        groups = min(count, -(-groups // workers) * workers)  # that share out evenly
    starts = [count * number // groups for number in range(groups)]
    # With one thread, all that the last group of the first function made possible.
    second_starts = range(count) if workers > 1 else [max(start - 1, 0) for start in starts]
    firsts, seconds = _pieces(starts, count), _pieces(second_starts, count)
    first_tasks: list[int] = []  # of each number
    second_tasks: list[int] = []
    begun = 0
    for numbers in seconds:
        # What others make meanwhile is enough of a lead; more would have to wait for room.
        ahead = numbers[-1] + 1 + (workers - 1) * group
        while begun < len(firsts) and firsts[begun][0] <= ahead:
            piece = firsts[begun]
            if piece[-1] - ring >= max(0, numbers[0] - 1):
                break
            needs = set(first_needs)
            if piece[-1] >= ring:  # then something was in its place, which others look at
                needs.update(second_tasks[max(piece[0] - ring - 1, 0) : piece[-1] - ring + 2])
            first_tasks += [tasks.add(partial(first, piece), needs)] * len(piece)
            begun += 1
        made = first_tasks[max(numbers[0] - 1, 0) : numbers[-1] + 2]
        task = tasks.add(partial(second, numbers), {*second_needs, *made})
        second_tasks += [task] * len(numbers)


def _pieces(starts: Sequence[int], end: int) -> list[range]:
    return [range(*cuts) for cuts in pairwise((*starts, end)) if cuts[0] < cuts[1]]
