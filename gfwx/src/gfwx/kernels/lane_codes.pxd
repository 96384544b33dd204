"""Two coefficients of sixteen passes at a time, encoded in vectors (format, sections 4 and 9).

All lanes take the next two coefficients of their own pass at the same time. What they make, each
with the run before it if one was counted, is one code of up to 32 bits, which is appended to the
lane's bits; whenever these fill a word, the word is stored. Where there is an escape of twelve
zeros, or the code would be longer, it is left out, and lane_encoder.pxd puts it before the next
step.

Every statement of a step is on arrays of sixteen numbers, and choices are made by masks, so that
the compiler makes vectors of the whole body. Values are loaded before the rest, into arrays of the
function's own: only then does the compiler see that no store changes them.
"""
from libc.stdint cimport int32_t, int64_t, uint32_t

from gfwx.kernels.adaptive cimport FAST, HIGH_BITRATE
from gfwx.kernels.lane_steps cimport LANES, log2_of

cdef enum:
    STEP = 2  # coefficients


cdef struct Codes:  # what one coefficient of each lane makes
    uint32_t code[LANES]
    uint32_t length[LANES]      # 0: it is counted in a run, or the pass has ended
    uint32_t unusual[LANES]     # all ones where code and length do not hold
    uint32_t run[LANES]         # the rest is for putting unusual codes
    uint32_t run_bits[LANES]    # 0: no run
    uint32_t number[LANES]      # for U
    uint32_t number_bits[LANES]
    uint32_t sign[LANES]        # 0 or 1 after it, 2: none


cdef struct CodeLanes:
    uint32_t pending[LANES]   # the last bits, ``count`` of them below whatever went before
    uint32_t count[LANES]     # 0 to 31
    uint32_t word[LANES]      # the word that the last step filled, if ``filled`` is 1
    uint32_t filled[LANES]
    uint32_t unusual[LANES]   # all ones where the last step left its codes out
    uint32_t mean[LANES]      # as in Pass
    uint32_t square[LANES]
    uint32_t run[LANES]
    uint32_t run_bits[LANES]
    uint32_t first_threshold[LANES]  # 250 for chroma, else 100
    int32_t place[LANES]      # of the pass in the lanes' memory
    int32_t length[LANES]     # of the pass
    Codes codes[STEP]


cdef inline void classify(
    const uint32_t* means, const uint32_t* squares, uint32_t* classes, int64_t n,
    uint32_t first_threshold, uint32_t lossless,
) noexcept nogil:
    """What a context decides: row of the table, 8 for S, and 16 times the k of the run coder.

    ``lossless`` is all ones or 0.
    """
    cdef int64_t i
    cdef uint32_t mean, square, e, row
    for i in range(n):
        mean = means[i]
        square = squares[i]
        e = mean * mean
        row = class_row(e, square, first_threshold)
        classes[i] = (
            row | (class_is_signed(row, e, square) << 3)
            | (contextual_run_bits(mean, square, e, lossless) << 4))


cdef inline void append_codes(
    CodeLanes* lanes, const Codes* first, const Codes* second
) noexcept nogil:
    cdef int l
    cdef uint32_t length, code, usual, count, full, over
    for l in range(LANES):
        length = first.length[l] + second.length[l]
        usual = -<uint32_t>(length <= 32) & ~(first.unusual[l] | second.unusual[l])
        lanes.unusual[l] = ~usual
        # A second code of 32 bits, by which one could not shift, has none before it.
        code = ((first.code[l] << (second.length[l] & 31)) | second.code[l]) & usual
        length &= usual
        count = lanes.count[l] + length
        full = -<uint32_t>(count >= 32)
        over = (count - 32) & 31
        # Bits above ``count`` are left to fall off at the top later.
        lanes.word[l] = ((lanes.pending[l] << 1) << (31 - lanes.count[l])) | (code >> over)
        lanes.filled[l] = full & 1
        lanes.pending[l] = (code & full) | (((lanes.pending[l] << (length & 31)) | code) & ~full)
        lanes.count[l] = count & 31


cdef inline uint32_t class_row(
    uint32_t e, uint32_t square, uint32_t first_threshold
) noexcept nogil:
    """The row of the table of classes: see code_of."""
    cdef uint32_t three = 3 * square
    return (
        <uint32_t>(e >= 2 * square + first_threshold) + <uint32_t>(e >= 2 * square + 950)
        + <uint32_t>(e >= three + 3000) + <uint32_t>(e >= three + 12000)
        + <uint32_t>(e >= 4 * square + 44000)
    )


cdef inline uint32_t class_is_signed(uint32_t row, uint32_t e, uint32_t square) noexcept nogil:
    """1 for S, 0 for I."""
    return (
        (<uint32_t>(row == 2) & <uint32_t>(e < 5 * square + 400))
        | (<uint32_t>(row == 3) & <uint32_t>(e < 5 * square + 3000))
        | (<uint32_t>(row == 4) & <uint32_t>(e < 6 * square + 12000)) | <uint32_t>(row == 5)
    )


cdef inline uint32_t contextual_run_bits(
    uint32_t mean, uint32_t square, uint32_t e, uint32_t lossless
) noexcept nogil:
    """As in adaptive.pxd, by masks: each condition is tried only where those before it fail."""
    cdef uint32_t four = -(<uint32_t>(mean < 4) & <uint32_t>(square < 2))
    cdef uint32_t three = -(<uint32_t>(mean < 8) & <uint32_t>(square < 4))
    cdef uint32_t two = -<uint32_t>(2 * e < 3 * square + 48)
    cdef uint32_t one = -<uint32_t>(2 * e < 5 * square + 32)
    cdef uint32_t k = (
        (4 & four)
        | (~four & ((3 & three) | (~three & ((2 & two) | (~two & 1 & one)))))
    )
    return (k & ~lossless) | (<uint32_t>(mean < 2) & lossless)


cdef inline void code_classes(
    CodeLanes* lanes, Codes* codes, const int32_t* values, const uint32_t* classes,
    int32_t index, bint contextual,
) noexcept nogil:
    """Fast or Contextual; ``contextual`` is a constant where this is called."""
    cdef int l
    cdef uint32_t k, counted, alive, coded, zeros, mean, square, e, row, signed_, m, number
    cdef uint32_t bits, code, length, run, run_code, run_length, unusual, new_k, change, positive
    cdef uint32_t zero
    cdef int32_t s
    for l in range(LANES):
        s = values[l]
        alive = -<uint32_t>(index < lanes.length[l])
        k = lanes.run_bits[l]
        counted = -<uint32_t>(k != 0)
        coded = alive & ~(counted & -<uint32_t>(s == 0))
        run = lanes.run[l]
        # The run: as in put_unsigned.
        zeros = run >> k
        run_code = ((<uint32_t>1 << k) | (run & ((<uint32_t>1 << k) - 1))) & counted
        run_length = (zeros + 1 + k) & counted
        unusual = -<uint32_t>(zeros >= 12) & counted
        # The coefficient: see code_of. With S a sign follows, so that as many bits as the row's
        # number come after the prefix either way; a zero has no sign.
        s += <int32_t>(counted & <uint32_t>(s < 0))
        positive = <uint32_t>(s > 0)
        zero = <uint32_t>(s == 0)
        m = <uint32_t>((s ^ (s >> 31)) - (s >> 31))
        if contextual:
            row = classes[l] & 7
            signed_ = (classes[l] >> 3) & 1
        else:
            mean = lanes.mean[l]
            square = lanes.square[l]
            e = mean * mean
            row = class_row(e, square, lanes.first_threshold[l])
            signed_ = class_is_signed(row, e, square)
        number = (m & -signed_) | ((2 * m - positive) & (signed_ - 1))
        bits = row - signed_
        zeros = number >> bits
        unusual |= -<uint32_t>(zeros >= 12)
        code = (<uint32_t>1 << bits) | (number & ((<uint32_t>1 << bits) - 1))
        length = zeros + 1 + bits
        change = signed_ & (zero ^ 1)  # whether a sign follows
        code = (code << change) | (positive & change)
        length += change
        code |= run_code << (length & 31)
        length += run_length
        unusual |= -<uint32_t>(length > 32)
        codes.unusual[l] = unusual & coded
        codes.code[l] = code & coded
        codes.length[l] = length & coded
        codes.run[l] = run
        codes.run_bits[l] = k
        codes.number[l] = number
        codes.number_bits[l] = bits
        codes.sign[l] = positive | (2 & -(zero | (signed_ ^ 1)))
        # The state.
        lanes.run[l] = ((run + 1) & ~coded & alive) | (run & ~alive)
        change = (-zero ^ counted) & coded  # (s == 0) == (k == 0)
        if contextual:
            new_k = classes[l] >> 4
        else:
            mean = ((15 * mean + 7) >> 4) + m
            new_k = (
                <uint32_t>(mean < 1) + <uint32_t>(mean < 2) + <uint32_t>(mean < 4)
                + <uint32_t>(mean < 8)
            )
            lanes.mean[l] = (mean & coded) | (lanes.mean[l] & ~coded)
            m = m if m < 4096 else 4096
            square = ((15 * square + 7) >> 4) + m * m
            lanes.square[l] = (square & coded) | (lanes.square[l] & ~coded)
        lanes.run_bits[l] = (new_k & change) | (k & ~change)


cdef inline void code_high_bitrate(
    CodeLanes* lanes, Codes* codes, const int32_t* values, int32_t index
) noexcept nogil:
    cdef int l
    cdef uint32_t alive, k, zeros, mean, m, number, unusual
    cdef int32_t s
    for l in range(LANES):
        s = values[l]
        alive = -<uint32_t>(index < lanes.length[l])
        mean = lanes.mean[l]
        k = log2_of(mean | 8) - 3
        m = <uint32_t>((s ^ (s >> 31)) - (s >> 31))
        number = 2 * m - <uint32_t>(s > 0)
        codes.number[l] = number
        codes.number_bits[l] = mean  # of which k follows, also where log2_of is not exact
        unusual = -<uint32_t>(k >= 19)
        k &= 31
        zeros = number >> k
        unusual |= -<uint32_t>(zeros >= 12)
        codes.unusual[l] = unusual & alive
        codes.code[l] = ((<uint32_t>1 << k) | (number & ((<uint32_t>1 << k) - 1))) & alive
        codes.length[l] = (zeros + 1 + k) & alive
        mean = ((15 * mean + 7) >> 4) + m
        lanes.mean[l] = (mean & alive) | (lanes.mean[l] & ~alive)


cdef inline void step(
    CodeLanes* lanes, const int32_t* memory, const int32_t* classes, int32_t index, int encoder
) noexcept nogil:
    """Encode coefficients ``index`` and ``index + 1`` of all lanes.

    ``encoder`` is a constant where this is called; only Contextual has classes.
    """
    cdef int l
    cdef int32_t first[LANES]
    cdef int32_t second[LANES]
    cdef uint32_t first_classes[LANES]
    cdef uint32_t second_classes[LANES]
    for l in range(LANES):
        first[l] = memory[lanes.place[l] + index]
    for l in range(LANES):
        second[l] = memory[lanes.place[l] + index + 1]
    if encoder == HIGH_BITRATE:
        code_high_bitrate(lanes, &lanes.codes[0], first, index)
        code_high_bitrate(lanes, &lanes.codes[1], second, index + 1)
    elif encoder == FAST:
        code_classes(lanes, &lanes.codes[0], first, NULL, index, False)
        code_classes(lanes, &lanes.codes[1], second, NULL, index + 1, False)
    else:
        for l in range(LANES):
            first_classes[l] = <uint32_t>classes[lanes.place[l] + index]
        for l in range(LANES):
            second_classes[l] = <uint32_t>classes[lanes.place[l] + index + 1]
        code_classes(lanes, &lanes.codes[0], first, first_classes, index, True)
        code_classes(lanes, &lanes.codes[1], second, second_classes, index + 1, True)
    append_codes(lanes, &lanes.codes[0], &lanes.codes[1])
