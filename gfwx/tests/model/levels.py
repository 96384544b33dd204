"""Tranches, levels and blocks: what lies where in a file (section 8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .arithmetic import bit_ceil, ceil_div
from .header import Header


@dataclass(frozen=True)
class Pass:
    """What one pass covers: the part of a plane that starts at (x0, y0), and how it is coded."""

    x0: int
    y0: int
    x1: int
    y1: int
    step: int
    quality: int
    chroma: bool
    has_dc: bool


@dataclass(frozen=True)
class Block:
    """One block: a plane, and the passes that share its bit string."""

    plane: int
    passes: tuple[Pass, ...]


@dataclass(frozen=True)
class Level:
    """One level of one tranche; the blocks are in the order of the file."""

    step: int
    blocks: tuple[Block, ...]


def greatest_step(header: Header) -> int:
    """`step_max`."""
    return max(1, bit_ceil(max(header.width, header.height)) // 2)


def levels(header: Header, chroma: list[bool]) -> Iterator[Level]:
    """The levels of all tranches in the order of the file."""
    tranche_height = 2**header.filter if header.filter >= 2 else header.height
    for top in range(0, header.height, tranche_height):
        end = min(top + tranche_height, header.height)
        step = greatest_step(header)
        while step >= 1:
            yield level(header, chroma, top, end, step)
            step //= 2


def level(header: Header, chroma: list[bool], top: int, end: int, step: int) -> Level:
    """The level `step` of the tranche of rows `top` to `end`."""
    bs = step << header.block_size
    first = step == greatest_step(header)
    blocks = []
    for plane in range(header.planes):
        for by in range(ceil_div(end - top, bs)):
            for bx in range(ceil_div(header.width, bs)):
                rectangle = (
                    bx * bs,
                    top + by * bs,
                    min((bx + 1) * bs, header.width),
                    min(top + (by + 1) * bs, end),
                )
                has_dc = first and bx == by == 0
                passes = block_passes(header, rectangle, step, chroma[plane], has_dc)
                blocks.append(Block(plane, passes))
    return Level(step, tuple(blocks))


def block_passes(
    header: Header, rectangle: tuple[int, int, int, int], step: int, chroma: bool, has_dc: bool
) -> tuple[Pass, ...]:
    """The passes of the block that covers the rectangle x0, y0, x1, y1."""
    x0, y0, x1, y1 = rectangle
    if not header.is_bayer:
        quality = header.chroma_quality if chroma else header.quality
        return (Pass(x0, y0, x1, y1, step, quality, chroma, has_dc),)
    passes = []
    for ox, oy in ((0, 0), (0, 1), (1, 0), (1, 1)):
        color = bool(ox or oy)
        quality = header.chroma_quality if color else header.quality
        passes.append(Pass(x0 + ox, y0 + oy, x1, y1, 2 * step, quality, color, has_dc))
    return tuple(passes)
