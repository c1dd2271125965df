/* The weight gradient on tiles: for each tap, the sum over places of gradients of outputs times
 * inputs. conv_tiles.c includes it.
 *
 * Here k's are places. Of the inputs a row of TILE_ROW bytes has 16 channels of a place and of that
 * 16 further on, so that here, too, a tap is a shift. A piece of work is a range of images, by the
 * sizes alone, with sums of its own, which are added in order.
 */
#define MOST_PIECES 16
#define MOST_SUMS ((ptrdiff_t)1 << 21)
#define ENOUGH_BLOCKS 8        /* of places in one turn: the sums are loaded and stored once */
#define TURN_BYTES (1 << 19)   /* that the images of a turn may take */

struct weight_sums {
    struct conv_tiles tiles; /* forward, with blocks of 16 input channels */
    const float *x, *gy;
    float *gw, *gbias, *sums;
    ptrdiff_t turn;         /* images, or bands of one, whose sums are added at once */
    ptrdiff_t blocks;       /* of 32 places in a band */
    ptrdiff_t image_size, gradients_size; /* bytes of a packed band */
    ptrdiff_t pieces, size; /* of one's sums: blocks [tap][input][output] of 32 by 32, biases */
    int *failed;
};

static ptrdiff_t input_panels(const struct weight_sums *w) {
    return ceil_div(w->tiles.plan.c, PANEL_LINES);
}

static struct weight_sums weight_sums_of(const conv_plan *plan) {
    struct weight_sums w = {.tiles = conv_tiles_of(plan, 0)};
    measure_image(&w.tiles.image, LANES, TILE_DEPTH + reach_of(plan->kw, plan->stride_w));
    w.tiles.image.blocks = 2 * input_panels(&w);
    w.blocks = ceil_div(w.tiles.band * w.tiles.image.columns, TILE_DEPTH);
    w.image_size = image_bytes(&w.tiles.image);
    w.gradients_size = 2 * panels_of(&w.tiles) * w.blocks * 3 * TILE_BYTES;
    w.turn = larger(1, smaller(ENOUGH_BLOCKS / w.blocks, TURN_BYTES / w.image_size));
    w.size = plan->kh * plan->kw * input_panels(&w) * panels_of(&w.tiles) * PANEL_LINES *
                 PANEL_LINES +
             panels_of(&w.tiles) * PANEL_LINES;
    w.pieces = smaller(plan->n, smaller(MOST_PIECES, larger(1, MOST_SUMS / w.size)));
    return w;
}

/* All planes, 16 channels at a time, by way of `plain`, a plane's numbers. */
static int pack_places(const struct tiles_image *image, const float *x, vector_f32 *plain,
                       char *to) {
    __m512i largest = _mm512_setzero_si512();
    for (ptrdiff_t plane = 0; plane < image->planes_h * image->planes_w; plane++)
        for (ptrdiff_t block = 0; block < image->blocks; block++) {
            ptrdiff_t count = 0;
            for (ptrdiff_t row = 0; row < image->rows; row++)
                for (ptrdiff_t column = 0; column < image->columns; column++, count++) {
                    plain[count] = place_of(image, x, plane, row, column, block * LANES);
                    largest = _mm512_max_epu32(largest, magnitude(plain[count]));
                }
            memset(plain + count, 0, (size_t)(image->places - count + LANES) * sizeof *plain);
            char *rows = to + plane_offset(image, plane, block);
            for (ptrdiff_t i = 0; i < image->places; i++)
                store_parts(rows + i * TILE_ROW, image->part, (__m512)plain[i],
                            (__m512)plain[i + LANES]);
        }
    return tiles_take(_mm512_reduce_max_epu32(largest));
}

/* 16 gradients of outputs of 16 places from `place` of the band on. */
INLINE void load_gradients(const struct conv_tiles *c, const float *gy, ptrdiff_t band_row,
                           ptrdiff_t place, ptrdiff_t output, vector_f32 *row) {
    const ptrdiff_t left = c->plan.o - output;
    const MASK mask = first_lanes_f32((int)larger(0, smaller(LANES, left)));
    const ptrdiff_t end = smaller(band_row + c->band, c->plan.oh);
    ptrdiff_t y = band_row + place / c->image.columns, x = place % c->image.columns;
    for (int i = 0; i < TILE_LINES; i++) {
        row[i] = y < end && x < c->plan.ow
                     ? load_part_f32(gy + (y * c->plan.ow + x) * c->plan.o + output, mask)
                     : (vector_f32){0};
        if (++x == c->image.columns) x = 0, y++;
    }
}

/* For 16 outputs at a time all blocks of 32 places; adds the gradients to the bias's. */
static int pack_gradients(const struct conv_tiles *c, const float *gy, ptrdiff_t band_row,
                          ptrdiff_t blocks, float *bias, char *to) {
    __m512i largest = _mm512_setzero_si512();
    for (ptrdiff_t group = 0; group < 2 * panels_of(c); group++) {
        vector_f32 sum = load_f32(bias + group * LANES);
        for (ptrdiff_t block = 0; block < blocks; block++, to += 3 * TILE_BYTES) {
            vector_f32 low[TILE_LINES], high[TILE_LINES];
            load_gradients(c, gy, band_row, block * TILE_DEPTH, group * LANES, low);
            load_gradients(c, gy, band_row, block * TILE_DEPTH + LANES, group * LANES, high);
            for (int i = 0; i < TILE_LINES; i++) sum += low[i];
            for (int i = 0; i < TILE_LINES; i++) sum += high[i];
            turn_square(low);
            turn_square(high);
            for (int i = 0; i < TILE_LINES; i++) {
                largest = _mm512_max_epu32(largest, magnitude(low[i]));
                largest = _mm512_max_epu32(largest, magnitude(high[i]));
                store_parts(to + i * TILE_ROW, TILE_BYTES, (__m512)low[i], (__m512)high[i]);
            }
        }
        store_f32(bias + group * LANES, sum);
    }
    return tiles_take(_mm512_reduce_max_epu32(largest));
}

/* 32 inputs and outputs of one tap, over so many images. */
INLINE void add_products(const struct weight_sums *w, const char *gradients, const char *places,
                         ptrdiff_t images, float *sums, const int rows, const int columns) {
    const struct tiles_place to = {sums, 4 * PANEL_LINES, sums, 4 * PANEL_LINES};
    const ptrdiff_t part = w->tiles.image.part;
    begin_sums(&to, rows, columns);
    for (ptrdiff_t n = 0; n < images; n++)
        for (ptrdiff_t i = 0; i < w->blocks; i++) {
            const struct tiles_block block = {
                gradients + n * w->gradients_size + i * 3 * TILE_BYTES,
                places + n * w->image_size + i * TILE_DEPTH * TILE_ROW, TILE_BYTES,
                w->blocks * 3 * TILE_BYTES, part, 3 * part};
            multiply_block(block, 0, 0, rows, columns);
        }
    end_sums(&to, rows, columns);
}

static void add_panel(const struct weight_sums *w, const char *gradients, const char *places,
                      ptrdiff_t images, ptrdiff_t input, ptrdiff_t output, float *sums) {
    const int both_outputs = w->tiles.plan.o - output * PANEL_LINES > TILE_LINES;
    const int both_inputs = w->tiles.plan.c - input * PANEL_LINES > TILE_LINES;
    const char *a = gradients + output * 2 * w->blocks * 3 * TILE_BYTES;
    if (both_outputs && both_inputs)
        add_products(w, a, places, images, sums, 2, 2);
    else if (both_outputs)
        add_products(w, a, places, images, sums, 2, 1);
    else if (both_inputs)
        add_products(w, a, places, images, sums, 1, 2);
    else
        add_products(w, a, places, images, sums, 1, 1);
}

/* All taps and channels of the images of a turn. */
static void add_turn(const struct weight_sums *w, const char *gradients, const char *image,
                     ptrdiff_t images, float *sums) {
    const struct conv_tiles *c = &w->tiles;
    const conv_plan *p = &c->plan;
    for (ptrdiff_t i = 0; i < p->kh; i++)
        for (ptrdiff_t j = 0; j < p->kw; j++)
            for (ptrdiff_t input = 0; input < input_panels(w); input++) {
                const ptrdiff_t plane = i % p->stride_h * p->stride_w + j % p->stride_w;
                const ptrdiff_t shift = i / p->stride_h * c->image.columns + j / p->stride_w;
                const char *places =
                    image + plane_offset(&c->image, plane, 2 * input) + shift * TILE_ROW;
                for (ptrdiff_t output = 0; output < panels_of(c); output++) {
                    add_panel(w, gradients, places, images, input, output, sums);
                    sums += PANEL_LINES * PANEL_LINES;
                }
            }
}

/* Band number `i` of all images. */
static int pack_band(const struct weight_sums *w, ptrdiff_t i, vector_f32 *plain, float *bias,
                     char *image, char *gradients) {
    const struct conv_tiles *c = &w->tiles;
    const conv_plan *p = &c->plan;
    const ptrdiff_t n = i / c->bands;
    struct tiles_image band = c->image;
    band.first_row = i % c->bands * c->band;
    if (c->bands == 1 && n + w->turn < p->n)
        prefetch_image(&band, w->x + (n + w->turn) * p->h * p->w * p->c);
    return pack_places(&band, w->x + n * p->h * p->w * p->c, plain, image) &&
           pack_gradients(c, w->gy + n * p->oh * p->ow * p->o, band.first_row, w->blocks, bias,
                          gradients);
}

static void sum_piece(const void *work, ptrdiff_t piece, int worker) {
    const struct weight_sums *w = work;
    const struct conv_tiles *c = &w->tiles;
    const struct cut images = cut_into(c->plan.n, 1, w->pieces);
    const ptrdiff_t first = cut_start(&images, piece) * c->bands;
    const ptrdiff_t end = first + cut_units(&images, piece) * c->bands;
    const ptrdiff_t plain = (c->image.places + LANES) * (ptrdiff_t)sizeof(vector_f32);
    float *sums = w->sums + piece * w->size;
    float *bias = sums + w->size - panels_of(c) * PANEL_LINES;
    char *memory =
        scratch_memory((size_t)(plain + w->turn * (w->image_size + w->gradients_size)));
    char *image = memory + plain, *gradients = image + w->turn * w->image_size;
    int fits = memory != NULL;
    (void)worker;
    memset(sums, 0, (size_t)w->size * sizeof(float));
    tiles_begin();
    for (ptrdiff_t i = first; fits && i < end; i += w->turn) {
        const ptrdiff_t count = smaller(w->turn, end - i);
        for (ptrdiff_t n = 0; fits && n < count; n++)
            fits = pack_band(w, i + n, (vector_f32 *)memory, bias, image + n * w->image_size,
                             gradients + n * w->gradients_size);
        if (fits) add_turn(w, gradients, image, count, sums);
    }
    tiles_end();
    if (!fits) __atomic_store_n(w->failed, 1, __ATOMIC_RELAXED);
}

/* The sums of all pieces at a place, in order. */
static vector_f32 sum_of_pieces(const struct weight_sums *w, ptrdiff_t place) {
    vector_f32 sum = load_f32(w->sums + place);
    for (ptrdiff_t piece = 1; piece < w->pieces; piece++)
        sum += load_f32(w->sums + piece * w->size + place);
    return sum;
}

/* All weights of one output, and its bias. */
static void collect_output(const void *work, ptrdiff_t output, int worker) {
    const struct weight_sums *w = work;
    const conv_plan *p = &w->tiles.plan;
    const ptrdiff_t taps = p->kh * p->kw, inputs = input_panels(w), outputs = panels_of(&w->tiles);
    const ptrdiff_t row = output % PANEL_LINES * PANEL_LINES, panel = output / PANEL_LINES;
    (void)worker;
    for (ptrdiff_t tap = 0; tap < taps; tap++)
        for (ptrdiff_t input = 0; input < p->c; input += LANES) {
            const ptrdiff_t block = (tap * inputs + input / PANEL_LINES) * outputs + panel;
            const vector_f32 sum = sum_of_pieces(
                w, block * PANEL_LINES * PANEL_LINES + row + input % PANEL_LINES);
            for (ptrdiff_t lane = 0; lane < smaller(LANES, p->c - input); lane++)
                w->gw[(output * p->c + input + lane) * taps + tap] = sum[lane];
        }
    if (w->gbias) {
        const ptrdiff_t first = output / LANES * LANES;
        w->gbias[output] =
            sum_of_pieces(w, w->size - outputs * PANEL_LINES + first)[output - first];
    }
}

/* Returns 0 where the tiles cannot take the numbers. */
static int sum_weights(const conv_plan *plan, const void *x, const void *gy, void *gw, void *gbias,
                       char *scratch, int threads) {
    struct weight_sums w = weight_sums_of(plan);
    int failed = 0;
    w.x = x, w.gy = gy, w.gw = gw, w.gbias = gbias, w.failed = &failed;
    w.sums = (float *)scratch;
    team_run(sum_piece, &w, w.pieces, threads);
    if (!failed) team_run(collect_output, &w, plan->o, threads);
    return !failed;
}

static size_t sum_weights_scratch(const conv_plan *plan) {
    const struct weight_sums w = weight_sums_of(plan);
    return (size_t)(w.pieces * w.size) * sizeof(float);
}
