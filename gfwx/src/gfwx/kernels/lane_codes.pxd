"""Four coefficients of sixteen passes at a time, encoded in vectors (format, sections 4 and 9).

All lanes take the next four coefficients of their own pass at the same time. Each coefficient,
with the run before it if one was counted, is one code, two of them are one of up to 31 bits, and
these are appended to the lane's bits; words that they fill are stored. A lane where there is an
escape of twelve zeros, or where two codes are longer, appends nothing: lane_encoder.pxd encodes
its coefficients before the next step.

Every statement of a step is on arrays of sixteen numbers, and choices are made without branches,
so that the compiler makes vectors of the whole body. Values are loaded before the rest, into
arrays of the function's own: only then does the compiler see that no store changes them. Nothing
overflows that it would not in the scalar encoder: lanes with larger means than MOST_MEAN take no
step, and after usual codes magnitudes are below 200 (Fast) or 2^23 (HighBitrate).
"""
from libc.stdint cimport int16_t, int32_t, int64_t, uint32_t

from gfwx.kernels.adaptive cimport FAST, HIGH_BITRATE
from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.golomb_rice cimport ESCAPE, magnitude
from gfwx.kernels.lane_steps cimport LANES, log2_of, run_bits_of

cdef extern from *:
    """
    #if defined(__GNUC__)
    typedef uint32_t gfwx_pair __attribute__((may_alias));
    #else
    typedef uint32_t gfwx_pair;
    #endif
    """
    ctypedef uint32_t pair_t "gfwx_pair"  # two coefficients of 16 bits

cdef enum:
    STEP = 4  # coefficients
    MOST_MEAN = (1 << 15) - 1               # whose square and thresholds fit
    MOST_HIGH_BITRATE_MEAN = (1 << 22) - 1  # of which log2_of is exact for a whole step


cdef struct Adaptive:  # as in Pass
    uint32_t mean[LANES]
    uint32_t square[LANES]
    uint32_t run[LANES]
    uint32_t run_bits[LANES]


cdef struct Codes:  # what one coefficient of each lane makes
    uint32_t code[LANES]
    uint32_t length[LANES]  # 0: it is counted in a run


cdef struct CodeLanes:
    uint32_t pending[LANES]   # the last bits, ``count`` of them below whatever went before
    uint32_t count[LANES]     # 0 to 31
    uint32_t words[2 * LANES]  # two for each lane: those that the last step filled come first
    int32_t target[LANES]     # where they go
    int32_t next[LANES]       # where the next word will go
    uint32_t unusual[LANES]   # all ones where the last step left its codes out
    Adaptive state
    Adaptive before           # the last step
    uint32_t first_threshold[LANES]  # 250 for chroma, else 100
    int32_t place[LANES]      # of the pass in the lanes' memory, in pairs of coefficients


cdef inline void classify(
    const uint32_t* means, const uint32_t* squares, coefficient_t* classes, int64_t n,
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
        classes[i] = <coefficient_t>(
            row | (class_is_signed(row, e, square) << 3)
            | (contextual_run_bits(mean, square, e, lossless) << 4))


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


cdef inline void load_pair(
    const coefficient_t* memory, const int32_t* place, int32_t index, int32_t* first,
    int32_t* second,
) noexcept nogil:
    """Coefficients ``index`` and ``index + 1`` of all lanes; ``index`` is even."""
    cdef int l
    cdef int32_t pair[LANES]
    if coefficient_t is int16_t:
        for l in range(LANES):
            pair[l] = <int32_t>(<const pair_t*>memory + (index >> 1))[place[l]]
        for l in range(LANES):
            first[l] = <int32_t>(<uint32_t>pair[l] << 16) >> 16
            second[l] = pair[l] >> 16
    else:
        for l in range(LANES):
            first[l] = (memory + index)[2 * place[l]]
        for l in range(LANES):
            second[l] = (memory + index + 1)[2 * place[l]]


cdef inline void code_classes(
    Adaptive* state, Codes* codes, uint32_t* longest, const int32_t* values,
    const int32_t* classes, const uint32_t* first_threshold, bint contextual,
) noexcept nogil:
    """Fast or Contextual; ``contextual`` is a constant where this is called."""
    cdef int l
    cdef uint32_t k, zeros, run_zeros, mean, square, row, m, y, bits
    cdef uint32_t code, length, run, run_code, run_length, new_k
    cdef bint counted, coded, positive, is_signed
    cdef int32_t s, excess, limit, sq
    for l in range(LANES):
        s = values[l]
        k = state.run_bits[l]
        run = state.run[l]
        mean = state.mean[l]
        square = state.square[l]
        counted = k != 0
        coded = (k == 0) | (s != 0)
        # The run: as in put_unsigned.
        run_zeros = run >> k
        run_code = (<uint32_t>1 << k) | (run & ((<uint32_t>1 << k) - 1))
        run_length = run_zeros + 1 + k
        # The class: see code_of. Differences do not overflow, as means are small.
        if contextual:
            row = classes[l] & 7
            is_signed = (classes[l] & 8) != 0
        else:
            sq = <int32_t>square
            excess = <int32_t>(mean * mean) - 2 * sq
            row = 1 if excess >= <int32_t>first_threshold[l] else 0
            row = 2 if excess >= 950 else row
            limit = 400 if excess >= 950 else -0x80000000
            excess -= sq
            row = 3 if excess >= 3000 else row
            limit = 3000 if excess >= 3000 else limit
            row = 4 if excess >= 12000 else row
            limit = 12000 + sq if excess >= 12000 else limit
            excess -= sq
            row = 5 if excess >= 44000 else row
            limit = 0x7fffffff if excess >= 44000 else limit
            excess -= sq
            is_signed = excess < limit
        # The coefficient. With S a sign follows, so that as many bits as the row's number come
        # after the prefix either way; a zero has no sign.
        positive = s > 0
        s = s + 1 if counted & (s < 0) else s
        m = magnitude(s)
        y = 2 * m + 1 if positive & is_signed else 2 * m
        y = y - 1 if positive & (not is_signed) else y
        bits = row - 1 if is_signed & (m == 0) else row
        zeros = y >> bits
        code = (<uint32_t>1 << bits) | (y & ((<uint32_t>1 << bits) - 1))
        length = zeros + 1 + bits
        code |= run_code << (length & 31) if counted else 0
        length = length + run_length if counted else length
        zeros = zeros if zeros > run_zeros else run_zeros
        zeros = zeros if coded else 0
        longest[l] = zeros if zeros > longest[l] else longest[l]
        codes.code[l] = code if coded else 0
        codes.length[l] = length if coded else 0
        # The state.
        state.run[l] = 0 if coded else run + 1
        if contextual:
            new_k = <uint32_t>classes[l] >> 4
        else:
            mean += m - ((mean + 8) >> 4)
            square += m * m - ((square + 8) >> 4)
            new_k = run_bits_of(mean)
            state.mean[l] = mean if coded else state.mean[l]
            state.square[l] = square if coded else state.square[l]
        state.run_bits[l] = new_k if coded & ((m == 0) == (k == 0)) else k


cdef inline void code_high_bitrate(
    Adaptive* state, Codes* codes, uint32_t* longest, const int32_t* values
) noexcept nogil:
    cdef int l
    cdef uint32_t k, zeros, mean, m, number
    cdef int32_t s
    for l in range(LANES):
        s = values[l]
        mean = state.mean[l]
        k = log2_of(mean | 8) - 3
        m = magnitude(s)
        number = 2 * m - 1 if s > 0 else 2 * m
        zeros = number >> k
        longest[l] = zeros if zeros > longest[l] else longest[l]
        codes.code[l] = (<uint32_t>1 << k) | (number & ((<uint32_t>1 << k) - 1))
        codes.length[l] = zeros + 1 + k
        state.mean[l] = mean + m - ((mean + 8) >> 4)


cdef inline void append_codes(
    CodeLanes* lanes, const Codes* codes, const uint32_t* longest, uint32_t most_mean
) noexcept nogil:
    """Append the codes of a step."""
    cdef int l
    cdef uint32_t first, second, first_length, second_length, count, pending, word, over
    cdef uint32_t last_word, usual
    cdef bint filled
    for l in range(LANES):
        first = (codes[0].code[l] << (codes[1].length[l] & 31)) | codes[1].code[l]
        first_length = codes[0].length[l] + codes[1].length[l]
        second = (codes[2].code[l] << (codes[3].length[l] & 31)) | codes[3].code[l]
        second_length = codes[2].length[l] + codes[3].length[l]
        usual = -<uint32_t>(
            (first_length < 32) & (second_length < 32) & (longest[l] < ESCAPE)
            & (lanes.before.mean[l] <= most_mean))
        lanes.unusual[l] = ~usual
        first &= usual
        second &= usual
        first_length &= usual
        second_length &= usual
        # Bits above ``count`` are left to fall off at the top.
        pending = lanes.pending[l]
        count = lanes.count[l]
        over = count + first_length
        word = ((pending << 1) << (31 - count)) | (first >> (over & 31))
        pending = (pending << first_length) | first
        filled = over >= 32
        count = over & 31
        over += second_length
        last_word = ((pending << 1) << (31 - count)) | (second >> (over & 31))
        lanes.words[2 * l] = word if filled else last_word
        lanes.words[2 * l + 1] = last_word
        lanes.pending[l] = (pending << second_length) | second
        lanes.count[l] = over & 31
        lanes.target[l] = lanes.next[l]
        lanes.next[l] += <int32_t>(over >> 5)


cdef inline void step(
    CodeLanes* lanes, const coefficient_t* memory, const coefficient_t* classes, int32_t index,
    int encoder,
) noexcept nogil:
    """Encode coefficients ``index`` to ``index + 3`` of all lanes; ``index`` is even.

    ``encoder`` is a constant where this is called; only Contextual has classes.
    """
    cdef int i, l
    cdef Adaptive state
    cdef Codes codes[STEP]
    cdef uint32_t longest[LANES]
    cdef int32_t values[STEP][LANES]
    cdef int32_t value_classes[STEP][LANES]
    for l in range(LANES):
        state.mean[l] = lanes.before.mean[l] = lanes.state.mean[l]
        state.square[l] = lanes.before.square[l] = lanes.state.square[l]
        state.run[l] = lanes.before.run[l] = lanes.state.run[l]
        state.run_bits[l] = lanes.before.run_bits[l] = lanes.state.run_bits[l]
        longest[l] = 0
    load_pair(memory, lanes.place, index, values[0], values[1])
    load_pair(memory, lanes.place, index + 2, values[2], values[3])
    if encoder == HIGH_BITRATE:
        for i in range(STEP):
            code_high_bitrate(&state, &codes[i], longest, values[i])
        append_codes(lanes, codes, longest, MOST_HIGH_BITRATE_MEAN)
    elif encoder == FAST:
        for i in range(STEP):
            code_classes(
                &state, &codes[i], longest, values[i], NULL, lanes.first_threshold, False)
        append_codes(lanes, codes, longest, MOST_MEAN)
    else:
        load_pair(classes, lanes.place, index, value_classes[0], value_classes[1])
        load_pair(classes, lanes.place, index + 2, value_classes[2], value_classes[3])
        for i in range(STEP):
            code_classes(
                &state, &codes[i], longest, values[i], value_classes[i], NULL, True)
        append_codes(lanes, codes, longest, MOST_MEAN)
    for l in range(LANES):
        lanes.state.mean[l] = state.mean[l]
        lanes.state.square[l] = state.square[l]
        lanes.state.run[l] = state.run[l]
        lanes.state.run_bits[l] = state.run_bits[l]
