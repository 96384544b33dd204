"""Passes encoded one coefficient at a time (format, section 9)."""
from libc.stdint cimport int32_t, int64_t, uint32_t

from gfwx.kernels.adaptive cimport (
    CONTEXTUAL, FAST, HIGH_BITRATE, Code, Pass, code_of, contextual_run_bits, decayed,
    fast_run_bits, saturated_square, start_pass,
)
from gfwx.kernels.bits cimport BitWriter, reserve
from gfwx.kernels.blocks cimport Block, dc_place, row_length, row_start
from gfwx.kernels.context cimport ContextRow, context_at, prepare_row
from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.golomb_rice cimport (
    CODE_BYTES, bit_width, magnitude, put_interleaved, put_signed, put_unsigned, put_value,
)

cdef enum:
    CHUNK = 1024  # coefficients for which room is made at a time


cdef inline void encode_high_bitrate(
    BitWriter* writer, Pass* state, const coefficient_t* row, int64_t n
) noexcept nogil:
    cdef int64_t i
    cdef uint32_t mean = state.mean
    for i in range(n):
        put_interleaved(writer, max(0, bit_width(mean) - 4), row[i])
        mean = decayed(mean) + magnitude(row[i])
    state.mean = mean


cdef inline void encode_fast(
    BitWriter* writer, Pass* state, const coefficient_t* row, int64_t n
) noexcept nogil:
    cdef int64_t i
    cdef int32_t s
    cdef uint32_t m
    cdef uint32_t mean = state.mean
    cdef uint32_t square = state.square
    cdef uint32_t run = state.run
    cdef int run_bits = state.run_bits
    cdef Code code
    for i in range(n):
        s = row[i]
        if run_bits:
            if s == 0:
                run += 1
                continue
            put_unsigned(writer, run_bits, run)
            run = 0
            s += s < 0
        code = code_of(mean, square, state.chroma)
        put_value(writer, code.bits + code.signed, code.signed, s)
        m = magnitude(s)
        mean = decayed(mean) + m
        square = decayed(square) + saturated_square(m)
        if (s == 0) == (run_bits == 0):
            run_bits = fast_run_bits(mean)
    state.mean = mean
    state.square = square
    state.run = run
    state.run_bits = run_bits


cdef inline void encode_contextual(
    BitWriter* writer, Pass* state, const ContextRow* context, const coefficient_t* row,
    int64_t first, int64_t last,
) noexcept nogil:
    cdef int64_t i
    cdef int32_t s
    cdef uint32_t mean = 0
    cdef uint32_t square = 0
    cdef Code code
    for i in range(first, last):
        s = row[i]
        if state.run_bits:
            if s == 0:
                state.run += 1
                continue
            put_unsigned(writer, state.run_bits, state.run)
            state.run = 0
            s += s < 0
        context_at(context, row, i, &mean, &square)
        code = code_of(mean, square, state.chroma)
        put_value(writer, code.bits + code.signed, code.signed, s)
        if (s == 0) == (state.run_bits == 0):
            state.run_bits = contextual_run_bits(mean, square, state.lossless)


cdef inline void encode_classified(
    BitWriter* writer, Pass* state, const coefficient_t* values, const coefficient_t* classes,
    int64_t n,
) noexcept nogil:
    """As encode_contextual, by classes: row of the table, 8 for S, and 16 times the k of the run
    coder."""
    cdef int64_t i
    cdef int32_t s
    cdef int32_t code
    cdef uint32_t run = state.run
    cdef int run_bits = state.run_bits
    cdef BitWriter bits = writer[0]  # a copy, of which no store of a word can change anything
    for i in range(n):
        s = values[i]
        code = classes[i]
        if run_bits:
            if s == 0:
                run += 1
                continue
            put_unsigned(&bits, run_bits, run)
            run = 0
            s += s < 0
        put_value(&bits, code & 7, code >> 3 & 1, s)
        if (s == 0) == (run_bits == 0):
            run_bits = code >> 4
    writer[0] = bits
    state.run = run
    state.run_bits = run_bits


cdef inline int encode_pass(
    BitWriter* writer, const coefficient_t* coefficients, const Block* block, int encoder,
    int64_t step, ContextRow* context,
) noexcept nogil:
    """One component of a block; -1 if there is no memory."""
    cdef Pass state = start_pass(encoder, block.quality, step, block.chroma)
    cdef int64_t row, n, first, last
    cdef const coefficient_t* values
    if reserve(writer, CODE_BYTES):
        return -1
    if block.has_dc:
        put_signed(writer, 4, coefficients[dc_place(block)])
    for row in range(block.first_row, block.last_row):
        n = row_length(block, row)
        if n == 0:
            continue
        values = coefficients + row_start(block, row)
        if encoder == CONTEXTUAL:
            prepare_row(coefficients, block, row, context, <coefficient_t>0)
        first = 0
        while first < n:
            last = min(first + CHUNK, n)
            if reserve(writer, (last - first) * 2 * CODE_BYTES):  # a run and a coefficient each
                return -1
            if encoder == HIGH_BITRATE:
                encode_high_bitrate(writer, &state, values + first, last - first)
            elif encoder == FAST:
                encode_fast(writer, &state, values + first, last - first)
            else:
                encode_contextual(writer, &state, context, values, first, last)
            first = last
    if state.run > 0:
        if reserve(writer, CODE_BYTES):
            return -1
        put_unsigned(writer, state.run_bits, state.run)
    return 0
