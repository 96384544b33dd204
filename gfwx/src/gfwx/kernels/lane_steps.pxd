"""One event of sixteen passes at a time, decoded in vectors (format, sections 4 and 9).

Blocks are independent, so each lane of a vector can decode one of its own. An event is a
coefficient, with Fast after an optional run of zeros. All lanes take an event at the same time from
the 33 to 64 bits that were loaded for them. A lane whose event is unusual (an escape of twelve
zeros, the end of its pass) or longer than the bits left does not move: after the next loading it
can only be the former, and lane_decoder.pxd sees to it.

Every statement of a step is on arrays of sixteen numbers, and choices are made by masks, so that
the compiler makes vectors of the whole body. Nothing overflows that it would not in the scalar
decoder: after usual events magnitudes are below 200 (Fast) or 2^23 (HighBitrate).
"""
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.string cimport memcpy

from gfwx.kernels.geometry cimport coefficient_t

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__AVX512CD__)
    #define gfwx_log2(x) ((uint32_t)(31 - __builtin_clz(x)))
    #define gfwx_lane_zeros(x) (31 - gfwx_log2((x) | 1))
    #else
    /* AVX2 does not count zeros, but floats have exponents. Their 24 bits are enough for what is
       asked here: beyond twelve zeros, or 2^23, the answer need not be exact. */
    static inline uint32_t gfwx_log2(uint32_t x)
    {
        float f = (float)(int32_t)x;
        uint32_t bits;
        memcpy(&bits, &f, 4);
        return (bits >> 23) - 127;
    }
    #define gfwx_lane_zeros(x) (22 - gfwx_log2(((x) >> 9) | 1))
    #endif
    """
    uint32_t log2_of "gfwx_log2"(uint32_t) noexcept nogil           # of 1 to 2^23 - 1
    uint32_t zeros_ahead "gfwx_lane_zeros"(uint32_t) noexcept nogil  # up to twelve

cdef inline uint32_t run_bits_of(uint32_t mean) noexcept nogil:
    """fast_run_bits of means below 2^30, out of a table in one number."""
    cdef uint32_t shift = 4 * mean
    return <uint32_t>0x11112234 >> (shift if shift < 31 else 31) & 7


cdef extern from *:
    """
    #if defined(__AVX2__)
    #define GFWX_LANES_PAY 1
    #else
    #define GFWX_LANES_PAY 0  /* no shifts by vectors */
    #endif
    """
    bint LANES_PAY "GFWX_LANES_PAY"

cdef enum:
    LANES = 16
    FEWEST_BLOCKS = 8     # for which lanes are worth their setting up
    LEAST_PASS = 64       # coefficients; so few are not worth a lane
    MOST_BLOCK_BITS = 8   # larger blocks do not fit the caches sixteen at a time
    STAGGER = 128         # coefficients: lanes' memory must not share cache sets


cdef inline void copy(
    coefficient_t* target, const coefficient_t* source, int64_t n
) noexcept nogil:
    """Copies of the usual sizes are inlined."""
    if n == 64:
        memcpy(target, source, 64 * sizeof(coefficient_t))
    elif n == 128:
        memcpy(target, source, 128 * sizeof(coefficient_t))
    else:
        memcpy(target, source, n * sizeof(coefficient_t))


cdef struct Lanes:
    uint32_t high[LANES]      # the next 64 bits
    uint32_t low[LANES]
    uint32_t left[LANES]      # how many of them are valid
    int32_t word[LANES]       # the block's first word in the file
    uint32_t bit[LANES]       # used of the block when the bits were loaded
    uint32_t limit[LANES]     # bits that the block has
    uint32_t mean[LANES]      # as in Pass
    uint32_t square[LANES]
    uint32_t run_bits[LANES]
    uint32_t first_threshold[LANES]  # 250 for chroma, else 100
    int32_t place[LANES]      # where in the lanes' memory the next coefficient goes
    int32_t end[LANES]        # and where the pass ends
    int32_t value[LANES]      # the coefficient decoded, 0 if the lane did not move
    int32_t target[LANES]     # and where it goes
    uint32_t stuck[LANES]     # all ones if the lane did not move


cdef inline void load_bits(Lanes* lanes, const uint32_t* words) noexcept nogil:
    """Account for the bits used and load the next.

    A lane in a malformed block may have used more than there are; it goes on with what follows
    the last of them, and is found out at the end of its pass.
    """
    cdef int l
    cdef uint32_t shift, bit
    cdef uint32_t bits[LANES]
    cdef uint32_t first[LANES]  # loaded before the rest: the compiler must see that no store
    cdef uint32_t second[LANES]  # changes them
    for l in range(LANES):
        bits[l] = lanes.bit[l] + 64 - (lanes.bit[l] & 31) - lanes.left[l]
        bit = bits[l] if bits[l] < lanes.limit[l] else lanes.limit[l]
        first[l] = words[lanes.word[l] + <int32_t>(bit >> 5)]
        second[l] = words[lanes.word[l] + <int32_t>(bit >> 5) + 1]
    for l in range(LANES):
        shift = bits[l] & 31
        lanes.bit[l] = bits[l]
        lanes.high[l] = (first[l] << shift) | ((second[l] >> 1) >> (31 - shift))
        lanes.low[l] = second[l] << shift
        lanes.left[l] = 64 - shift


cdef inline void step_fast(Lanes* lanes) noexcept nogil:
    cdef int l
    cdef uint32_t k, active, zeros, run, used, high, low, mean, square, e, three, row, signed_
    cdef uint32_t code, magnitude, length, fine, new_k, change, negative
    cdef int32_t place, value
    for l in range(LANES):
        # The run: k is 0 where zeros are not counted, else 1 to 4.
        k = lanes.run_bits[l]
        active = -<uint32_t>(k != 0)
        zeros = zeros_ahead(lanes.high[l])
        run = (((zeros - 1) << (k & 7)) + (lanes.high[l] >> ((31 - zeros - k) & 31))) & active
        used = (zeros + 1 + k) & active & 31
        fine = -<uint32_t>(zeros < 12) | ~active
        high = (lanes.high[l] << used) | ((lanes.low[l] >> 1) >> (31 - used))
        low = lanes.low[l] << used
        # The class: see code_of. With S the bits after the prefix are k - 1 and a sign, so that
        # there are always as many as the row's number.
        mean = lanes.mean[l]
        square = lanes.square[l]
        e = mean * mean
        three = 3 * square
        row = (
            <uint32_t>(e >= 2 * square + lanes.first_threshold[l])
            + <uint32_t>(e >= 2 * square + 950) + <uint32_t>(e >= three + 3000)
            + <uint32_t>(e >= three + 12000) + <uint32_t>(e >= 4 * square + 44000)
        )
        signed_ = (
            (<uint32_t>(row == 2) & <uint32_t>(e < 5 * square + 400))
            | (<uint32_t>(row == 3) & <uint32_t>(e < 5 * square + 3000))
            | (<uint32_t>(row == 4) & <uint32_t>(e < 6 * square + 12000)) | <uint32_t>(row == 5)
        )
        zeros = zeros_ahead(high)
        code = ((zeros - 1) << row) + (high >> ((31 - zeros - row) & 31))
        magnitude = (code + 1 - signed_) >> 1
        length = (zeros + 1 + row - (signed_ & <uint32_t>(magnitude == 0))) & 31
        place = lanes.place[l] + <int32_t>run
        fine &= (
            -<uint32_t>(zeros < 12) & -<uint32_t>(used + length <= lanes.left[l])
            & -<uint32_t>(place < lanes.end[l])
        )
        high = (high << length) | ((low >> 1) >> (31 - length))
        low = low << length
        negative = (code & 1) - 1
        value = <int32_t>((magnitude ^ negative) - negative)
        value -= <int32_t>(active & 1 & negative)
        mean = ((15 * mean + 7) >> 4) + magnitude
        square = ((15 * square + 7) >> 4) + magnitude * magnitude
        new_k = (
            <uint32_t>(mean < 1) + <uint32_t>(mean < 2) + <uint32_t>(mean < 4)
            + <uint32_t>(mean < 8)
        )
        change = -<uint32_t>(magnitude == 0) ^ active
        new_k = (new_k & change) | (k & ~change)
        lanes.high[l] = (high & fine) | (lanes.high[l] & ~fine)
        lanes.low[l] = (low & fine) | (lanes.low[l] & ~fine)
        lanes.left[l] -= (used + length) & fine
        lanes.mean[l] = (mean & fine) | (lanes.mean[l] & ~fine)
        lanes.square[l] = (square & fine) | (lanes.square[l] & ~fine)
        lanes.run_bits[l] = (new_k & fine) | (k & ~fine)
        place = (place & <int32_t>fine) | (lanes.place[l] & <int32_t>~fine)
        lanes.target[l] = place
        lanes.place[l] = place - <int32_t>fine
        lanes.value[l] = value & <int32_t>fine
        lanes.stuck[l] = ~fine


cdef inline void step_high_bitrate(Lanes* lanes) noexcept nogil:
    cdef int l
    cdef uint32_t k, zeros, code, length, high, low, mean, fine, negative, magnitude
    cdef int32_t place, value
    for l in range(LANES):
        mean = lanes.mean[l]
        k = log2_of(mean | 8) - 3
        zeros = zeros_ahead(lanes.high[l])
        fine = (
            -<uint32_t>(zeros < 12) & -<uint32_t>(k < 19)
            & -<uint32_t>(zeros + 1 + k <= lanes.left[l])
            & -<uint32_t>(lanes.place[l] < lanes.end[l])
        )
        code = ((zeros - 1) << (k & 31)) + (lanes.high[l] >> ((31 - zeros - k) & 31))
        length = (zeros + 1 + k) & 31
        high = (lanes.high[l] << length) | ((lanes.low[l] >> 1) >> (31 - length))
        low = lanes.low[l] << length
        magnitude = (code + 1) >> 1
        negative = (code & 1) - 1
        value = <int32_t>((magnitude ^ negative) - negative)
        mean = ((15 * mean + 7) >> 4) + magnitude
        lanes.high[l] = (high & fine) | (lanes.high[l] & ~fine)
        lanes.low[l] = (low & fine) | (lanes.low[l] & ~fine)
        lanes.left[l] -= length & fine
        lanes.mean[l] = (mean & fine) | (lanes.mean[l] & ~fine)
        place = lanes.place[l]
        lanes.target[l] = place
        lanes.place[l] = place - <int32_t>fine
        lanes.value[l] = value & <int32_t>fine
        lanes.stuck[l] = ~fine
