"""The geometry of a file: components, levels, tranches, blocks, and where their data lie.

One truth for encoding, decoding and reading in part (format, sections 6 to 8 and 10). A level is
numbered by the logarithm of its step in the full-size picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gfwx.errors import ArgumentError
from gfwx.header import Encoder, Header

UNLIMITED_LEVELS: Final = 30
"""Levels that split rows where there are no tranches: as many as a side of 2^30 has."""

_FACTOR_LEVELS: Final = 32  # length of a row of factors in the kernels

_ENCODER_CODES: Final = {encoder: code for code, encoder in enumerate(Encoder)}


def ceil_div(a: int, b: int) -> int:
    """``a / b``, rounded up."""
    return -(-a // b)


@dataclass(frozen=True, slots=True)
class Level:
    """One level of one tranche.

    Attributes
    ----------
    tranche : int
        Number of the tranche, from the top.
    level : int
        Logarithm of the step.
    block_columns, block_rows : int
        Blocks across and down, in each plane.
    blocks : int
        Blocks of all planes.
    """

    tranche: int
    level: int
    block_columns: int
    block_rows: int
    blocks: int


@dataclass(frozen=True, slots=True)
class LevelData:
    """Where the blocks of a level lie in a file.

    Attributes
    ----------
    level : Level
        The level.
    offsets : ndarray of int64
        Byte at which each block begins.
    lengths : ndarray of uint32
        Words in each block.
    present : int
        How many blocks, from the first, are wholly there.
    end : int
        Byte after the last block.
    """

    level: Level
    offsets: NDArray[np.int64]
    lengths: NDArray[np.uint32]
    present: int
    end: int


class Layout:
    """Geometry of the picture that a header describes, at one downsampling.

    Parameters
    ----------
    header : Header
        A checked or parsed header.
    downsampling : int, default 0
        Logarithm of the factor by which the picture is made smaller.

    Attributes
    ----------
    rows, columns : int
        Of the picture being made.
    levels : int
        Number of levels that make it.
    buffer_shape : (int, int)
        Rows and columns of memory for the coefficients of a plane.
    components : ndarray of int64, (1 or 4, 8)
        The kernels' table (see ``kernels/geometry.pxd``).
    factors : ndarray of int32, (1 or 4, 2, 32)
        Quality of each level by component and chroma flag; 0 where nothing is quantized.
    shift : int
        Factors are in units of 1 / 2^shift.

    Raises
    ------
    ArgumentError
        `downsampling` is out of the range that the picture has.
    """

    def __init__(self, header: Header, downsampling: int = 0) -> None:
        self.header = header
        self.downsampling = downsampling
        self.full_levels = max(1, (max(header.width, header.height) - 1).bit_length())
        most = most_downsampling(header)
        if not 0 <= downsampling <= most:
            raise ArgumentError(f"downsampling of this file must be 0..{most}, got {downsampling}")
        self.levels = self.full_levels - downsampling
        self.rows = ceil_div(header.height, 1 << downsampling)
        self.columns = ceil_div(header.width, 1 << downsampling)
        filter_code = header.filter_code
        self.tranche_height = 1 << filter_code if filter_code >= 2 else header.height
        self.tranches = ceil_div(header.height, self.tranche_height)
        self.shift = 10 if header.boost == 1 else 13
        self.buffer_shape, self.components = _components(
            header.height, header.width, header.is_bayer, filter_code, downsampling
        )
        self.factors = _factors(
            header.quality,
            header.chroma_quality,
            header.is_bayer,
            self.rows,
            self.columns,
            downsampling,
        )

    def each_level(self) -> Iterator[Level]:
        """Yield all levels of the full-size picture in the order of the file."""
        header = self.header
        for tranche in range(self.tranches):
            tranche_rows = min(self.tranche_height, header.height - tranche * self.tranche_height)
            for level in range(self.full_levels - 1, -1, -1):
                size = 1 << (level + header.block_size)
                columns = ceil_div(header.width, size)
                rows = ceil_div(tranche_rows, size)
                yield Level(tranche, level, columns, rows, columns * rows * header.planes)

    def describe(self, level: Level, first: int = 0) -> tuple[int, ...]:
        """Fields of a level as the block kernels take them (see ``kernels/blocks.pxd``).

        Parameters
        ----------
        level : Level
            The level.
        first : int, default 0
            Number of its first block in a queue.
        """
        header = self.header
        return (
            level.level - self.downsampling,
            self.levels,
            level.tranche,
            level.block_columns,
            level.block_rows,
            header.block_size - header.is_bayer,
            _ENCODER_CODES[header.encoder],
            header.quality,
            header.chroma_quality,
            1 << (level.level + header.is_bayer),
            first,
        )

    def find_blocks(self, data: memoryview, start: int) -> tuple[list[LevelData], int | None]:
        """Find the blocks that this picture needs in a file or its beginning.

        Parameters
        ----------
        data : memoryview
            The bytes.
        start : int
            Where the first level begins.

        Returns
        -------
        levels : list of LevelData
            The needed levels whose table of lengths is there, in the order of the file.
        next : int or None
            The next point of interest (format, section 10); None if nothing is missing.
        """
        found: list[LevelData] = []
        position = start
        missing = False
        cut_off = False
        for level in self.each_level():
            needed = level.level >= self.downsampling
            if cut_off:
                if needed:
                    return found, _next_point(found, len(data), another_follows=True)
                continue
            table_end = position + 4 * level.blocks
            if table_end > len(data):
                cut_off = True
                if needed:
                    return found, _next_point(found, len(data), another_follows=True)
                continue
            # A copy, so that offsets and lengths agree whatever becomes of the caller's buffer.
            lengths = np.frombuffer(data, "<u4", level.blocks, position).astype(np.uint32)
            ends = table_end + 4 * np.cumsum(lengths, dtype=np.int64)
            position = int(ends[-1])
            if needed:
                present = level.blocks
                if position > len(data):
                    present = int(np.searchsorted(ends, len(data), side="right"))
                    missing = True
                offsets = ends - 4 * lengths.astype(np.int64)
                found.append(LevelData(level, offsets, lengths, present, position))
        return found, _next_point(found, len(data), another_follows=False) if missing else None


def most_downsampling(header: Header) -> int:
    """Largest downsampling that a file can be decoded at (format, section 10)."""
    most = max(0, (max(header.width, header.height) - 1).bit_length() - 1)
    if header.filter_code >= 2:
        most = min(most, header.filter_code - header.is_bayer)
    return most


def _next_point(found: list[LevelData], size: int, *, another_follows: bool) -> int:
    if not found:
        return size + 1024
    last = found[-1]
    return last.end + (16 * last.level.blocks if another_follows else 0)


@lru_cache(maxsize=64)
def _components(
    height: int, width: int, bayer: bool, filter_code: int, downsampling: int
) -> tuple[tuple[int, int], NDArray[np.int64]]:
    """Make the shape of the memory of a plane, and the table of its components."""
    scale = 1 << downsampling
    rows, columns = ceil_div(height, scale), ceil_div(width, scale)
    tranches = filter_code >= 2
    vertical = filter_code - downsampling if tranches else UNLIMITED_LEVELS
    table: list[tuple[int, ...]] = []
    if not bayer:
        shape = rows, columns
        table.append((0, columns, rows, columns, rows, columns, vertical, vertical))
    else:
        coded_rows = [ceil_div(height - y, 2 * scale) for y in range(2)]
        coded_columns = [ceil_div(width - x, 2 * scale) for x in range(2)]
        shape = sum(coded_rows), sum(coded_columns)
        split = vertical - 1 if tranches else UNLIMITED_LEVELS
        for x in range(2):
            for y in range(2):
                table.append(
                    (
                        y * shape[1] + x * coded_columns[0],
                        2 * shape[1],
                        coded_rows[y],
                        coded_columns[x],
                        ceil_div(rows - y, 2),
                        ceil_div(columns - x, 2),
                        split,
                        max(0, split - 1) if tranches and (x or y) else split,
                    )
                )
    components: NDArray[np.int64] = np.array(table, np.int64)
    components.flags.writeable = False
    return shape, components


@lru_cache(maxsize=64)
def _factors(
    quality: int, chroma_quality: int, bayer: bool, rows: int, columns: int, downsampling: int
) -> NDArray[np.int32]:
    """Make the factors of section 7, by component, chroma flag and level."""
    full = 1024 if quality == 1024 else 8 * 1024
    factors: NDArray[Any] = np.zeros((4 if bayer else 1, 2, _FACTOR_LEVELS), np.int32)
    for component in range(len(factors)):
        if bayer:
            x, y = component >> 1, component & 1
            least_side = min(ceil_div(rows - y, 2), ceil_div(columns - x, 2))
            least = quality
        else:
            least_side = min(rows, columns)
            least = 1
        for chroma, q in enumerate((quality, chroma_quality)):
            q <<= downsampling
            for level in range(_FACTOR_LEVELS):
                if 1 << level >= least_side or max(least, q) >= full:
                    break
                factors[component, chroma, level] = max(least, q)
                q *= 2
    factors.flags.writeable = False
    return factors
