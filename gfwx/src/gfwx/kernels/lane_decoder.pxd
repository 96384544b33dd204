"""Sixteen blocks decoded side by side; see lane_steps.pxd for what happens at each step.

A lane decodes a pass into memory of its own, in coding order, from where whole rows are copied to
the plane. Passes are begun and ended one lane at a time, and unusual events are left to the
scalar decoder, so that it alone knows the rare rules. A lane that has ended its block takes
the next from the queue; the last few blocks are finished by the scalar decoder.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from gfwx.kernels.adaptive cimport FAST, Pass, start_pass
from gfwx.kernels.bits cimport BitReader, overrun, reader_of, refill, skip_bits
from gfwx.kernels.blocks cimport (
    Block, Level, block_at, dc_place, pass_length, row_length, row_start,
)
from gfwx.kernels.context cimport ContextRow
from gfwx.kernels.geometry cimport coefficient_t
from gfwx.kernels.golomb_rice cimport get_signed
from gfwx.kernels.lane_steps cimport (
    LANES, LEAST_PASS, STAGGER, Lanes, copy, load_bits, step_fast, step_high_bitrate,
)
from gfwx.kernels.pass_decoder cimport decode_high_bitrate, decode_pass, decode_runs
from gfwx.kernels.queue cimport Queue, take_block

cdef enum:
    EVENTS = 4            # between two loads of bits
    FEWEST_LANES = 4      # with fewer blocks at work the scalar decoder is faster
    MOST_WORDS = 1 << 26  # in a block, so that its bits can be counted in 32 bits


cdef struct Lane:  # what is not needed at every step
    bint active
    Level level
    int64_t index
    int component
    Block block
    const uint8_t* data
    int64_t words
    int64_t base          # of its memory


cdef inline int64_t bits_used(const Lanes* lanes, int l) noexcept nogil:
    return <int64_t>lanes.bit[l] + 64 - (lanes.bit[l] & 31) - lanes.left[l]


cdef inline void hold(Lanes* lanes, int l, int64_t bit) noexcept nogil:
    """Keep a lane from moving until its bits are loaded anew, from ``bit`` on."""
    lanes.bit[l] = <uint32_t>bit
    lanes.left[l] = 64 - (lanes.bit[l] & 31)
    lanes.high[l] = lanes.low[l] = 0


cdef inline void park(Lanes* lanes, int l, int64_t base) noexcept nogil:
    """Make a lane idle."""
    lanes.place[l] = lanes.end[l] = <int32_t>base
    lanes.word[l] = 0
    lanes.limit[l] = 0
    lanes.mean[l] = lanes.square[l] = lanes.run_bits[l] = 0
    lanes.first_threshold[l] = 100
    hold(lanes, l, 0)


cdef inline BitReader reader_at(const Lane* lane, int64_t bit) noexcept nogil:
    cdef BitReader reader = reader_of(lane.data + 4 * (bit >> 5), lane.words - (bit >> 5))
    refill(&reader)
    skip_bits(&reader, bit & 31)
    return reader


cdef inline int64_t bit_of(const Lane* lane, const BitReader* reader) noexcept nogil:
    return 32 * (lane.words - reader.words) - reader.count


cdef inline void deliver(
    const Lane* lane, const coefficient_t* memory, coefficient_t* coefficients
) noexcept nogil:
    """Copy a decoded pass to its rows."""
    cdef int64_t row, n
    cdef const coefficient_t* source = memory + lane.base
    for row in range(lane.block.first_row, lane.block.last_row):
        n = row_length(&lane.block, row)
        copy(coefficients + row_start(&lane.block, row), source, n)
        source += n


cdef inline bint begin_pass(
    Lane* lane, Lanes* lanes, int l, coefficient_t* memory, coefficient_t* coefficients,
    int64_t bit, bint* begun,
) noexcept nogil:
    """Begin the lane's next pass that has coefficients; False if the block is malformed."""
    cdef BitReader reader
    cdef int64_t n
    cdef int32_t dc = 0
    cdef Pass state
    begun[0] = False
    while lane.component < lane.level.component_count:
        lane.block = block_at(&lane.level, lane.index, lane.component)
        if lane.block.has_dc:
            reader = reader_at(lane, bit)
            if not get_signed(&reader, 4, &dc) or overrun(&reader):
                return False
            coefficients[dc_place(&lane.block)] = <coefficient_t>dc
            bit = bit_of(lane, &reader)
        n = pass_length(&lane.block)
        if n > 0:
            state = start_pass(
                lane.level.encoder, lane.block.quality, lane.level.step, lane.block.chroma)
            lanes.mean[l] = state.mean
            lanes.square[l] = state.square
            lanes.run_bits[l] = state.run_bits
            lanes.first_threshold[l] = 250 if state.chroma else 100
            lanes.place[l] = <int32_t>lane.base
            lanes.end[l] = <int32_t>(lane.base + n)
            memset(memory + lane.base, 0, n * sizeof(coefficient_t))
            hold(lanes, l, bit)
            begun[0] = True
            return True
        lane.component += 1
    return True


cdef inline bint take_event(
    Lane* lane, Lanes* lanes, int l, coefficient_t* memory, int64_t events,
) noexcept nogil:
    """Decode up to so many events of a lane's pass; False if the block is malformed."""
    cdef Pass state = start_pass(
        lane.level.encoder, lane.block.quality, lane.level.step, lane.block.chroma)
    cdef int64_t bit = bits_used(lanes, l)
    cdef int64_t place = lanes.place[l]
    cdef int64_t end = lanes.end[l]
    cdef int64_t n
    cdef BitReader reader
    if bit > 32 * lane.words:
        return False
    reader = reader_at(lane, bit)
    state.mean = lanes.mean[l]
    state.square = lanes.square[l]
    state.run_bits = <int>lanes.run_bits[l]
    n = min(events, end - place)
    if lane.level.encoder == FAST:
        if not decode_runs(&reader, &state, <const ContextRow*>NULL, memory + place, n, FAST):
            return False
        place += n
        if state.run_read:  # the run goes on, or has just ended
            n = min(<int64_t>state.run, end - place)
            place += n
            if place < end:
                state.run = 0
                if not decode_runs(
                    &reader, &state, <const ContextRow*>NULL, memory + place, 1, FAST
                ):
                    return False
                place += 1
    else:
        if not decode_high_bitrate(&reader, &state, memory + place, n):
            return False
        place += n
    if overrun(&reader):
        return False
    lanes.mean[l] = state.mean
    lanes.square[l] = state.square
    lanes.run_bits[l] = <uint32_t>state.run_bits
    lanes.place[l] = <int32_t>place
    hold(lanes, l, bit_of(lane, &reader))
    return True


cdef inline bint fill_lane(
    Lane* lane, Lanes* lanes, int l, Queue* queue, const uint8_t* data, int64_t size,
    const int64_t* offsets, const uint32_t* lengths, coefficient_t* memory,
    coefficient_t* coefficients,
) noexcept nogil:
    """Give a lane a block from the queue, or park it; False if a block is malformed.

    Blocks that lanes cannot take, or that are too small to be worth it, are decoded at once.
    """
    cdef int64_t item = 0
    cdef int component
    cdef bint begun = False
    cdef Block block
    cdef BitReader reader
    while take_block(queue, &lane.level, &lane.index, &item):
        lane.data = data + offsets[item]
        lane.words = lengths[item]
        block = block_at(&lane.level, lane.index, 0)
        if (
            pass_length(&block) >= LEAST_PASS and lane.words < MOST_WORDS
            and offsets[item] + 4 * (lane.words + 2) <= size
        ):
            lane.component = 0
            lanes.word[l] = <int32_t>(offsets[item] >> 2)
            lanes.limit[l] = <uint32_t>(32 * lane.words)
            if not begin_pass(lane, lanes, l, memory, coefficients, 0, &begun):
                return False
            lane.active = begun
            return True
        reader = reader_of(lane.data, lane.words)
        for component in range(lane.level.component_count):
            block = block_at(&lane.level, lane.index, component)
            if not decode_pass(
                &reader, coefficients, &block, lane.level.encoder, lane.level.step, NULL
            ):
                return False
    lane.active = False
    park(lanes, l, lane.base)
    return True


cdef inline int64_t decode_in_lanes(
    Queue* queue, const uint8_t* data, int64_t size, const int64_t* offsets,
    const uint32_t* lengths, coefficient_t* coefficients, int encoder, int64_t most_coefficients,
) noexcept nogil:
    """Decode the queue's blocks: 0, -1 without memory, -2 if one is malformed."""
    cdef Lanes lanes
    cdef Lane lane[LANES]
    cdef int l, event, active
    cdef uint32_t stuck
    cdef bint begun = False
    cdef int64_t stride = ((most_coefficients + 63) & ~63) + STAGGER
    cdef const uint32_t* words = <const uint32_t*>data
    cdef coefficient_t* memory = <coefficient_t*>malloc(
        LANES * stride * sizeof(coefficient_t))
    if memory == NULL:
        return -1
    for l in range(LANES):
        lane[l].base = l * stride
        if not fill_lane(
            &lane[l], &lanes, l, queue, data, size, offsets, lengths, memory, coefficients
        ):
            free(memory)
            return -2
    while True:
        load_bits(&lanes, words)
        for event in range(EVENTS):
            if encoder == FAST:
                step_fast(&lanes)
            else:
                step_high_bitrate(&lanes)
            for l in range(LANES):
                memory[lanes.target[l]] = <coefficient_t>lanes.value[l]
            if event > 0:
                continue
            stuck = 0
            for l in range(LANES):
                stuck |= lanes.stuck[l]
            if stuck == 0:
                continue
            active = 0
            for l in range(LANES):
                active += lane[l].active
            if active == 0:
                free(memory)
                return 0
            for l in range(LANES):
                if not lane[l].active or not lanes.stuck[l]:
                    continue
                if lanes.place[l] < lanes.end[l]:
                    if not take_event(
                        &lane[l], &lanes, l, memory,
                        1 if active >= FEWEST_LANES else lanes.end[l] - lanes.place[l]
                    ):
                        free(memory)
                        return -2
                else:
                    deliver(&lane[l], memory, coefficients)
                    lane[l].component += 1
                    if bits_used(&lanes, l) > 32 * lane[l].words or not begin_pass(
                        &lane[l], &lanes, l, memory, coefficients, bits_used(&lanes, l), &begun
                    ):
                        free(memory)
                        return -2
                    if not begun and not fill_lane(
                        &lane[l], &lanes, l, queue, data, size, offsets, lengths, memory,
                        coefficients
                    ):
                        free(memory)
                        return -2
