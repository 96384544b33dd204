"""What the kernels need to know of a picture's coding."""
from libc.stdint cimport int32_t, int64_t, uint8_t

from gfwx.kernels.geometry cimport LEVELS, Component, Memory


cdef struct Coding:
    const Component* components     # of layout.py's table: one, or four in Bayer mode
    int component_count
    int levels                      # of the picture being made, the finest included
    const int32_t* factors          # of quantization, by component, chroma flag and level
    int shift                       # they are in units of 1 / 2^shift
    bint cubic                      # the filter
    const uint8_t* chroma           # flag of each plane
    const int32_t* steps            # of the channel transform, end mark included
    const int32_t* reversed_steps   # in reverse order, for the inverse
    bint signed                     # samples
    int boost                       # by which samples are multiplied, 1 or 8
    int tolerance                   # of the Bayer clean-up; 0 for none
    int green_parity                # of row + column where it works


cdef class CodingTables:
    cdef Coding coding
    cdef tuple arrays  # that it points to


cdef struct Part:  # a component of a plane
    Memory memory                # where its plane is the first
    const Component* component
    const int32_t* factors       # by level


cdef inline const int32_t* factors_of(
    const Coding* coding, int64_t component, bint chroma
) noexcept nogil:
    return coding.factors + (2 * component + chroma) * LEVELS


cdef inline Part part_at(const Coding* coding, const Memory* memory, int64_t index) noexcept nogil:
    """Components count from the first of the first plane."""
    cdef Part part
    cdef int64_t plane = index // coding.component_count
    cdef int64_t component = index % coding.component_count
    part.memory = memory[0]
    part.memory.coarse += plane * memory.coarse_stride
    part.component = coding.components + component
    part.factors = factors_of(
        coding, component, component > 0 if coding.component_count > 1 else coding.chroma[plane])
    return part
