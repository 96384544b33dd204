"""Sixteen blocks encoded side by side; see lane_codes.pxd for what happens at each step.

The coefficients of sixteen passes are first laid out in coding order; then all lanes step through
them together, those of shorter passes going on for nothing after their end. What a step leaves
out, and the last coefficients of a pass, are encoded by the scalar encoder, so that it alone knows
the rare rules; a block with very many unusual codes, for which the lane's memory would not do, is
left to it altogether.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from gfwx.kernels.adaptive cimport CONTEXTUAL, FAST, HIGH_BITRATE, Pass, start_pass
from gfwx.kernels.bits cimport BitWriter, pad_word, reserve
from gfwx.kernels.blocks cimport (
    Block, Level, block_at, dc_place, pass_length, row_length, row_start,
)
from gfwx.kernels.context cimport ContextRow
from gfwx.kernels.context_rows cimport ContextRows, begin_contexts, make_contexts
from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.golomb_rice cimport CODE_BYTES, put_signed, put_unsigned
from gfwx.kernels.lane_codes cimport STEP, Adaptive, CodeLanes, step
from gfwx.kernels.lane_steps cimport LANES, LEAST_PASS, STAGGER, copy
from gfwx.kernels.pass_encoder cimport (
    encode_classified, encode_fast, encode_high_bitrate, encode_pass,
)
from gfwx.kernels.queue cimport Blocks, Queue, take_block
from gfwx.kernels.row_classes cimport classify_row

cdef enum:
    SPARE_WORDS = 1024  # of a lane, for unusual codes
    ZEROS = 32          # coefficients of a lane that are skipped at once
    CODE_WORDS = 2 * CODE_BYTES  # of a step, each coefficient with a run


cdef struct Lane:
    Level level
    int64_t index
    int64_t item
    Block block
    bint failed       # its memory would not do
    int64_t length    # of the pass
    BitWriter writer  # what it has written, while it does not step


cdef inline int encode_block(
    BitWriter* writer, const coefficient_t* coefficients, const Level* level, int64_t index,
    int64_t item, Blocks* blocks, ContextRow* context,
) noexcept nogil:
    """One block by the scalar encoder; -1 if there is no memory."""
    cdef int component
    cdef Block block
    cdef int64_t start = writer.next - writer.data
    for component in range(level.component_count):
        block = block_at(level, index, component)
        if encode_pass(writer, coefficients, &block, level.encoder, level.step, context):
            return -1
    if reserve(writer, 4):
        return -1
    pad_word(writer)
    tell(blocks, item, start, writer.next - writer.data)
    return 0


cdef inline void tell(Blocks* blocks, int64_t item, int64_t start, int64_t end) noexcept nogil:
    blocks.chunks[item] = blocks.chunk
    blocks.offsets[item] = start
    blocks.lengths[item] = <uint32_t>((end - start) >> 2)


cdef inline void collect_row(
    const Block* block, int64_t row, const coefficient_t* coefficients, coefficient_t* memory,
    int64_t plane, ContextRows* context, coefficient_t* scratch,
) noexcept nogil:
    """Copy a row; with a context, put at a distance of ``plane`` behind it also its classes."""
    cdef int64_t n = row_length(block, row)
    cdef const coefficient_t* source = coefficients + row_start(block, row)
    copy(memory, source, n)
    if context != NULL and n > 0:
        classify_row(context, coefficients, block, row, scratch, memory + plane)


cdef inline void collect(
    const Lane* lane, int count, const coefficient_t* coefficients, coefficient_t* memory,
    const int32_t* place, int64_t plane, ContextRows* contexts,
    coefficient_t* scratch,
) noexcept nogil:
    """Lay the coefficients of the lanes' passes out in coding order.

    Blocks are mostly neighbors in a row: row by row memory is read as it lies.
    """
    cdef int64_t i, row
    cdef int64_t rows = 0
    cdef int l
    cdef coefficient_t* target[LANES]
    for l in range(count):
        target[l] = memory + 2 * place[l]
        rows = max(rows, lane[l].block.last_row - lane[l].block.first_row)
    if contexts != NULL:
        for l in range(count):
            begin_contexts(&contexts[l], &lane[l].block, 1)
    for i in range(rows):
        for l in range(count):
            row = lane[l].block.first_row + i
            if row < lane[l].block.last_row:
                collect_row(
                    &lane[l].block, row, coefficients, target[l], plane,
                    NULL if contexts == NULL else &contexts[l], scratch)
                target[l] += row_length(&lane[l].block, row)


cdef inline void halt(
    CodeLanes* lanes, int l, Lane* lane, uint32_t* words
) noexcept nogil:
    """Take what a lane has written out of the vectors."""
    lane.writer.next = <uint8_t*>(words + lanes.next[l])
    lane.writer.pending = lanes.pending[l]
    lane.writer.count = <int>lanes.count[l]


cdef inline void resume(
    CodeLanes* lanes, int l, const Lane* lane, uint32_t* words
) noexcept nogil:
    lanes.next[l] = <int32_t>(<uint32_t*>lane.writer.next - words)
    lanes.pending[l] = <uint32_t>lane.writer.pending
    lanes.count[l] = <uint32_t>lane.writer.count


cdef inline bint has_room(Lane* lane, int64_t coefficients) noexcept nogil:
    """Whether a step's unusual codes fit, if the lane's other coefficients take a word each."""
    if lane.writer.end - lane.writer.next < 4 * (CODE_WORDS + coefficients):
        lane.failed = True
    return not lane.failed


cdef inline void put_coefficients(
    CodeLanes* lanes, int l, Lane* lane, const Adaptive* before, const coefficient_t* values,
    const coefficient_t* classes, int64_t n, int encoder,
) noexcept nogil:
    """Encode a few coefficients of a lane by the scalar encoder, from the state before them."""
    cdef Pass state = start_pass(
        encoder, lane.block.quality, lane.level.step, lane.block.chroma)
    state.mean = before.mean[l]
    state.square = before.square[l]
    state.run = before.run[l]
    state.run_bits = <int>before.run_bits[l]
    if encoder == HIGH_BITRATE:
        encode_high_bitrate(&lane.writer, &state, values, n)
    elif encoder == FAST:
        encode_fast(&lane.writer, &state, values, n)
    else:
        encode_classified(&lane.writer, &state, values, classes, n)
    lanes.state.mean[l] = state.mean
    lanes.state.square[l] = state.square
    lanes.state.run[l] = state.run
    lanes.state.run_bits[l] = <uint32_t>state.run_bits


cdef inline void begin_pass(
    CodeLanes* lanes, int l, Lane* lane, int component, const coefficient_t* coefficients,
    uint32_t* words, int64_t remaining,
) noexcept nogil:
    cdef Pass state
    lane.block = block_at(&lane.level, lane.index, component)
    state = start_pass(
        lane.level.encoder, lane.block.quality, lane.level.step, lane.block.chroma)
    lanes.state.mean[l] = state.mean
    lanes.state.square[l] = state.square
    lanes.state.run[l] = state.run
    lanes.state.run_bits[l] = state.run_bits
    lanes.first_threshold[l] = 250 if state.chroma else 100
    lane.length = pass_length(&lane.block)
    if lane.block.has_dc and has_room(lane, remaining):
        put_signed(&lane.writer, 4, coefficients[dc_place(&lane.block)])
    resume(lanes, l, lane, words)


cdef inline void end_pass(
    CodeLanes* lanes, int l, Lane* lane, const coefficient_t* memory, int64_t plane,
    uint32_t* words, int64_t index, int encoder, int64_t remaining,
) noexcept nogil:
    """Encode what remains of a lane's pass from ``index`` on."""
    cdef const coefficient_t* values = memory + 2 * lanes.place[l] + index
    halt(lanes, l, lane, words)
    if has_room(lane, remaining):
        put_coefficients(
            lanes, l, lane, &lanes.state, values, values + plane, lane.length - index, encoder)
        if lanes.state.run[l] > 0:
            put_unsigned(&lane.writer, <int>lanes.state.run_bits[l], lanes.state.run[l])
    resume(lanes, l, lane, words)  # so that what was written is not overwritten


cdef inline void store_words(const CodeLanes* lanes, uint32_t* words) noexcept nogil:
    """Store two words of each lane, filled or not: what is not filled is overwritten later."""
    cdef int l
    for l in range(LANES):
        memcpy(words + lanes.target[l], lanes.words + 2 * l, 2 * sizeof(uint32_t))


cdef inline bint none_coded(const CodeLanes* lanes) noexcept nogil:
    """Whether in the last step all lanes but counted zeros."""
    cdef int l
    cdef uint32_t coded = 0
    for l in range(LANES):
        coded |= lanes.coded[l]
    return coded == 0


cdef inline bint all_zero(
    const CodeLanes* lanes, const coefficient_t* memory, int64_t index
) noexcept nogil:
    """Whether the next ZEROS coefficients of all lanes are zeros."""
    cdef int l, i
    cdef const coefficient_t* values
    cdef coefficient_t found[ZEROS]
    memset(found, 0, sizeof(found))
    for l in range(LANES):
        values = memory + 2 * lanes.place[l] + index
        for i in range(ZEROS):
            found[i] |= values[i]
    for i in range(ZEROS):
        if found[i] != 0:
            return False
    return True


cdef inline int64_t skip_zeros(
    CodeLanes* lanes, const coefficient_t* memory, int64_t index, int64_t end
) noexcept nogil:
    """While all lanes count zeros: count as many as there are in all of them. Returns the index of
    what follows, at most ``end``."""
    cdef int64_t first = index
    cdef int l
    while index + ZEROS <= end and all_zero(lanes, memory, index):
        index += ZEROS
    for l in range(LANES):
        lanes.state.run[l] += <uint32_t>(index - first)
    return index


cdef inline void encode_passes(
    CodeLanes* lanes, Lane* lane, int count, const coefficient_t* memory, int64_t plane,
    uint32_t* words, int encoder, int64_t most_coefficients, int later,
) noexcept nogil:
    """Encode the passes that ``count`` lanes have begun; a lane that has ended steps on without
    a purpose."""
    cdef int64_t index = 0
    cdef int64_t end, last
    cdef int l
    cdef uint32_t unusual
    cdef const coefficient_t* values
    while True:
        end = most_coefficients + STEP
        for l in range(count):
            last = lane[l].length // STEP * STEP
            if last == index:
                end_pass(
                    lanes, l, &lane[l], memory, plane, words, index, encoder,
                    later * most_coefficients)
            elif last > index:
                end = min(end, last)
        if end > most_coefficients:
            break
        while index < end:
            if encoder == FAST:
                step(lanes, memory, <const coefficient_t*>NULL, <int32_t>index, FAST)
            elif encoder == HIGH_BITRATE:
                step(lanes, memory, <const coefficient_t*>NULL, <int32_t>index, HIGH_BITRATE)
            else:
                step(lanes, memory, memory + plane, <int32_t>index, CONTEXTUAL)
            store_words(lanes, words)
            unusual = 0
            for l in range(LANES):
                unusual |= lanes.unusual[l]
            if unusual:
                for l in range(count):
                    if not lanes.unusual[l] or lane[l].length < index + STEP:
                        continue
                    halt(lanes, l, &lane[l], words)
                    if has_room(&lane[l], (later + 1) * most_coefficients - index):
                        values = memory + 2 * lanes.place[l] + index
                        put_coefficients(
                            lanes, l, &lane[l], &lanes.before, values, values + plane, STEP,
                            encoder)
                    else:
                        lane[l].writer.next = lane[l].writer.data
                    resume(lanes, l, &lane[l], words)
            index += STEP
            if encoder != HIGH_BITRATE and none_coded(lanes):
                index = skip_zeros(lanes, memory, index, end)


cdef inline int finish_blocks(
    BitWriter* writer, const coefficient_t* coefficients, Lane* lane, int count, Blocks* blocks,
    ContextRow* context,
) noexcept nogil:
    """Move the lanes' words to the thread's buffer; -1 if there is no memory."""
    cdef int l
    cdef int64_t start, size
    for l in range(count):
        if lane[l].failed:
            if encode_block(
                writer, coefficients, &lane[l].level, lane[l].index, lane[l].item, blocks, context
            ):
                return -1
            continue
        pad_word(&lane[l].writer)
        start = writer.next - writer.data
        size = lane[l].writer.next - lane[l].writer.data
        if reserve(writer, size):
            return -1
        memcpy(writer.next, lane[l].writer.data, size)
        writer.next += size
        tell(blocks, lane[l].item, start, start + size)
    return 0


cdef inline int encode_in_lanes(
    BitWriter* writer, const coefficient_t* coefficients, Queue* queue, Blocks* blocks,
    int encoder, int64_t most_coefficients, ContextRow* context,
) noexcept nogil:
    """Encode the queue's blocks; -1 if there is no memory. Only Contextual has a context."""
    cdef CodeLanes lanes
    cdef Lane lane[LANES]
    cdef int l, component, count, later
    cdef int failed = 0
    cdef Block block
    cdef int64_t stride = most_coefficients + STAGGER
    cdef int64_t lane_words = queue.component_count * most_coefficients + SPARE_WORDS + STAGGER
    cdef int64_t plane = LANES * stride  # coefficients of all lanes, or their classes
    cdef int planes = 1 if context == NULL else 2
    cdef int64_t side = (<int64_t>1) << queue.runs[5]
    cdef coefficient_t* memory = <coefficient_t*>calloc(
        planes * plane + side, sizeof(coefficient_t))
    cdef coefficient_t* scratch = memory + planes * plane
    cdef ContextRows contexts[LANES]
    cdef uint32_t* words = <uint32_t*>malloc(LANES * lane_words * sizeof(uint32_t))
    memset(contexts, 0, sizeof(contexts))
    if memory == NULL or words == NULL:
        failed = -1
    for l in range(LANES):
        if context != NULL and make_contexts(&contexts[l], 1, side):
            failed = -1
    memset(&lanes, 0, sizeof(lanes))
    for l in range(LANES):
        lanes.place[l] = <int32_t>(l * stride // 2)
        lane[l].writer.data = <uint8_t*>(words + l * lane_words)
        lane[l].writer.end = <uint8_t*>(words + (l + 1) * lane_words)
    while not failed:
        count = 0
        while count < LANES and not failed and take_block(
            queue, &lane[count].level, &lane[count].index, &lane[count].item
        ):
            block = block_at(&lane[count].level, lane[count].index, 0)
            if pass_length(&block) < LEAST_PASS:
                failed = encode_block(
                    writer, coefficients, &lane[count].level, lane[count].index,
                    lane[count].item, blocks, context)
            else:
                count += 1
        if failed or count == 0:
            break
        for l in range(LANES):
            lane[l].failed = False
            lane[l].writer.next = lane[l].writer.data
            lane[l].writer.pending = 0
            lane[l].writer.count = 0
            resume(&lanes, l, &lane[l], words)
        for component in range(queue.component_count):
            later = queue.component_count - 1 - component
            for l in range(count):
                begin_pass(
                    &lanes, l, &lane[l], component, coefficients, words,
                    (later + 1) * most_coefficients)
            collect(
                lane, count, coefficients, memory, lanes.place, plane,
                NULL if context == NULL else contexts, scratch)
            encode_passes(
                &lanes, lane, count, memory, plane, words, encoder, most_coefficients, later)
        failed = finish_blocks(writer, coefficients, lane, count, blocks, context)
    for l in range(LANES):
        free(contexts[l].memory)
    free(memory)
    free(words)
    return failed
