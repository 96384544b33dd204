"""Blocks of several levels, taken one by one by any number of threads."""
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from gfwx.kernels.blocks cimport Level, level_of
from gfwx.kernels.geometry cimport Component

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
    LEVEL_FIELDS = 11  # of Layout.describe; the last is the level's first block in the queue


cdef struct Queue:
    int64_t* next             # block, shared by the threads
    int64_t count
    const int64_t* levels     # rows of LEVEL_FIELDS, by first block
    int64_t level_count
    const Component* components
    int component_count
    int64_t plane_stride
    const uint8_t* chroma


cdef struct Blocks:  # what a thread tells of the blocks that it has encoded, by place in the queue
    int worker
    int32_t* workers
    int64_t* offsets
    uint32_t* lengths


cdef inline Queue queue_of(
    int64_t* next, int64_t count, const int64_t* levels, int64_t level_count,
    const Component* components, int component_count, int64_t plane_stride,
    const uint8_t* chroma,
) noexcept nogil:
    cdef Queue queue
    queue.next = next
    queue.count = count
    queue.levels = levels
    queue.level_count = level_count
    queue.components = components
    queue.component_count = component_count
    queue.plane_stride = plane_stride
    queue.chroma = chroma
    return queue


cdef inline bint take_block(
    Queue* queue, Level* level, int64_t* index, int64_t* item
) noexcept nogil:
    """Take the next block: its level, its index there and in the queue; False if none is left."""
    cdef int64_t row = 0  # the last whose first block is not behind this one
    cdef int64_t end = queue.level_count
    cdef int64_t middle
    item[0] = fetch_add(queue.next)
    if item[0] >= queue.count:
        return False
    while end - row > 1:
        middle = (row + end) >> 1
        if queue.levels[middle * LEVEL_FIELDS + LEVEL_FIELDS - 1] <= item[0]:
            row = middle
        else:
            end = middle
    level[0] = level_of(
        queue.levels + row * LEVEL_FIELDS, queue.components, queue.component_count,
        queue.plane_stride, queue.chroma)
    index[0] = item[0] - queue.levels[row * LEVEL_FIELDS + LEVEL_FIELDS - 1]
    return True
