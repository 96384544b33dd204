"""Blocks of coefficients to bits (format, sections 4, 8 and 9).

Blocks are encoded sixteen at a time where that pays, else one by one. Each thread takes blocks from
a shared queue and keeps their bits in a buffer of its own; the caller puts them in order.
"""
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free

from gfwx.kernels.adaptive cimport CONTEXTUAL
from gfwx.kernels.bits cimport BitWriter
from gfwx.kernels.blocks cimport Level
from gfwx.kernels.context cimport ContextRow, make_context
from gfwx.kernels.geometry cimport Component, coefficient_t
from gfwx.kernels.lane_encoder cimport encode_block, encode_in_lanes
from gfwx.kernels.lane_steps cimport FEWEST_BLOCKS, LANES_PAY, MOST_BLOCK_BITS
from gfwx.kernels.queue cimport Blocks, Queue, queue_of, take_block


cdef int encode_blocks(
    BitWriter* writer, const coefficient_t* coefficients, Queue* queue, Blocks* blocks
) noexcept nogil:
    """Encode the queue's blocks; -1 if there is no memory."""
    # Of each level, the encoder and the size of blocks are the same.
    cdef int block_bits = <int>queue.levels[5]
    cdef int encoder = <int>queue.levels[6]
    cdef int64_t index = 0
    cdef int64_t item = 0
    cdef int failed = 0
    cdef Level level
    cdef ContextRow context
    context.memory = NULL
    if encoder == CONTEXTUAL and make_context(
        &context, queue.components[0].columns, <coefficient_t>0
    ):
        return -1
    if LANES_PAY and block_bits <= MOST_BLOCK_BITS and queue.count >= FEWEST_BLOCKS:
        failed = encode_in_lanes(
            writer, coefficients, queue, blocks, encoder, (<int64_t>1) << 2 * block_bits,
            &context if encoder == CONTEXTUAL else NULL)
    else:
        while not failed and take_block(queue, &level, &index, &item):
            failed = encode_block(writer, coefficients, &level, index, item, blocks, &context)
    free(context.memory)
    return failed


cdef bytes encoded(const coefficient_t* coefficients, Queue* queue, Blocks* blocks):
    cdef BitWriter writer
    cdef int failed
    writer.data = writer.next = writer.end = NULL
    writer.pending = 0
    writer.count = 0
    try:
        with nogil:
            failed = encode_blocks(&writer, coefficients, queue, blocks)
        if failed:
            raise MemoryError
        return PyBytes_FromStringAndSize(<char*>writer.data, writer.next - writer.data)
    finally:
        free(writer.data)


def encode_8bit(
    const int16_t[:, :, ::1] coefficients, const int64_t[:, ::1] components,
    const uint8_t[::1] chroma, const int64_t[:, ::1] levels, int64_t[::1] next_block, int worker,
    int32_t[::1] workers, int64_t[::1] offsets, uint32_t[::1] lengths,
):
    """Encode blocks from a queue until it is empty.

    Any number of threads may call this with the same arguments to share the work.

    Parameters
    ----------
    coefficients
        The planes, of 8-bit samples.
    components
        The table of ``layout.py``.
    chroma
        Flag of each plane.
    levels
        Rows of ``Layout.describe``, of the same encoder, by first block.
    next_block
        One number, 0 to begin with: the next block in the queue.
    worker
        A number of the calling thread's own.
    workers, offsets, lengths
        Receive, for each block that this call encodes, `worker`, where the block's data begin in
        the result, in bytes, and how many words they are.

    Returns
    -------
    bytes
        The blocks' data.
    """
    cdef Queue queue = queue_of(
        &next_block[0], lengths.shape[0], &levels[0, 0], levels.shape[0],
        <const Component*>&components[0, 0], components.shape[0],
        coefficients.shape[1] * coefficients.shape[2], &chroma[0])
    cdef Blocks blocks = Blocks(worker, &workers[0], &offsets[0], &lengths[0])
    return encoded(&coefficients[0, 0, 0], &queue, &blocks)


def encode_16bit(
    const int32_t[:, :, ::1] coefficients, const int64_t[:, ::1] components,
    const uint8_t[::1] chroma, const int64_t[:, ::1] levels, int64_t[::1] next_block, int worker,
    int32_t[::1] workers, int64_t[::1] offsets, uint32_t[::1] lengths,
):
    """As encode_8bit, for planes of 16-bit samples."""
    cdef Queue queue = queue_of(
        &next_block[0], lengths.shape[0], &levels[0, 0], levels.shape[0],
        <const Component*>&components[0, 0], components.shape[0],
        coefficients.shape[1] * coefficients.shape[2], &chroma[0])
    cdef Blocks blocks = Blocks(worker, &workers[0], &offsets[0], &lengths[0])
    return encoded(&coefficients[0, 0, 0], &queue, &blocks)
