/* The compiled levels of the matrix product, and the choice among them. */
#ifndef FASTNN_GEMM_LEVELS_H
#define FASTNN_GEMM_LEVELS_H

#include "gemm.h"
#include "tiles_here.h"

#if FASTNN_X86
gemm_function gemm_f32_v2, gemm_f32_v3, gemm_f32_v4, gemm_f64_v2, gemm_f64_v3, gemm_f64_v4;
gemm_function gemm_f32_tiles;
static inline gemm_function *gemm_for_f32(int isa, int tiles) {
#if FASTNN_TILES
    if (tiles) return gemm_f32_tiles;
#endif
    (void)tiles;
    return isa == 4 ? gemm_f32_v4 : isa == 3 ? gemm_f32_v3 : gemm_f32_v2;
}
static inline gemm_function *gemm_for_f64(int isa) {
    return isa == 4 ? gemm_f64_v4 : isa == 3 ? gemm_f64_v3 : gemm_f64_v2;
}
#else
gemm_function gemm_f32_v1, gemm_f64_v1;
static inline gemm_function *gemm_for_f32(int isa, int tiles) {
    (void)isa, (void)tiles;
    return gemm_f32_v1;
}
static inline gemm_function *gemm_for_f64(int isa) { (void)isa; return gemm_f64_v1; }
#endif

#endif
