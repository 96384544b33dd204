"""Where the coefficients of a plane lie in memory (format, sections 6 to 8).

A plane is transformed in place. Lattice row r of level l lies in memory row r << l; after the
level has been split, an even row holds its low half in front of its high half, an odd row is
whole:

    even row  | low: next level's row | high (odd columns) |
    odd row   | all columns                                |

Both are in coding order, so that a row of a block is one contiguous slice. In Bayer mode the
first split leaves odd rows in halves as well, and each of the four quarters is a component with
levels of its own; they are numbered in coding order, (column, row) offsets (0, 0), (0, 1),
(1, 0), (1, 1). Without Bayer a plane is one component.

With tranches only the first ``split_levels`` levels split rows; above them the remaining rows,
one for each tranche, are halved horizontally only.
"""
from libc.stdint cimport int16_t, int32_t, int64_t

ctypedef fused coefficient_t:
    int16_t
    int32_t

# Levels a component may have: step_max is at most 2^29.
cdef enum:
    LEVELS = 32


cdef struct Component:  # one row of the table that layout.py makes; all int64
    int64_t offset         # of its first coefficient from the plane's
    int64_t row_stride     # from one of its rows to the next
    int64_t rows           # as coded
    int64_t columns
    int64_t kept_rows      # as the picture has them: fewer only in downsampled Bayer data
    int64_t kept_columns
    int64_t split_levels   # levels that split rows into even and odd
    int64_t lifted_levels  # levels that lift vertically


cdef struct Lattice:  # the positions of a component that are multiples of 2^level
    int64_t offset
    int64_t row_stride
    int64_t rows
    int64_t columns
    int64_t low_columns   # columns of the next level; the high half starts here
    int64_t kept_rows
    int64_t kept_columns
    bint split


cdef inline int64_t halved(int64_t size, int64_t times) noexcept nogil:
    """Positions that are multiples of 2^times among ``size``."""
    return (size + ((<int64_t>1) << times) - 1) >> times


cdef inline Lattice lattice_at(const Component* component, int level) noexcept nogil:
    cdef Lattice lattice
    cdef int64_t row_level = min(<int64_t>level, component.split_levels)
    lattice.offset = component.offset
    lattice.row_stride = component.row_stride << row_level
    lattice.rows = halved(component.rows, row_level)
    lattice.columns = halved(component.columns, level)
    lattice.low_columns = halved(component.columns, level + 1)
    lattice.kept_rows = halved(component.kept_rows, row_level)
    lattice.kept_columns = halved(component.kept_columns, level)
    lattice.split = level < component.split_levels
    return lattice


cdef inline int trailing_zeros(int64_t n) noexcept nogil:
    """Of n > 0."""
    cdef int count = 0
    while not n & 1:
        n >>= 1
        count += 1
    return count


cdef inline int quality_level(const Component* component, int level, int64_t row) noexcept nogil:
    """The level whose factor quantizes the high half of an unsplit row (section 7, quirk)."""
    if row == 0:
        return level
    return min(level, <int>component.split_levels + trailing_zeros(row))
