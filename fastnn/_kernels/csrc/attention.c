/* Attention for float32 and float64; attention.h says what it computes.
 *
 * Dao et al., FlashAttention, 2022: the scores exist for one block of queries and keys at a time.
 */
#define REAL_BITS 32
#include "attention_block.h"
#include "attention_forward.h"
#include "attention_backward.h"
#undef REAL_BITS
#define REAL_BITS 64
#include "attention_block.h"
#include "attention_forward.h"
#include "attention_backward.h"
