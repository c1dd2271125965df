/* Vectors, names and floating-point state shared by the micro-kernels.
 *
 * Each source is compiled once per level of the instruction set: ISA is 4 (AVX-512), 3 (AVX2 and
 * FMA), 2 (SSE4.2) or 1 (whatever the compiler's baseline is). FN(gemm) becomes gemm_v4 and so on.
 */
#ifndef FASTNN_SIMD_H
#define FASTNN_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FN_JOIN(name, isa) name##_v##isa
#define FN_EXPAND(name, isa) FN_JOIN(name, isa)
#define FN(name) FN_EXPAND(name, ISA)

#if ISA == 4
#define VECTOR_BYTES 64
#elif ISA == 3
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

#define NEAR_BYTES 24576 /* what is to stay in a first-level cache of 32 KB may take so much */

#define LANES_F32 (VECTOR_BYTES / 4)
#define LANES_F64 (VECTOR_BYTES / 8)

typedef float vector_f32 __attribute__((vector_size(VECTOR_BYTES)));
typedef double vector_f64 __attribute__((vector_size(VECTOR_BYTES)));
/* The same vectors at addresses that need not be aligned. */
typedef float loose_f32 __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef double loose_f64 __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));

#include "team.h"

#endif
