/* The backward pass, which makes the scores of each block again, as scores[query][key].
 *
 * With p = exp(score - largest) * inverse and ds = p * (gradient . v - delta) * scale:
 * dv[key] = sum of p gradient, dk[key] = sum of ds q, dq[query] = sum of ds k.
 *
 * REAL_BITS must be defined and attention_block.h included.
 */

#ifndef FASTNN_ATTENTION_BACKWARD_H
#define FASTNN_ATTENTION_BACKWARD_H
#define ENOUGH_TASKS 8

/* Fewer heads than that share out their blocks of keys, each part with a dq of its own. */
static inline ptrdiff_t attention_parts(const attention_plan *plan, ptrdiff_t blocks) {
    const ptrdiff_t heads = plan->batch * (plan->heads / plan->group);
    return larger(1, smaller(blocks, ceil_div(ENOUGH_TASKS, larger(heads, 1))));
}
#endif

/* Memory for one block of keys and one of queries; `deep` and `columns` are whole vectors. */
struct NAME(backward_memory) {
    REAL *k_turned, *v_turned;  /* [depth][wide], times the scale, and [width][wide] */
    REAL *k, *dk, *dv;          /* [ACROSS][deep], [ACROSS][deep], [ACROSS][columns] */
    REAL *q, *gradient;         /* [ALONG][deep], [ALONG][columns] */
    REAL *p, *ds, *mask;        /* [ALONG][wide] */
};

static size_t NAME(backward_memory_of)(const attention_plan *plan, REAL *from,
                                       struct NAME(backward_memory) *memory) {
    const ptrdiff_t deep = rounded_up(plan->depth, LANES);
    const ptrdiff_t columns = rounded_up(plan->width, LANES);
    REAL *next = from;
    memory->k_turned = next, next += plan->depth * ACROSS;
    memory->v_turned = next, next += plan->width * ACROSS;
    memory->k = next, next += ACROSS * deep;
    memory->dk = next, next += ACROSS * deep;
    memory->dv = next, next += ACROSS * columns;
    memory->q = next, next += ALONG * deep;
    memory->gradient = next, next += ALONG * columns;
    memory->p = next, next += ALONG * ACROSS;
    memory->ds = next, next += ALONG * ACROSS;
    memory->mask = next, next += ALONG * ACROSS;
    return (size_t)(next - from) * sizeof(REAL);
}

struct NAME(backward_block) {
    const attention_plan *plan;
    const struct NAME(backward_memory) *memory;
    struct attention_cut cut;
    ptrdiff_t batch, head, wide, deep, columns;
};

static void NAME(mask_block)(const struct NAME(backward_block) *block) {
    const attention_plan *plan = block->plan;
    const struct attention_cut *cut = &block->cut;
    REAL *p = block->memory->p, *mask = block->memory->mask;
    const ptrdiff_t wide = block->wide;
    if (plan->mask_kind) {
        const int alike = plan->mask.row == 0;
        NAME(mask_rows)(plan, block->batch, block->head, cut->row, alike ? 1 : cut->rows, cut->key,
                        cut->keys, mask, wide);
        for (ptrdiff_t i = 0; i < cut->rows; i++)
            for (ptrdiff_t j = 0; j < keys_seen(cut, i); j++)
                p[i * wide + j] += mask[(alike ? 0 : i * wide) + j];
    }
    if (plan->causal)
        for (ptrdiff_t i = 0; i < cut->rows; i++)
            for (ptrdiff_t j = larger(0, cut->row + i - cut->key + 1); j < keys_seen(cut, i); j++)
                p[i * wide + j] = -(REAL)INFINITY;
}

/* From scores in p and gradient . v in ds to probabilities and the gradients of the scores. */
static void NAME(soften_block)(const struct NAME(backward_block) *block) {
    const attention_plan *plan = block->plan;
    const struct attention_cut *cut = &block->cut;
    const ptrdiff_t first = (block->batch * plan->heads + block->head) * plan->rows + cut->row;
    for (ptrdiff_t i = 0; i < cut->rows; i++) {
        REAL *p = block->memory->p + i * block->wide, *ds = block->memory->ds + i * block->wide;
        const REAL largest = ((const REAL *)plan->largest)[first + i];
        const REAL inverse = ((const REAL *)plan->inverse)[first + i];
        const REAL delta = ((const REAL *)plan->delta)[first + i], scale = (REAL)plan->scale;
        const ptrdiff_t seen = keys_seen(cut, i);
        for (ptrdiff_t j = 0; j < seen; j += LANES) {
            const VECTOR value = NAME(exp)(NAME(load)(p + j) - largest) * inverse;
            NAME(store)(p + j, value);
            NAME(store)(ds + j, value * (NAME(load)(ds + j) - delta) * scale);
        }
    }
}

/* p = q k and ds = gradient v, of the queries and keys that see each other. */
static void NAME(score_block)(const struct NAME(backward_block) *block) {
    const struct NAME(backward_memory) *memory = block->memory;
    const struct attention_cut *cut = &block->cut;
    const ptrdiff_t wide = block->wide, strip = strip_of(cut, cut->rows);
    for (ptrdiff_t i = 0; i < cut->rows; i += strip) {
        const ptrdiff_t rows = smaller(strip, cut->rows - i);
        const ptrdiff_t seen = rounded_up(keys_seen(cut, i), LANES);
        NAME(multiply_blocks)(memory->q + i * block->deep, block->deep, 1, memory->k_turned, wide,
                              memory->p + i * wide, wide, rows, seen, block->plan->depth, 0);
        NAME(multiply_blocks)(memory->gradient + i * block->columns, block->columns, 1,
                              memory->v_turned, wide, memory->ds + i * wide, wide, rows, seen,
                              block->plan->width, 0);
    }
}

/* dv += p gradient and dk += ds q. */
static void NAME(add_to_keys)(const struct NAME(backward_block) *block) {
    const struct NAME(backward_memory) *memory = block->memory;
    const struct attention_cut *cut = &block->cut;
    const ptrdiff_t wide = block->wide, deep = block->deep, columns = block->columns;
    const ptrdiff_t strip = strip_of(cut, cut->keys);
    for (ptrdiff_t j = 0; j < cut->keys; j += strip) {
        const ptrdiff_t i = first_seeing(cut, j), rows = cut->rows - i;
        const ptrdiff_t keys = smaller(strip, cut->keys - j);
        if (rows < 1) break;
        NAME(multiply_blocks)(memory->p + i * wide + j, 1, wide, memory->gradient + i * columns,
                              columns, memory->dv + j * columns, columns, keys, columns, rows,
                              TILE_ACCUMULATE);
        NAME(multiply_blocks)(memory->ds + i * wide + j, 1, wide, memory->q + i * deep, deep,
                              memory->dk + j * deep, deep, keys, deep, rows, TILE_ACCUMULATE);
    }
}

/* dq += ds k. */
static void NAME(add_to_queries)(const struct NAME(backward_block) *block, REAL *dq,
                                 ptrdiff_t dq_row) {
    const struct attention_cut *cut = &block->cut;
    const ptrdiff_t wide = block->wide, deep = block->deep, strip = strip_of(cut, cut->rows);
    for (ptrdiff_t i = 0; i < cut->rows; i += strip)
        NAME(multiply_blocks)(block->memory->ds + i * wide, wide, 1, block->memory->k, deep,
                              dq + (cut->row + i) * dq_row, dq_row, smaller(strip, cut->rows - i),
                              block->plan->depth, keys_seen(cut, i), TILE_ACCUMULATE);
}

static void NAME(run_backward_block)(const struct NAME(backward_block) *block, REAL *dq,
                                     ptrdiff_t dq_row) {
    const attention_plan *plan = block->plan;
    const struct NAME(backward_memory) *memory = block->memory;
    const struct attention_cut *cut = &block->cut;
    NAME(pack_rows)(memory->q, NAME(place)(&plan->q, block->batch, block->head, cut->row),
                    plan->q.row, cut->rows, plan->depth);
    NAME(pack_rows)(memory->gradient,
                    NAME(place)(&plan->gradient, block->batch, block->head, cut->row),
                    plan->gradient.row, cut->rows, plan->width);
    NAME(score_block)(block);
    NAME(mask_block)(block);
    NAME(soften_block)(block);
    NAME(add_to_keys)(block);
    NAME(add_to_queries)(block, dq, dq_row);
}

/* One block of keys against all queries of all heads that read them. */
static void NAME(run_keys)(struct NAME(backward_block) *block, ptrdiff_t from,
                           const attention_array *dq) {
    const attention_plan *plan = block->plan;
    const struct NAME(backward_memory) *memory = block->memory;
    struct attention_cut *cut = &block->cut;
    const ptrdiff_t keys = cut->keys, wide = block->wide;
    const REAL *k = NAME(place)(&plan->k, block->batch, from, cut->key);
    const REAL *v = NAME(place)(&plan->v, block->batch, from, cut->key);
    NAME(pack_columns)(memory->k_turned, wide, k, plan->k.row, plan->depth, keys);
    NAME(scale_all)(memory->k_turned, plan->depth * wide, (REAL)plan->scale);
    NAME(pack_columns)(memory->v_turned, wide, v, plan->v.row, plan->width, keys);
    NAME(pack_rows)(memory->k, k, plan->k.row, keys, plan->depth);
    memset(memory->dk, 0, (size_t)(keys * block->deep) * sizeof(REAL));
    memset(memory->dv, 0, (size_t)(keys * block->columns) * sizeof(REAL));
    for (block->head = from * plan->group; block->head < (from + 1) * plan->group; block->head++)
        for (cut->row = plan->causal ? cut->key / ALONG * ALONG : 0; cut->row < plan->rows;
             cut->row += ALONG) {
            cut->rows = smaller(ALONG, plan->rows - cut->row);
            NAME(run_backward_block)(block, NAME(place)(dq, block->batch, block->head, 0),
                                     dq->row);
        }
    for (ptrdiff_t j = 0; j < keys; j++) {
        NAME(copy_row)(NAME(place)(&plan->dk, block->batch, from, cut->key + j),
                       memory->dk + j * block->deep, plan->depth, 1);
        NAME(copy_row)(NAME(place)(&plan->dv, block->batch, from, cut->key + j),
                       memory->dv + j * block->columns, plan->width, 1);
    }
}

/* Every `parts`-th block of keys of one head, from `part` on; dq is written anew. */
static void NAME(run_part)(const attention_plan *plan, ptrdiff_t batch, ptrdiff_t from,
                           const struct cut *blocks, ptrdiff_t part, ptrdiff_t parts,
                           const attention_array *dq,
                           const struct NAME(backward_memory) *memory) {
    struct NAME(backward_block) block = {
        .plan = plan, .memory = memory, .cut.causal = plan->causal, .batch = batch,
        .deep = rounded_up(plan->depth, LANES), .columns = rounded_up(plan->width, LANES)};
    for (ptrdiff_t head = from * plan->group; head < (from + 1) * plan->group; head++)
        for (ptrdiff_t i = 0; i < plan->rows; i++)
            memset(NAME(place)(dq, batch, head, i), 0, (size_t)plan->depth * sizeof(REAL));
    for (ptrdiff_t i = part; i < blocks->pieces; i += parts) {
        block.cut.key = cut_start(blocks, i);
        block.cut.keys = cut_length(blocks, i);
        block.wide = rounded_up(block.cut.keys, LANES);
        NAME(run_keys)(&block, from, dq);
    }
}

/* delta of one row. */
INLINE REAL NAME(row_product)(const REAL *a, const REAL *b, ptrdiff_t count) {
    VECTOR sums = {0};
    REAL total = 0;
    ptrdiff_t i = 0;
    for (; i + LANES <= count; i += LANES) sums += NAME(load)(a + i) * NAME(load)(b + i);
    for (int lane = 0; lane < LANES; lane++) total += sums[lane];
    for (; i < count; i++) total += a[i] * b[i];
    return total;
}

/* A call; with several parts of the keys for a head, each has a dq of its own in `partials`. */
struct NAME(backward_call) {
    const attention_plan *plan;
    size_t bytes; /* of scratch memory */
    struct cut blocks;
    ptrdiff_t parts;
    REAL *partials;
    int *failed;
};

/* The parts of dq of one row, in their order. */
static void NAME(add_parts)(const void *work, ptrdiff_t item, int worker) {
    const struct NAME(backward_call) *call = work;
    const attention_plan *plan = call->plan;
    const ptrdiff_t row = item % plan->rows, head = item / plan->rows % plan->heads;
    const ptrdiff_t batch = item / plan->rows / plan->heads, depth = plan->depth;
    const ptrdiff_t size = plan->batch * plan->heads * plan->rows * depth;
    REAL *dq = NAME(place)(&plan->dq, batch, head, row);
    (void)worker;
    for (ptrdiff_t i = 0; i < depth; i++) {
        REAL sum = call->partials[item * depth + i];
        for (ptrdiff_t part = 1; part < call->parts; part++)
            sum += call->partials[part * size + item * depth + i];
        dq[i] = sum;
    }
}

static void NAME(delta_of)(const void *work, ptrdiff_t item, int worker) {
    const attention_plan *plan = ((const struct NAME(backward_call) *)work)->plan;
    const ptrdiff_t row = item % plan->rows, head = item / plan->rows % plan->heads;
    const ptrdiff_t batch = item / plan->rows / plan->heads;
    (void)worker;
    ((REAL *)plan->delta)[item] =
        NAME(row_product)(NAME(place)(&plan->out, batch, head, row),
                          NAME(place)(&plan->gradient, batch, head, row), plan->width);
}

static void NAME(backward_part)(const void *work, ptrdiff_t piece, int worker) {
    const struct NAME(backward_call) *call = work;
    const attention_plan *plan = call->plan;
    const ptrdiff_t part = piece % call->parts, head = piece / call->parts;
    const ptrdiff_t heads = plan->heads / plan->group, one = plan->rows * plan->depth;
    const attention_array own = {call->partials + part * plan->batch * plan->heads * one,
                                 plan->heads * one, one, plan->depth, 1};
    struct NAME(backward_memory) memory;
    REAL *scratch = scratch_memory(call->bytes);
    (void)worker;
    NAME(backward_memory_of)(plan, scratch, &memory);
    if (scratch)
        NAME(run_part)(plan, head / heads, head % heads, &call->blocks, part, call->parts,
                       call->partials ? &own : &plan->dq, &memory);
    else
        __atomic_store_n(call->failed, 1, __ATOMIC_RELAXED);
}

static int NAME(attention_backward)(const attention_plan *plan, int threads) {
    struct NAME(backward_memory) unused;
    const size_t bytes = NAME(backward_memory_of)(plan, NULL, &unused);
    const struct cut blocks = plan->keys ? cut_evenly(plan->keys, LANES, ACROSS / LANES)
                                         : (struct cut){0};
    const ptrdiff_t parts = attention_parts(plan, blocks.pieces);
    const ptrdiff_t heads = plan->heads / plan->group;
    const ptrdiff_t items = plan->batch * plan->heads * plan->rows;
    const size_t size = (size_t)(parts * items * plan->depth) * sizeof(REAL);
    REAL *partials = parts > 1 ? malloc(size + 1) : NULL;
    int failed = parts > 1 && !partials;
    if (failed || plan->batch * heads * parts < 1) return -failed;
    const struct NAME(backward_call) call = {plan, bytes, blocks, parts, partials, &failed};
    team_run(NAME(delta_of), &call, items, threads);
    team_run(NAME(backward_part), &call, plan->batch * heads * parts, threads);
    if (partials) team_run(NAME(add_parts), &call, items, threads);
    free(partials);
    return -failed;
}

const attention_kernels EXPORTED(attention) = {NAME(attention_forward), NAME(attention_backward)};
