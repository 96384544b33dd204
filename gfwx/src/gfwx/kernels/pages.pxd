"""Pages of memory: large ones cost fewer faults when they are first touched."""
cdef extern from *:
    """
    #include <stddef.h>
    #include <stdint.h>
    #if defined(__linux__)
    #include <sys/mman.h>
    #endif
    #define GFWX_HUGE ((size_t)1 << 22)  /* bytes from which it pays; as NumPy has it */
    #if defined(__GNUC__)
    #define gfwx_prefetch(p) __builtin_prefetch(p)
    #define gfwx_prefetch_for_writing(p) __builtin_prefetch((p), 1)
    #else
    #define gfwx_prefetch(p) ((void)(p))
    #define gfwx_prefetch_for_writing(p) ((void)(p))
    #endif
    static inline void gfwx_prefer_huge_pages(void *memory, size_t size)
    {
    #if defined(__linux__) && defined(MADV_HUGEPAGE)
        uintptr_t first = ((uintptr_t)memory + 4095) & ~(uintptr_t)4095;
        uintptr_t last = ((uintptr_t)memory + size) & ~(uintptr_t)4095;
        if (size >= GFWX_HUGE)
            madvise((void *)first, last - first, MADV_HUGEPAGE);  /* advice only: may fail */
    #endif
    }
    #if defined(__linux__) && defined(MADV_FREE)
    #define GFWX_CAN_BE_RECLAIMED 1
    #else
    #define GFWX_CAN_BE_RECLAIMED 0
    #endif
    static inline void gfwx_let_reclaim(void *memory, size_t size)
    {
    #if GFWX_CAN_BE_RECLAIMED
        uintptr_t first = ((uintptr_t)memory + 4095) & ~(uintptr_t)4095;
        uintptr_t last = ((uintptr_t)memory + size) & ~(uintptr_t)4095;
        if (first < last)
            madvise((void *)first, last - first, MADV_FREE);
    #endif
    }
    """
    bint CAN_BE_RECLAIMED "GFWX_CAN_BE_RECLAIMED"
    void prefer_huge_pages "gfwx_prefer_huge_pages"(void* memory, size_t size) noexcept nogil
    # Until it is written again, the system may replace it by zeros when it runs out of memory.
    void let_reclaim "gfwx_let_reclaim"(void* memory, size_t size) noexcept nogil
    # Hints: nothing is read, so the place need not exist.
    void prefetch "gfwx_prefetch"(const void* memory) noexcept nogil
    void prefetch_for_writing "gfwx_prefetch_for_writing"(const void* memory) noexcept nogil
