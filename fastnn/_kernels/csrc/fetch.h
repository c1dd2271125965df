/* Asks for a cache line ahead of its use, where the processor does not foresee it: to read it (into
 * the second cache) or to write it. By hand, for GCC drops functions of nothing but prefetches. */
#ifndef FASTNN_FETCH_H
#define FASTNN_FETCH_H

#define CACHE_LINE 64 /* bytes */

#if FASTNN_X86
#define FETCH(hint, at) __asm__ volatile("prefetch" hint " %0" : : "m"(*(const char *)(at)))
#define FETCH_TO_READ(at) FETCH("t1", at)
#define FETCH_TO_WRITE(at) FETCH("w", at)
#else
#define FETCH_TO_READ(at) __builtin_prefetch(at, 0, 2)
#define FETCH_TO_WRITE(at) __builtin_prefetch(at, 1, 2)
#endif

#endif
