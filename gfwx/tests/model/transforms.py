"""Channel transforms (section 5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arithmetic import MalformedError, Plane, divide, wide, wrap
from .bits import Reader, signed


@dataclass(frozen=True)
class Step:
    """One step of a program: `plane[target] += sum(factor * plane[source]) / denominator`."""

    target: int
    sources: tuple[tuple[int, int], ...]
    denominator: int
    chroma_flag: int


def write_program(program: list[int] | None) -> str:
    """The bits of a program, end mark included."""
    return "".join(signed(2, value) for value in program or [-1])


def read_program(reader: Reader, planes: int) -> list[Step]:
    """The steps of the program at the reader's position."""

    def plane(number: int) -> int:
        if not 0 <= number < planes:
            raise MalformedError(f"the transform names plane {number} of {planes}")
        return number

    steps = []
    while (target := reader.signed(2)) != -1:
        plane(target)
        sources = []
        while (source := reader.signed(2)) != -1:
            sources.append((plane(source), reader.signed(2)))
        denominator, chroma_flag = reader.signed(2), reader.signed(2)
        if chroma_flag == -1:
            raise MalformedError("a chroma flag of -1")
        steps.append(Step(target, tuple(sources), denominator, chroma_flag))
    return steps


def chroma_planes(steps: list[Step], planes: int) -> list[bool]:
    """Which planes are chroma; the last step decides where a file names a target twice."""
    chroma = [False] * planes
    for step in steps:
        chroma[step.target] = step.chroma_flag != 0
    return chroma


def increment(step: Step, planes: list[Plane]) -> Plane:
    """`t` of a step, in the planes' type."""
    dtype = planes[0].dtype
    bits = 8 * dtype.itemsize
    t = np.zeros_like(planes[step.target])
    for source, factor in step.sources:
        t = (wide(t) + wrap(factor, bits) * wide(planes[source])).astype(dtype)
    denominator = wrap(step.denominator, bits)
    if denominator in (2, 4, 8):
        t = t >> (denominator.bit_length() - 1)
    elif denominator > 1:
        t = divide(wide(t), denominator).astype(dtype)
    return t


def forward(steps: list[Step], planes: list[Plane]) -> None:
    """Transform planes in place."""
    for step in steps:
        planes[step.target] += increment(step, planes)


def inverse(steps: list[Step], planes: list[Plane]) -> None:
    """Undo `forward` in place."""
    for step in reversed(steps):
        planes[step.target] -= increment(step, planes)
