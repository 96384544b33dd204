from libc.stdint cimport int64_t, uint8_t

from gfwx.kernels.bits cimport BitWriter


cdef class BlockData:
    cdef uint8_t* memory
    cdef int64_t used
    cdef int64_t room
    cdef BitWriter writer(self) noexcept
    cdef void keep(self, BitWriter* writer) noexcept
