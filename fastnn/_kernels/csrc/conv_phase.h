/* A convolution as the kernels run it: phases of rectangles, cut into tasks.
 *
 * The forward convolution is one phase; the data gradient has one for each place within a stride.
 * Tasks are independent outputs, so how they are cut and who runs them changes no bit.
 */
#ifndef FASTNN_CONV_PHASE_H
#define FASTNN_CONV_PHASE_H

#include "conv.h"
#include "conv_joined.h"

typedef struct {
    conv_axis axis;
    conv_segment *segments;
    ptrdiff_t count;
} conv_cut;

typedef struct {
    const conv_cut *rows, *cols;
    ptrdiff_t terms;          /* k: taps times input channels of a group */
    ptrdiff_t *offsets;       /* of each term from a pixel's first input */
    ptrdiff_t weights;        /* where its packed weights begin */
    ptrdiff_t rows_per_task, images_per_task, row_tasks, first_task;
} conv_phase;

typedef struct {
    conv_plan plan;
    int transposed;
    ptrdiff_t in_h, in_w, in_c, out_h, out_w, out_c; /* of the images read and written */
    ptrdiff_t in_group, out_group;                   /* channels per group */
    ptrdiff_t vectors, blocks;                       /* of output channels, per group */
    ptrdiff_t fold, fold_log;                        /* terms that share a vector */
    ptrdiff_t span, spans;                           /* groups x blocks of a task; such parts */
    int is_joined;      /* then all is one group of one input, and `vectors` are those of sums */
    conv_joined joined; /* the groups that are joined, where they are; its blocks are `blocks` */
    ptrdiff_t down, across, phase_count, tasks;      /* phases along each axis; tasks of all */
    conv_phase *phases;
} conv_gather;

static inline conv_gather conv_gather_of(const conv_plan *plan, int transposed,
                                         ptrdiff_t lanes, ptrdiff_t block_vectors) {
    conv_gather all = {.plan = *plan, .transposed = transposed};
    ptrdiff_t big[3] = {plan->h, plan->w, plan->c}, small[3] = {plan->oh, plan->ow, plan->o};
    ptrdiff_t *in = transposed ? small : big, *out = transposed ? big : small;
    all.in_h = in[0], all.in_w = in[1], all.in_c = in[2];
    all.out_h = out[0], all.out_w = out[1], all.out_c = out[2];
    all.is_joined = conv_joined_of(plan->groups, all.in_c / plan->groups,
                                   all.out_c / plan->groups, lanes, block_vectors, &all.joined);
    if (all.is_joined) all.plan.groups = 1;
    all.in_group = all.is_joined ? 1 : all.in_c / plan->groups;
    all.out_group = all.out_c / all.plan.groups;
    all.vectors = ceil_div(all.out_group, lanes);
    all.blocks = ceil_div(all.vectors, block_vectors);
    if (all.is_joined) {
        all.vectors = all.joined.vectors * all.joined.outputs;
        all.blocks = all.joined.blocks;
    }
    all.fold = 1;
    while (!all.is_joined && all.out_group * all.fold * 2 <= lanes
           && all.in_group % (all.fold * 2) == 0)
        all.fold *= 2, all.fold_log++;
    /* Threads that write neighbouring groups of a pixel would share its cache lines. */
    all.span = ptrdiff_min(ceil_div(4 * lanes, ptrdiff_max(all.out_group, 1)), all.plan.groups);
    if (all.is_joined) all.span = all.blocks;
    all.spans = ceil_div(all.plan.groups * all.blocks, all.span);
    all.down = transposed ? ptrdiff_min(plan->stride_h, plan->h) : 1;
    all.across = transposed ? ptrdiff_min(plan->stride_w, plan->w) : 1;
    all.phase_count = all.down * all.across;
    return all;
}

static inline size_t conv_gather_bytes(const conv_gather *all, ptrdiff_t lanes, size_t itemsize) {
    const conv_plan *plan = &all->plan;
    size_t terms = plan->kh * plan->kw * all->in_group;
    size_t channels = plan->groups * all->vectors * lanes + lanes;
    return (all->down + all->across) * (sizeof(conv_cut) + 64)
         + (all->out_h + all->out_w) * sizeof(conv_segment)
         + all->phase_count * (sizeof(conv_phase) + 64)
         + terms * sizeof(ptrdiff_t) + (terms + 1) * channels * itemsize
         + all->out_c * itemsize + 1024;
}

static inline void conv_cut_axis(conv_cut *cut, conv_axis axis, char **scratch) {
    cut->axis = axis;
    cut->segments = conv_take(scratch, axis.count * sizeof(conv_segment));
    cut->count = conv_segments(&axis, cut->segments);
}

/* About two million products a task (20 us), and no fewer than 48 pixels, since each task reads all
 * the weights of its block. All groups of some pixels fit the second cache, whose lines they share:
 * groups of 4 take 1.2 ms instead of 2.5 (16 images of 28 x 28, 64 channels). */
static inline void conv_cut_tasks(conv_gather *all, conv_phase *phase, ptrdiff_t lanes) {
    ptrdiff_t width = phase->cols->axis.count, height = phase->rows->axis.count;
    ptrdiff_t channels = ceil_div(all->vectors, all->blocks) * lanes * all->span;
    ptrdiff_t products = ptrdiff_max(phase->terms / all->fold * channels, 8 * channels);
    ptrdiff_t pixels = ptrdiff_max(2000000 / products, 48);
    if (all->plan.groups > 1 || all->is_joined)
        pixels = ptrdiff_max(ptrdiff_min(pixels, 32768 / ptrdiff_max(all->in_c, all->out_c)), 48);
    phase->first_task = all->tasks;
    if (!width || !height || !all->plan.n) return;
    phase->rows_per_task = ptrdiff_min(height, ceil_div(pixels, width));
    phase->row_tasks = ceil_div(height, phase->rows_per_task);
    phase->images_per_task = 1;
    if (phase->row_tasks == 1)
        phase->images_per_task = ptrdiff_max(1, pixels / (width * height));
    all->tasks += ceil_div(all->plan.n, phase->images_per_task) * phase->row_tasks
                * all->spans;
}

/* Fills the phases, carving their memory from the scratch block. */
static inline void conv_gather_prepare(conv_gather *all, ptrdiff_t lanes, char **scratch) {
    const conv_plan *p = &all->plan;
    conv_cut *rows = conv_take(scratch, all->down * sizeof *rows);
    conv_cut *cols = conv_take(scratch, all->across * sizeof *cols);
    ptrdiff_t weights = 0;
    for (ptrdiff_t i = 0; i < all->down; i++)
        conv_cut_axis(rows + i, all->transposed
            ? conv_gradient_axis(p->h, p->oh, p->kh, p->stride_h, p->pad_h, p->dilation_h, i)
            : conv_rows(p), scratch);
    for (ptrdiff_t j = 0; j < all->across; j++)
        conv_cut_axis(cols + j, all->transposed
            ? conv_gradient_axis(p->w, p->ow, p->kw, p->stride_w, p->pad_w, p->dilation_w, j)
            : conv_cols(p), scratch);
    all->phases = conv_take(scratch, all->phase_count * sizeof *all->phases);
    all->tasks = 0;
    for (ptrdiff_t index = 0; index < all->phase_count; index++) {
        conv_phase *phase = all->phases + index;
        *phase = (conv_phase){.rows = rows + index / all->across,
                              .cols = cols + index % all->across};
        phase->terms = phase->rows->axis.taps * phase->cols->axis.taps * all->in_group;
        phase->offsets = conv_take(scratch, phase->terms * sizeof(ptrdiff_t));
        conv_fill_offsets(&phase->rows->axis, &phase->cols->axis, all->in_w, all->in_c,
                          all->in_group, phase->offsets);
        phase->weights = weights;
        weights += phase->terms / all->fold * p->groups * all->vectors * lanes;
        conv_cut_tasks(all, phase, lanes);
    }
}

/* First vector of output channels in a block. */
static inline ptrdiff_t conv_block(const conv_gather *all, ptrdiff_t block) {
    return block * all->vectors / all->blocks;
}

#endif
