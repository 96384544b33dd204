"""Passes decoded one coefficient at a time (format, section 9)."""
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.string cimport memset

from gfwx.kernels.adaptive cimport (
    CONTEXTUAL, FAST, HIGH_BITRATE, TURBO, Code, Pass, code_of, contextual_run_bits, decayed,
    fast_run_bits, saturated_square, start_pass,
)
from gfwx.kernels.bits cimport BitReader, overrun
from gfwx.kernels.blocks cimport Block, dc_place, mark_zeros, row_length, row_start
from gfwx.kernels.context cimport ContextRow, context_at, prepare_row
from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.golomb_rice cimport (
    bit_width, get_interleaved, get_short, get_signed, get_unsigned, magnitude,
)


cdef inline bint get_value(
    BitReader* reader, Code code, int32_t* s
) noexcept nogil:
    if get_short(reader, code.bits + code.signed, code.signed, s):
        return True
    if code.signed:
        return get_signed(reader, code.bits, s)
    return get_interleaved(reader, code.bits, s)


cdef inline bint decode_high_bitrate(
    BitReader* reader, Pass* state, coefficient_t* row, int64_t n
) noexcept nogil:
    cdef int64_t i
    cdef int32_t s = 0
    cdef uint32_t mean = state.mean
    for i in range(n):
        if not get_interleaved(reader, max(0, bit_width(mean) - 4), &s):
            return False
        mean = decayed(mean) + magnitude(s)
        row[i] = <coefficient_t>s
    state.mean = mean
    return True


cdef inline bint decode_coefficient(
    BitReader* reader, Pass* state, int32_t* value, int encoder
) noexcept nogil:
    """The coefficient after a run, if there was one; with Contextual, its context is in the
    state. ``encoder`` is a constant where this is called."""
    cdef bint counted = state.run_read
    cdef int32_t s = 0
    cdef uint32_t m
    cdef Code code
    if encoder == TURBO:
        code.bits, code.signed = 1, False
    else:
        code = code_of(state.mean, state.square, state.chroma)
    if not get_value(reader, code, &s):
        return False
    if encoder == FAST:
        m = magnitude(s)
        state.mean = decayed(state.mean) + m
        state.square = decayed(state.square) + saturated_square(m)
    if encoder != TURBO and (s == 0) == (state.run_bits == 0):
        if encoder == FAST:
            state.run_bits = fast_run_bits(state.mean)
        else:
            state.run_bits = contextual_run_bits(state.mean, state.square, state.lossless)
    value[0] = s - 1 if counted and s <= 0 else s
    state.run_read = False
    return True


cdef inline bint decode_runs(
    BitReader* reader, Pass* state, const ContextRow* context, coefficient_t* row, int64_t n,
    int encoder,
) noexcept nogil:
    """A row of the encoders that count zeros; ``encoder`` is a constant where this is called."""
    cdef int64_t i = 0
    cdef int64_t skipped
    cdef int32_t s = 0
    cdef BitReader bits = reader[0]  # copies, of which no store to the row can change anything
    cdef Pass now = state[0]
    while i < n:
        if now.run_bits and not now.run_read:
            if not get_unsigned(&bits, now.run_bits, &now.run):
                return False
            now.run_read = True
        if now.run > 0:
            skipped = min(<int64_t>now.run, n - i)
            now.run -= <uint32_t>skipped
            memset(row + i, 0, skipped * sizeof(coefficient_t))
            i += skipped
            if i == n:
                break
        if encoder == CONTEXTUAL:
            context_at(context, row, i, &now.mean, &now.square)
        if not decode_coefficient(&bits, &now, &s, encoder):
            return False
        row[i] = <coefficient_t>s
        i += 1
    reader[0] = bits
    state[0] = now
    return True


cdef inline bint decode_pass(
    BitReader* reader, coefficient_t* coefficients, const Block* block, int encoder,
    int64_t step, ContextRow* context,
) noexcept nogil:
    """One component of a block; False if it is malformed."""
    cdef Pass state = start_pass(encoder, block.quality, step, block.chroma)
    cdef int64_t row, n
    cdef int32_t s = 0
    cdef coefficient_t* values
    cdef bint fine = True
    mark_zeros(block, coefficients, False)
    if block.has_dc:
        if not get_signed(reader, 4, &s):
            return False
        coefficients[dc_place(block)] = <coefficient_t>s
    for row in range(block.first_row, block.last_row):
        n = row_length(block, row)
        if n == 0:
            continue
        values = coefficients + row_start(block, row)
        if encoder == HIGH_BITRATE:
            fine = decode_high_bitrate(reader, &state, values, n)
        elif encoder == FAST:
            fine = decode_runs(reader, &state, context, values, n, FAST)
        elif encoder == CONTEXTUAL:
            prepare_row(coefficients, block, row, context, <coefficient_t>0)
            fine = decode_runs(reader, &state, context, values, n, CONTEXTUAL)
        else:
            fine = decode_runs(reader, &state, context, values, n, TURBO)
        if not fine or overrun(reader):
            return False
    return not overrun(reader)
