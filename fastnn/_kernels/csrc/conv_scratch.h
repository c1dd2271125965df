/* Scratch memory that the caller gives in one block. */
#ifndef FASTNN_CONV_SCRATCH_H
#define FASTNN_CONV_SCRATCH_H

#include <stddef.h>

/* The next piece of a scratch block, on a cache line. */
static inline void *conv_take(char **scratch, size_t bytes) {
    char *taken = *scratch;
    *scratch = taken + (bytes + 63) / 64 * 64;
    return taken;
}

#endif
