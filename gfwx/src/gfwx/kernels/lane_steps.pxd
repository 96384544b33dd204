"""Four events of many passes at a time, decoded in vectors (format, sections 4 and 9).

Blocks are independent, so each lane of a vector can decode one of its own. An event is a
coefficient, with Fast after an optional run of zeros. All lanes take four events at the same time
from the 33 to 64 bits that were loaded for them, once or twice. Where one of these is unusual (an
escape of twelve zeros, bits that were not loaded, the end of the pass), nothing of the step holds
for the lane, and lane_decoder.pxd takes it back.

Every statement of an event is on arrays of a number for each lane, and choices are made without
branches, so that the compiler makes vectors of the whole body. Nothing overflows that it would not
in the scalar decoder: lanes with larger means than MOST_MEAN take no step, and in usual events
magnitudes are below 200 (Fast) or 2^23 (HighBitrate).
"""
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.string cimport memcpy, memset

from gfwx.kernels.adaptive cimport FAST, Class, class_of
from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.golomb_rice cimport ESCAPE

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
    #if defined(__GNUC__)
    #define gfwx_trailing_zeros(x) __builtin_ctz(x)
    #else
    static int gfwx_trailing_zeros(uint32_t x) { int n = 0; while (!(x >> n & 1)) ++n; return n; }
    #endif
    """
    int trailing_zeros "gfwx_trailing_zeros"(uint32_t) noexcept nogil  # of x > 0
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
    #define GFWX_DECODER_LANES 32  /* two vectors in turn, as each waits for the bits just used */
    #else
    #define GFWX_LANES_PAY 0       /* no shifts by vectors: see scalar_steps.pxd */
    #define GFWX_DECODER_LANES 16
    #endif
    """
    bint LANES_PAY "GFWX_LANES_PAY"
    enum:
        DECODER_LANES "GFWX_DECODER_LANES"

cdef extern from *:
    """
    #if defined(__GNUC__)
    typedef const uint32_t *__restrict__ gfwx_words;
    #else
    typedef const uint32_t *gfwx_words;
    #endif
    """
    ctypedef const uint32_t* words_t "gfwx_words"  # that no store changes: else nothing is gathered

cdef enum:
    LANES = 16            # to encode
    LEAST_PASS = 64       # coefficients; so few are not worth a lane
    MOST_BLOCK_BITS = 8   # larger blocks do not fit the caches sixteen at a time
    STAGGER = 128         # coefficients: lanes' memory must not share cache sets
    MOST_MEAN = (1 << 15) - 1               # whose square and thresholds fit
    MOST_HIGH_BITRATE_MEAN = (1 << 22) - 1  # of which log2_of is exact for a whole step
    EVENTS = 4            # of a step


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


cdef struct Progress:  # of the lanes in their passes
    uint32_t bit[DECODER_LANES]       # used of the block
    int32_t place[DECODER_LANES]      # where in the lanes' memory the next coefficient goes
    uint32_t mean[DECODER_LANES]      # as in Pass
    uint32_t square[DECODER_LANES]
    uint32_t run_bits[DECODER_LANES]


cdef struct Window:
    uint32_t high[DECODER_LANES]      # the next 64 bits
    uint32_t low[DECODER_LANES]
    uint32_t end[DECODER_LANES]       # bit of the block up to which they are valid
    uint32_t least[DECODER_LANES]     # of all that ``high`` was when its zeros counted
    uint32_t exceeded[DECODER_LANES]  # all ones where more bits were used than were loaded


cdef struct Lanes:
    Progress now
    Progress before           # the last step
    int32_t word[DECODER_LANES]       # the block's first word in the file
    uint32_t limit[DECODER_LANES]     # bits that the block has
    uint32_t first_threshold[DECODER_LANES]  # 250 for chroma, else 100
    int32_t end[DECODER_LANES]        # of the pass in the lanes' memory
    int32_t value[EVENTS][DECODER_LANES]   # the coefficients decoded
    int32_t target[EVENTS][DECODER_LANES]  # and where they go
    uint32_t unusual[DECODER_LANES]   # all ones if the step does not hold


cdef inline void load_bits(
    const Lanes* lanes, const uint32_t* bits_used, Window* window, words_t words, bint first_time
) noexcept nogil:
    """Load the next bits; ``first_time`` in a step is a constant where this is called.

    A lane in a malformed block may have used more than there are; it goes on with what follows
    the last of them, and is found out at the end of its pass.
    """
    cdef int l
    cdef uint32_t shift, bit, first, second
    cdef int32_t place
    for l in range(DECODER_LANES):
        bit = bits_used[l]
        shift = bit & 31
        window.exceeded[l] = 0 if first_time else -<uint32_t>(bit > window.end[l])
        window.end[l] = (bit | 31) + 33
        bit = bit if bit < lanes.limit[l] else lanes.limit[l]
        place = lanes.word[l] + <int32_t>(bit >> 5)
        first = words[place]
        second = (words + 1)[place]
        window.high[l] = (first << shift) | ((second >> 1) >> (31 - shift))
        window.low[l] = second << shift


cdef inline void decode_fast(
    const Progress* before, Progress* after, Window* window, int32_t* values, int32_t* targets,
    const uint32_t* first_threshold,
) noexcept nogil:
    cdef int l
    cdef uint32_t k, zeros, run, length, high, low, mean, square, row, code, m
    cdef uint32_t least, bit
    cdef Class chosen
    cdef uint32_t new_mean, new_square, new_k
    cdef int32_t place, value
    cdef bint counted, is_signed
    for l in range(DECODER_LANES):
        high = window.high[l]
        low = window.low[l]
        least = window.least[l]
        bit = before.bit[l]
        place = before.place[l]
        mean = before.mean[l]
        square = before.square[l]
        # The run: k is 0 where zeros are not counted, else 1 to 4.
        k = before.run_bits[l]
        counted = k != 0
        zeros = zeros_ahead(high)
        least = high if high < least else least
        run = ((zeros - 1) << k) + (high >> ((31 - zeros - k) & 31))
        run = run if counted else 0
        length = (zeros + 1 + k) & 31
        length = length if counted else 0
        bit += length
        high = (high << length) | ((low >> 1) >> (31 - length))
        low = low << length
        chosen = class_of(mean, square, first_threshold[l])
        row = chosen.row
        is_signed = chosen.signed
        # The coefficient. With S the bits after the prefix are k - 1 and a sign, so that there are
        # always as many as the row's number; a zero has no sign.
        zeros = zeros_ahead(high)
        least = high if high < least else least
        code = ((zeros - 1) << row) + (high >> ((31 - zeros - row) & 31))
        m = code if is_signed else code + 1
        m >>= 1
        length = zeros + 1 + row
        length = length - 1 if is_signed & (m == 0) else length
        length &= 31
        bit += length
        window.high[l] = (high << length) | ((low >> 1) >> (31 - length))
        window.low[l] = low << length
        window.least[l] = least
        value = -1 if counted else 0
        values[l] = <int32_t>m if code & 1 else value - <int32_t>m
        targets[l] = place + <int32_t>run
        # The state.
        new_mean = mean + m - ((mean + 8) >> 4)
        new_square = square + m * m - ((square + 8) >> 4)
        new_k = run_bits_of(new_mean)
        after.bit[l] = bit
        after.place[l] = place + <int32_t>run + 1
        after.mean[l] = new_mean
        after.square[l] = new_square
        after.run_bits[l] = new_k if (m == 0) == (k == 0) else k


cdef inline void decode_high_bitrate(
    const Progress* before, Progress* after, Window* window, int32_t* values
) noexcept nogil:
    cdef int l
    cdef uint32_t k, zeros, code, length, high, low, mean, m, least
    for l in range(DECODER_LANES):
        high = window.high[l]
        low = window.low[l]
        least = window.least[l]
        mean = before.mean[l]
        k = (log2_of(mean | 8) - 3) & 31  # out of range only where the step does not hold
        zeros = zeros_ahead(high)
        window.least[l] = high if high < least else least
        code = ((zeros - 1) << k) + (high >> ((31 - zeros - k) & 31))
        length = (zeros + 1 + k) & 31
        window.high[l] = (high << length) | ((low >> 1) >> (31 - length))
        window.low[l] = low << length
        m = (code + 1) >> 1
        values[l] = <int32_t>m if code & 1 else -<int32_t>m
        after.bit[l] = before.bit[l] + length
        after.place[l] = before.place[l] + 1
        after.mean[l] = mean + m - ((mean + 8) >> 4)
        after.square[l] = 0
        after.run_bits[l] = 0


cdef inline void find_unusual(
    Lanes* lanes, const Window* window, uint32_t most_mean
) noexcept nogil:
    cdef int l
    for l in range(DECODER_LANES):
        lanes.unusual[l] = -<uint32_t>(
            (window.exceeded[l] != 0) | (window.least[l] < <uint32_t>1 << (32 - ESCAPE))
            | (lanes.now.bit[l] > window.end[l]) | (lanes.now.place[l] > lanes.end[l])
            | (lanes.before.mean[l] > most_mean))


cdef inline void step(
    Lanes* lanes, words_t words, int encoder, bint load_twice
) noexcept nogil:
    """Decode the next four events of all lanes.

    ``encoder`` and ``load_twice``, for coefficients of many bits, are constants where this is
    called.
    """
    cdef Progress* now = &lanes.now
    cdef Progress later[EVENTS - 1]
    cdef Window window
    cdef const uint32_t* threshold = lanes.first_threshold
    lanes.before = lanes.now
    memset(window.least, 255, sizeof(window.least))
    load_bits(lanes, now.bit, &window, words, True)
    if encoder == FAST:
        decode_fast(now, &later[0], &window, lanes.value[0], lanes.target[0], threshold)
        decode_fast(&later[0], &later[1], &window, lanes.value[1], lanes.target[1], threshold)
        if load_twice:
            load_bits(lanes, later[1].bit, &window, words, False)
        decode_fast(&later[1], &later[2], &window, lanes.value[2], lanes.target[2], threshold)
        decode_fast(&later[2], now, &window, lanes.value[3], lanes.target[3], threshold)
        find_unusual(lanes, &window, MOST_MEAN)
    else:
        decode_high_bitrate(now, &later[0], &window, lanes.value[0])
        decode_high_bitrate(&later[0], &later[1], &window, lanes.value[1])
        if load_twice:
            load_bits(lanes, later[1].bit, &window, words, False)
        decode_high_bitrate(&later[1], &later[2], &window, lanes.value[2])
        decode_high_bitrate(&later[2], now, &window, lanes.value[3])
        find_unusual(lanes, &window, MOST_HIGH_BITRATE_MEAN)


cdef inline uint32_t unusual_lanes(const Lanes* lanes) noexcept nogil:
    """A bit for each lane in which the step does not hold."""
    cdef int l
    cdef uint32_t result = 0
    for l in range(DECODER_LANES):
        result |= (lanes.unusual[l] & 1) << l
    return result


cdef inline uint32_t lanes_with_runs(const Lanes* lanes) noexcept nogil:
    """A bit for each lane whose last four coefficients do not lie side by side."""
    cdef int l
    cdef uint32_t result = 0
    for l in range(DECODER_LANES):
        result |= <uint32_t>(lanes.now.place[l] - lanes.before.place[l] != EVENTS) << l
    return result


cdef inline void store_values(
    const Lanes* lanes, coefficient_t* memory, int encoder
) noexcept nogil:
    """Put the decoded coefficients where they belong, all four at once where no runs are between;
    the lanes' memory is zero there."""
    cdef int event, l
    cdef uint32_t apart
    cdef coefficient_t values[EVENTS * DECODER_LANES]
    for l in range(DECODER_LANES):
        values[4 * l] = <coefficient_t>lanes.value[0][l]
        values[4 * l + 1] = <coefficient_t>lanes.value[1][l]
        values[4 * l + 2] = <coefficient_t>lanes.value[2][l]
        values[4 * l + 3] = <coefficient_t>lanes.value[3][l]
    for l in range(DECODER_LANES):
        memcpy(memory + lanes.before.place[l], values + 4 * l, EVENTS * sizeof(coefficient_t))
    if encoder != FAST:
        return
    apart = lanes_with_runs(lanes)
    while apart != 0:
        l = trailing_zeros(apart)
        apart &= apart - 1
        memset(memory + lanes.before.place[l], 0, EVENTS * sizeof(coefficient_t))
        for event in range(EVENTS):
            memory[lanes.target[event][l]] = <coefficient_t>lanes.value[event][l]
