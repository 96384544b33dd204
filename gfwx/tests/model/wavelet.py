"""Wavelet lifting (section 6)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arithmetic import Plane, divide, int32, wide


def lift(lattice: Plane, step: int, v: int, cubic: bool) -> None:
    """Lift a plane in place.

    `lattice` is the view `plane[y0:y1, x0:x1]`, `step` the least step, `v` the vertical levels.
    """
    for each in steps_of(lattice, step):
        for lines in directions(lattice, each, v):
            add_predictions(lines, each, cubic, sign=-1)
            add_updates(lines, each, cubic, sign=+1)


def unlift(lattice: Plane, step: int, v: int, cubic: bool) -> None:
    """Undo `lift` in place."""
    for each in reversed(steps_of(lattice, step)):
        for lines in reversed(directions(lattice, each, v)):
            add_updates(lines, each, cubic, sign=-1)
            add_predictions(lines, each, cubic, sign=+1)


def steps_of(lattice: Plane, step: int) -> list[int]:
    """The steps at which a lattice is lifted, ascending."""
    height, width = lattice.shape
    steps = []
    while step < width or step < height:
        steps.append(step)
        step *= 2
    return steps


def directions(lattice: Plane, step: int, v: int) -> list[Plane]:
    """The rows and then the columns to lift at one step: views with one line a row."""
    height, width = lattice.shape
    lines = []
    if step < width:
        lines.append(lattice[::step, :])
    if step < min(height, 2**v):
        lines.append(lattice[:, ::step].T)
    return lines


def add_predictions(lines: Plane, step: int, cubic: bool, sign: int) -> None:
    """`a[x] += sign * P` for x = step, 3 step, ..."""
    x = np.arange(step, lines.shape[1], 2 * step)
    if cubic:
        p = cubic_at(lines, x, step)
    else:
        left, right = neighbors(lines, x, step)
        p = divide(int32(left + right), 2)
    lines[:, x] = wide(lines[:, x]) + sign * p  # storing wraps to A


def add_updates(lines: Plane, step: int, cubic: bool, sign: int) -> None:
    """`a[x] += sign * Q` for x = 2 step, 4 step, ..."""
    x = np.arange(2 * step, lines.shape[1], 2 * step)
    if cubic:
        q = divide(cubic_at(lines, x, step), 2)
    else:
        left, right = neighbors(lines, x, step)
        q = divide(int32(left + right), 4)
    lines[:, x] = wide(lines[:, x]) + sign * q


def neighbors(
    lines: Plane, x: NDArray[np.int64], step: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The values at -step and +step; the left one for both at the right border."""
    left = x - step
    right = np.where(x + step < lines.shape[1], x + step, left)
    return wide(lines[:, left]), wide(lines[:, right])


def cubic_at(lines: Plane, x: NDArray[np.int64], step: int) -> NDArray[np.int64]:
    """The cubic interpolation of the values at -3 step, -step, +step, +3 step."""
    width = lines.shape[1]
    at_b = x - step
    at_c = np.where(x + step < width, x + step, at_b)
    at_a = np.where(x - 3 * step >= 0, x - 3 * step, at_b)
    at_d = np.where(x + 3 * step < width, x + 3 * step, at_c)
    a, b, c, d = (wide(lines[:, at]) for at in (at_a, at_b, at_c, at_d))
    n = int32(-a + 9 * (b + c) - d)
    rounded = divide(int32(np.where(n < 0, n - 8, n + 8)), 16)
    middle = wide(rounded.astype(lines.dtype))
    return np.maximum(np.minimum(b, c), np.minimum(np.maximum(b, c), middle))
