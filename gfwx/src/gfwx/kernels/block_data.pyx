"""The data of encoded blocks, until a file is put together."""
from libc.stdlib cimport free


cdef class BlockData:
    """Memory that grows as blocks are encoded, and can be used again."""

    def __dealloc__(self):
        free(self.memory)

    def clear(self):
        """Forget the data; the memory stays."""
        self.used = 0

    @property
    def size(self):
        """Bytes of memory."""
        return self.room

    cdef BitWriter writer(self) noexcept:
        """Begin to append."""
        cdef BitWriter writer
        writer.data = self.memory
        writer.next = self.memory + self.used
        writer.end = self.memory + self.room
        writer.pending = 0
        writer.count = 0
        return writer

    cdef void keep(self, BitWriter* writer) noexcept:
        """End appending; the writer may have moved the memory."""
        self.memory = writer.data
        self.used = writer.next - writer.data
        self.room = writer.end - writer.data
