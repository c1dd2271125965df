/* Flush denormals to zero inside a kernel, and restore the caller's state after it.
 *
 *     unsigned saved = denormals_flush();
 *     ... arithmetic ...
 *     denormals_restore(saved);
 *
 * The state belongs to a thread.
 */
#ifndef FASTNN_DENORMALS_H
#define FASTNN_DENORMALS_H

#include <stdint.h>

#if defined(__SSE2__)
#include <xmmintrin.h>
static inline uint64_t denormals_flush(void) {
    unsigned saved = _mm_getcsr();
    _mm_setcsr(saved | 0x8040u); /* flush-to-zero and denormals-are-zero */
    return saved;
}
static inline void denormals_restore(uint64_t saved) { _mm_setcsr((unsigned)saved); }
#elif defined(__aarch64__)
static inline uint64_t denormals_flush(void) {
    uint64_t saved;
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
    __asm__ volatile("msr fpcr, %0" : : "r"(saved | (UINT64_C(1) << 24)));
    return saved;
}
static inline void denormals_restore(uint64_t saved) {
    __asm__ volatile("msr fpcr, %0" : : "r"(saved));
}
#else
static inline uint64_t denormals_flush(void) { return 0; }
static inline void denormals_restore(uint64_t saved) { (void)saved; }
#endif

#endif
