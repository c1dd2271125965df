/* All pooling kernels for one real type; pool.c includes this once per type. */

static inline VECTOR TYPED(choose)(MASK mask, VECTOR yes, VECTOR no) {
    return (VECTOR)((mask & (MASK)yes) | (~mask & (MASK)no));
}

typedef uint8_t TYPED(bytes) __attribute__((vector_size(LANES)));
typedef int32_t TYPED(words) __attribute__((vector_size(4 * LANES)));

/* Some bytes of an index array. Fewer than eight go by powers of two: a loop over them took most
 * of the time at 6 channels. */
static inline TYPED(bytes) TYPED(load_bytes)(const uint8_t *from, ptrdiff_t lanes) {
    TYPED(bytes) value = {0};
    if (lanes == LANES) {
        memcpy(&value, from, LANES);
        return value;
    }
#if ISA == 4
    __m128i some = _mm_maskz_loadu_epi8((__mmask16)((1u << lanes) - 1), from);
    memcpy(&value, &some, LANES);
#else
    const uint64_t some = pool_load_bytes(from, lanes);
    memcpy(&value, &some, LANES);
#endif
    return value;
}

static inline void TYPED(store_bytes)(uint8_t *to, TYPED(bytes) value, ptrdiff_t lanes) {
    if (lanes == LANES) {
        memcpy(to, &value, LANES);
        return;
    }
#if ISA == 4
    __m128i some = {0};
    memcpy(&some, &value, LANES);
    _mm_mask_storeu_epi8(to, (__mmask16)((1u << lanes) - 1), some);
#else
    uint64_t some = 0;
    memcpy(&some, &value, LANES);
    pool_store_bytes(to, some, lanes);
#endif
}

static inline TYPED(bytes) TYPED(narrowed)(MASK place) {
#if ISA == 3
    TYPED(bytes) value;
    const int64_t low = pool_low_bytes((__m256i)place, sizeof(REAL));
    memcpy(&value, &low, LANES);
    return value;
#else
    return __builtin_convertvector(place, TYPED(bytes));
#endif
}

static inline void TYPED(store_index)(void *index, ptrdiff_t at, int wide, MASK place,
                                      ptrdiff_t lanes) {
    if (!wide) {
        TYPED(store_bytes)((uint8_t *)index + at, TYPED(narrowed)(place), lanes);
        return;
    }
    TYPED(words) words = __builtin_convertvector(place, TYPED(words));
    memcpy((int32_t *)index + at, &words, 4 * lanes);
}

static inline MASK TYPED(load_index)(const void *index, ptrdiff_t at, int wide, ptrdiff_t lanes) {
    TYPED(words) words = {0};
    if (!wide)
        return __builtin_convertvector(
            TYPED(load_bytes)((const uint8_t *)index + at, lanes), MASK);
    memcpy(&words, (const int32_t *)index + at, 4 * lanes);
    return __builtin_convertvector(words, MASK);
}

/* One window at one vector of channels. NaN wins, the last one if there are several. */
static inline void TYPED(max_window)(const pool_plan *plan, const REAL *x, REAL *y, void *index,
                                     ptrdiff_t at, conv_segment r, conv_segment c,
                                     ptrdiff_t lanes) {
    ptrdiff_t row = plan->dilation_h * plan->w * plan->c, col = plan->dilation_w * plan->c;
    VECTOR best = (VECTOR){0} - REAL_INFINITY;
    MASK place = (MASK){0} + (MASK_LANE)(r.tap_first * plan->kw + c.tap_first);
    for (ptrdiff_t i = r.tap_first; i < r.tap_last; i++)
        for (ptrdiff_t j = c.tap_first; j < c.tap_last; j++) {
            VECTOR value = TYPED(load_some)(x + i * row + j * col, lanes);
            MASK better = (value > best) | (value != value);
            MASK here = (MASK){0} + (MASK_LANE)(i * plan->kw + j);
            best = TYPED(choose)(better, value, best);
            place = (better & here) | (~better & place);
        }
    TYPED(store_some)(y + at, best, lanes);
    if (index) TYPED(store_index)(index, at, plan->kh * plan->kw > 256, place, lanes);
}

static void TYPED(max_row)(const pool_plan *plan, const REAL *x, REAL *y, void *index,
                           ptrdiff_t n, ptrdiff_t i) {
    conv_axis rows = pool_rows(plan), cols = pool_cols(plan);
    conv_segment r = conv_valid_taps(&rows, i);
    for (ptrdiff_t j = 0; j < plan->ow; j++) {
        conv_segment c = conv_valid_taps(&cols, j);
        const REAL *from = x + pool_window(plan, n, i, j);
        ptrdiff_t at = ((n * plan->oh + i) * plan->ow + j) * plan->c, v = 0;
        for (; v + LANES <= plan->c; v += LANES)
            TYPED(max_window)(plan, from + v, y, index, at + v, r, c, LANES);
        if (v < plan->c)
            TYPED(max_window)(plan, from + v, y, index, at + v, r, c, plan->c - v);
    }
}

static void TYPED(max_rows)(const void *work, ptrdiff_t row, int worker) {
    const pool_call *call = work;
    (void)worker;
    TYPED(max_row)(call->plan, call->from, call->to, call->index, row / call->plan->oh,
                   row % call->plan->oh);
}

static void TYPED(max_forward)(const pool_plan *plan, const void *x, void *y, void *index,
                               int threads) {
    const pool_call call = {.plan = plan, .from = x, .to = y, .index = index};
    team_run(TYPED(max_rows), &call, plan->n * plan->oh, threads);
}

/* Adds one window's gradient to its chosen place. Windows that touch nobody else's inputs (`own`)
 * write, and so need no zeros beforehand. */
static inline void TYPED(max_scatter)(const pool_plan *plan, const REAL *gy, const void *index,
                                      ptrdiff_t at, REAL *gx, conv_segment r, conv_segment c,
                                      ptrdiff_t lanes, int own) {
    ptrdiff_t row = plan->dilation_h * plan->w * plan->c, col = plan->dilation_w * plan->c;
    VECTOR gradient = TYPED(load_some)(gy + at, lanes);
    MASK place = TYPED(load_index)(index, at, plan->kh * plan->kw > 256, lanes);
    for (ptrdiff_t i = r.tap_first; i < r.tap_last; i++)
        for (ptrdiff_t j = c.tap_first; j < c.tap_last; j++) {
            MASK chosen = place == (MASK){0} + (MASK_LANE)(i * plan->kw + j);
            VECTOR value = (VECTOR)(chosen & (MASK)gradient);
            REAL *to = gx + i * row + j * col;
            if (!own) value += TYPED(load_some)(to, lanes);
            TYPED(store_some)(to, value, lanes);
        }
}

static void TYPED(max_backward_task)(const pool_plan *plan, const REAL *gy, const void *index,
                                     REAL *gx, ptrdiff_t n, ptrdiff_t v, ptrdiff_t last, int own) {
    conv_axis rows = pool_rows(plan), cols = pool_cols(plan);
    for (ptrdiff_t i = 0; i < plan->oh; i++) {
        conv_segment r = conv_valid_taps(&rows, i);
        for (ptrdiff_t j = 0; j < plan->ow; j++) {
            conv_segment c = conv_valid_taps(&cols, j);
            REAL *to = gx + pool_window(plan, n, i, j);
            ptrdiff_t at = ((n * plan->oh + i) * plan->ow + j) * plan->c, lane = v;
            for (; lane + LANES <= last; lane += LANES)
                TYPED(max_scatter)(plan, gy, index, at + lane, to + lane, r, c, LANES, own);
            if (lane < last)
                TYPED(max_scatter)(plan, gy, index, at + lane, to + lane, r, c, last - lane, own);
        }
    }
}

static void TYPED(zero_channels)(const pool_plan *plan, REAL *gx, ptrdiff_t n, ptrdiff_t first,
                                 ptrdiff_t last) {
    REAL *to = gx + n * plan->h * plan->w * plan->c + first;
    if (last - first == plan->c) {
        memset(to, 0, plan->h * plan->w * plan->c * sizeof(REAL));
        return;
    }
    for (ptrdiff_t pixel = 0; pixel < plan->h * plan->w; pixel++, to += plan->c)
        memset(to, 0, (last - first) * sizeof(REAL));
}

static void TYPED(max_backward_part)(const void *work, ptrdiff_t piece, int worker) {
    const pool_call *call = work;
    const pool_plan *plan = call->plan;
    ptrdiff_t parts = call->parts, n = piece / parts, part = piece % parts;
    ptrdiff_t first = pool_channel(plan, LANES, parts, part);
    ptrdiff_t last = pool_channel(plan, LANES, parts, part + 1);
    (void)worker;
    if (pool_windows_tile(plan)) {
        TYPED(max_backward_task)(plan, call->from, call->index, call->to, n, first, last, 1);
        return;
    }
    TYPED(zero_channels)(plan, call->to, n, first, last);
    TYPED(max_backward_task)(plan, call->from, call->index, call->to, n, first, last, 0);
}

static void TYPED(max_backward)(const pool_plan *plan, const void *gy, const void *index,
                                void *gx, int threads) {
    const pool_call call = {.plan = plan, .from = gy, .to = gx, .index = (void *)index,
                            .parts = pool_channel_parts(plan, LANES)};
    team_run(TYPED(max_backward_part), &call, plan->n * call.parts, threads);
}

static void TYPED(gather_row)(const pool_plan *plan, const REAL *x, const void *index, REAL *y,
                              ptrdiff_t n, ptrdiff_t i) {
    ptrdiff_t row = plan->dilation_h * plan->w * plan->c, col = plan->dilation_w * plan->c;
    int wide = plan->kh * plan->kw > 256;
    conv_axis rows = pool_rows(plan), cols = pool_cols(plan);
    conv_segment r = conv_valid_taps(&rows, i);
    for (ptrdiff_t j = 0; j < plan->ow; j++) {
        conv_segment s = conv_valid_taps(&cols, j);
        ptrdiff_t at = ((n * plan->oh + i) * plan->ow + j) * plan->c;
        const REAL *from = x + pool_window(plan, n, i, j);
        for (ptrdiff_t c = 0; c < plan->c; c++) {
            ptrdiff_t place = wide ? ((const int32_t *)index)[at + c]
                                   : ((const uint8_t *)index)[at + c];
            ptrdiff_t di = place / plan->kw, dj = place % plan->kw;
            int inside = di >= r.tap_first && di < r.tap_last && dj >= s.tap_first
                      && dj < s.tap_last;
            y[at + c] = inside ? from[di * row + dj * col + c] : 0;
        }
    }
}

static void TYPED(gather_rows)(const void *work, ptrdiff_t row, int worker) {
    const pool_call *call = work;
    (void)worker;
    TYPED(gather_row)(call->plan, call->from, call->index, call->to, row / call->plan->oh,
                      row % call->plan->oh);
}

static void TYPED(max_gather)(const pool_plan *plan, const void *x, const void *index, void *y,
                              int threads) {
    const pool_call call = {.plan = plan, .from = x, .to = y, .index = (void *)index};
    team_run(TYPED(gather_rows), &call, plan->n * plan->oh, threads);
}

static inline void TYPED(average_window)(const pool_plan *plan, const REAL *x, REAL *y,
                                         conv_segment r, conv_segment c, REAL divisor,
                                         ptrdiff_t lanes) {
    ptrdiff_t row = plan->dilation_h * plan->w * plan->c, col = plan->dilation_w * plan->c;
    VECTOR sum = {0};
    for (ptrdiff_t i = r.tap_first; i < r.tap_last; i++)
        for (ptrdiff_t j = c.tap_first; j < c.tap_last; j++)
            sum += TYPED(load_some)(x + i * row + j * col, lanes);
    TYPED(store_some)(y, sum / divisor, lanes);
}

static void TYPED(average_row)(const pool_plan *plan, const REAL *x, REAL *y, ptrdiff_t n,
                               ptrdiff_t i) {
    conv_axis rows = pool_rows(plan), cols = pool_cols(plan);
    conv_segment r = conv_valid_taps(&rows, i);
    for (ptrdiff_t j = 0; j < plan->ow; j++) {
        conv_segment c = conv_valid_taps(&cols, j);
        REAL divisor = (REAL)pool_divisor(plan, &rows, &cols, r, c);
        const REAL *from = x + pool_window(plan, n, i, j);
        REAL *to = y + ((n * plan->oh + i) * plan->ow + j) * plan->c;
        ptrdiff_t v = 0;
        for (; v + LANES <= plan->c; v += LANES)
            TYPED(average_window)(plan, from + v, to + v, r, c, divisor, LANES);
        if (v < plan->c)
            TYPED(average_window)(plan, from + v, to + v, r, c, divisor, plan->c - v);
    }
}

static void TYPED(average_rows)(const void *work, ptrdiff_t row, int worker) {
    const pool_call *call = work;
    (void)worker;
    TYPED(average_row)(call->plan, call->from, call->to, row / call->plan->oh,
                       row % call->plan->oh);
}

static void TYPED(average_forward)(const pool_plan *plan, const void *x, void *y, int threads) {
    const pool_call call = {.plan = plan, .from = x, .to = y};
    team_run(TYPED(average_rows), &call, plan->n * plan->oh, threads);
}

static inline void TYPED(average_scatter)(const pool_plan *plan, const REAL *gy, REAL *gx,
                                          conv_segment r, conv_segment c, REAL divisor,
                                          ptrdiff_t lanes, int own) {
    ptrdiff_t row = plan->dilation_h * plan->w * plan->c, col = plan->dilation_w * plan->c;
    VECTOR share = TYPED(load_some)(gy, lanes) / divisor;
    for (ptrdiff_t i = r.tap_first; i < r.tap_last; i++)
        for (ptrdiff_t j = c.tap_first; j < c.tap_last; j++) {
            REAL *to = gx + i * row + j * col;
            TYPED(store_some)(to, own ? share : share + TYPED(load_some)(to, lanes), lanes);
        }
}

static void TYPED(average_backward_task)(const pool_plan *plan, const REAL *gy, REAL *gx,
                                         ptrdiff_t n, ptrdiff_t v, ptrdiff_t last, int own) {
    conv_axis rows = pool_rows(plan), cols = pool_cols(plan);
    for (ptrdiff_t i = 0; i < plan->oh; i++) {
        conv_segment r = conv_valid_taps(&rows, i);
        for (ptrdiff_t j = 0; j < plan->ow; j++) {
            conv_segment c = conv_valid_taps(&cols, j);
            REAL divisor = (REAL)pool_divisor(plan, &rows, &cols, r, c);
            const REAL *from = gy + ((n * plan->oh + i) * plan->ow + j) * plan->c;
            REAL *to = gx + pool_window(plan, n, i, j);
            ptrdiff_t at = v;
            for (; at + LANES <= last; at += LANES)
                TYPED(average_scatter)(plan, from + at, to + at, r, c, divisor, LANES, own);
            if (at < last)
                TYPED(average_scatter)(plan, from + at, to + at, r, c, divisor, last - at, own);
        }
    }
}

static void TYPED(average_backward_part)(const void *work, ptrdiff_t piece, int worker) {
    const pool_call *call = work;
    const pool_plan *plan = call->plan;
    ptrdiff_t parts = call->parts, n = piece / parts, part = piece % parts;
    ptrdiff_t first = pool_channel(plan, LANES, parts, part);
    ptrdiff_t last = pool_channel(plan, LANES, parts, part + 1), own = pool_windows_tile(plan);
    (void)worker;
    if (!own) TYPED(zero_channels)(plan, call->to, n, first, last);
    TYPED(average_backward_task)(plan, call->from, call->to, n, first, last, own);
}

static void TYPED(average_backward)(const pool_plan *plan, const void *gy, void *gx,
                                    int threads) {
    const pool_call call = {.plan = plan, .from = gy, .to = gx,
                            .parts = pool_channel_parts(plan, LANES)};
    team_run(TYPED(average_backward_part), &call, plan->n * call.parts, threads);
}

const pool_kernels KERNELS = {TYPED(max_forward), TYPED(max_backward), TYPED(max_gather),
                              TYPED(average_forward), TYPED(average_backward)};
