"""Rows of coefficients as they are."""
from libc.string cimport memcpy, memset

from gfwx.kernels.geometry cimport coefficient_t


cdef inline void copy_row(
    const coefficient_t* source, coefficient_t* target, Py_ssize_t n
) noexcept nogil:
    memcpy(target, source, n * sizeof(coefficient_t))


cdef inline void set_zero(coefficient_t* row, Py_ssize_t n) noexcept nogil:
    memset(row, 0, n * sizeof(coefficient_t))


cdef inline bint all_zero(const coefficient_t* row, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef coefficient_t found = 0
    for i in range(n):
        found |= row[i]
    return found == 0
