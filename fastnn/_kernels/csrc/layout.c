/* Blocked transposition, for elements of 4 and of 8 bytes. */
#include "simd.h"
#include "layout.h"

#define ROWS_PER_PART 64

typedef struct {
    ptrdiff_t rows, cols;
    const void *from;
    void *to;
} transposition;

typedef uint32_t square_row_4 __attribute__((vector_size(32)));
typedef uint64_t square_row_8 __attribute__((vector_size(64)));

#define ITEM uint32_t
#define SQUARE_ROW square_row_4
#define SIZED(name) name##_4
#include "layout_body.h"
#undef ITEM
#undef SQUARE_ROW
#undef SIZED

#define ITEM uint64_t
#define SQUARE_ROW square_row_8
#define SIZED(name) name##_8
#include "layout_body.h"
