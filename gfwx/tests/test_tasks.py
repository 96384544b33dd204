"""Tasks begin when what they need has ended, on any number of threads."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from gfwx.tasks import Tasks, add_in_turn


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_needs(workers: int) -> None:
    tasks = Tasks()
    ended: list[str] = []

    def take_time() -> None:
        time.sleep(0.01)
        ended.append("slow")

    slow = tasks.add(take_time)
    quick = tasks.add(partial(ended.append, "quick"))
    both = tasks.add(lambda: ended.append("both"), [slow, quick])
    tasks.add(lambda: ended.append("last"), [both])
    tasks.run(workers)
    assert sorted(ended[:2]) == ["quick", "slow"]
    assert ended[2:] == ["both", "last"]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_event(workers: int) -> None:
    """What needs an event does not wait for the end of the task that signals it."""
    tasks = Tasks()
    event = tasks.add_event()
    seen: list[str] = []
    met = threading.Event()

    def signals() -> None:
        seen.append("before")
        tasks.signal(event)
        assert workers == 1 or met.wait(60)

    def needs_event() -> None:
        seen.append("after")
        met.set()

    tasks.add(signals)
    tasks.add(needs_event, [event])
    tasks.run(workers)
    assert seen == ["before", "after"]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_error(workers: int) -> None:
    """It reaches the caller, and what needs the task, or its event, is left out."""
    tasks = Tasks()
    event = tasks.add_event()
    seen: list[str] = []

    def fail() -> None:
        raise ValueError("told")

    failing = tasks.add(fail)
    tasks.add(partial(seen.append, "event"), [event])
    tasks.add(partial(seen.append, "task"), [failing])
    with pytest.raises(ValueError, match="told"):
        tasks.run(workers)
    assert seen == []


def take_turns(count: int, group: int, ring: int, workers: int) -> None:
    prepared: set[int] = set()
    made: set[int] = set()
    used: set[int] = set()
    tasks = Tasks()

    def neighbors(number: int) -> range:
        return range(max(number - 1, 0), min(number + 2, count))

    def first(numbers: range) -> None:
        assert 0 in prepared
        for number in numbers:
            if number >= ring:
                assert used.issuperset(neighbors(number - ring))
        made.update(numbers)

    def second(numbers: range) -> None:
        assert prepared == {0, 1}
        for number in numbers:
            assert made.issuperset(neighbors(number))
        used.update(numbers)

    before = [tasks.add(partial(prepared.add, number)) for number in range(2)]
    add_in_turn(
        tasks,
        first,
        second,
        count,
        group,
        ring,
        workers,
        first_needs=before[:1],
        second_needs=before,
    )
    tasks.run(workers)
    assert made == used == set(range(count))


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("group", [1, 2, 4])
def test_turns_keep_neighbors_in_the_ring(group: int, workers: int) -> None:
    for count in range(1, 14):
        for ring in range(group + 2, 3 * group + 4):
            take_turns(count, group, min(ring, count), workers)
