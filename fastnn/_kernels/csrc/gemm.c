/* Matrix products for float32 and float64; gemm.h says what they compute. */
#define REAL_BITS 32
#include "gemm_run.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "gemm_run.h"
