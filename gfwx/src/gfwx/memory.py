"""Which coefficients are in memory at a time, and where.

The coarser levels of a picture, a quarter of its coefficients, are kept whole. The finest level is
made and used in bands of rows that fit the processor's caches: when encoding, each thread has a
band of its own; when decoding, bands go round in a ring, since rows at the edge of a band are
joined with rows of its neighbors.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gfwx.layout import Layout, ceil_div

BAND_BYTES: Final = 3 << 20
"""Memory that a band should have: enough blocks for all lanes, and small enough for the caches.
Decoding, where lanes run dry at the end of each band, does better with larger ones: up to four
times as much, where the ring is not more than half of the picture."""

SMALL_BYTES: Final = 3 << 20
"""Pictures of so little memory are one band."""

MARGIN: Final = 16
"""Rows of Bayer components around a band that its joining or splitting looks at, at most."""

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
        Threads, each of which gets a place in `places`.
    ring : int
        Bands that are kept of the finest level: 0 for one of each thread's own, else so many for
        all of them.
    copies_parents : bool
        Whether contexts of later bands look up the coarser levels after these are joined.

    Attributes
    ----------
    bands : list of (int, int)
        First and last + 1 row, in rows of a component.
    band_rows : int
        Rows of each band but the last.
    ring : int
        Bands in the ring.
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
        ring: int,
        copies_parents: bool,
    ) -> None:
        self.layout = layout
        self.band_rows = _band_rows(layout, itemsize, ring)
        rows = layout.component_rows
        self.bands = [
            (first, min(first + self.band_rows, rows)) for first in range(0, rows, self.band_rows)
        ]
        own = ring == 0
        self.ring = min(max(ring, 1), len(self.bands))
        if own:
            workers = min(workers, len(self.bands))
        pairs = ceil_div(min(self.ring * self.band_rows, rows + 1), 2)
        quarter_rows = min(self.band_rows, rows) + MARGIN if layout.is_bayer else 0
        coarse_size = _aligned(layout.coarse_size * layout.planes)
        fine_stride = pairs * layout.pair_size
        fine_size = _aligned(fine_stride * layout.planes)
        quarters_size = _aligned(quarter_rows * layout.quarter_size * layout.planes)
        self.coarse = slice(0, layout.coarse_size * layout.planes)
        first = coarse_size if copies_parents and len(self.bands) > 1 else 0
        self.parents = slice(first, first + self.coarse.stop)
        fine = first + coarse_size
        quarters = fine + (workers if own else 1) * fine_size
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
                    fine + (worker * fine_size if own else 0),
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
    layout: Layout, itemsize: int, workers: int, *, ring: int = 0, copies_parents: bool = False
) -> Memory:
    """`Memory`, kept for the next picture of the same kind."""
    return Memory(layout, itemsize, workers, ring=ring, copies_parents=copies_parents)


def _aligned(count: int) -> int:
    return ceil_div(count, _ALIGNMENT) * _ALIGNMENT


def _band_rows(layout: Layout, itemsize: int, ring: int) -> int:
    """Even, and as many blocks high as fit; all of a small picture."""
    pair_bytes = layout.pair_size * layout.planes * itemsize
    rows = layout.component_rows + (layout.component_rows & 1)
    least = max(layout.block_height, 2 * MARGIN)
    size = rows * pair_bytes // 2
    if rows <= least or size <= SMALL_BYTES:
        return rows
    wanted = BAND_BYTES
    if ring > 0:
        wanted = max(wanted, min(4 * BAND_BYTES, size // (2 * ring)))
    return min(rows, max(least, 2 * wanted // pair_bytes // least * least))
