/* The products of recurrent layers on the tiles of AMX; tiles.h says how they multiply.
 *
 * The rows of a tile are packed anew in each span. One that is not finite, or close to that, is
 * multiplied in plain C: that concerns it alone, so no result depends on how the batch is shared.
 * Small gradients are left to the tiles, which lose digits where products are nearly denormal. A
 * weight that the tiles cannot take sets `unfit`.
 */
#include "gemm_square.h"
#include "gemm_scratch.h"
#include "tiles.h"
#include "tiles_panels.h"

static size_t packed_size_f32(const rnn_arguments *a) {
    const ptrdiff_t panels = ceil_div(a->hidden, PANEL_LINES);
    const ptrdiff_t blocks = rnn_gates(a->kind) * panels * panels;
    return (size_t)larger(blocks * PANEL_BLOCK / 4, (ptrdiff_t)rnn_f32_v4.packed_size(a));
}

static struct rnn_call call_of_f32(const rnn_arguments *a, int backward, int threads) {
    struct rnn_call call = {
        .a = a, .backward = backward, .units = cut_evenly(a->hidden, PANEL_LINES, 1)};
    call.tile_rows = a->batch >= threads * PANEL_LINES ? PANEL_LINES : TILE_LINES;
    call.row_groups = ceil_div(a->batch, call.tile_rows);
    return call;
}

/* Blocks of k of one panel: forward hidden units, backward all gates of them. */
static ptrdiff_t blocks_of(const rnn_arguments *a, int backward) {
    return ceil_div(backward ? rnn_gates(a->kind) * a->hidden : a->hidden, TILE_DEPTH);
}

static void pack_weight_f32(const void *work, ptrdiff_t piece, int worker) {
    const struct rnn_call *call = work;
    const rnn_arguments *a = call->a;
    const ptrdiff_t gates = rnn_gates(a->kind), start = cut_start(&call->units, piece);
    const ptrdiff_t units = cut_length(&call->units, piece), hidden = a->hidden;
    const ptrdiff_t size = blocks_of(a, call->backward) * PANEL_BLOCK;
    char *to = (char *)a->packed + piece * (call->backward ? 1 : gates) * size;
    const float *weight = (const float *)a->weight;
    (void)worker;
    for (ptrdiff_t gate = 0; gate < (call->backward ? 1 : gates); gate++) {
        struct tiles_packing packing =
            call->backward
                ? packing_of(to, weight + start, 1, hidden, units, gates * hidden, 0)
                : packing_of(to + gate * size, weight + (gate * hidden + start) * hidden, hidden, 1,
                             units, hidden, 0);
        if (!pack_all(&packing)) __atomic_store_n(call->unfit, 1, __ATOMIC_RELAXED);
    }
}

/* A tile's rows of a span, packed, and which of them are for the tiles. */
struct packed_rows {
    int fits[PANEL_LINES];
    char parts[];
};

static struct packed_rows *rows_memory(const struct rnn_share *share) {
    const ptrdiff_t blocks = blocks_of(share->a, share->backward);
    return scratch_memory(sizeof(struct packed_rows) + (size_t)(blocks * PANEL_BLOCK));
}

/* Returns whether the row is for the tiles. */
static int pack_row(const float *from, ptrdiff_t depth, char *to) {
    __m512i largest = _mm512_setzero_si512();
    for (ptrdiff_t k = 0; k < depth; k += TILE_DEPTH, to += PANEL_BLOCK) {
        const int left = (int)smaller(depth - k, TILE_DEPTH);
        const MASK low_mask = first_lanes_f32(left < LANES ? left : LANES);
        const MASK high_mask = first_lanes_f32(left > LANES ? left - LANES : 0);
        const vector_f32 low = load_part_f32(from + k, low_mask);
        const vector_f32 high = load_part_f32(from + k + LANES, high_mask);
        largest = _mm512_max_epu32(largest, _mm512_max_epu32(magnitude(low), magnitude(high)));
        store_parts(to, PART_STEP, (__m512)low, (__m512)high);
    }
    return _mm512_reduce_max_epu32(largest) < TILES_LARGEST;
}

/* What the rows of a span are multiplied from: forward the states before, backward gradients. */
static const float *source_of(const struct rnn_share *share, const rnn_span *span,
                              ptrdiff_t *step) {
    const rnn_arguments *a = share->a;
    *step = share->backward ? rnn_gates(a->kind) * a->hidden : a->hidden;
    return share->backward ? (const float *)a->d_sums + span->row * *step
                           : (const float *)a->states + span->from * *step;
}

static void begin_products_f32(const struct rnn_share *share, const rnn_span *span) {
    ptrdiff_t first, step;
    tiles_begin();
    const ptrdiff_t rows = rnn_tile(share, span, share->row_group, &first);
    const float *from = source_of(share, span, &step);
    struct packed_rows *packed = rows_memory(share);
    for (ptrdiff_t row = 0; packed && row < rows; row++)
        packed->fits[row] = pack_row(
            from + (first + row) * step, step,
            packed->parts + row / TILE_LINES * TILE_BYTES + row % TILE_LINES * TILE_ROW);
}

static void end_products_f32(void) { tiles_end(); }

/* A product of the rows of a tile by one panel: C += A B (+ bias), or = A B. */
struct panel_product {
    const float *weight; /* as it was given, for rows that the tiles cannot take */
    ptrdiff_t k_step, column_step;
    const char *packed;
    const float *bias;
    float *c;
    ptrdiff_t c_row, columns;
    int accumulates;
};

static void sum_plainly(const struct panel_product *product, const float *from, ptrdiff_t depth,
                        float *sums) {
    for (ptrdiff_t column = 0; column < product->columns; column++) {
        const float *weight = product->weight + column * product->column_step;
        float sum = 0;
        for (ptrdiff_t k = 0; k < depth; k++) sum += from[k] * weight[k * product->k_step];
        sums[column] = sum;
    }
}

static void finish_row(const struct panel_product *product, const float *sums, float *c) {
    for (ptrdiff_t j = 0; j < product->columns; j += LANES) {
        const MASK mask = first_lanes_f32((int)smaller(LANES, product->columns - j));
        vector_f32 value = load_f32(sums + j);
        if (product->accumulates) value += load_part_f32(c + j, mask);
        if (product->bias) value += load_part_f32(product->bias + j, mask);
        store_part_f32(c + j, value, mask);
    }
}

/* Asks for what a product is added to, which lies in short rows far apart. */
static void fetch_sums_of(const struct panel_product *product, ptrdiff_t first, ptrdiff_t rows) {
    for (ptrdiff_t row = first; row < first + rows; row++)
        for (ptrdiff_t column = 0; column < product->columns; column += LANES)
            FETCH_TO_WRITE(product->c + row * product->c_row + column);
}

static void run_product_f32(const struct rnn_share *share, const rnn_span *span,
                            const struct panel_product *product) {
    ptrdiff_t first, step;
    const ptrdiff_t rows = rnn_tile(share, span, share->row_group, &first);
    const float *from = source_of(share, span, &step);
    const struct packed_rows *packed = rows_memory(share);
    struct tiles_packing nothing = {.step = 0};
    float sums[PANEL_LINES * PANEL_LINES] __attribute__((aligned(64)));
    const struct tiles_place place = {sums, 4 * PANEL_LINES, NULL, 0};
    fetch_sums_of(product, first, rows);
    if (packed && rows > 0)
        multiply_panels(packed->parts, product->packed, blocks_of(share->a, share->backward),
                        &place, &nothing, 1, rows, product->columns);
    for (ptrdiff_t row = 0; row < rows; row++) {
        float *of_row = sums + row * PANEL_LINES;
        if (!packed || !packed->fits[row])
            sum_plainly(product, from + (first + row) * step, step, of_row);
        finish_row(product, of_row, product->c + (first + row) * product->c_row);
    }
}

static void multiply_forward_f32(const struct rnn_share *share, const rnn_span *span,
                                 ptrdiff_t piece) {
    const rnn_arguments *a = share->a;
    const ptrdiff_t hidden = a->hidden, gates = rnn_gates(a->kind);
    const ptrdiff_t start = cut_start(&share->units, piece), size = blocks_of(a, 0) * PANEL_BLOCK;
    const ptrdiff_t pitch = rnn_kept(a->kind) * hidden;
    for (ptrdiff_t gate = 0; gate < gates; gate++) {
        const int apart = a->kind == RNN_GRU && gate == 2;
        const ptrdiff_t unit = gate * hidden + start;
        const struct panel_product product = {
            .weight = (const float *)a->weight + unit * hidden, .k_step = 1, .column_step = hidden,
            .packed = (const char *)a->packed + (piece * gates + gate) * size,
            .bias = a->bias ? (const float *)a->bias + unit : NULL,
            .c = (float *)a->gates + span->row * pitch + unit + apart * hidden, .c_row = pitch,
            .columns = cut_length(&share->units, piece), .accumulates = !apart};
        run_product_f32(share, span, &product);
    }
}

static void multiply_backward_f32(const struct rnn_share *share, const rnn_span *span,
                                  ptrdiff_t piece) {
    const rnn_arguments *a = share->a;
    const ptrdiff_t hidden = a->hidden, start = cut_start(&share->units, piece);
    const struct panel_product product = {
        .weight = (const float *)a->weight + start, .k_step = hidden, .column_step = 1,
        .packed = (const char *)a->packed + piece * blocks_of(a, 1) * PANEL_BLOCK,
        .c = (float *)a->d_states + span->from * hidden + start, .c_row = hidden,
        .columns = cut_length(&share->units, piece), .accumulates = 1};
    run_product_f32(share, span, &product);
}
