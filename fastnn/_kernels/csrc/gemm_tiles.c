/* Large products of float32 on the tiles of AMX; tiles.h says how, gemm.h what they compute.
 *
 * B, or an A of few rows, is packed by all threads together, in spans of k and of lines that stay
 * in the second cache. A piece of work is some panels of the other, which its thread packs for
 * itself, by panels of the shared one. What the tiles cannot take is left to the vector kernels:
 * 128 k's of a panel, or a span. That depends on values and sizes, not on threads.
 */
#include "tiles_here.h"
#if FASTNN_TILES
#pragma GCC target("amx-tile,amx-bf16")
#define REAL_BITS 32
#include "gemm_micro.h"
#include "gemm_square.h"
#include "gemm_plan.h"
#include "gemm_scratch.h"
#include "gemm_levels.h"
#include "tiles.h"
#include "tiles_panels.h"

#define NEAR_BLOCKS 4   /* of a thread's own panel at a time: 24 KB, for the first cache */
#define FEW_ROWS 256    /* of C: with more of them, going down its columns is slow */
#define WORTH_TILES 2e6 /* multiply-adds */
#define FEWEST_LINES 64 /* rows and columns: with fewer, packing takes as long as it gains */
#define LEAST_DEPTH 24
#define NEAR_SUMS (1 << 18) /* bytes of C that stay in the second cache beside packed panels */

/* One of A and B: the steps from line to line (rows of A, columns of B) and from k to k. */
struct tiles_operand {
    const float *from;
    ptrdiff_t line_step, k_step;
};

/* A span of k, all of one's own operand, and some lines of the shared one. */
struct tiles_span {
    const gemm_arguments *g;
    int shares_a;
    struct tiles_operand own, shared;
    struct cut own_panels, shared_panels;
    ptrdiff_t line, k, depth, blocks; /* `line` is the first shared one */
    ptrdiff_t groups, own_groups;     /* of panels, for pieces */
    int first, last;                  /* of the spans of k */
    char *packed, *near;
    int *unfit; /* whether the shared numbers are */
};

static int takes_tiles(const gemm_arguments *g) {
    return g->batch == 1 && g->c_col == 1 && smaller(g->m, g->n) >= FEWEST_LINES &&
           g->k >= LEAST_DEPTH && (g->a_row == 1 || g->a_col == 1) &&
           (g->b_row == 1 || g->b_col == 1) &&
           (double)g->m * (double)g->n * (double)g->k >= WORTH_TILES;
}

static struct tiles_packing packing_at(char *to, const struct tiles_operand *operand, int is_a,
                                       ptrdiff_t line, ptrdiff_t lines, ptrdiff_t k,
                                       ptrdiff_t depth) {
    return packing_of(to, operand->from + line * operand->line_step + k * operand->k_step,
                      operand->line_step, operand->k_step, lines, depth, is_a);
}

static void pack_shared_panel(const void *work, ptrdiff_t panel, int worker) {
    const struct tiles_span *span = work;
    struct tiles_packing packing =
        packing_at(span->packed + panel * span->blocks * PANEL_BLOCK, &span->shared, span->shares_a,
                   span->line + cut_start(&span->shared_panels, panel),
                   cut_length(&span->shared_panels, panel), span->k, span->depth);
    (void)worker;
    if (!pack_all(&packing)) __atomic_store_n(span->unfit, 1, __ATOMIC_RELAXED);
}

/* A block of C, and the blocks of k that are added to it. */
struct tiles_turn {
    ptrdiff_t row, column, rows, columns, block, blocks;
    int begins, ends;
};

static struct tiles_turn turn_of(const struct tiles_span *span, ptrdiff_t own, ptrdiff_t shared,
                                 ptrdiff_t block) {
    const ptrdiff_t own_line = cut_start(&span->own_panels, own);
    const ptrdiff_t own_lines = cut_length(&span->own_panels, own);
    const ptrdiff_t line = cut_start(&span->shared_panels, shared);
    const ptrdiff_t lines = cut_length(&span->shared_panels, shared);
    const ptrdiff_t near = smaller(NEAR_BLOCKS, span->blocks - block);
    struct tiles_turn turn = {.block = block, .blocks = near, .begins = span->first && !block,
                              .ends = span->last && block + near == span->blocks};
    turn.row = span->shares_a ? span->line + line : own_line;
    turn.rows = span->shares_a ? lines : own_lines;
    turn.column = span->shares_a ? own_line : span->line + line;
    turn.columns = span->shares_a ? own_lines : lines;
    return turn;
}

/* Whether the sums of a block start with its bias. */
static int starts_with_bias(const gemm_arguments *g) {
    return g->bias && !g->bias_per_row && !g->accumulate;
}

/* What a block's sums start with: C, the bias, or 0. */
static struct tiles_place place_of(const gemm_arguments *g, const struct tiles_turn *turn) {
    float *c = (float *)g->c + turn->row * g->c_row + turn->column;
    struct tiles_place place = {.to = c, .step = g->c_row * 4};
    if (!turn->begins || g->accumulate)
        place.start = c, place.start_step = place.step;
    else if (starts_with_bias(g))
        place.start = (const float *)g->bias + turn->column;
    return place;
}

/* The bias, if the sums did not start with it, and the bend. */
static void finish_block(const gemm_arguments *g, const struct tiles_turn *turn) {
    float *c = (float *)g->c + turn->row * g->c_row + turn->column;
    const float *bias = g->bias;
    const int adds = bias && !starts_with_bias(g), bends = g->below != 1;
    for (ptrdiff_t i = 0; (adds || bends) && i < turn->rows; i++, c += g->c_row)
        for (ptrdiff_t j = 0; j < turn->columns; j += LANES) {
            const MASK mask = first_lanes_f32((int)smaller(LANES, turn->columns - j));
            vector_f32 value = load_part_f32(c + j, mask);
            if (adds && g->bias_per_row) value += bias[turn->row + i];
            if (adds && !g->bias_per_row) value += load_part_f32(bias + turn->column + j, mask);
            store_part_f32(c + j, bends ? bent_f32(value, (float)g->below) : value, mask);
        }
}

static void copy_rows(float *to, ptrdiff_t to_step, const float *from, ptrdiff_t from_step,
                      ptrdiff_t rows, ptrdiff_t columns) {
    for (ptrdiff_t i = 0; i < rows; i++)
        memcpy(to + i * to_step, from + i * from_step, (size_t)columns * sizeof(float));
}

/* A block of C at the edge passes through a whole one. */
static void multiply_edge(const char *a, const char *b, ptrdiff_t blocks,
                          const struct tiles_place *place, struct tiles_packing *aside,
                          int shares_a, ptrdiff_t rows, ptrdiff_t columns) {
    float whole[PANEL_LINES * PANEL_LINES] __attribute__((aligned(64)));
    const struct tiles_place inner = {whole, 4 * PANEL_LINES, place->start ? whole : NULL,
                                      4 * PANEL_LINES};
    if (place->start)
        copy_rows(whole, PANEL_LINES, place->start, place->start_step / 4, rows, columns);
    multiply_panels(a, b, blocks, &inner, aside, shares_a, rows, columns);
    copy_rows(place->to, place->step / 4, whole, PANEL_LINES, rows, columns);
}

static void multiply_turn(const struct tiles_span *span, const struct tiles_turn *turn,
                          const char *near, const char *far, struct tiles_packing *aside) {
    const struct tiles_place place = place_of(span->g, turn);
    const char *a = span->shares_a ? far : near, *b = span->shares_a ? near : far;
    if (turn->rows % TILE_LINES || turn->columns % TILE_LINES)
        multiply_edge(a, b, turn->blocks, &place, aside, span->shares_a, turn->rows, turn->columns);
    else
        multiply_panels(a, b, turn->blocks, &place, aside, span->shares_a, turn->rows,
                        turn->columns);
    if (turn->ends) finish_block(span->g, turn);
}

/* The same by the vector kernels, block by block, lest their sums depend on the groups. */
static void multiply_unfit(const struct tiles_span *span, const struct tiles_turn *turn) {
    const int adds_bias = starts_with_bias(span->g) ? turn->begins : turn->ends;
    gemm_arguments g = *span->g;
    const ptrdiff_t k = span->k + turn->block * TILE_DEPTH;
    g.m = turn->rows, g.n = turn->columns;
    g.k = smaller(turn->blocks * TILE_DEPTH, span->k + span->depth - k);
    g.a = (const float *)g.a + turn->row * g.a_row + k * g.a_col;
    g.b = (const float *)g.b + k * g.b_row + turn->column * g.b_col;
    g.c = (float *)g.c + turn->row * g.c_row + turn->column;
    g.accumulate = g.accumulate || !turn->begins;
    if (g.bias) g.bias = (const float *)g.bias + (g.bias_per_row ? turn->row : turn->column);
    if (!adds_bias) g.bias = NULL;
    if (!turn->ends) g.below = 1;
    gemm_f32_v4(&g, 1);
}

/* Some of one's own panels, which are packed and multiplied in turns of NEAR_BLOCKS blocks. */
struct tiles_piece {
    const struct tiles_span *span;
    ptrdiff_t first, panels, together;
    char *near;
};

/* How many of one's own panels go along k together. Where their lines are neighbours, one alone
 * would read 128 bytes of each k's row: together, 384x2048 by 2048x128 that lie in memory went from
 * 115 to 141 GFLOP/s. */
static ptrdiff_t panels_together(const struct tiles_span *span, ptrdiff_t panels,
                                 ptrdiff_t shared) {
    const ptrdiff_t sums = shared * PANEL_LINES * PANEL_LINES * 4;
    return span->own.k_step == 1 ? 1 : larger(1, smaller(panels, NEAR_SUMS / sums));
}

/* The panel of a turn, counted in the piece; its first block of k goes to `block`. */
static ptrdiff_t panel_of_turn(const struct tiles_piece *piece, ptrdiff_t number,
                               ptrdiff_t *block) {
    const ptrdiff_t turns = ceil_div(piece->span->blocks, NEAR_BLOCKS);
    const ptrdiff_t before = number / (piece->together * turns) * piece->together;
    const ptrdiff_t here = smaller(piece->together, piece->panels - before);
    *block = (number - before * turns) / here * NEAR_BLOCKS;
    return before + (number - before * turns) % here;
}

static struct tiles_packing own_packing(const struct tiles_piece *piece, ptrdiff_t number) {
    const struct tiles_span *span = piece->span;
    ptrdiff_t block;
    const ptrdiff_t panel = piece->first + panel_of_turn(piece, number, &block);
    const ptrdiff_t k = block * TILE_DEPTH;
    return packing_at(piece->near + number % 2 * NEAR_BLOCKS * PANEL_BLOCK, &span->own,
                      !span->shares_a, cut_start(&span->own_panels, panel),
                      cut_length(&span->own_panels, panel), span->k + k,
                      smaller(NEAR_BLOCKS * TILE_DEPTH, span->depth - k));
}

/* The packing of a turn, which asks for the numbers of the one after it. */
static struct tiles_packing packing_ahead(const struct tiles_piece *piece, ptrdiff_t number,
                                          ptrdiff_t count) {
    struct tiles_packing packing = own_packing(piece, number);
    if (number + 1 < count) packing.ahead = own_packing(piece, number + 1).from;
    return packing;
}

/* One's own k's by the shared panels from `first` to `end`; `near` holds them packed, unless it is
 * NULL because they, or the shared ones, do not fit. */
static void multiply_shared(const struct tiles_span *span, ptrdiff_t own, ptrdiff_t block,
                            const char *near, ptrdiff_t first, ptrdiff_t end,
                            struct tiles_packing *aside) {
    for (ptrdiff_t panel = first; panel < end; panel++) {
        const struct tiles_turn turn = turn_of(span, own, panel, block);
        const char *far = span->packed + (panel * span->blocks + block) * PANEL_BLOCK;
        if (near)
            multiply_turn(span, &turn, near, far, aside);
        else
            multiply_unfit(span, &turn);
    }
}

/* Some of one's own panels by a group of shared ones. */
static void multiply_own_panels(const void *work, ptrdiff_t number_of_piece, int worker) {
    const struct tiles_span *span = work;
    const struct cut groups = cut_into(span->shared_panels.pieces, 1, span->groups);
    const struct cut owns = cut_into(span->own_panels.pieces, 1, span->own_groups);
    const ptrdiff_t group = number_of_piece % span->groups;
    const ptrdiff_t own_group = number_of_piece / span->groups;
    const ptrdiff_t first = cut_start(&groups, group), end = first + cut_units(&groups, group);
    const ptrdiff_t panels = cut_units(&owns, own_group);
    const ptrdiff_t count = panels * ceil_div(span->blocks, NEAR_BLOCKS);
    const struct tiles_piece piece = {span, cut_start(&owns, own_group), panels,
                                      panels_together(span, panels, end - first),
                                      span->near + worker * 2 * NEAR_BLOCKS * PANEL_BLOCK};
    struct tiles_packing packing = packing_ahead(&piece, 0, count);
    tiles_begin();
    for (ptrdiff_t number = 0; number < count; number++) {
        ptrdiff_t block;
        const ptrdiff_t own = piece.first + panel_of_turn(&piece, number, &block);
        const int fit = pack_all(&packing) && !*span->unfit;
        const char *packed = packing.to;
        if (number + 1 < count) packing = packing_ahead(&piece, number + 1, count);
        multiply_shared(span, own, block, fit ? packed : NULL, first, end, &packing);
    }
    tiles_end();
}

static struct tiles_span whole_span(const gemm_arguments *g) {
    const struct tiles_operand a = {g->a, g->a_row, g->a_col}, b = {g->b, g->b_col, g->b_row};
    const int shares_a = g->m <= FEW_ROWS && g->m < g->n;
    return (struct tiles_span){
        .g = g, .shares_a = shares_a, .own = shares_a ? b : a, .shared = shares_a ? a : b,
        .own_panels = cut_evenly(shares_a ? g->n : g->m, PANEL_LINES, 1)};
}

static void run_span(struct tiles_span *span, int threads) {
    const ptrdiff_t wanted = threads == 1 ? 1 : 8 * threads;
    span->blocks = ceil_div(span->depth, TILE_DEPTH);
    span->own_groups = smaller(span->own_panels.pieces, wanted);
    span->groups = smaller(span->shared_panels.pieces, ceil_div(wanted, 2 * span->own_groups));
    team_run(pack_shared_panel, span, span->shared_panels.pieces, threads);
    team_run(multiply_own_panels, span, span->own_groups * span->groups, threads);
}

int gemm_f32_tiles(const gemm_arguments *arguments, int threads) {
    const gemm_arguments g = normalised(arguments);
    if (!takes_tiles(&g)) return gemm_f32_v4(arguments, threads);
    struct tiles_span span = whole_span(&g);
    const ptrdiff_t lines = span.shares_a ? g.m : g.n;
    const ptrdiff_t turns = ceil_div(g.k, NEAR_BLOCKS * TILE_DEPTH);
    const ptrdiff_t most = half_of_second_cache() / (NEAR_BLOCKS * PANEL_BLOCK); /* panels' turns */
    const struct cut parts = cut_evenly(lines, PANEL_LINES, most);
    const ptrdiff_t widest = ceil_div(cut_start(&parts, 1), PANEL_LINES);
    const struct cut depths =
        cut_evenly(g.k, NEAR_BLOCKS * TILE_DEPTH, smaller(turns, larger(1, most / widest)));
    const ptrdiff_t size = widest * cut_start(&depths, 1) / TILE_DEPTH * PANEL_BLOCK;
    int unfit;
    span.packed = scratch_memory((size_t)(size + threads * 2 * NEAR_BLOCKS * PANEL_BLOCK));
    if (!span.packed) return -1;
    span.near = span.packed + size, span.unfit = &unfit;
    for (ptrdiff_t i = 0; i < parts.pieces; i++)
        for (ptrdiff_t j = 0; j < depths.pieces; j++) {
            unfit = 0;
            span.line = cut_start(&parts, i), span.k = cut_start(&depths, j);
            span.shared_panels = cut_evenly(cut_length(&parts, i), PANEL_LINES, 1);
            span.depth = cut_length(&depths, j);
            span.first = !j, span.last = j + 1 == depths.pieces;
            run_span(&span, threads);
        }
    return 0;
}
#endif
