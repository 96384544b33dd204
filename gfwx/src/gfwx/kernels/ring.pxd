"""The rows of a sweep while they are lifted vertically: eight for each plane.

Even rows 0-3 and odd rows 4-7 are kept in halves, padded, by their number modulo 4. Prediction
and update read up to four rows of the other parity; beyond the first and last row these repeat.
"""
from libc.stdint cimport int64_t

from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.lifting cimport predict_cubic, predict_linear, update_cubic, update_linear


cdef struct Ring:
    void* memory
    int64_t planes
    int64_t padding         # in front of each half
    int64_t high            # from a row's low half to its high half
    int64_t length          # from the first low to the last high coefficient
    int64_t row_stride
    int64_t plane_stride
    bint cubic


cdef inline int64_t padding_for(int64_t columns) noexcept nogil:
    """Room on either side of a row or half: at least 2, and for long ones such that rows are
    aligned. Short ones may be very many, when there are thousands of planes."""
    return 16 if columns >= 64 else 2


cdef inline int64_t padded(int64_t n, int64_t padding) noexcept nogil:
    """Room for a row or half of n coefficients."""
    return (n + 4 * padding - 1) & -2 * padding


cdef inline Ring ring_for(
    int64_t planes, int64_t low_n, int64_t high_n, bint cubic
) noexcept nogil:
    """A ring without memory yet: it needs ``planes * plane_stride`` coefficients."""
    cdef Ring ring
    ring.memory = NULL
    ring.planes = planes
    ring.padding = padding_for(low_n + high_n)
    ring.high = padded(low_n, ring.padding)
    ring.length = ring.high + high_n
    ring.row_stride = ring.high + padded(high_n, ring.padding)
    ring.plane_stride = 8 * ring.row_stride
    ring.cubic = cubic
    return ring


cdef inline coefficient_t* ring_row(
    const Ring* ring, coefficient_t* unit, int64_t plane, bint odd, int64_t pair
) noexcept nogil:
    """The low half of row ``2 pair + odd``."""
    return (
        <coefficient_t*>ring.memory + plane * ring.plane_stride
        + ((4 if odd else 0) + (pair & 3)) * ring.row_stride + ring.padding
    )


cdef inline void lift_ring_row(
    const Ring* ring, coefficient_t* unit, int64_t rows, bint odd, int64_t pair, bint inverse,
) noexcept nogil:
    """Predict odd row ``pair``, or update even row ``pair``, of every plane, or undo that."""
    cdef int64_t plane, i
    cdef int64_t others = (rows + 1) >> 1 if odd else rows >> 1
    cdef int64_t first = pair - 1 if odd else pair - 2  # of the four rows that the cubic reads
    cdef coefficient_t* row
    cdef coefficient_t* near[4]
    for plane in range(ring.planes):
        row = ring_row(ring, unit, plane, odd, pair)
        for i in range(4):
            near[i] = ring_row(ring, unit, plane, not odd, min(max(first + i, 0), others - 1))
        if odd and ring.cubic:
            predict_cubic(row, near[0], near[1], near[2], near[3], ring.length, inverse)
        elif odd:
            predict_linear(row, near[1], near[2], ring.length, inverse)
        elif ring.cubic:
            update_cubic(row, near[0], near[1], near[2], near[3], ring.length, inverse)
        else:
            update_linear(row, near[1], near[2], ring.length, inverse)
