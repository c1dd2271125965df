/* Recurrent layers for float32 and float64; rnn.h says what they compute. */
#include "rnn.h"
#define REAL_BITS 32
#include "rnn_run.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "rnn_run.h"
