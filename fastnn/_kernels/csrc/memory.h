/* Memory for arrays, from the system and back to it. */
#ifndef FASTNN_MEMORY_H
#define FASTNN_MEMORY_H

#include <stdlib.h>
#include <sys/mman.h>
#if defined(__linux__)
#include <malloc.h>
#endif

/* Memory aligned to a cache line; large blocks ask for huge pages, which fault 512 times less. */
static inline void *aligned_memory(size_t bytes) {
    size_t alignment = bytes >= ((size_t)1 << 21) ? (size_t)1 << 21 : 64;
    void *memory = NULL;
    if (posix_memalign(&memory, alignment, bytes)) return NULL;
#if defined(MADV_HUGEPAGE)
    if (bytes >= ((size_t)1 << 21)) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    return memory;
}

/* Let the system have what was freed: the C library keeps it, even large blocks after the first. */
static inline void give_back_memory(void) {
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
}

#endif
