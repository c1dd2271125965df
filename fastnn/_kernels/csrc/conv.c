/* Convolution, its data gradient and its weight gradient, for float and double. */
#include "simd.h"
#include "conv.h"
#include "conv_joined.h"
#include "conv_phase.h"
#include "conv_pixels_plan.h"
#include "conv_weight_plan.h"
#include "winograd.h"

typedef int64_t vector_i64 __attribute__((vector_size(VECTOR_BYTES)));

/* 6 pixels by 4 vectors fill the 32 registers of AVX-512; 6 by 2 the 16 registers of the others.
 * A tall tile has few vectors: 32 outputs of 64 inputs ran at 154 GFLOP/s with 6 pixels, with 9 at
 * 166. */
#define TILE_PIXELS 6
#if ISA == 4
#define TILE_VECTORS 4
#define TALL_PIXELS 9
#else
#define TILE_VECTORS 2
#define TALL_PIXELS TILE_PIXELS
#endif

#include "conv_f32.h"
#define KERNELS FN(conv_f32)
#include "conv_body.h"

#include "conv_f64.h"
#define KERNELS FN(conv_f64)
#include "conv_body.h"
