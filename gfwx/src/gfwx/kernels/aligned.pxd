"""Memory that begins at a cache line, so that vectors do not cross two."""
from libc.stdint cimport int64_t, uintptr_t
from libc.stdlib cimport free, malloc

cdef enum:
    LINE = 64  # bytes


cdef struct Aligned:
    void* memory      # NULL if there is none
    void* allocated


cdef inline Aligned allocate(int64_t size) noexcept nogil:
    cdef Aligned aligned
    aligned.memory = NULL
    aligned.allocated = malloc(size + LINE)
    if aligned.allocated != NULL:
        aligned.memory = <void*>((<uintptr_t>aligned.allocated + LINE - 1) & ~<uintptr_t>(LINE - 1))
    return aligned


cdef inline void release(Aligned* aligned) noexcept nogil:
    free(aligned.allocated)
