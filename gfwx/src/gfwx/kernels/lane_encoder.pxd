"""Sixteen blocks encoded side by side; see lane_codes.pxd for what happens at each step.

The coefficients of sixteen passes are first laid out in coding order; then all lanes step through
them together, a shorter pass resting at the end. Codes that a step leaves out are put by the
scalar encoder, so that it alone knows the rare rules; a block with very many of them, for which
the lane's memory would not do, is left to it altogether.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from gfwx.kernels.adaptive cimport CONTEXTUAL, FAST, HIGH_BITRATE, LOSSLESS, Pass, start_pass
from gfwx.kernels.bits cimport BitWriter, pad_word, put_bits, reserve
from gfwx.kernels.blocks cimport (
    Block, Level, block_at, dc_place, pass_length, row_length, row_start,
)
from gfwx.kernels.context cimport ContextRow, complete_row, prepare_row
from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.golomb_rice cimport CODE_BYTES, bit_width, put_signed, put_unsigned
from gfwx.kernels.lane_codes cimport (
    STEP, CodeLanes, Codes, classify, step,
)
from gfwx.kernels.lane_steps cimport LANES, LEAST_PASS, STAGGER
from gfwx.kernels.pass_encoder cimport encode_pass
from gfwx.kernels.queue cimport Blocks, Queue, take_block

cdef enum:
    SPARE_WORDS = 1024       # of a lane, for unusual codes
    CODE_WORDS = CODE_BYTES  # of two runs and coefficients, four codes


cdef struct Lane:
    Level level
    int64_t index
    int64_t item
    Block block
    bint failed       # its memory would not do
    uint32_t* next    # where its next word goes
    uint32_t* words   # its memory
    uint32_t* end


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


cdef inline void collect(
    const Block* block, const coefficient_t* coefficients, int32_t* memory, int64_t plane,
    ContextRow* context,
) noexcept nogil:
    """Lay the coefficients of a pass out in coding order; with a context, at a distance of
    ``plane`` behind them also their classes."""
    cdef uint32_t first_threshold = 250 if block.chroma else 100
    cdef uint32_t lossless = -<uint32_t>(block.quality == LOSSLESS)
    cdef int64_t row, n, i
    cdef const coefficient_t* source
    for row in range(block.first_row, block.last_row):
        n = row_length(block, row)
        source = coefficients + row_start(block, row)
        for i in range(n):
            memory[i] = source[i]
        if context != NULL and n > 0:
            prepare_row(coefficients, block, row, context, <coefficient_t>0)
            complete_row(context, source)
            classify(
                context.means, context.means_of_squares, <uint32_t*>memory + plane, n,
                first_threshold, lossless)
        memory += n


cdef inline BitWriter writer_at(const CodeLanes* lanes, int l, const Lane* lane) noexcept nogil:
    cdef BitWriter writer
    writer.data = <uint8_t*>lane.words
    writer.next = <uint8_t*>lane.next
    writer.end = <uint8_t*>lane.end
    writer.pending = lanes.pending[l]
    writer.count = <int>lanes.count[l]
    return writer


cdef inline void resume(
    CodeLanes* lanes, int l, Lane* lane, const BitWriter* writer
) noexcept nogil:
    lane.next = <uint32_t*>writer.next
    lanes.pending[l] = <uint32_t>writer.pending
    lanes.count[l] = <uint32_t>writer.count


cdef inline bint has_room(Lane* lane, int64_t coefficients) noexcept nogil:
    """Whether an unusual code fits, if the lane's other coefficients take a word each at most."""
    if lane.end - lane.next < CODE_WORDS + coefficients:
        lane.failed = True
    return not lane.failed


cdef inline void begin_pass(
    CodeLanes* lanes, int l, Lane* lane, int component, const coefficient_t* coefficients,
    int32_t* memory, int64_t plane, int64_t remaining, ContextRow* context,
) noexcept nogil:
    cdef Pass state
    cdef BitWriter writer
    lane.block = block_at(&lane.level, lane.index, component)
    state = start_pass(
        lane.level.encoder, lane.block.quality, lane.level.step, lane.block.chroma)
    lanes.mean[l] = state.mean
    lanes.square[l] = state.square
    lanes.run[l] = state.run
    lanes.run_bits[l] = state.run_bits
    lanes.first_threshold[l] = 250 if state.chroma else 100
    lanes.length[l] = 0 if lane.failed else <int32_t>pass_length(&lane.block)
    collect(&lane.block, coefficients, memory + lanes.place[l], plane, context)
    if lane.block.has_dc and has_room(lane, remaining):
        writer = writer_at(lanes, l, lane)
        put_signed(&writer, 4, coefficients[dc_place(&lane.block)])
        resume(lanes, l, lane, &writer)


cdef inline void put_unusual(
    CodeLanes* lanes, int l, Lane* lane, int encoder, int64_t remaining
) noexcept nogil:
    """Put the codes that the last step left out."""
    cdef BitWriter writer
    cdef const Codes* codes
    cdef int i
    if not has_room(lane, remaining):
        lanes.length[l] = 0
        return
    writer = writer_at(lanes, l, lane)
    for i in range(STEP):
        codes = &lanes.codes[i]
        if codes.length[l] == 0:
            continue
        if encoder != HIGH_BITRATE:
            if codes.run_bits[l]:
                put_unsigned(&writer, <int>codes.run_bits[l], codes.run[l])
            put_unsigned(&writer, <int>codes.number_bits[l], codes.number[l])
            if codes.sign[l] < 2:
                put_bits(&writer, codes.sign[l], 1)
        else:
            put_unsigned(&writer, max(0, bit_width(codes.number_bits[l]) - 4), codes.number[l])
    resume(lanes, l, lane, &writer)


cdef inline void end_pass(CodeLanes* lanes, int l, Lane* lane, int64_t remaining) noexcept nogil:
    cdef BitWriter writer
    if lanes.run[l] > 0 and has_room(lane, remaining):
        writer = writer_at(lanes, l, lane)
        put_unsigned(&writer, <int>lanes.run_bits[l], lanes.run[l])
        resume(lanes, l, lane, &writer)


cdef inline void encode_passes(
    CodeLanes* lanes, Lane* lane, const int32_t* memory, int64_t plane, int encoder,
    int32_t longest, int64_t most_coefficients, int later,
) noexcept nogil:
    """Step through the passes that the lanes have begun."""
    cdef int32_t index = 0
    cdef int l
    cdef uint32_t unusual
    while index < longest:
        if encoder == FAST:
            step(lanes, memory, NULL, index, FAST)
        elif encoder == HIGH_BITRATE:
            step(lanes, memory, NULL, index, HIGH_BITRATE)
        else:
            step(lanes, memory, memory + plane, index, CONTEXTUAL)
        unusual = 0
        for l in range(LANES):
            unusual |= lanes.unusual[l]
        for l in range(LANES):
            lane[l].next[0] = lanes.word[l]
            lane[l].next += lanes.filled[l]
        if unusual:
            for l in range(LANES):
                if lanes.unusual[l]:
                    put_unusual(
                        lanes, l, &lane[l], encoder, longest - index + later * most_coefficients)
        index += STEP


cdef inline int finish_blocks(
    BitWriter* writer, const coefficient_t* coefficients, CodeLanes* lanes, Lane* lane, int count,
    Blocks* blocks, ContextRow* context,
) noexcept nogil:
    """Move the lanes' words to the thread's buffer; -1 if there is no memory."""
    cdef int l
    cdef int64_t start, size
    cdef BitWriter last
    for l in range(count):
        if lane[l].failed:
            if encode_block(
                writer, coefficients, &lane[l].level, lane[l].index, lane[l].item, blocks, context
            ):
                return -1
            continue
        last = writer_at(lanes, l, &lane[l])
        pad_word(&last)
        start = writer.next - writer.data
        size = last.next - last.data
        if reserve(writer, size):
            return -1
        memcpy(writer.next, last.data, size)
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
    cdef int32_t longest
    cdef Block block
    cdef int64_t stride = most_coefficients + STAGGER
    cdef int64_t words = queue.component_count * most_coefficients + SPARE_WORDS + STAGGER
    cdef int64_t plane = LANES * stride  # coefficients of all lanes, or their classes
    cdef int planes = 1 if context == NULL else 2
    cdef int32_t* memory = <int32_t*>malloc((planes * plane + LANES * words) * sizeof(int32_t))
    if memory == NULL:
        return -1
    for l in range(LANES):
        lanes.place[l] = <int32_t>(l * stride)
        lane[l].words = <uint32_t*>memory + planes * plane + l * words
        lane[l].end = lane[l].words + words
        lanes.mean[l] = lanes.square[l] = lanes.run[l] = lanes.run_bits[l] = 0
        lanes.first_threshold[l] = 100
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
            lane[l].next = lane[l].words
            lanes.pending[l] = lanes.count[l] = 0
            lanes.length[l] = 0
        for component in range(queue.component_count):
            later = queue.component_count - 1 - component
            longest = 0
            for l in range(count):
                begin_pass(
                    &lanes, l, &lane[l], component, coefficients, memory, plane,
                    (later + 1) * most_coefficients, context)
                longest = max(longest, lanes.length[l])
            encode_passes(
                &lanes, lane, memory, plane, encoder, longest, most_coefficients, later)
            for l in range(count):
                end_pass(&lanes, l, &lane[l], later * most_coefficients)
        failed = finish_blocks(writer, coefficients, &lanes, lane, count, blocks, context)
    free(memory)
    return failed
