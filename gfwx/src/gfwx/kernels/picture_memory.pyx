"""Memory of large pictures, which the next picture takes over when one is dropped.

New pages cost more than what is done with them: a picture of 64 megapixels decodes up to 1.6 times
as fast without. The system may take memory back that is kept here, where it offers that.
"""
from cpython.buffer cimport PyBuffer_FillInfo
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc

from gfwx.kernels.pages cimport CAN_BE_RECLAIMED, let_reclaim, prefer_huge_pages

cdef enum:
    MOST_KEPT = 1 << 28  # bytes

# Of one picture: while a loop decodes, the last picture is dropped after the next is made.
cdef uint8_t* kept = NULL
cdef size_t kept_size = 0


def release():
    """Give what is kept back to the system."""
    global kept, kept_size
    free(kept)
    kept = NULL
    kept_size = 0


cdef class PictureMemory:
    """So many bytes, of whatever values, as a writable buffer."""
    cdef uint8_t* memory
    cdef size_t size    # that was asked for
    cdef size_t room    # that there is

    def __cinit__(self, size_t size):
        global kept, kept_size
        if size <= kept_size and kept_size - size <= size >> 2:
            self.memory, self.room = kept, kept_size
            kept, kept_size = NULL, 0
        else:
            self.memory, self.room = <uint8_t*>malloc(max(size, <size_t>1)), size
            if self.memory == NULL:
                raise MemoryError
            prefer_huge_pages(self.memory, size)
        self.size = size

    def __dealloc__(self):
        global kept, kept_size
        if CAN_BE_RECLAIMED and self.room <= MOST_KEPT and self.memory != NULL:
            release()
            let_reclaim(self.memory, self.room)
            kept, kept_size = self.memory, self.room
        else:
            free(self.memory)

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(view, self, self.memory, self.size, 0, flags)
