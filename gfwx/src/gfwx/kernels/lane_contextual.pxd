"""One coefficient of sixteen Contextual passes at a time, decoded in vectors.

As in lane_steps.pxd, but that all lanes are at the same position, a lane in a run of zeros
counting it down, so that their contexts can be had from vectors (lane_context.pxd). A lane that
cannot take the step, be it unusual or short of bits, goes on waiting, and has to be seen to before
the next position. Unusual are, besides escapes, codes that with the run before them are longer
than 31 bits, and contexts beyond LARGEST_MEAN or LARGEST_SUM. Below these, all thresholds of the
table of classes fit 31 bits, and a difference from the squared mean tells whether it is reached.
"""
from libc.stdint cimport int32_t, uint32_t

from gfwx.kernels.context_rows cimport numbers_t
from gfwx.kernels.lane_codes cimport contextual_run_bits
from gfwx.kernels.lane_steps cimport LANES, zeros_ahead

cdef enum:
    LARGEST_MEAN = 1 << 15
    MOST_STEP_BITS = 31
    ESCAPE = 12


cdef struct ContextualLanes:
    uint32_t high[LANES]      # the next 64 bits
    uint32_t low[LANES]
    uint32_t left[LANES]      # how many of them are valid
    uint32_t bit[LANES]       # used of the block when the bits were loaded
    int32_t word[LANES]       # the block's first word in the file
    uint32_t limit[LANES]     # bits that the block has
    uint32_t run_bits[LANES]  # as in Pass
    uint32_t first_threshold[LANES]  # 250 for chroma, else 100
    uint32_t pending[LANES]   # 1 + zeros to come before the next coefficient; 0: not known
    uint32_t lossless[LANES]  # all ones or 0
    uint32_t waiting[LANES]   # all ones where the coefficient of this position is still to come
    uint32_t change[LANES]    # all ones where k is chosen anew after the step
    int32_t value[LANES]      # the coefficient, 0 if the lane did not move


cdef inline void gather(
    const uint32_t* words, const int32_t* places, numbers_t result
) noexcept nogil:
    cdef int l
    for l in range(LANES):
        result[l] = words[places[l]]


cdef inline void load_bits(ContextualLanes* lanes, const uint32_t* words) noexcept nogil:
    """Account for the bits used and load the next.

    A lane in a malformed block may have used more than there are; it goes on with what follows
    the last of them, and is found out at the end of its pass.
    """
    cdef int l
    cdef uint32_t shift, bit
    cdef uint32_t bits[LANES]
    cdef int32_t places[LANES]
    cdef uint32_t first[LANES]
    cdef uint32_t second[LANES]
    for l in range(LANES):
        bits[l] = lanes.bit[l] + 64 - (lanes.bit[l] & 31) - lanes.left[l]
        bit = bits[l] if bits[l] < lanes.limit[l] else lanes.limit[l]
        places[l] = lanes.word[l] + <int32_t>(bit >> 5)
    gather(words, places, first)
    gather(words + 1, places, second)
    for l in range(LANES):
        shift = bits[l] & 31
        lanes.bit[l] = bits[l]
        lanes.high[l] = (first[l] << shift) | ((second[l] >> 1) >> (31 - shift))
        lanes.low[l] = second[l] << shift
        lanes.left[l] = 64 - shift


cdef inline void step_contextual(
    ContextualLanes* lanes, const uint32_t* means, const uint32_t* squares
) noexcept nogil:
    cdef int l
    cdef uint32_t k, counting, asked, zeros, run, used, pending, coded, high, mean, square
    cdef uint32_t e, reached, signed_, row, code, magnitude, zero, length, spare, fine, negative
    cdef uint32_t at_least_two, at_least_three, at_least_four, at_least_five
    cdef int32_t second, third, fourth, value
    for l in range(LANES):
        # The run: k is 0 where zeros are not counted, else 1 to 4.
        k = lanes.run_bits[l]
        pending = lanes.pending[l]
        counting = -<uint32_t>(k != 0)
        asked = counting & -<uint32_t>(pending == 0)
        zeros = zeros_ahead(lanes.high[l])
        run = ((zeros - 1) << (k & 7)) + (lanes.high[l] >> ((31 - zeros - k) & 31))
        used = (zeros + 1 + k) & asked & 31
        zeros &= asked
        pending += (run + 1) & asked
        coded = -<uint32_t>(pending < 2)
        high = lanes.high[l] << used
        # The class: see code_of.
        mean = means[l]
        square = squares[l]
        e = mean * mean
        second = <int32_t>(e - 2 * square)
        third = second - <int32_t>square
        fourth = third - <int32_t>square
        at_least_two = <uint32_t>(second >= 950)
        at_least_three = <uint32_t>(third >= 3000)
        at_least_four = <uint32_t>(third >= 12000)
        at_least_five = <uint32_t>(fourth >= 44000)
        row = (
            <uint32_t>(second >= <int32_t>lanes.first_threshold[l]) + at_least_two
            + at_least_three + at_least_four + at_least_five)
        # In rows 2 to 4 one more threshold each is for S. It is also under the later rows' ones.
        fourth -= <int32_t>square
        signed_ = (
            (at_least_two & <uint32_t>(fourth < 400)) | (at_least_three & <uint32_t>(fourth < 3000))
            | (at_least_four & <uint32_t>(fourth - <int32_t>square < 12000)) | at_least_five)
        # The coefficient. With S the bits after the prefix are k - 1 and a sign.
        reached = zeros_ahead(high)
        code = ((reached - 1) << row) + (high >> ((31 - reached - row) & 31))
        magnitude = ((code + 1 - signed_) >> 1) & coded
        zero = -<uint32_t>(magnitude == 0)
        length = used + ((reached + 1 + row - (signed_ & zero)) & coded)
        reached &= coded
        zeros = zeros if zeros > reached else reached
        spare = lanes.left[l] if lanes.left[l] < MOST_STEP_BITS else MOST_STEP_BITS
        spare &= -<uint32_t>(mean < LARGEST_MEAN)
        fine = -(<uint32_t>(length <= spare) & <uint32_t>(zeros < ESCAPE)) & lanes.waiting[l]
        length &= fine
        negative = (code & 1) - 1
        value = <int32_t>(
            (magnitude ^ negative) - negative + ((negative | zero) & counting & coded))
        lanes.change[l] = (zero ^ counting) & coded & fine
        lanes.high[l] = (lanes.high[l] << length) | ((lanes.low[l] >> 1) >> (31 - length))
        lanes.low[l] = lanes.low[l] << length
        lanes.left[l] -= length
        lanes.pending[l] = ((pending - 1) & ~coded & fine) | (lanes.pending[l] & ~fine)
        lanes.value[l] = value & <int32_t>fine
        lanes.waiting[l] &= ~fine


cdef inline void choose_run_bits(
    ContextualLanes* lanes, const uint32_t* means, const uint32_t* squares, bint lossless
) noexcept nogil:
    """k of the run coder, where the step changes it; ``lossless`` if all lanes are."""
    cdef int l
    cdef uint32_t k, mean, square
    if lossless:
        for l in range(LANES):
            k = <uint32_t>(means[l] < 2)
            lanes.run_bits[l] = (
                (k & lanes.change[l]) | (lanes.run_bits[l] & ~lanes.change[l]))
        return
    for l in range(LANES):
        mean = means[l]
        square = squares[l]
        k = contextual_run_bits(mean, square, mean * mean, lanes.lossless[l])
        lanes.run_bits[l] = (
            (k & lanes.change[l]) | (lanes.run_bits[l] & ~lanes.change[l]))
