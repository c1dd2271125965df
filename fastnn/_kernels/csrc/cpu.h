/* What the processor offers, and what a fork leaves of the thread pool. */
#ifndef FASTNN_CPU_H
#define FASTNN_CPU_H

#include <pthread.h>
#include "tiles_here.h"
#if FASTNN_TILES
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* Whether this thread group may use the tiles of AMX, for which Linux wants to be asked. */
static inline int cpu_has_tiles(void) {
#if FASTNN_TILES
    unsigned a, b, c, d;
    const unsigned bf16_and_tile = 1u << 22 | 1u << 24;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & bf16_and_tile) != bf16_and_tile) return 0;
    return !syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* tile data */);
#else
    return 0;
#endif
}

/* Highest x86-64 level whose vector instructions the processor and the system support. */
static inline int cpu_level(void) {
#if FASTNN_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512cd"))
        return 4;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi2"))
        return 3;
    return 2;
#else
    return 1;
#endif
}

/* Threads do not live on in a forked child, which would wait for them for ever; there every kernel
 * runs on the calling thread. */
static int forked_child = 0;
static void mark_forked_child(void) { forked_child = 1; }
static inline void watch_forks(void) { pthread_atfork(NULL, NULL, mark_forked_child); }

#endif
