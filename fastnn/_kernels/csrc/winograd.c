/* Winograd's convolution for float32; winograd.h says what it computes. */
#define REAL_BITS 32
#include "winograd_run.h"
#include "winograd_weight.h"
