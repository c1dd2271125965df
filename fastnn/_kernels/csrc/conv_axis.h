/* Where the taps of a convolution fall, along one axis of the image.
 *
 * Output i reads the inputs start + i*step + t*dilation for the taps t that fall inside [0, size).
 * The valid taps are a range, and neighbouring outputs with the same range form a segment: the
 * image is cut into rectangles of segments, and inside a rectangle nothing is tested any more.
 */
#ifndef FASTNN_CONV_AXIS_H
#define FASTNN_CONV_AXIS_H

#include <stddef.h>
#include "conv_scratch.h"

typedef struct {
    ptrdiff_t count, size, start, step, dilation, taps;
    ptrdiff_t out_first, out_step; /* place of output i in its image: out_first + i*out_step */
    ptrdiff_t tap_first, tap_step; /* tap t is the kernel's row tap_first + t*tap_step */
} conv_axis;

typedef struct {
    ptrdiff_t first, last;         /* outputs */
    ptrdiff_t tap_first, tap_last; /* the taps that are inside */
} conv_segment;

static inline ptrdiff_t ptrdiff_min(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t ptrdiff_max(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
static inline ptrdiff_t ceil_div(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }

static inline conv_axis conv_forward_axis(ptrdiff_t size, ptrdiff_t out_size, ptrdiff_t taps,
                                          ptrdiff_t stride, ptrdiff_t pad, ptrdiff_t dilation) {
    return (conv_axis){out_size, size, -pad, stride, dilation, taps, 0, 1, 0, 1};
}

static inline ptrdiff_t greatest_divisor(ptrdiff_t a, ptrdiff_t b) {
    while (b) {
        ptrdiff_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The data gradient at the inputs phase, phase + stride, ...: only each (stride / gcd)-th tap can
 * reach them, and over those taps it is a convolution of stride 1. So nothing is multiplied by the
 * zeros between strided outputs. */
static inline conv_axis conv_gradient_axis(ptrdiff_t size, ptrdiff_t out_size, ptrdiff_t taps,
                                           ptrdiff_t stride, ptrdiff_t pad, ptrdiff_t dilation,
                                           ptrdiff_t phase) {
    ptrdiff_t divisor = greatest_divisor(stride, dilation), every = stride / divisor, first = 0;
    ptrdiff_t reached = 0, last, count = phase < size ? (size - phase - 1) / stride + 1 : 0;
    while (first < every && (phase + pad - first * dilation) % stride) first++;
    if (first < every && first < taps) reached = (taps - 1 - first) / every + 1;
    if (!reached) return (conv_axis){count, out_size, 0, 1, 1, 0, phase, stride, 0, 0};
    last = first + (reached - 1) * every;
    return (conv_axis){count, out_size, (phase + pad - last * dilation) / stride, 1,
                       dilation / divisor, reached, phase, stride, last, -every};
}

static inline conv_segment conv_valid_taps(const conv_axis *axis, ptrdiff_t i) {
    ptrdiff_t base = axis->start + i * axis->step, past = axis->size - 1 - base;
    if (base >= 0 && past >= (axis->taps - 1) * axis->dilation)
        return (conv_segment){i, i + 1, 0, axis->taps};
    ptrdiff_t first = base < 0 ? ceil_div(-base, axis->dilation) : 0;
    ptrdiff_t last = past < 0 ? 0 : ptrdiff_min(past / axis->dilation + 1, axis->taps);
    if (first >= last) first = last = 0;
    return (conv_segment){i, i + 1, first, last};
}

/* Writes at most axis->count segments and returns their number. */
static inline ptrdiff_t conv_segments(const conv_axis *axis, conv_segment *segments) {
    ptrdiff_t used = 0;
    for (ptrdiff_t i = 0; i < axis->count; i++) {
        conv_segment one = conv_valid_taps(axis, i);
        conv_segment *before = segments + used - 1;
        if (used && before->tap_first == one.tap_first && before->tap_last == one.tap_last)
            before->last = i + 1;
        else
            segments[used++] = one;
    }
    return used;
}

/* The outputs whose tap t falls inside: [*first, *last). */
static inline void conv_reach_of_tap(const conv_axis *axis, ptrdiff_t t, ptrdiff_t *first,
                                     ptrdiff_t *last) {
    ptrdiff_t base = axis->start + t * axis->dilation, past = axis->size - 1 - base;
    *first = base < 0 ? ceil_div(-base, axis->step) : 0;
    *last = past < 0 ? 0 : ptrdiff_min(past / axis->step + 1, axis->count);
    if (*first > *last) *first = *last;
}

/* Offsets of the terms (tap row, tap column, channel) from a window's first input, where a pixel
 * has `pixel` values, `channels` of them in the group. */
static inline void conv_fill_offsets(const conv_axis *rows, const conv_axis *cols,
                                     ptrdiff_t width, ptrdiff_t pixel, ptrdiff_t channels,
                                     ptrdiff_t *offsets) {
    for (ptrdiff_t i = 0; i < rows->taps; i++)
        for (ptrdiff_t j = 0; j < cols->taps; j++)
            for (ptrdiff_t c = 0; c < channels; c++)
                *offsets++ = (i * rows->dilation * width + j * cols->dilation) * pixel + c;
}

#endif
