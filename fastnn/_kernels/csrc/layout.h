/* Transposition of batches of matrices, which turns channels-last memory into channels-first. */
#ifndef FASTNN_LAYOUT_H
#define FASTNN_LAYOUT_H

#include <stddef.h>

/* to[batch, cols, rows] = from[batch, rows, cols], elements of 4 or 8 bytes. */
typedef void (*transpose_function)(ptrdiff_t batch, ptrdiff_t rows, ptrdiff_t cols,
                                   const void *from, void *to, int threads);

#if FASTNN_X86
void transpose_4_v2(ptrdiff_t, ptrdiff_t, ptrdiff_t, const void *, void *, int);
void transpose_4_v3(ptrdiff_t, ptrdiff_t, ptrdiff_t, const void *, void *, int);
void transpose_4_v4(ptrdiff_t, ptrdiff_t, ptrdiff_t, const void *, void *, int);
void transpose_8_v2(ptrdiff_t, ptrdiff_t, ptrdiff_t, const void *, void *, int);
void transpose_8_v3(ptrdiff_t, ptrdiff_t, ptrdiff_t, const void *, void *, int);
void transpose_8_v4(ptrdiff_t, ptrdiff_t, ptrdiff_t, const void *, void *, int);
static inline transpose_function transpose_for(int isa, int itemsize) {
    if (isa == 4) return itemsize == 8 ? transpose_8_v4 : transpose_4_v4;
    if (isa == 3) return itemsize == 8 ? transpose_8_v3 : transpose_4_v3;
    return itemsize == 8 ? transpose_8_v2 : transpose_4_v2;
}
#else
void transpose_4_v1(ptrdiff_t, ptrdiff_t, ptrdiff_t, const void *, void *, int);
void transpose_8_v1(ptrdiff_t, ptrdiff_t, ptrdiff_t, const void *, void *, int);
static inline transpose_function transpose_for(int isa, int itemsize) {
    (void)isa;
    return itemsize == 8 ? transpose_8_v1 : transpose_4_v1;
}
#endif

#endif
