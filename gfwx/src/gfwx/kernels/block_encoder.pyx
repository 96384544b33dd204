"""Blocks of coefficients to bits (format, sections 4, 8 and 9)."""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc

from gfwx.kernels.adaptive cimport (
    CONTEXTUAL, FAST, HIGH_BITRATE, Code, Pass, code_of, contextual_run_bits, decayed,
    fast_run_bits, saturated_square, start_pass,
)
from gfwx.kernels.bits cimport BitWriter, pad_word, reserve
from gfwx.kernels.blocks cimport Block, Level, block_at, dc_place, level_of, row_length, row_start
from gfwx.kernels.context cimport ContextRow, context_at, context_scratch, prepare_row
from gfwx.kernels.geometry cimport Component, coefficient_t
from gfwx.kernels.golomb_rice cimport (
    CODE_BYTES, bit_width, magnitude, put_interleaved, put_signed, put_unsigned,
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
        if code.signed:
            put_signed(writer, code.bits, s)
        else:
            put_interleaved(writer, code.bits, s)
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
        if code.signed:
            put_signed(writer, code.bits, s)
        else:
            put_interleaved(writer, code.bits, s)
        if (s == 0) == (state.run_bits == 0):
            state.run_bits = contextual_run_bits(mean, square, state.lossless)


cdef int encode_pass(
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


cdef int encode_blocks(
    BitWriter* writer, const coefficient_t* coefficients, const Level* level, int64_t first,
    int64_t last, uint32_t* lengths,
) noexcept nogil:
    """Blocks ``first`` to ``last`` one after another; -1 if there is no memory."""
    cdef int64_t index, start
    cdef int64_t columns = context_scratch(level.components[0].columns)
    cdef int component
    cdef int failed = 0
    cdef Block block
    cdef ContextRow context
    cdef char* scratch = NULL
    if level.encoder == CONTEXTUAL:
        scratch = <char*>malloc(columns * (3 * sizeof(uint32_t) + sizeof(coefficient_t)))
        if scratch == NULL:
            return -1
        context.sums = <uint32_t*>scratch
        context.squares = context.sums + columns
        context.weights = context.squares + columns
        context.parents = context.weights + columns
    for index in range(first, last):
        start = writer.next - writer.data
        for component in range(level.component_count):
            block = block_at(level, index, component)
            failed = encode_pass(
                writer, coefficients, &block, level.encoder, level.step, &context)
            if failed:
                break
        if failed or reserve(writer, 4):
            failed = -1
            break
        pad_word(writer)
        lengths[index] = <uint32_t>((writer.next - writer.data - start) >> 2)
    free(scratch)
    return failed


cdef bytes encoded(
    const coefficient_t* coefficients, const Level* level, int64_t first, int64_t last,
    uint32_t* lengths,
):
    cdef BitWriter writer
    cdef int failed
    writer.data = writer.next = writer.end = NULL
    writer.pending = 0
    writer.count = 0
    try:
        with nogil:
            failed = encode_blocks(&writer, coefficients, level, first, last, lengths)
        if failed:
            raise MemoryError
        return PyBytes_FromStringAndSize(<char*>writer.data, writer.next - writer.data)
    finally:
        free(writer.data)


def encode_8bit(
    const int16_t[:, :, ::1] coefficients, const int64_t[:, ::1] components,
    const uint8_t[::1] chroma, const int64_t[::1] level, int64_t first, int64_t last,
    uint32_t[::1] lengths,
):
    """Encode blocks of one level of one tranche.

    Parameters
    ----------
    coefficients
        The planes, of 8-bit samples.
    components
        The table of ``layout.py``.
    chroma
        Flag of each plane.
    level
        A row of ``Layout.level``: what the level is.
    first, last
        The blocks, in the order plane, block row, block column.
    lengths
        Receives the length in words of each of these blocks, at its index.

    Returns
    -------
    bytes
        The blocks' data.
    """
    cdef Level description = level_of(
        &level[0], <const Component*>&components[0, 0], components.shape[0],
        coefficients.shape[1] * coefficients.shape[2], &chroma[0])
    return encoded(&coefficients[0, 0, 0], &description, first, last, &lengths[0])


def encode_16bit(
    const int32_t[:, :, ::1] coefficients, const int64_t[:, ::1] components,
    const uint8_t[::1] chroma, const int64_t[::1] level, int64_t first, int64_t last,
    uint32_t[::1] lengths,
):
    """As encode_8bit, for planes of 16-bit samples."""
    cdef Level description = level_of(
        &level[0], <const Component*>&components[0, 0], components.shape[0],
        coefficients.shape[1] * coefficients.shape[2], &chroma[0])
    return encoded(&coefficients[0, 0, 0], &description, first, last, &lengths[0])
