/* The forward pass. Scores are kept as scores[key][query], so that the largest score and the sum
 * of a query are found by lanes, and only the queries are transposed, once for their block.
 *
 * REAL_BITS must be defined and attention_block.h included.
 */

/* Memory for one block; `wide` is the block's number of queries in whole vectors. */
struct NAME(forward_memory) {
    REAL *q;                 /* [depth][wide], times the scale */
    REAL *scores;            /* [ALONG][wide], then exp(score - largest) */
    REAL *mask, *turned;     /* [ACROSS][ALONG] and [ALONG][wide] */
    REAL *v, *sums;          /* [ALONG][columns] and [ACROSS][columns], columns in whole vectors */
    REAL *largest, *total, *shrink; /* [wide] */
};

static size_t NAME(forward_memory_of)(const attention_plan *plan, REAL *from,
                                      struct NAME(forward_memory) *memory) {
    const ptrdiff_t columns = rounded_up(plan->width, LANES);
    REAL *next = from;
    memory->q = next, next += plan->depth * ACROSS;
    memory->scores = next, next += ALONG * ACROSS;
    memory->mask = next, next += ALONG * ACROSS;
    memory->turned = next, next += ALONG * ACROSS;
    memory->v = next, next += ALONG * columns;
    memory->sums = next, next += ACROSS * columns;
    memory->largest = next, next += ACROSS;
    memory->total = next, next += ACROSS;
    memory->shrink = next, next += ACROSS;
    return (size_t)(next - from) * sizeof(REAL);
}

/* Adds the mask to scores[key][query]. */
static void NAME(mask_scores)(const attention_plan *plan, ptrdiff_t batch, ptrdiff_t head,
                              const struct attention_cut *cut,
                              const struct NAME(forward_memory) *memory) {
    const ptrdiff_t wide = rounded_up(cut->rows, LANES);
    const int alike = plan->mask.row == 0;
    NAME(mask_rows)(plan, batch, head, cut->row, alike ? 1 : cut->rows, cut->key, cut->keys,
                    memory->mask, ALONG);
    if (!alike)
        NAME(pack_columns)(memory->turned, wide, memory->mask, ALONG, cut->keys, cut->rows);
    for (ptrdiff_t j = 0; j < cut->keys; j++) {
        REAL *scores = memory->scores + j * wide;
        for (ptrdiff_t i = first_seeing(cut, j); i < wide; i += LANES)
            NAME(store)(scores + i, NAME(load)(scores + i)
                        + (alike ? NAME(broadcast)(memory->mask[j])
                                 : NAME(load)(memory->turned + j * wide + i)));
    }
}

/* Keys behind a query do not count for it. */
static void NAME(hide_later)(REAL *scores, ptrdiff_t wide, const struct attention_cut *cut) {
    for (ptrdiff_t j = larger(0, cut->row - cut->key + 1); j < cut->keys; j++)
        for (ptrdiff_t i = first_seeing(cut, j); i < smaller(wide, cut->key + j - cut->row); i++)
            scores[j * wide + i] = -(REAL)INFINITY;
}

INLINE VECTOR NAME(larger_of)(VECTOR a, VECTOR b) { return NAME(chosen)((BITS)(a > b), a, b); }

/* -infinity, where no key counts, as a base for exp: 0. */
INLINE VECTOR NAME(base_of)(VECTOR largest) {
    return (VECTOR)((BITS)largest & (BITS)(largest > -(REAL)INFINITY));
}

/* scores = exp(scores - largest so far), and what older sums are to be multiplied by. */
static void NAME(soften)(const struct NAME(forward_memory) *memory,
                         const struct attention_cut *cut) {
    const ptrdiff_t wide = rounded_up(cut->rows, LANES);
    for (ptrdiff_t i = 0; i < wide; i += LANES) {
        const ptrdiff_t keys = keys_seen(cut, i);
        REAL *scores = memory->scores + i;
        const VECTOR before = NAME(load)(memory->largest + i);
        VECTOR best[4] = {before, before, before, before}, total[2] = {{0}, {0}};
        ptrdiff_t j = 0;
        for (; j + 4 <= keys; j += 4)
#pragma GCC unroll 4
            for (int each = 0; each < 4; each++)
                best[each] = NAME(larger_of)(NAME(load)(scores + (j + each) * wide), best[each]);
        for (; j < keys; j++) best[0] = NAME(larger_of)(NAME(load)(scores + j * wide), best[0]);
        best[0] = NAME(larger_of)(NAME(larger_of)(best[0], best[1]),
                                  NAME(larger_of)(best[2], best[3]));
        const VECTOR base = NAME(base_of)(best[0]), shrink = NAME(exp)(before - base);
        for (j = 0; j + 2 <= keys; j += 2)
#pragma GCC unroll 2
            for (int each = 0; each < 2; each++) {
                const VECTOR value = NAME(exp)(NAME(load)(scores + (j + each) * wide) - base);
                NAME(store)(scores + (j + each) * wide, value);
                total[each] += value;
            }
        if (j < keys) {
            const VECTOR value = NAME(exp)(NAME(load)(scores + j * wide) - base);
            NAME(store)(scores + j * wide, value);
            total[0] += value;
        }
        NAME(store)(memory->largest + i, best[0]);
        NAME(store)(memory->shrink + i, shrink);
        NAME(store)(memory->total + i,
                    NAME(load)(memory->total + i) * shrink + (total[0] + total[1]));
    }
}

/* Writes the output and what the backward pass needs; a query without keys gives zeros. */
static void NAME(finish_rows)(const attention_plan *plan, ptrdiff_t batch, ptrdiff_t head,
                              ptrdiff_t row, ptrdiff_t rows,
                              const struct NAME(forward_memory) *memory) {
    const ptrdiff_t columns = rounded_up(plan->width, LANES);
    const ptrdiff_t first = (batch * plan->heads + head) * plan->rows + row;
    for (ptrdiff_t i = 0; i < rows; i++) {
        const REAL largest = memory->largest[i], total = memory->total[i];
        const REAL inverse = total == 0 ? 0 : 1 / total;
        NAME(copy_row)(NAME(place)(&plan->out, batch, head, row + i), memory->sums + i * columns,
                       plan->width, inverse);
        ((REAL *)plan->largest)[first + i] = largest == -(REAL)INFINITY ? 0 : largest;
        ((REAL *)plan->inverse)[first + i] = inverse;
    }
}

/* scores = k q, of the keys and queries that see each other. */
static void NAME(score)(const REAL *k, ptrdiff_t k_row, ptrdiff_t depth,
                        const struct attention_cut *cut,
                        const struct NAME(forward_memory) *memory) {
    const ptrdiff_t wide = rounded_up(cut->rows, LANES), strip = strip_of(cut, cut->keys);
    for (ptrdiff_t j = 0; j < cut->keys; j += strip) {
        const ptrdiff_t i = first_seeing(cut, j);
        NAME(multiply_blocks)(k + j * k_row, k_row, 1, memory->q + i, wide,
                              memory->scores + j * wide + i, wide, smaller(strip, cut->keys - j),
                              wide - i, depth, 0);
    }
}

/* sums [+]= scores v. */
static void NAME(weigh)(const struct attention_cut *cut, ptrdiff_t columns,
                        const struct NAME(forward_memory) *memory) {
    const ptrdiff_t wide = rounded_up(cut->rows, LANES), strip = strip_of(cut, cut->rows);
    for (ptrdiff_t i = 0; i < cut->rows; i += strip)
        NAME(multiply_blocks)(memory->scores + i, 1, wide, memory->v, columns,
                              memory->sums + i * columns, columns, smaller(strip, cut->rows - i),
                              columns, keys_seen(cut, i), cut->key ? TILE_ACCUMULATE : 0);
}

static void NAME(attend)(const attention_plan *plan, ptrdiff_t batch, ptrdiff_t head,
                         ptrdiff_t row, ptrdiff_t rows,
                         const struct NAME(forward_memory) *memory) {
    const ptrdiff_t wide = rounded_up(rows, LANES), columns = rounded_up(plan->width, LANES);
    const ptrdiff_t from = head / plan->group;
    const ptrdiff_t end = plan->causal ? smaller(plan->keys, row + rows) : plan->keys;
    NAME(pack_columns)(memory->q, wide, NAME(place)(&plan->q, batch, head, row), plan->q.row,
                       plan->depth, rows);
    NAME(scale_all)(memory->q, plan->depth * wide, (REAL)plan->scale);
    for (ptrdiff_t i = 0; i < wide; i++) memory->largest[i] = -(REAL)INFINITY;
    memset(memory->total, 0, (size_t)wide * sizeof(REAL));
    memset(memory->sums, 0, (size_t)(rows * columns) * sizeof(REAL));
    for (ptrdiff_t key = 0; key < end; key += ALONG) {
        const struct attention_cut cut = {plan->causal, row, rows, key, smaller(ALONG, end - key)};
        NAME(score)(NAME(place)(&plan->k, batch, from, key), plan->k.row, plan->depth, &cut,
                    memory);
        if (plan->mask_kind) NAME(mask_scores)(plan, batch, head, &cut, memory);
        if (plan->causal) NAME(hide_later)(memory->scores, wide, &cut);
        NAME(soften)(memory, &cut);
        for (ptrdiff_t i = 0; key && i < rows; i++)
            if (memory->shrink[i] != 1)
                NAME(scale_all)(memory->sums + i * columns, columns, memory->shrink[i]);
        NAME(pack_rows)(memory->v, NAME(place)(&plan->v, batch, from, key), plan->v.row, cut.keys,
                        plan->width);
        NAME(weigh)(&cut, columns, memory);
    }
    NAME(finish_rows)(plan, batch, head, row, rows, memory);
}

struct NAME(forward_call) {
    const attention_plan *plan;
    size_t bytes; /* of scratch memory */
    struct cut blocks;
    int *failed;
};

/* A block of queries of one head. */
static void NAME(attend_block)(const void *work, ptrdiff_t piece, int worker) {
    const struct NAME(forward_call) *call = work;
    const attention_plan *plan = call->plan;
    const ptrdiff_t block = piece % call->blocks.pieces, item = piece / call->blocks.pieces;
    struct NAME(forward_memory) memory;
    REAL *scratch = scratch_memory(call->bytes);
    (void)worker;
    NAME(forward_memory_of)(plan, scratch, &memory);
    if (scratch)
        NAME(attend)(plan, item / plan->heads, item % plan->heads, cut_start(&call->blocks, block),
                     cut_length(&call->blocks, block), &memory);
    else
        __atomic_store_n(call->failed, 1, __ATOMIC_RELAXED);
}

static int NAME(attention_forward)(const attention_plan *plan, int threads) {
    struct NAME(forward_memory) unused;
    const size_t bytes = NAME(forward_memory_of)(plan, NULL, &unused);
    if (plan->batch * plan->heads * plan->rows < 1) return 0;
    const struct cut blocks = cut_evenly(plan->rows, LANES, ACROSS / LANES);
    int failed = 0;
    const struct NAME(forward_call) call = {plan, bytes, blocks, &failed};
    team_run(NAME(attend_block), &call, plan->batch * plan->heads * blocks.pieces, threads);
    return -failed;
}
