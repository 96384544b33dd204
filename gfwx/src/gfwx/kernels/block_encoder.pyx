"""Blocks of coefficients to bits (format, sections 4, 8 and 9).

Blocks are encoded sixteen at a time where that pays, else one by one. Each thread takes blocks from
a shared queue and appends their bits to data of its own; the caller puts them in order.
"""
from libc.stdint cimport int16_t, int32_t, int64_t, uint32_t
from libc.stdlib cimport free

from gfwx.kernels.adaptive cimport CONTEXTUAL, FAST
from gfwx.kernels.bits cimport BitWriter
from gfwx.kernels.block_data cimport BlockData
from gfwx.kernels.blocks cimport Level, most_in_pass
from gfwx.kernels.classified_encoder cimport encode_by_classes
from gfwx.kernels.context cimport ContextRow, make_context
from gfwx.kernels.coding cimport CodingTables
from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.lane_encoder cimport encode_block, encode_in_lanes
from gfwx.kernels.lane_steps cimport LANES_PAY, MOST_BLOCK_BITS
from gfwx.kernels.queue cimport Blocks, Queue, fills_lanes, queue_of, take_block
from gfwx.kernels.row_encoder cimport encode_row_by_row

cdef enum:
    # For which lanes are worth their setting up: coefficients, and longest passes (see queue.pxd).
    LEAST_WORK = 8192
    LEAST_PASSES = 2


cdef int encode_blocks(
    BitWriter* writer, const coefficient_t* coefficients, Queue* queue, Blocks* blocks
) noexcept nogil:
    """Encode the queue's blocks; -1 if there is no memory."""
    # Of each level, the encoder and the size of blocks are the same.
    cdef int block_bits = <int>queue.runs[5]
    cdef int encoder = <int>queue.runs[6]
    cdef bint many = (
        block_bits <= MOST_BLOCK_BITS and fills_lanes(queue, LEAST_WORK, LEAST_PASSES))
    cdef int64_t index = 0
    cdef int64_t place = 0
    cdef int failed = 0
    cdef Level level
    cdef ContextRow context
    context.memory = NULL
    if encoder == CONTEXTUAL and make_context(
        &context, queue.components[0].columns, <coefficient_t>0
    ):
        return -1
    if LANES_PAY and many:
        failed = encode_in_lanes(
            writer, coefficients, queue, blocks, encoder, most_in_pass(block_bits),
            &context if encoder == CONTEXTUAL else NULL)
    elif many and encoder == FAST:
        failed = encode_row_by_row(
            writer, coefficients, queue, blocks, (<int64_t>1) << block_bits, &context)
    elif many and encoder == CONTEXTUAL:
        failed = encode_by_classes(writer, coefficients, queue, blocks, (<int64_t>1) << block_bits)
    else:
        while not failed and take_block(queue, &level, &index, &place):
            failed = encode_block(writer, coefficients, &level, index, place, blocks, &context)
    free(context.memory)
    return failed


cdef int append_blocks(
    BlockData data, const coefficient_t* coefficients, Queue* queue, Blocks* blocks
) except -1:
    cdef BitWriter writer = data.writer()
    cdef int failed
    with nogil:
        failed = encode_blocks(&writer, coefficients, queue, blocks)
    data.keep(&writer)
    if failed:
        raise MemoryError
    return 0


def encode_8bit(
    const int16_t[::1] coefficients, const int64_t[::1] memory, CodingTables tables not None,
    const int64_t[:, ::1] runs, int64_t count, int64_t[::1] next_item,
    BlockData data, int chunk, int32_t[::1] chunks, int64_t[::1] offsets, uint32_t[::1] lengths,
):
    """Encode blocks from a queue until it is empty.

    Any number of threads may call this with the same arguments to share the work.

    Parameters
    ----------
    coefficients
        Of 8-bit samples.
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
    data
        Receives the blocks' data; each thread has its own.
    chunk
        Its number.
    chunks, offsets, lengths
        Receive, for each block that this call encodes, by its place in the file: `chunk`, where
        the block's data begin in `data`, in bytes, and how many words they are.
    """
    cdef Queue queue = queue_of(
        &next_item[0], count, &runs[0, 0], runs.shape[0], &memory[0], &tables.coding)
    cdef Blocks blocks = Blocks(chunk, &chunks[0], &offsets[0], &lengths[0])
    append_blocks(data, &coefficients[0], &queue, &blocks)


def encode_16bit(
    const int32_t[::1] coefficients, const int64_t[::1] memory, CodingTables tables not None,
    const int64_t[:, ::1] runs, int64_t count, int64_t[::1] next_item,
    BlockData data, int chunk, int32_t[::1] chunks, int64_t[::1] offsets, uint32_t[::1] lengths,
):
    """As encode_8bit, for coefficients of 16-bit samples."""
    cdef Queue queue = queue_of(
        &next_item[0], count, &runs[0, 0], runs.shape[0], &memory[0], &tables.coding)
    cdef Blocks blocks = Blocks(chunk, &chunks[0], &offsets[0], &lengths[0])
    append_blocks(data, &coefficients[0], &queue, &blocks)
