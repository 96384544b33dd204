"""Which instruction sets the processor and the operating system support.

Compiled once, for the plainest processor, so that it can be imported anywhere.
The sets v2, v3 and v4 are the levels of the x86-64 psABI.
"""

cdef extern from *:
    """
    #if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
    #include <cpuid.h>

    /* The psABI level, 1 to 4. __builtin_cpu_supports also checks that the operating system saves
       the vector registers; the features it does not know in every compiler are read by hand. */
    static int x86_64_level(void) {
        unsigned a, b, c = 0, d, extended = 0;
        __builtin_cpu_init();
        __get_cpuid(1, &a, &b, &c, &d);
        __get_cpuid(0x80000001u, &a, &b, &extended, &d);
        const int cmpxchg16b = c >> 13 & 1, movbe = c >> 22 & 1, osxsave = c >> 27 & 1;
        const int f16c = c >> 29 & 1, lahf = extended & 1, lzcnt = extended >> 5 & 1;
        if (!(cmpxchg16b && lahf && __builtin_cpu_supports("popcnt")
              && __builtin_cpu_supports("sse3") && __builtin_cpu_supports("ssse3")
              && __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("sse4.2")))
            return 1;
        if (!(osxsave && f16c && lzcnt && movbe && __builtin_cpu_supports("avx")
              && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi")
              && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma")))
            return 2;
        if (!(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
              && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq")
              && __builtin_cpu_supports("avx512vl")))
            return 3;
        return 4;
    }
    #else
    static int x86_64_level(void) { return 0; }
    #endif
    """
    int x86_64_level() noexcept nogil


def supported():
    """Name the instruction sets that run here, plainest first.

    Returns
    -------
    tuple of str
        ``"portable"``, then on x86-64 those of ``"v2"``, ``"v3"``, ``"v4"`` that the processor and
        the operating system support.
    """
    return ("portable", *[f"v{level}" for level in range(2, x86_64_level() + 1)])
