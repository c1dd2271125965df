/* Loads and stores of a part of a vector with AVX2, which masks whole words only.
 *
 * Loops over the lanes took 89 ns for a window of four taps at 6 channels on a Zen 3, whose
 * masked store is slow as well: the stores go by powers of two.
 */
#ifndef FASTNN_LANES_AVX2_H
#define FASTNN_LANES_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

/* The first `bytes`, a multiple of 4; the others are zero, and their memory is not touched. */
static inline __m256i load_bytes_256(const void *from, ptrdiff_t bytes) {
    static const int32_t mask_words[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    const __m256i mask = _mm256_loadu_si256((const __m256i *)(mask_words + 8 - bytes / 4));
    return _mm256_maskload_epi32((const int *)from, mask);
}

static inline void store_bytes_256(void *to, __m256i value, ptrdiff_t bytes) {
    char *place = (char *)to;
    __m128i part = _mm256_castsi256_si128(value);
    if (bytes & 16) {
        _mm_storeu_si128((__m128i *)place, part);
        part = _mm256_extracti128_si256(value, 1);
        place += 16;
    }
    if (bytes & 8) {
        _mm_storel_epi64((__m128i *)place, part);
        part = _mm_unpackhi_epi64(part, part);
        place += 8;
    }
    if (bytes & 4) _mm_storeu_si32(place, part);
}

#endif
