/* How a convolution is swept over split images: planes, bands, blocks of k, phases of the stride.
 *
 * conv_tiles.c includes it.
 */
#define FEWEST_USES 4        /* of an input number, by taps */
#define MOST_WASTE 1.6       /* products that are computed, for one that is wanted */
#define WORTH_TILES 4e6      /* multiply-adds */
#define BAND_BYTES (1 << 18) /* about what a band of an image takes */
#define FEWEST_PIECES 64     /* that there are to be, if output channels allow it */

/* A block of k: one tap and 32 input channels. */
struct conv_block {
    ptrdiff_t offset; /* of the first place's numbers in the packed image */
    ptrdiff_t tap, input;
};

/* One phase of the stride: outputs of the grid, (row, column), are at row * step + start. */
struct conv_sweep {
    ptrdiff_t start_h, start_w, first_block, blocks;
    ptrdiff_t first_row, end_row, first_column, end_column; /* of the grid, where outputs are */
};

struct conv_tiles {
    conv_plan plan;
    int transposed;
    float below;
    const float *in, *weight, *bias;
    float *out;
    struct tiles_image image;                       /* of a whole band */
    ptrdiff_t out_height, out_width, out_channels, step_h, step_w;
    ptrdiff_t first_row, rows, first_column, columns; /* of the grid */
    ptrdiff_t band, bands, groups;                  /* rows of a band; pieces of output channels */
    ptrdiff_t sweeps;
    struct conv_sweep *sweep;
    struct conv_block *block;
    char *packed; /* weights: for each panel of outputs the blocks of all sweeps */
    char *failed; /* of each image */
};

/* How many places of a plane the last tap is from the first. */
static ptrdiff_t reach_of(ptrdiff_t taps, ptrdiff_t stride) { return (taps - 1) / stride; }

/* Whether it pays to compute oh x ow sums: a number that is packed is to be used by some taps, and
 * tiles are to be full. */
static int conv_takes_tiles(const conv_plan *p, ptrdiff_t oh, ptrdiff_t ow) {
    const double taps = (double)(p->kh * p->kw), images = (double)p->n;
    const double products = images * (double)(p->oh * p->ow) * (double)(p->c * p->o) * taps;
    const ptrdiff_t pitch = p->ow + reach_of(p->kw, p->stride_w);
    const double places = (double)rounded_up(p->oh * pitch, PANEL_LINES);
    const double done = images * places * (double)rounded_up(p->c, TILE_DEPTH) *
                        (double)rounded_up(p->o, PANEL_LINES) * taps;
    return p->groups == 1 && p->dilation_h == 1 && p->dilation_w == 1 &&
           taps >= (double)(FEWEST_USES * p->stride_h * p->stride_w) && products >= WORTH_TILES &&
           done <= MOST_WASTE * products && !winograd_takes(p, oh, ow);
}

static ptrdiff_t panels_of(const struct conv_tiles *c) {
    return ceil_div(c->out_channels, PANEL_LINES);
}

static ptrdiff_t blocks_of(const struct conv_tiles *c) {
    return c->plan.kh * c->plan.kw * c->image.blocks;
}

static struct conv_tiles conv_tiles_of(const conv_plan *p, int transposed) {
    struct conv_tiles c = {.plan = *p, .transposed = transposed};
    const ptrdiff_t reach_h = reach_of(p->kh, p->stride_h);
    const ptrdiff_t reach_w = reach_of(p->kw, p->stride_w);
    c.image = transposed
                  ? (struct tiles_image){p->oh, p->ow, p->o, 1, 1, 0, 0}
                  : (struct tiles_image){p->h, p->w, p->c, p->stride_h, p->stride_w, p->pad_h,
                                         p->pad_w};
    c.out_height = transposed ? p->h : p->oh, c.out_width = transposed ? p->w : p->ow;
    c.out_channels = transposed ? p->c : p->o;
    c.step_h = transposed ? p->stride_h : 1, c.step_w = transposed ? p->stride_w : 1;
    c.sweeps = c.step_h * c.step_w;
    c.first_row = transposed ? p->pad_h / p->stride_h : 0;
    c.rows = (transposed ? (p->h - 1 + p->pad_h) / p->stride_h + 1 : p->oh) - c.first_row;
    c.first_column = transposed ? p->pad_w / p->stride_w : 0;
    c.columns = (transposed ? (p->w - 1 + p->pad_w) / p->stride_w + 1 : p->ow) - c.first_column;
    c.image.columns = c.columns + reach_w;
    c.image.first_column = c.first_column - (transposed ? reach_w : 0);
    const ptrdiff_t row_bytes = 3 * TILE_ROW * c.image.columns * c.image.planes_h *
                                c.image.planes_w * ceil_div(c.image.channels, TILE_DEPTH);
    c.bands = smaller(c.rows, ceil_div(c.rows * row_bytes, BAND_BYTES));
    c.band = ceil_div(c.rows, c.bands);
    c.bands = ceil_div(c.rows, c.band);
    c.image.rows = c.band + reach_h;
    measure_image(&c.image, TILE_DEPTH, PANEL_LINES);
    c.groups = smaller(panels_of(&c), ceil_div(FEWEST_PIECES, c.bands * p->n));
    return c;
}

/* Where row * step + start is from 0 to the size. */
static void limit(ptrdiff_t start, ptrdiff_t step, ptrdiff_t size, ptrdiff_t *first,
                  ptrdiff_t *end) {
    *first = start < 0 ? ceil_div(-start, step) : 0;
    *end = ceil_div(size - start, step);
}

/* A block of k reads its plane at the places that its tap is away: forward behind the output's own
 * place, backward before it. */
static struct conv_block block_at(const struct conv_tiles *c, ptrdiff_t i, ptrdiff_t j,
                                  ptrdiff_t plane, ptrdiff_t input) {
    const conv_plan *p = &c->plan;
    const ptrdiff_t down = i / p->stride_h, right = j / p->stride_w;
    const ptrdiff_t reach_h = reach_of(p->kh, p->stride_h);
    const ptrdiff_t reach_w = reach_of(p->kw, p->stride_w);
    const ptrdiff_t shift = c->transposed
                                ? (reach_h - down) * c->image.columns + reach_w - right
                                : down * c->image.columns + right;
    return (struct conv_block){plane_offset(&c->image, plane, input) + shift * TILE_ROW,
                               i * p->kw + j, input};
}

/* Neighbouring blocks read the same numbers, shifted: a plane's taps of the same channels. */
static ptrdiff_t fill_blocks(struct conv_tiles *c, ptrdiff_t phase, ptrdiff_t plane,
                             ptrdiff_t count) {
    const conv_plan *p = &c->plan;
    for (ptrdiff_t input = 0; input < c->image.blocks; input++)
        for (ptrdiff_t i = phase / p->stride_w; i < p->kh; i += p->stride_h)
            for (ptrdiff_t j = phase % p->stride_w; j < p->kw; j += p->stride_w)
                c->block[count++] = block_at(c, i, j, plane, input);
    return count;
}

static void fill_sweeps(struct conv_tiles *c) {
    const conv_plan *p = &c->plan;
    const ptrdiff_t phases = p->stride_h * p->stride_w;
    ptrdiff_t count = 0;
    for (ptrdiff_t i = 0; i < c->sweeps; i++) {
        struct conv_sweep *s = &c->sweep[i];
        s->start_h = c->transposed ? i / p->stride_w - p->pad_h : 0;
        s->start_w = c->transposed ? i % p->stride_w - p->pad_w : 0;
        limit(s->start_h, c->step_h, c->out_height, &s->first_row, &s->end_row);
        limit(s->start_w, c->step_w, c->out_width, &s->first_column, &s->end_column);
        s->first_block = count;
        for (ptrdiff_t phase = 0; phase < phases; phase++)
            if (!c->transposed || phase == i)
                count = fill_blocks(c, phase, c->transposed ? 0 : phase, count);
        s->blocks = count - s->first_block;
    }
}
