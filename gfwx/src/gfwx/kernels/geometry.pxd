"""Where coefficients lie in memory (format, sections 6 to 8).

All coefficients of a picture are in one array. The finest level has rows of its own, which only a
band of the picture needs at a time: they are kept in a ring, each pair of rows as the high half of
its even row and then its whole odd row. The coarser levels are transformed in place, in a plane of
half the size. Lattice row r of level l lies in row r << (l - 1) of that plane; after the level has
been split, an even row holds its low half in front of its high half, an odd row is whole:

    even row  | low: next level's row | high (odd columns) |
    odd row   | all columns                                |

Both are in coding order, so that a row of a block is one contiguous slice. In Bayer mode the
first split of the picture leaves odd rows in halves as well, and each of the four quarters is a
component with levels of its own; they are numbered in coding order, (column, row) offsets (0, 0),
(0, 1), (1, 0), (1, 1). Without Bayer a plane is one component.

With tranches only the first ``split_levels`` levels split rows; above them the remaining rows,
one for each tranche, are halved horizontally only.
"""
from libc.stdint cimport INT64_MAX, int16_t, int32_t, int64_t

ctypedef fused coefficient_t:
    int16_t
    int32_t

# Levels a component may have: step_max is at most 2^29.
cdef enum:
    LEVELS = 32


cdef struct Memory:  # offsets in the array of coefficients; made by layout.py; all int64
    int64_t coarse         # planes of the coarser levels
    int64_t coarse_stride  # from plane to plane
    int64_t parents        # a copy of them, or they themselves: what contexts look up
    int64_t fine           # rings of the finest level
    int64_t fine_stride    # from plane to plane
    int64_t ring           # pairs of rows in a ring
    int64_t quarters       # Bayer: rows between the first split and the components' finest level
    int64_t quarter_rows   # of each component
    int64_t zeros          # for each block of the finest level: whether all of it is zeros
    int64_t zero_rows      # blocks down, in a ring
    int64_t zero_columns   # and across
    int64_t block_bits     # such a block has 2^block_bits columns
    int64_t height_bits    # and 2^height_bits rows


cdef struct Component:  # one row of the table that layout.py makes; all int64
    int64_t offset         # of its first coefficient in a plane of the coarser levels
    int64_t row_stride     # from one of its rows there to the next
    int64_t pair_offset    # of its pairs of the finest level, if the ring had one pair
    int64_t pair_stride    # coefficients of such a pair
    int64_t quarter_offset  # of its quarter rows, if there were one
    int64_t quarter_stride  # of all components of a plane, likewise
    int64_t rows           # as coded
    int64_t columns
    int64_t kept_rows      # as the picture has them: fewer only in downsampled Bayer data
    int64_t kept_columns
    int64_t split_levels   # levels that split rows into even and odd
    int64_t lifted_levels  # levels that lift vertically


cdef struct Rows:  # rows, every second row, or halves of such, evenly spaced
    int64_t offset        # of the first
    int64_t plane_stride
    int64_t stride
    int64_t first         # its number
    int64_t ring          # so many are kept


cdef struct Lattice:  # the positions of a component that are multiples of 2^level
    int64_t rows
    int64_t columns
    int64_t low_columns   # columns of the next level
    int64_t kept_rows
    int64_t kept_columns
    bint split            # into pairs of rows; else each row is halved by itself
    Rows low              # halves, by pair or row
    Rows high
    Rows odd              # whole rows, by pair


cdef inline int64_t place_of(const Rows* rows, int64_t plane, int64_t row) noexcept nogil:
    return rows.offset + plane * rows.plane_stride + (row - rows.first) % rows.ring * rows.stride


cdef inline int64_t halved(int64_t size, int64_t times) noexcept nogil:
    """Positions that are multiples of 2^times among ``size``."""
    return (size + ((<int64_t>1) << times) - 1) >> times


cdef inline int64_t coarse_row_stride(const Component* component, int64_t level) noexcept nogil:
    """Between rows of the lattice of a level, 1 or more, in the planes of the coarser levels."""
    cdef int64_t split = component.split_levels
    return component.row_stride << (min(level, split) - min(<int64_t>1, split))


cdef inline Rows coarse_rows(
    const Memory* memory, const Component* component, int64_t offset, int64_t stride
) noexcept nogil:
    cdef Rows rows
    rows.offset = memory.coarse + component.offset + offset
    rows.plane_stride = memory.coarse_stride
    rows.stride = stride
    rows.first = 0
    rows.ring = INT64_MAX
    return rows


cdef inline Lattice lattice_at(
    const Memory* memory, const Component* component, int level
) noexcept nogil:
    cdef Lattice lattice
    cdef int64_t row_level = min(<int64_t>level, component.split_levels)
    cdef int64_t stride, high_columns
    lattice.rows = halved(component.rows, row_level)
    lattice.columns = halved(component.columns, level)
    lattice.low_columns = halved(component.columns, level + 1)
    lattice.kept_rows = halved(component.kept_rows, row_level)
    lattice.kept_columns = halved(component.kept_columns, level)
    lattice.split = level < component.split_levels
    lattice.low = coarse_rows(memory, component, 0, coarse_row_stride(component, level + 1))
    if level == 0:
        high_columns = lattice.columns - lattice.low_columns
        lattice.high.offset = memory.fine + memory.ring * component.pair_offset
        lattice.high.plane_stride = memory.fine_stride
        lattice.high.first = 0
        lattice.high.stride = component.pair_stride if lattice.split else high_columns
        lattice.high.ring = memory.ring if lattice.split else 2 * memory.ring
        lattice.odd = lattice.high
        lattice.odd.offset += high_columns
    else:
        stride = coarse_row_stride(component, level)
        lattice.high = coarse_rows(
            memory, component, lattice.low_columns, 2 * stride if lattice.split else stride)
        lattice.odd = coarse_rows(memory, component, stride, 2 * stride)
    return lattice


cdef inline int64_t zero_flag(
    const Memory* memory, int64_t component, int64_t row
) noexcept nogil:
    """Place of the flag of the first block that has a row of the finest level. If it is not 0, the
    block is nothing but zeros, which nobody has written. Components count from the first of the
    first plane."""
    return memory.zeros + memory.zero_columns * (
        component * memory.zero_rows + (row >> memory.height_bits) % memory.zero_rows)


cdef inline Rows quarter_rows(
    const Memory* memory, const Component* component, int64_t first
) noexcept nogil:
    """Rows of a Bayer component before its finest level, or after, kept from ``first`` on."""
    cdef Rows rows
    rows.offset = memory.quarters + memory.quarter_rows * component.quarter_offset
    rows.plane_stride = memory.quarter_rows * component.quarter_stride
    rows.stride = component.columns
    rows.first = first
    rows.ring = memory.quarter_rows
    return rows


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
