"""Which coefficients are in memory at a time, and where.

The coarser levels of a picture, a quarter of its coefficients, are kept whole. The finest level is
made and used in bands of rows that fit the processor's caches: when encoding, each thread has a
band of its own; when decoding, bands go round in a ring, since rows at the edge of a band are
joined with rows of its neighbors. Several are decoded at once, since lanes run dry at the end.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gfwx.layout import Layout, ceil_div

BAND_BYTES: Final = 3 << 20
"""Memory that a band should have: enough blocks for all lanes, and small enough for the caches."""

RING_BYTES: Final = 24 << 20
"""Memory that a ring should have for each thread."""

SMALL_BYTES: Final = 3 << 20
"""Pictures of so little memory are one band."""

MARGIN: Final = 16
"""Rows of Bayer components around a band that its joining or splitting looks at, at most."""

Band: TypeAlias = tuple[int, int]
"""First and last + 1 row of a component."""

_ALIGNMENT: Final = 64  # coefficients


class Memory:
    """Places in one array for the coefficients of a picture; see `memory_for`.

    Parameters
    ----------
    layout : Layout
        Of the picture.
    itemsize : int
        Bytes of a coefficient.
    workers : int
        Threads, each of which gets a place in `places`, if there are so many bands.
    shares_bands : bool
        Whether there is a ring of bands for all threads, else a band of each thread's own.
    copies_parents : bool
        Whether contexts of later bands look up the coarser levels after these are joined.

    Attributes
    ----------
    bands : list of (int, int)
        First and last + 1 row, in rows of a component.
    band_rows : int
        Rows of each band but the last.
    ring, group : int
        Bands in the ring, and how many are decoded at once.
    size : int
        Length of the array.
    places : list of ndarray of int64
        For the kernels: ``Memory`` of ``kernels/geometry.pxd``.
    before_copy : ndarray of int64
        The first of `places`, but contexts look up the coarser levels themselves.
    coarse, parents : slice
        Where the coarser levels are, and what contexts look up: their copy, if there is one.
    """

    def __init__(
        self,
        layout: Layout,
        itemsize: int,
        workers: int,
        *,
        shares_bands: bool,
        copies_parents: bool,
    ) -> None:
        self.layout = layout
        rows = layout.component_rows
        size = rows * layout.pair_size * layout.planes * itemsize // 2
        # So that all memory stays below 2 bytes a sample of 8 bits, from one megapixel on.
        share = size * 8 // 13 if copies_parents else size * 10 // 13
        wanted = share // 6 if shares_bands else size // (4 * workers)
        self.band_rows = _band_rows(layout, size, min(wanted, BAND_BYTES))
        self.bands = [
            (first, min(first + self.band_rows, rows)) for first in range(0, rows, self.band_rows)
        ]
        self.ring = self.group = 1
        if shares_bands:
            band_size = max(1, size * self.band_rows // rows)
            most = min(share, RING_BYTES * workers) // band_size
            # While threads decode a group each, one joins the bands of another; edges of two more
            # are looked at.
            groups = 1 if workers == 1 else workers + 1
            self.group = max(1, (most - 2) // groups)
            # With less room than for two beyond a band of each thread's own, threads wait for it.
            room = max(min(groups * self.group + 2, most), self.group + workers + 1)
            self.ring = min(room, len(self.bands))
        workers = min(workers, len(self.bands))
        pairs = ceil_div(min(self.ring * self.band_rows, rows + 1), 2)
        quarter_rows = min(self.band_rows + MARGIN, rows) if layout.is_bayer else 0
        coarse_size = _aligned(layout.coarse_size * layout.planes)
        fine_stride = pairs * layout.pair_size
        fine_size = _aligned(fine_stride * layout.planes)
        quarters_size = _aligned(quarter_rows * layout.quarter_size * layout.planes)
        self.coarse = slice(0, layout.coarse_size * layout.planes)
        first = coarse_size if copies_parents and len(self.bands) > 1 else 0
        self.parents = slice(first, first + self.coarse.stop)
        fine = first + coarse_size
        quarters = fine + (1 if shares_bands else workers) * fine_size
        zeros = quarters + workers * quarters_size
        zero_rows = ceil_div(2 * pairs, layout.block_height)
        zero_columns = ceil_div(layout.component_columns, layout.block_side)
        self.size = zeros + layout.planes * len(layout.components) * zero_rows * zero_columns
        self.places = [
            np.array(
                (
                    0,
                    layout.coarse_size,
                    first,
                    fine + (0 if shares_bands else worker * fine_size),
                    fine_stride,
                    pairs,
                    quarters + worker * quarters_size,
                    quarter_rows,
                    zeros,
                    zero_rows,
                    zero_columns,
                    layout.block_side.bit_length() - 1,
                    layout.block_height.bit_length() - 1,
                ),
                np.int64,
            )
            for worker in range(workers)
        ]

        self.before_copy = self.places[0].copy()
        self.before_copy[2] = 0
        for place in (self.before_copy, *self.places):
            place.flags.writeable = False

    def rows_of(self, numbers: range) -> tuple[int, int]:
        """Find the first and last + 1 row of some bands that follow each other."""
        return self.bands[numbers[0]][0], self.bands[numbers[-1]][1]

    def finest(self, place: NDArray[np.int64]) -> slice:
        """Find one of `places` that holds the finest level of a band."""
        first = int(place[3])
        return slice(first, first + int(place[4]) * self.layout.planes)

    def band_slices(self, band: int) -> list[slice]:
        """Find the places of a band's finest level in the ring, of all planes and components."""
        fine, stride, pairs = (int(value) for value in self.places[0][3:6])
        first_row, last_row = self.bands[band]
        first = first_row // 2 % pairs
        last = first + ceil_div(last_row - first_row, 2)
        slices: list[slice] = []
        for plane in range(self.layout.planes):
            for _, _, pair_offset, pair_stride, *_ in self.layout.components.tolist():
                start = fine + plane * stride + pairs * pair_offset
                slices.append(slice(start + first * pair_stride, start + last * pair_stride))
        return slices


@lru_cache(maxsize=64)
def memory_for(
    layout: Layout,
    itemsize: int,
    workers: int,
    *,
    shares_bands: bool = False,
    copies_parents: bool = False,
) -> Memory:
    """`Memory`, kept for the next picture of the same kind."""
    return Memory(
        layout, itemsize, workers, shares_bands=shares_bands, copies_parents=copies_parents
    )


def _aligned(count: int) -> int:
    return ceil_div(count, _ALIGNMENT) * _ALIGNMENT


def _band_rows(layout: Layout, size: int, wanted: int) -> int:
    """Even, and a whole number of blocks high; all of a small picture.

    Parameters
    ----------
    layout : Layout
        Of the picture.
    size, wanted : int
        Bytes of the finest level, and of a band.
    """
    rows = layout.component_rows + (layout.component_rows & 1)
    least = max(layout.block_height, 2 * MARGIN)
    if rows <= least or size <= SMALL_BYTES:
        return rows
    return min(rows, max(1, round(rows * wanted / size / least)) * least)
