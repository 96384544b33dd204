"""Bits to blocks of coefficients (format, sections 4, 8 and 9).

Every coefficient of a block is written, zeros too. Blocks are decoded many at a time where that
pays, else one by one.
"""
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t, uintptr_t
from libc.stdlib cimport free

from gfwx.kernels.adaptive cimport CONTEXTUAL, TURBO
from gfwx.kernels.bits cimport BitReader, reader_of
from gfwx.kernels.blocks cimport Block, Level, block_at, most_in_pass
from gfwx.kernels.context cimport ContextRow, make_context
from gfwx.kernels.coding cimport CodingTables
from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.lane_contextual_decoder cimport decode_side_by_side
from gfwx.kernels.lane_decoder cimport decode_in_lanes
from gfwx.kernels.lane_steps cimport MOST_BLOCK_BITS
from gfwx.kernels.pass_decoder cimport decode_pass
from gfwx.kernels.queue cimport Queue, fills_lanes, queue_of, take_block

cdef enum:
    # For which lanes are worth their setting up: coefficients, and longest passes (see queue.pxd).
    LEAST_WORK = 4096
    LEAST_PASSES = 6
    NO_MEMORY = -1
    MALFORMED = -2


cdef int64_t decode_one_by_one(
    Queue* queue, const uint8_t* data, const int64_t* offsets, const uint32_t* lengths,
    coefficient_t* coefficients, int encoder,
) noexcept nogil:
    """Decode the queue's blocks: 0, NO_MEMORY or MALFORMED."""
    cdef int64_t index = 0
    cdef int64_t place = 0
    cdef int component
    cdef int64_t result = 0
    cdef Level level
    cdef Block block
    cdef BitReader reader
    cdef ContextRow context
    context.memory = NULL
    if encoder == CONTEXTUAL and make_context(
        &context, queue.components[0].columns, <coefficient_t>0
    ):
        return NO_MEMORY
    while result == 0 and take_block(queue, &level, &index, &place):
        reader = reader_of(data + offsets[place], lengths[place])
        for component in range(level.component_count):
            block = block_at(&level, index, component)
            if not decode_pass(
                &reader, coefficients, &block, level.encoder, level.step, &context
            ):
                result = MALFORMED
                break
    free(context.memory)
    return result


cdef int64_t decode_blocks(
    Queue* queue, const uint8_t* data, int64_t size, const int64_t* offsets,
    const uint32_t* lengths, coefficient_t* coefficients,
) noexcept nogil:
    # Of each level, the encoder and the size of blocks are the same.
    cdef int block_bits = <int>queue.runs[5]
    cdef int encoder = <int>queue.runs[6]
    cdef int64_t side = (<int64_t>1) << block_bits
    cdef int64_t result
    cdef ContextRow context
    if (
        encoder != TURBO and block_bits <= MOST_BLOCK_BITS
        and fills_lanes(queue, LEAST_WORK, LEAST_PASSES)
        and <uintptr_t>data % sizeof(uint32_t) == 0 and size >> 2 < 1 << 30
    ):
        if encoder == CONTEXTUAL:
            if make_context(&context, side, <coefficient_t>0):
                return NO_MEMORY
            result = decode_side_by_side(
                queue, data, size, offsets, lengths, coefficients, side, &context)
            free(context.memory)
            return result
        return decode_in_lanes(
            queue, data, size, offsets, lengths, coefficients, encoder, most_in_pass(block_bits))
    return decode_one_by_one(queue, data, offsets, lengths, coefficients, encoder)


cdef bint checked(int64_t result) except -1:
    if result == NO_MEMORY:
        raise MemoryError
    return result == 0


def decode_8bit(
    const uint8_t[::1] data, const int64_t[::1] offsets, const uint32_t[::1] lengths,
    int16_t[::1] coefficients, const int64_t[::1] memory, CodingTables tables not None,
    const int64_t[:, ::1] runs, int64_t count, int64_t[::1] next_item,
):
    """Decode blocks from a queue until it is empty.

    Any number of threads may call this with the same arguments to share the work.

    Parameters
    ----------
    data
        The file.
    offsets, lengths
        Of each block, by its place in the file: where its data begin, in bytes, and how many words
        they are. Those of blocks in the queue must lie inside ``data``.
    coefficients
        Of 8-bit samples; receives all of these blocks.
    memory
        Where in `coefficients` (see ``Memory`` in geometry.pxd).
    tables
        Description of the coding.
    runs
        The blocks in the queue (see queue.pxd), all of the same encoder.
    count
        How many there are.
    next_item
        One number, 0 to begin with: the next block in the queue.

    Returns
    -------
    bool
        False if a block is malformed.
    """
    cdef int64_t result
    cdef Queue queue = queue_of(
        &next_item[0], count, &runs[0, 0], runs.shape[0], &memory[0], &tables.coding)
    with nogil:
        result = decode_blocks(
            &queue, &data[0], data.shape[0], &offsets[0], &lengths[0], &coefficients[0])
    return checked(result)


def decode_16bit(
    const uint8_t[::1] data, const int64_t[::1] offsets, const uint32_t[::1] lengths,
    int32_t[::1] coefficients, const int64_t[::1] memory, CodingTables tables not None,
    const int64_t[:, ::1] runs, int64_t count, int64_t[::1] next_item,
):
    """As decode_8bit, into coefficients of 16-bit samples."""
    cdef int64_t result
    cdef Queue queue = queue_of(
        &next_item[0], count, &runs[0, 0], runs.shape[0], &memory[0], &tables.coding)
    with nogil:
        result = decode_blocks(
            &queue, &data[0], data.shape[0], &offsets[0], &lengths[0], &coefficients[0])
    return checked(result)
