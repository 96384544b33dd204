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
from libc.string cimport memset

from gfwx.kernels.adaptive cimport FAST, HIGH_BITRATE, Class, class_of
from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.golomb_rice cimport ESCAPE, magnitude
from gfwx.kernels.lane_steps cimport (
    LANES, MOST_HIGH_BITRATE_MEAN, MOST_MEAN, log2_of, run_bits_of, words_t,
)

cdef extern from *:
    """
    #if defined(__GNUC__)
    typedef const uint32_t __attribute__((may_alias)) *__restrict__ gfwx_pairs;
    #else
    typedef const uint32_t *gfwx_pairs;
    #endif
    """
    # Two coefficients of 16 bits each, that no store changes: else nothing is gathered.
    ctypedef const uint32_t* pairs_t "gfwx_pairs"

cdef enum:
    STEP = 4  # coefficients


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
    uint32_t coded[LANES]     # not 0 where the last step was more than zeros in a run
    Adaptive state
    Adaptive before           # the last step
    uint32_t first_threshold[LANES]  # 250 for chroma, else 100
    int32_t place[LANES]      # of the pass in the lanes' memory, in pairs of coefficients


cdef inline void classify(
    const uint32_t* means, const uint32_t* squares, coefficient_t* classes,
    uint32_t first_threshold, bint lossless,
) noexcept nogil:
    """What sixteen contexts decide: row of the table, 8 for S, and 16 times the k of the run
    coder."""
    cdef int l
    cdef uint32_t square, e, third, second, fourth
    cdef uint32_t at_least_two, at_least_three, at_least_four, at_least_five
    cdef uint32_t numbers[LANES]
    cdef uint32_t run_bits[LANES]
    for l in range(LANES):
        square = squares[l]
        e = means[l] * means[l]
        second = 2 * square
        third = second + square
        fourth = third + square
        at_least_two = <uint32_t>(e >= second + 950)
        at_least_three = <uint32_t>(e >= third + 3000)
        at_least_four = <uint32_t>(e >= third + 12000)
        at_least_five = <uint32_t>(e >= fourth + 44000)
        # In rows 2 to 4 one more threshold each is for S. It is also under the later rows' ones.
        numbers[l] = (
            <uint32_t>(e >= second + first_threshold) + at_least_two + at_least_three
            + at_least_four + at_least_five
            + 8 * ((at_least_two & <uint32_t>(e < fourth + square + 400))
                   | (at_least_three & <uint32_t>(e < fourth + square + 3000))
                   | (at_least_four & <uint32_t>(e < 2 * third + 12000)) | at_least_five))
    if lossless:
        for l in range(LANES):
            run_bits[l] = <uint32_t>(means[l] < 2)
    else:
        for l in range(LANES):
            run_bits[l] = contextual_run_bits(
                means[l], squares[l], means[l] * means[l], 0)
    for l in range(LANES):
        classes[l] = <coefficient_t>(numbers[l] + 16 * run_bits[l])


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


cdef inline void load_pairs(
    pairs_t pairs, const int32_t* place, int32_t (*values)[LANES]
) noexcept nogil:
    cdef int l
    cdef uint32_t first_pair, second_pair
    for l in range(LANES):
        first_pair = pairs[place[l]]
        second_pair = (pairs + 1)[place[l]]
        values[0][l] = <int32_t>(first_pair << 16) >> 16
        values[1][l] = <int32_t>first_pair >> 16
        values[2][l] = <int32_t>(second_pair << 16) >> 16
        values[3][l] = <int32_t>second_pair >> 16


cdef inline void load_singles(
    words_t words, const int32_t* place, int32_t (*values)[LANES]
) noexcept nogil:
    cdef int l
    for l in range(LANES):
        values[0][l] = <int32_t>words[2 * place[l]]
        values[1][l] = <int32_t>(words + 1)[2 * place[l]]
        values[2][l] = <int32_t>(words + 2)[2 * place[l]]
        values[3][l] = <int32_t>(words + 3)[2 * place[l]]


cdef inline void load_values(
    const coefficient_t* memory, const int32_t* place, int32_t (*values)[LANES]
) noexcept nogil:
    """Four coefficients of all lanes, the first ones at an even place."""
    if coefficient_t is int16_t:
        load_pairs(<pairs_t>memory, place, values)
    else:
        load_singles(<words_t>memory, place, values)


cdef inline void code_classes(
    const Adaptive* before, Adaptive* after, Codes* codes, uint32_t* longest,
    const int32_t* values, const int32_t* classes, const uint32_t* first_threshold,
    bint contextual,
) noexcept nogil:
    """Fast or Contextual; ``contextual`` is a constant where this is called."""
    cdef int l
    cdef uint32_t k, zeros, run_zeros, most_zeros, mean, square, row, m, y
    cdef uint32_t bits, one
    cdef Class chosen
    cdef uint32_t code, length, run, run_code, new_mean, new_square, new_k
    cdef bint counted, coded, is_signed
    cdef int32_t s
    for l in range(LANES):
        s = values[l]
        k = before.run_bits[l]
        run = before.run[l]
        mean = before.mean[l]
        square = before.square[l]
        most_zeros = longest[l]
        counted = k != 0
        coded = not (counted & (s == 0))
        if contextual:
            row = classes[l] & 7
            is_signed = (classes[l] & 8) != 0
        else:
            chosen = class_of(mean, square, first_threshold[l])
            row = chosen.row
            is_signed = chosen.signed
        # The coefficient. With S a sign follows, so that as many bits as the row's number come
        # after the prefix either way; a zero has no sign.
        one = 1 if s > 0 else 0
        s = s + 1 if counted & (s < 0) else s
        m = magnitude(s)
        y = 2 * m
        y = y + one if is_signed else y - one
        bits = row - <uint32_t>(is_signed & (m == 0))
        zeros = y >> bits
        code = (<uint32_t>1 << bits) | (y & ((<uint32_t>1 << bits) - 1))
        length = zeros + 1 + bits
        # The run: as in put_unsigned.
        run_zeros = run >> k
        run_code = (<uint32_t>1 << k) | (run & ((<uint32_t>1 << k) - 1))
        run_code <<= length & 31
        code = code | run_code if counted else code
        length = length + run_zeros + 1 + k if counted else length
        run_zeros = run_zeros if coded else 0
        zeros = zeros if zeros > run_zeros else run_zeros
        longest[l] = zeros if zeros > most_zeros else most_zeros
        codes.code[l] = code if coded else 0
        codes.length[l] = length if coded else 0
        # The state.
        after.run[l] = 0 if coded else run + 1
        if contextual:
            new_k = <uint32_t>classes[l] >> 4
        else:
            new_mean = mean + m - ((mean + 8) >> 4)
            new_square = square + m * m - ((square + 8) >> 4)
            new_k = run_bits_of(new_mean)
            after.mean[l] = new_mean if coded else mean
            after.square[l] = new_square if coded else square
        after.run_bits[l] = new_k if coded & ((m == 0) == (k == 0)) else k


cdef inline void code_high_bitrate(
    const Adaptive* before, Adaptive* after, Codes* codes, uint32_t* longest,
    const int32_t* values,
) noexcept nogil:
    cdef int l
    cdef uint32_t k, zeros, mean, m, number, one, most_zeros
    cdef int32_t s
    for l in range(LANES):
        s = values[l]
        mean = before.mean[l]
        most_zeros = longest[l]
        k = (log2_of(mean | 8) - 3) & 31  # out of range only where the lane takes no step
        m = magnitude(s)
        one = 1 if s > 0 else 0
        number = 2 * m - one
        zeros = number >> k
        longest[l] = zeros if zeros > most_zeros else most_zeros
        codes.code[l] = (<uint32_t>1 << k) | (number & ((<uint32_t>1 << k) - 1))
        codes.length[l] = zeros + 1 + k
        after.mean[l] = mean + m - ((mean + 8) >> 4)


cdef inline void append_codes(
    CodeLanes* lanes, const Codes* codes, const uint32_t* longest, uint32_t most_mean, bint runs
) noexcept nogil:
    """Append the codes of a step; ``runs``, whether zeros are counted, is a constant where this is
    called."""
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
        if runs:
            lanes.coded[l] = first_length | second_length
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
    cdef Adaptive* state = &lanes.state
    cdef Adaptive states[STEP - 1]
    cdef Codes codes[STEP]
    cdef uint32_t longest[LANES]
    cdef int32_t values[STEP][LANES]
    cdef int32_t value_classes[STEP][LANES]
    cdef const uint32_t* threshold = lanes.first_threshold
    lanes.before = lanes.state
    memset(longest, 0, sizeof(longest))
    load_values(memory + index, lanes.place, values)
    if encoder == HIGH_BITRATE:
        code_high_bitrate(state, &states[0], &codes[0], longest, values[0])
        code_high_bitrate(&states[0], &states[1], &codes[1], longest, values[1])
        code_high_bitrate(&states[1], &states[2], &codes[2], longest, values[2])
        code_high_bitrate(&states[2], state, &codes[3], longest, values[3])
        append_codes(lanes, codes, longest, MOST_HIGH_BITRATE_MEAN, False)
    elif encoder == FAST:
        code_classes(
            state, &states[0], &codes[0], longest, values[0], NULL, threshold, False)
        code_classes(
            &states[0], &states[1], &codes[1], longest, values[1], NULL, threshold, False)
        code_classes(
            &states[1], &states[2], &codes[2], longest, values[2], NULL, threshold, False)
        code_classes(
            &states[2], state, &codes[3], longest, values[3], NULL, threshold, False)
        append_codes(lanes, codes, longest, MOST_MEAN, True)
    else:
        load_values(classes + index, lanes.place, value_classes)
        code_classes(
            state, &states[0], &codes[0], longest, values[0], value_classes[0], NULL, True)
        code_classes(
            &states[0], &states[1], &codes[1], longest, values[1], value_classes[1], NULL, True)
        code_classes(
            &states[1], &states[2], &codes[2], longest, values[2], value_classes[2], NULL, True)
        code_classes(
            &states[2], state, &codes[3], longest, values[3], value_classes[3], NULL, True)
        append_codes(lanes, codes, longest, MOST_MEAN, True)
