"""Blocks of several levels, taken one by one by any number of threads."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from gfwx.kernels.blocks cimport Block, Level, block_at, level_of, most_in_pass, pass_length
from gfwx.kernels.coding cimport Coding
from gfwx.kernels.geometry cimport Component, Memory

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define gfwx_fetch_add(p) __atomic_fetch_add(p, 1, __ATOMIC_RELAXED)
    #else
    #include <intrin.h>
    #define gfwx_fetch_add(p) (_InterlockedIncrement64(p) - 1)
    #endif
    """
    int64_t fetch_add "gfwx_fetch_add"(int64_t*) noexcept nogil

cdef enum:
    RUN_FIELDS = 13  # those of a level, then:
    FIRST_ITEM = 10  # how many blocks come before the run
    FIRST_BLOCK = 11  # the number of its first block in its level
    FIRST_PLACE = 12  # and in the file


cdef struct Queue:
    int64_t* next             # item, shared by the threads
    int64_t count
    const int64_t* runs       # of blocks of one level that follow each other; RUN_FIELDS each
    int64_t run_count
    const Memory* memory
    const Component* components
    int component_count
    const uint8_t* chroma


cdef inline Queue queue_of(
    int64_t* next, int64_t count, const int64_t* runs, int64_t run_count, const int64_t* memory,
    const Coding* coding,
) noexcept nogil:
    return Queue(
        next, count, runs, run_count, <const Memory*>memory, coding.components,
        coding.component_count, coding.chroma)


cdef inline Level level_of_run(const Queue* queue, int64_t run) noexcept nogil:
    return level_of(
        queue.runs + run * RUN_FIELDS, queue.memory, queue.components, queue.component_count,
        queue.chroma)


cdef inline bint fills_lanes(
    const Queue* queue, int64_t least, int64_t least_passes
) noexcept nogil:
    """Whether there is enough to do for many lanes at once: so many coefficients, and as many as
    in so many of the longest passes."""
    cdef int64_t most = most_in_pass(<int>queue.runs[5])
    cdef int64_t coefficients = 0
    cdef int64_t longest = 0
    cdef int64_t run, length, last
    cdef const int64_t* fields = queue.runs
    cdef Level level
    cdef Block block
    for run in range(queue.run_count):
        level = level_of_run(queue, run)
        block = block_at(&level, fields[FIRST_BLOCK], 0)
        length = pass_length(&block)
        longest = max(longest, length)
        last = fields[RUN_FIELDS + FIRST_ITEM] if run + 1 < queue.run_count else queue.count
        coefficients += length * (last - fields[FIRST_ITEM]) * queue.component_count
        if coefficients >= max(least, least_passes * most):
            return True
        fields += RUN_FIELDS
    return coefficients >= max(least, least_passes * longest)


cdef struct Blocks:  # what a call tells of the blocks that it has encoded, by place in the file
    int chunk
    int32_t* chunks
    int64_t* offsets
    uint32_t* lengths


cdef inline bint take_block(
    Queue* queue, Level* level, int64_t* index, int64_t* place
) noexcept nogil:
    """Take the next block: its level, its number there and in the file; False if none is left."""
    cdef int64_t run = 0  # the last whose first block is not behind this one
    cdef int64_t end = queue.run_count
    cdef int64_t middle
    cdef const int64_t* fields
    cdef int64_t item = fetch_add(queue.next)
    if item >= queue.count:
        return False
    while end - run > 1:
        middle = (run + end) >> 1
        if queue.runs[middle * RUN_FIELDS + FIRST_ITEM] <= item:
            run = middle
        else:
            end = middle
    fields = queue.runs + run * RUN_FIELDS
    level[0] = level_of_run(queue, run)
    index[0] = item - fields[FIRST_ITEM] + fields[FIRST_BLOCK]
    place[0] = item - fields[FIRST_ITEM] + fields[FIRST_PLACE]
    return True
