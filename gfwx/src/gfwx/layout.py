"""The geometry of a file: components, levels, tranches, blocks (format, sections 6 to 8 and 10).

One truth for encoding, decoding and reading in part. A level is numbered by the logarithm of its
step in the picture that is made. The finest level is coded in bands of rows, see `memory`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gfwx.errors import ArgumentError
from gfwx.header import Encoder, Header
from gfwx.kernels import block_table

UNLIMITED_LEVELS: Final = 30
"""Levels that split rows where there are no tranches: as many as a side of 2^30 has."""

_MOST_KEPT_QUEUES: Final = 256
"""Queues of bands that are kept for the next picture: one takes 50 to 150 microseconds."""

_FACTOR_LEVELS: Final = 32  # length of a row of factors in the kernels

_ENCODER_CODES: Final = {encoder: code for code, encoder in enumerate(Encoder)}

# Columns of the table of levels.
_TRANCHE, _LEVEL, _BLOCK_COLUMNS, _BLOCK_ROWS, _FIRST_PLACE, _PRESENT, _END = range(7)


def ceil_div(a: int, b: int) -> int:
    """``a / b``, rounded up."""
    return -(-a // b)


class Blocks(NamedTuple):
    """The blocks of a file, or of its beginning, in the order of the file.

    Attributes
    ----------
    levels : ndarray of int64, (levels, 7)
        The needed levels whose table of lengths is there; columns as `block_table.find_blocks`
        says, with levels numbered by step in the file; of a whole file without the last one.
    offsets : ndarray of int64
        Byte at which each block begins.
    lengths : ndarray of uint32
        Words in each block.
    next : int or None
        The next point of interest (format, section 10); None if nothing is missing.
    """

    levels: NDArray[np.int64]
    offsets: NDArray[np.int64]
    lengths: NDArray[np.uint32]
    next: int | None


@dataclass(frozen=True, slots=True)
class Queue:
    """Blocks for the kernels.

    Attributes
    ----------
    runs : ndarray of int64, (runs, 13)
        Blocks of one level that follow each other (see ``kernels/queue.pxd``).
    count : int
        Number of blocks.
    """

    runs: NDArray[np.int64]
    count: int


class Layout:
    """Geometry of the picture that a header describes, at one downsampling; see `layout_of`.

    Parameters
    ----------
    height, width, planes, is_bayer, filter_code, block_size, quality, chroma_quality, encoder
        As the header has them.
    downsampling : int
        Logarithm of the factor by which the picture is made smaller.

    Attributes
    ----------
    rows, columns : int
        Of the picture being made.
    planes : int
        Layers times channels.
    is_bayer : bool
        Whether planes have four components, else one.
    levels : int
        Number of levels that make the picture.
    component_rows, component_columns : int
        Of a component, the largest: those of the picture, with Bayer half of them.
    block_side, block_height : int
        Columns and rows of a component that a block of the finest level has.
    coarse_size, pair_size, quarter_size : int
        Coefficients of a plane: of the coarser levels, of a pair of rows of the finest level, and
        of a row of each Bayer component (else 0).
    components : ndarray of int64, (1 or 4, 12)
        The kernels' table (see ``kernels/geometry.pxd``).
    factors : ndarray of int32, (1 or 4, 2, 32)
        Quality of each level by component and chroma flag; 0 where nothing is quantized.
    shift : int
        Factors are in units of 1 / 2^shift.
    """

    def __init__(
        self,
        height: int,
        width: int,
        planes: int,
        is_bayer: bool,
        filter_code: int,
        block_size: int,
        quality: int,
        chroma_quality: int,
        encoder: Encoder,
        downsampling: int,
    ) -> None:
        self.height, self.width, self.planes = height, width, planes
        self.is_bayer, self.block_size, self.downsampling = is_bayer, block_size, downsampling
        self.full_levels = _level_count(height, width)
        self.levels = self.full_levels - downsampling
        self.rows = ceil_div(height, 1 << downsampling)
        self.columns = ceil_div(width, 1 << downsampling)
        self.tranche_height = 1 << filter_code if filter_code >= 2 else height
        self.tranches = ceil_div(height, self.tranche_height)
        table = _components(height, width, is_bayer, filter_code, downsampling)
        self.components = np.array(table, np.int64)
        self.components.flags.writeable = False
        self.component_rows, self.component_columns = table[0].rows, table[0].columns
        self.coarse_size = sum(part.coarse_size for part in table)
        self.pair_size = sum(part.pair_stride for part in table)
        self.quarter_size = table[0].quarter_stride if is_bayer else 0
        self.block_side = 1 << (block_size - is_bayer)
        self.tranche_rows = 1 << table[0].split_levels  # of a component
        self.block_height = min(self.block_side, self.tranche_rows)
        self.shift = 10 if quality == 1024 else 13
        self.factors = _factors(
            quality, chroma_quality, is_bayer, self.rows, self.columns, downsampling
        )
        # What all runs have in common.
        self._fields = (
            self.levels,
            block_size - is_bayer,
            _ENCODER_CODES[encoder],
            quality,
            chroma_quality,
            downsampling + is_bayer,
        )
        self._levels: NDArray[np.int64] | None = None
        self._kept_queues: dict[tuple[bool, bool], list[Queue]] = {}
        self._kept_band_queues: dict[tuple[int, int], Queue] = {}

    def all_levels(self) -> NDArray[np.int64]:
        """Table of all levels in the order of the file, as in `Blocks`; without downsampling."""
        if self._levels is not None:
            return self._levels
        steps = np.arange(self.full_levels - 1, -1, -1)
        shifts = np.minimum(steps + self.block_size, 62)
        tops = np.arange(self.tranches, dtype=np.int64) * self.tranche_height
        heights = np.minimum(self.tranche_height, self.height - tops)
        table = np.zeros((self.tranches, self.full_levels, 7), np.int64)
        table[..., _TRANCHE] = np.arange(self.tranches)[:, np.newaxis]
        table[..., _LEVEL] = steps
        table[..., _BLOCK_COLUMNS] = -(-self.width >> shifts)
        table[..., _BLOCK_ROWS] = -(-heights[:, np.newaxis] >> shifts)
        levels = table.reshape(-1, 7)
        levels[:, _PRESENT] = levels[:, _BLOCK_COLUMNS] * levels[:, _BLOCK_ROWS] * self.planes
        levels[1:, _FIRST_PLACE] = np.cumsum(levels[:-1, _PRESENT])
        levels.flags.writeable = False
        if self.tranches == 1:  # others may be long
            self._levels = levels
        return levels

    def find_blocks(self, data: memoryview, start: int) -> Blocks:
        """Find the blocks that this picture needs in a file or its beginning.

        Parameters
        ----------
        data : memoryview
            The bytes.
        start : int
            Where the first level begins.
        """
        levels, offsets, lengths, complete, table_end = block_table.find_blocks(
            data,
            start,
            self.width,
            self.height,
            self.planes,
            self.tranche_height,
            self.full_levels,
            self.block_size,
            self.downsampling,
        )
        if complete:
            if self.tranches == 1:  # as of any other such file
                if self._levels is None:
                    self._levels = levels
                levels = self._levels
            return Blocks(levels, offsets, lengths, None)
        following = len(data) + 1024
        if len(levels) > 0:
            following = int(levels[-1, _END])
            if table_end >= 0:
                following += 16 * (self.block_count(levels) - int(levels[-1, _FIRST_PLACE]))
        if following <= len(data):
            # Levels that are passed over lie between: on to the next table.
            following = table_end
        return Blocks(levels, offsets, lengths, following)

    def block_count(self, levels: NDArray[np.int64]) -> int:
        """Number of blocks of some levels, as many as a whole file has."""
        if len(levels) == 0:
            return 0
        last = levels[-1]
        blocks = int(last[_BLOCK_COLUMNS]) * int(last[_BLOCK_ROWS]) * self.planes
        return int(last[_FIRST_PLACE]) + blocks

    def queues(
        self, levels: NDArray[np.int64], *, with_finest: bool, by_level: bool
    ) -> list[Queue]:
        """Make queues of the blocks that are there.

        Parameters
        ----------
        levels : ndarray
            Table of levels, as in `Blocks`.
        with_finest : bool
            Whether those of the finest level are wanted too.
        by_level : bool
            A queue for each level, from the coarsest on; else one for all, from the finest on,
            which has the most to do, so that threads end together.
        """
        kept = (with_finest, by_level) if levels is self._levels else None
        if kept in self._kept_queues:
            return self._kept_queues[kept]
        numbers = levels[:, _LEVEL] - self.downsampling
        order = np.argsort(-numbers if by_level else numbers, kind="stable")
        if not with_finest:
            order = order[numbers[order] > 0]
        groups = [order]
        if by_level:
            groups = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
        queues = [self._whole_levels(levels[group]) for group in groups]
        queues = [queue for queue in queues if queue.count > 0]
        if kept is not None:
            self._kept_queues[kept] = queues
        return queues

    def band_queue(self, levels: NDArray[np.int64], first_row: int, last_row: int) -> Queue:
        """Make a queue of the blocks of the finest level in a band.

        Parameters
        ----------
        levels : ndarray
            Table of levels, as in `Blocks`; those of the finest level are used.
        first_row, last_row : int
            The band, in rows of a component; it cuts through no block.
        """
        band = (first_row, last_row) if levels is self._levels else None
        if band in self._kept_band_queues:
            return self._kept_band_queues[band]
        first = first_row // self.tranche_rows
        last = ceil_div(last_row, self.tranche_rows)
        finest = levels[levels[:, _LEVEL] == self.downsampling]  # one for each tranche
        finest = finest[first:last]
        tops = finest[:, _TRANCHE] * self.tranche_rows
        columns, rows = finest[:, _BLOCK_COLUMNS], finest[:, _BLOCK_ROWS]
        begin = np.minimum(np.maximum(first_row - tops, 0) // self.block_side, rows)
        end = np.minimum(
            -(-np.minimum(last_row - tops, self.tranche_rows) // self.block_side), rows
        )
        planes = np.arange(self.planes)[:, np.newaxis]
        first_blocks = ((planes * rows + begin) * columns).ravel()
        counts = np.tile((end - begin) * columns, self.planes)
        present = np.tile(finest[:, _PRESENT], self.planes)
        counts = np.clip(present - first_blocks, 0, counts)
        queue = self._runs(np.tile(finest, (self.planes, 1)), first_blocks, counts)
        if band is not None and len(self._kept_band_queues) < _MOST_KEPT_QUEUES:
            self._kept_band_queues[band] = queue
        return queue

    def _whole_levels(self, levels: NDArray[np.int64]) -> Queue:
        return self._runs(levels, np.zeros(len(levels), np.int64), levels[:, _PRESENT])

    def _runs(
        self, levels: NDArray[np.int64], first_blocks: NDArray[Any], counts: NDArray[Any]
    ) -> Queue:
        """Runs of so many blocks of each level from the first given, without empty ones."""
        total, block_bits, encoder, quality, chroma_quality, step_bits = self._fields
        runs = np.empty((len(levels), 13), np.int64)
        runs[:, 0] = levels[:, _LEVEL] - self.downsampling
        runs[:, 1] = total
        runs[:, 2] = levels[:, _TRANCHE]
        runs[:, 3] = levels[:, _BLOCK_COLUMNS]
        runs[:, 4] = levels[:, _BLOCK_ROWS]
        runs[:, 5:9] = block_bits, encoder, quality, chroma_quality
        runs[:, 9] = 1 << (runs[:, 0] + step_bits)
        runs[:, 11] = first_blocks
        runs[:, 12] = levels[:, _FIRST_PLACE] + first_blocks
        runs = runs[counts > 0]
        counts = counts[counts > 0]
        ends = np.cumsum(counts)
        runs[:, 10] = ends - counts
        return Queue(runs, int(ends[-1]) if len(ends) > 0 else 0)


def layout_of(header: Header, downsampling: int = 0) -> Layout:
    """Make the layout of a file, or take that of another of the same kind.

    Parameters
    ----------
    header : Header
        Checked or parsed.
    downsampling : int, default 0
        Logarithm of the factor by which the picture is made smaller.

    Raises
    ------
    ArgumentError
        `downsampling` is out of the range that the picture has.
    """
    most = most_downsampling(header)
    if not 0 <= downsampling <= most:
        raise ArgumentError(f"downsampling of this file must be 0..{most}, got {downsampling}")
    return _kept_layout(
        header.height,
        header.width,
        header.planes,
        header.is_bayer,
        header.filter_code,
        header.block_size,
        header.quality,
        header.chroma_quality,
        header.encoder,
        downsampling,
    )


_kept_layout = lru_cache(maxsize=64)(Layout)


def _level_count(height: int, width: int) -> int:
    return max(1, (max(height, width) - 1).bit_length())


def most_downsampling(header: Header) -> int:
    """Largest downsampling that a file can be decoded at (format, section 10)."""
    most = _level_count(header.height, header.width) - 1
    if header.filter_code >= 2:
        most = min(most, header.filter_code - header.is_bayer)
    return most


class _Component(NamedTuple):
    """A row of the kernels' table (see ``kernels/geometry.pxd``)."""

    offset: int
    row_stride: int
    pair_offset: int
    pair_stride: int
    quarter_offset: int
    quarter_stride: int
    rows: int
    columns: int
    kept_rows: int
    kept_columns: int
    split_levels: int
    lifted_levels: int

    @property
    def coarse_size(self) -> int:
        """Coefficients in a plane of the coarser levels."""
        rows = ceil_div(self.rows, 2) if self.split_levels > 0 else self.rows
        return rows * self.row_stride


def _components(
    height: int, width: int, bayer: bool, filter_code: int, downsampling: int
) -> list[_Component]:
    """Make the table of a plane's components."""
    scale = 1 << downsampling
    rows, columns = ceil_div(height, scale), ceil_div(width, scale)
    tranches = filter_code >= 2
    split = filter_code - downsampling - bayer if tranches else UNLIMITED_LEVELS
    if bayer:
        sides = [
            (ceil_div(height - y, 2 * scale), ceil_div(width - x, 2 * scale), y, x)
            for x in range(2)
            for y in range(2)
        ]
        kept = [(ceil_div(rows - y, 2), ceil_div(columns - x, 2)) for _, _, y, x in sides]
    else:
        sides = [(rows, columns, 0, 0)]
        kept = [(rows, columns)]
    table: list[_Component] = []
    offset = pair_offset = quarter_offset = 0
    quarter_stride = sum(part_columns for _, part_columns, _, _ in sides)
    for (part_rows, part_columns, y, x), (kept_rows, kept_columns) in zip(sides, kept, strict=True):
        high_columns = part_columns // 2
        component = _Component(
            offset,
            ceil_div(part_columns, 2),
            pair_offset,
            high_columns + (part_columns if split > 0 else high_columns),
            quarter_offset,
            quarter_stride,
            part_rows,
            part_columns,
            kept_rows,
            kept_columns,
            split,
            max(0, split - 1) if tranches and (x or y) else split,
        )
        table.append(component)
        offset += component.coarse_size
        pair_offset += component.pair_stride
        quarter_offset += part_columns
    return table


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
