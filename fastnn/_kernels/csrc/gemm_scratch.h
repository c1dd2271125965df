/* Memory that each thread keeps for its own packed panels, freed when the thread ends. */
#ifndef FASTNN_GEMM_SCRATCH_H
#define FASTNN_GEMM_SCRATCH_H

#include <pthread.h>
#include <stdlib.h>

struct scratch {
    void *memory;
    size_t bytes;
};
static __thread struct scratch thread_scratch;
static pthread_key_t scratch_key;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;

static void free_scratch(void *memory) { free(memory); }
static void make_scratch_key(void) { pthread_key_create(&scratch_key, free_scratch); }

/* At least so many bytes, aligned to a page, with anything in them; NULL if there is no memory. */
static void *scratch_memory(size_t bytes) {
    if (bytes > thread_scratch.bytes) {
        void *memory;
        pthread_once(&scratch_once, make_scratch_key);
        if (posix_memalign(&memory, 4096, bytes)) return NULL;
        free(thread_scratch.memory);
        pthread_setspecific(scratch_key, memory);
        thread_scratch.memory = memory;
        thread_scratch.bytes = bytes;
    }
    return thread_scratch.memory;
}

#endif
