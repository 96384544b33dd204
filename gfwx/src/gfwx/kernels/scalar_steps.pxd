"""Events of many passes in turn, for processors without shifts by vectors (format, sections 4, 9).

The events of a pass wait for each other, but those of different passes do not: while one waits, the
processor works at others. As in lane_steps.pxd an event is a coefficient, with Fast after an
optional run of zeros; each lane decodes one from the 33 to 64 bits that it loads, by scalar
instructions. What comes of it for the state, and the class of the next coefficient, are found for
all lanes at once, in vectors. A lane whose next event is unusual stays before it. Usual events have
at most 33 bits: two prefixes of twelve with 4 and 5 more, or one with 18.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from gfwx.kernels.adaptive cimport FAST, Class, class_of, small_run_bits
from gfwx.kernels.bits cimport get_word
from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.golomb_rice cimport ESCAPE, bit_width, leading_zeros
from gfwx.kernels.lane_steps cimport (
    DECODER_LANES, MOST_HIGH_BITRATE_MEAN, MOST_MEAN, Lanes, words_t,
)


cdef inline uint64_t window_at(words_t words, uint32_t bit) noexcept nogil:
    """The next 33 to 64 bits; below them others."""
    cdef const uint8_t* data = <const uint8_t*>(words + (bit >> 5))
    cdef uint64_t two = get_word(data) | (<uint64_t>get_word(data + 4) << 32)
    bit |= 32
    return (two << (bit & 63)) | (two >> (-bit & 63))


cdef inline bint escapes(uint64_t window) noexcept nogil:
    return window < <uint64_t>1 << (64 - ESCAPE)


cdef inline uint32_t number_at(uint64_t window, uint32_t zeros, uint32_t k) noexcept nogil:
    """The number in U(k) of which the prefix has so many zeros."""
    return ((zeros - 1) << k) + <uint32_t>(window >> (63 - zeros - k))


cdef inline bint decode_fast(
    Lanes* lanes, int l, words_t words, coefficient_t* memory, const uint32_t* rows,
    const uint32_t* signed, uint32_t* magnitudes,
) noexcept nogil:
    """An event of a lane; False, and nothing done, if it is unusual."""
    cdef uint32_t bit = lanes.now.bit[l]
    cdef uint32_t k = lanes.now.run_bits[l]
    cdef int64_t place = lanes.now.place[l]
    cdef uint32_t row, number, zeros, m
    cdef int32_t negative
    cdef uint64_t window
    if bit > lanes.limit[l] or lanes.now.mean[l] > MOST_MEAN:
        return False
    window = window_at(words + lanes.word[l], bit)
    if escapes(window):
        return False
    zeros = leading_zeros(window)
    if k:
        place += number_at(window, zeros, k)
        bit += zeros + 1 + k
        window <<= zeros + 1 + k
        if escapes(window) or place >= lanes.end[l]:
            return False
        number = leading_zeros(window)  # where zeros are counted, means are so small that the
        bit += number + 1               # class is the first
        m = (number + 1) >> 1
        negative = <int32_t>(number & 1) - 1
        memory[place] = <coefficient_t>(<int32_t>m ^ negative)
    else:
        if place >= lanes.end[l]:
            return False
        row = rows[l]
        number = number_at(window, zeros, row)
        m = (number + 1 - signed[l]) >> 1
        bit += zeros + 1 + row - (m < signed[l])  # a zero has no sign
        negative = <int32_t>(number & 1) - 1
        memory[place] = <coefficient_t>((<int32_t>m ^ negative) - negative)
    lanes.now.bit[l] = bit
    lanes.now.place[l] = <int32_t>place + 1
    magnitudes[l] = m
    return True


cdef inline bint decode_high_bitrate(
    Lanes* lanes, int l, words_t words, coefficient_t* memory
) noexcept nogil:
    """As decode_fast."""
    cdef uint32_t bit = lanes.now.bit[l]
    cdef uint32_t mean = lanes.now.mean[l]
    cdef int64_t place = lanes.now.place[l]
    cdef uint32_t k, number, zeros, m
    cdef int32_t negative
    cdef uint64_t window
    if bit > lanes.limit[l] or place >= lanes.end[l] or mean > MOST_HIGH_BITRATE_MEAN:
        return False
    window = window_at(words + lanes.word[l], bit)
    if escapes(window):
        return False
    k = bit_width(mean | 8) - 4
    zeros = leading_zeros(window)
    number = number_at(window, zeros, k)
    m = (number + 1) >> 1
    negative = <int32_t>(number & 1) - 1
    memory[place] = <coefficient_t>((<int32_t>m ^ negative) - negative)
    lanes.now.bit[l] = bit + zeros + 1 + k
    lanes.now.place[l] = <int32_t>place + 1
    lanes.now.mean[l] = mean + m - ((mean + 8) >> 4)
    return True


cdef inline void find_classes(
    const uint32_t* means, const uint32_t* squares, const uint32_t* first_thresholds, int lanes,
    uint32_t* rows, uint32_t* signed
) noexcept nogil:
    """Of the next coefficients; ``lanes`` is a constant where this is called."""
    cdef int l
    cdef Class chosen
    for l in range(lanes):
        chosen = class_of(means[l], squares[l], first_thresholds[l])
        rows[l] = chosen.row
        signed[l] = chosen.signed


cdef inline void adapt(Lanes* lanes, const uint32_t* magnitudes) noexcept nogil:
    """The states after the coefficients."""
    cdef int l
    cdef uint32_t m, k, mean, square, new_mean, new_k
    for l in range(DECODER_LANES):
        m = magnitudes[l]
        k = lanes.now.run_bits[l]
        mean = lanes.now.mean[l]
        square = lanes.now.square[l]
        lanes.before.mean[l] = mean
        lanes.before.square[l] = square
        lanes.before.run_bits[l] = k
        new_mean = mean + m - ((mean + 8) >> 4)
        new_k = small_run_bits(new_mean)
        lanes.now.mean[l] = new_mean
        lanes.now.square[l] = square + m * m - ((square + 8) >> 4)
        lanes.now.run_bits[l] = new_k if (m == 0) == (k == 0) else k


cdef inline uint32_t take_steps(
    Lanes* lanes, words_t words, coefficient_t* memory, int encoder
) noexcept nogil:
    """Decode events of all lanes until one is unusual; a bit for each such lane."""
    cdef int l
    cdef uint32_t unusual = 0
    cdef uint32_t rows[DECODER_LANES]
    cdef uint32_t signed[DECODER_LANES]
    cdef uint32_t magnitudes[DECODER_LANES]
    while unusual == 0:
        if encoder == FAST:
            find_classes(
                lanes.now.mean, lanes.now.square, lanes.first_threshold, DECODER_LANES, rows,
                signed)
            for l in range(DECODER_LANES):
                if not decode_fast(lanes, l, words, memory, rows, signed, magnitudes):
                    unusual |= <uint32_t>1 << l
                    magnitudes[l] = 0
                    lanes.before.bit[l] = lanes.now.bit[l]
                    lanes.before.place[l] = lanes.now.place[l]
            adapt(lanes, magnitudes)
        else:
            for l in range(DECODER_LANES):
                if not decode_high_bitrate(lanes, l, words, memory):
                    unusual |= <uint32_t>1 << l
                    lanes.before.bit[l] = lanes.now.bit[l]
                    lanes.before.place[l] = lanes.now.place[l]
                    lanes.before.mean[l] = lanes.now.mean[l]
    return unusual
