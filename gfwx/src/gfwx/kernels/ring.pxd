"""The rows of a sweep while they are lifted vertically: eight for each plane.

Even rows 0-3 and odd rows 4-7 are kept in halves, padded, by their number modulo 4. Prediction
and update read up to four rows of the other parity; beyond the first and last row these repeat.
"""
from libc.stdint cimport int64_t

from gfwx.kernels.aligned cimport Aligned, allocate
from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.lifting cimport predict_cubic, predict_linear, update_cubic, update_linear


cdef struct Ring:
    Aligned room
    void* memory            # in it
    int64_t planes
    int64_t padding         # in front of each half
    int64_t high            # from a row's low half to its high half
    int64_t length          # from the first low to the last high coefficient
    int64_t row_stride
    int64_t plane_stride
    bint cubic


cdef inline int64_t padding_for(int64_t columns) noexcept nogil:
    """Room on either side of a row or half: at least 2, and for long ones such that rows begin at
    a cache line (analysis of Bayer data 1320 to 1500 MB/s). Short ones may be very many, when
    there are thousands of planes."""
    return 32 if columns >= 64 else 2


cdef inline int64_t padded(int64_t n, int64_t padding) noexcept nogil:
    """Room for a row or half of n coefficients."""
    return (n + 4 * padding - 1) & -2 * padding


cdef inline Ring ring_for(
    int64_t planes, int64_t low_n, int64_t high_n, bint cubic
) noexcept nogil:
    """A ring without memory yet; see allocate_ring."""
    cdef Ring ring
    ring.planes = planes
    ring.padding = padding_for(low_n + high_n)
    ring.high = padded(low_n, ring.padding)
    ring.length = ring.high + high_n
    ring.row_stride = ring.high + padded(high_n, ring.padding)
    ring.plane_stride = 8 * ring.row_stride
    ring.cubic = cubic
    return ring


cdef inline bint allocate_ring(Ring* ring, int64_t scratch, coefficient_t unit) noexcept nogil:
    """With room for so many coefficients behind it; False if there is no memory."""
    ring.room = allocate(
        (ring.planes * ring.plane_stride + scratch) * sizeof(coefficient_t))
    ring.memory = ring.room.memory
    return ring.memory != NULL


cdef inline coefficient_t* scratch_of(const Ring* ring, coefficient_t* unit) noexcept nogil:
    return <coefficient_t*>ring.memory + ring.planes * ring.plane_stride


cdef inline coefficient_t* ring_row(
    const Ring* ring, coefficient_t* unit, int64_t plane, bint odd, int64_t pair
) noexcept nogil:
    """The low half of row ``2 pair + odd``."""
    return (
        <coefficient_t*>ring.memory + plane * ring.plane_stride
        + ((4 if odd else 0) + (pair & 3)) * ring.row_stride + ring.padding
    )


cdef inline void find_near(
    const Ring* ring, coefficient_t* unit, int64_t plane, bint odd, int64_t others, int64_t first,
    coefficient_t** near,
) noexcept nogil:
    """Four rows of which there are ``others``, the first and last repeated outside."""
    cdef int64_t i
    for i in range(4):
        near[i] = ring_row(ring, unit, plane, odd, min(max(first + i, 0), others - 1))


cdef inline void predict_ring_row(
    const Ring* ring, coefficient_t* unit, int64_t rows, int64_t pair, bint inverse
) noexcept nogil:
    """Predict odd row ``pair`` of every plane, or undo that."""
    cdef int64_t plane
    cdef coefficient_t* row
    cdef coefficient_t* near[4]
    for plane in range(ring.planes):
        row = ring_row(ring, unit, plane, True, pair)
        find_near(ring, unit, plane, False, (rows + 1) >> 1, pair - 1, near)
        if ring.cubic:
            predict_cubic(row, near[0], near[1], near[2], near[3], ring.length, inverse)
        else:
            predict_linear(row, near[1], near[2], ring.length, inverse)


cdef inline bint has_update(int64_t rows, int64_t pair) noexcept nogil:
    """The first even row is never updated."""
    return pair > 0 and rows > 1


cdef inline void update_part(
    const Ring* ring, int64_t rows, int64_t plane, int64_t pair, int64_t first, int64_t n,
    const coefficient_t* source, coefficient_t* target, bint inverse,
) noexcept nogil:
    """Update part of even row ``pair``, or undo that, as it enters or leaves the ring. The part
    begins ``first`` coefficients behind the row's low half; ``target`` may be ``source``."""
    cdef coefficient_t* near[4]
    find_near(ring, target, plane, True, rows >> 1, pair - 2, near)
    if ring.cubic:
        update_cubic(
            source, target, near[0] + first, near[1] + first, near[2] + first, near[3] + first,
            n, inverse)
    else:
        update_linear(source, target, near[1] + first, near[2] + first, n, inverse)
