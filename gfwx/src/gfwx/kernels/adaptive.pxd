"""The adaptive part of coding, the same for both directions (format, section 9)."""
from libc.stdint cimport int32_t, int64_t, uint32_t

cdef enum:
    TURBO = 0
    FAST = 1
    CONTEXTUAL = 2
    HIGH_BITRATE = 3
    LOSSLESS = 1024
    SATURATED = 4096  # magnitudes are squared up to here
    SIGNED_CLASS = 8  # above the rows of the table of classes


cdef struct Pass:  # state of a pass, kept from row to row
    int encoder
    uint32_t mean      # 16 times the mean magnitude
    uint32_t square    # 16 times the mean square
    uint32_t run       # zeros counted (encoding) or yet to come (decoding)
    int run_bits       # k of the run coder; 0: zeros are not counted
    bint run_read      # decoding: the length of the run before the next coefficient is known
    bint chroma
    bint lossless


cdef inline Pass start_pass(int encoder, int quality, int64_t step, bint chroma) noexcept nogil:
    """``step`` is in the full-size picture."""
    cdef Pass state
    state.encoder = encoder
    state.mean = state.square = state.run = 0
    state.run_bits = 1 if encoder == TURBO and quality * step < 2048 else 0
    state.run_read = False
    state.chroma = chroma
    state.lossless = quality == LOSSLESS
    return state


cdef inline uint32_t decayed(uint32_t mean) noexcept nogil:
    """``(15 mean + 7) >> 4``, the sum wrapping as the format has it."""
    return (15 * mean + 7) >> 4


cdef inline uint32_t saturated_square(uint32_t magnitude) noexcept nogil:
    magnitude = magnitude if magnitude < SATURATED else SATURATED
    return magnitude * magnitude


cdef struct Code:
    int bits     # k
    bint signed  # S, else I


cdef inline Code code_of(uint32_t mean, uint32_t square, bint chroma) noexcept nogil:
    """The code of the next coefficient: the table of classes.

    The thresholds grow from row to row (square is at most 2^28, so none wraps); the number of
    those reached is the row, and in rows 2 to 4 a last comparison takes S with one bit less.
    """
    cdef uint32_t e = mean * mean
    cdef int row = (
        (e >= 2 * square + (250 if chroma else 100)) + (e >= 2 * square + 950)
        + (e >= 3 * square + 3000) + (e >= 3 * square + 12000) + (e >= 4 * square + 44000)
    )
    cdef Code code
    code.signed = (
        ((row == 2) & (e < 5 * square + 400)) | ((row == 3) & (e < 5 * square + 3000))
        | ((row == 4) & (e < 6 * square + 12000)) | (row == 5))
    code.bits = row - code.signed
    return code


cdef struct Class:
    uint32_t row  # of the table of classes
    bint signed


cdef inline Class class_of(
    uint32_t mean, uint32_t square, uint32_t first_threshold
) noexcept nogil:
    """The row of code_of, and whether the code is S, for vectors of means below 2^15.

    No difference of thresholds and squares overflows then.
    """
    cdef int32_t limit
    cdef int32_t step = <int32_t>square
    cdef int32_t excess = <int32_t>(mean * mean) - (step << 1)
    cdef uint32_t row = 1 if excess >= <int32_t>first_threshold else 0
    cdef bint reached = excess >= 950
    cdef Class result
    row += reached
    limit = 400 if reached else -0x80000000
    excess -= step
    reached = excess >= 3000
    row += reached
    limit = 3000 if reached else limit
    reached = excess >= 12000
    row += reached
    limit = 12000 + step if reached else limit
    excess -= step
    reached = excess >= 44000
    row += reached
    limit = 0x7fffffff if reached else limit
    excess -= step
    result.row = row
    result.signed = excess < limit
    return result


cdef inline uint32_t small_run_bits(uint32_t mean) noexcept nogil:
    """fast_run_bits for vectors of means below 2^31."""
    return (
        (<int32_t>mean < 1) + (<int32_t>mean < 2) + (<int32_t>mean < 4) + (<int32_t>mean < 8))


cdef inline int fast_run_bits(uint32_t mean) noexcept nogil:
    return 4 if mean < 1 else 3 if mean < 2 else 2 if mean < 4 else 1 if mean < 8 else 0


cdef inline int contextual_run_bits(uint32_t mean, uint32_t square, bint lossless) noexcept nogil:
    cdef uint32_t e = mean * mean
    if lossless:
        return 1 if mean < 2 else 0
    if mean < 4 and square < 2:
        return 4
    if mean < 8 and square < 4:
        return 3
    if 2 * e < 3 * square + 48:
        return 2
    return 1 if 2 * e < 5 * square + 32 else 0
