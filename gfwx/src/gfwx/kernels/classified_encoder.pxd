"""Contextual blocks encoded row by row, for processors without shifts by vectors: the classes of a
row in vectors, then its codes by scalar instructions."""
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from gfwx.kernels.adaptive cimport CONTEXTUAL, Pass, start_pass
from gfwx.kernels.bits cimport BitWriter, pad_word, reserve
from gfwx.kernels.blocks cimport Block, Level, block_at, dc_place, row_length, row_start
from gfwx.kernels.context_rows cimport ContextRows, begin_contexts, make_contexts
from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.golomb_rice cimport CODE_BYTES, put_signed, put_unsigned
from gfwx.kernels.lane_encoder cimport tell
from gfwx.kernels.lane_steps cimport LANES
from gfwx.kernels.pass_encoder cimport encode_classified
from gfwx.kernels.queue cimport Blocks, Queue, take_block
from gfwx.kernels.row_classes cimport classify_row


cdef inline int encode_classified_pass(
    BitWriter* writer, const coefficient_t* coefficients, const Block* block, int64_t step,
    ContextRows* context, coefficient_t* parents, coefficient_t* classes,
) noexcept nogil:
    """One component of a block; -1 if there is no memory. ``parents`` is scratch."""
    cdef Pass state = start_pass(CONTEXTUAL, block.quality, step, block.chroma)
    cdef int64_t row, n
    if reserve(writer, CODE_BYTES):
        return -1
    if block.has_dc:
        put_signed(writer, 4, coefficients[dc_place(block)])
    begin_contexts(context, block, 1)
    for row in range(block.first_row, block.last_row):
        n = row_length(block, row)
        if n == 0:
            continue
        classify_row(context, coefficients, block, row, parents, classes)
        if reserve(writer, n * 2 * CODE_BYTES):  # a run and a coefficient each
            return -1
        encode_classified(writer, &state, coefficients + row_start(block, row), classes, n)
    if state.run > 0:
        if reserve(writer, CODE_BYTES):
            return -1
        put_unsigned(writer, state.run_bits, state.run)
    return 0


cdef inline int encode_by_classes(
    BitWriter* writer, const coefficient_t* coefficients, Queue* queue, Blocks* blocks,
    int64_t side,
) noexcept nogil:
    """Encode the queue's blocks; -1 if there is no memory."""
    cdef int64_t index = 0
    cdef int64_t place = 0
    cdef int64_t start
    cdef int component
    cdef int failed = 0
    cdef Level level
    cdef Block block
    cdef ContextRows context
    cdef coefficient_t* parents = <coefficient_t*>malloc(
        (2 * side + LANES) * sizeof(coefficient_t))
    cdef coefficient_t* classes = parents + side
    context.memory = NULL
    if parents == NULL or make_contexts(&context, 1, side):
        failed = -1
    while not failed and take_block(queue, &level, &index, &place):
        start = writer.next - writer.data
        for component in range(level.component_count):
            block = block_at(&level, index, component)
            if not failed:
                failed = encode_classified_pass(
                    writer, coefficients, &block, level.step, &context, parents, classes)
        if failed or reserve(writer, 4):
            failed = -1
            break
        pad_word(writer)
        tell(blocks, place, start, writer.next - writer.data)
    free(context.memory)
    free(parents)
    return failed
