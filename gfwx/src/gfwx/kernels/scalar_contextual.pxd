"""As lane_contextual.pxd, for processors without shifts by vectors: classes in vectors, the bits of
each lane by scalar instructions (see scalar_steps.pxd).

Lanes hold no bits here; between steps ``bit`` is where a lane stands.
"""
from libc.stdint cimport int32_t, uint32_t, uint64_t

from gfwx.kernels.golomb_rice cimport leading_zeros
from gfwx.kernels.lane_contextual cimport LARGEST_MEAN, ContextualLanes
from gfwx.kernels.lane_steps cimport LANES, words_t
from gfwx.kernels.scalar_steps cimport escapes, find_classes, number_at, window_at


cdef inline void step_lane(
    ContextualLanes* lanes, int l, words_t words, uint32_t row, uint32_t is_signed
) noexcept nogil:
    cdef uint32_t bit = lanes.bit[l]
    cdef uint32_t k = lanes.run_bits[l]
    cdef uint32_t pending = lanes.pending[l]
    cdef uint32_t zeros, number, m
    cdef int32_t negative, value
    cdef uint64_t window
    if bit > lanes.limit[l]:
        return
    window = window_at(words + lanes.word[l], bit)
    if k:
        if pending == 0:
            if escapes(window):
                return
            zeros = leading_zeros(window)
            pending = number_at(window, zeros, k) + 1
            bit += zeros + 1 + k
            window <<= zeros + 1 + k
        pending -= 1
    if pending == 0:
        if escapes(window):
            return
        zeros = leading_zeros(window)
        number = number_at(window, zeros, row)
        m = (number + 1 - is_signed) >> 1
        bit += zeros + 1 + row - (m < is_signed)  # a zero has no sign
        negative = <int32_t>(number & 1) - 1
        value = (<int32_t>m ^ negative) - negative
        lanes.value[l] = value - ((k != 0) & (value <= 0))
        lanes.change[l] = -<uint32_t>((m == 0) == (k == 0))
    lanes.pending[l] = pending
    lanes.bit[l] = bit
    lanes.left[l] = 64 - (bit & 31)
    lanes.waiting[l] = 0


cdef inline void step_contextual_lanes(
    ContextualLanes* lanes, words_t words, const uint32_t* means, const uint32_t* squares
) noexcept nogil:
    cdef int l
    cdef uint32_t rows[LANES]
    cdef uint32_t signed[LANES]
    find_classes(means, squares, lanes.first_threshold, LANES, rows, signed)
    for l in range(LANES):
        lanes.value[l] = 0
        lanes.change[l] = 0
    for l in range(LANES):
        if lanes.waiting[l] and means[l] < LARGEST_MEAN:
            step_lane(lanes, l, words, rows[l], signed[l])
