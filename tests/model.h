/* model.h - streams as plain arrays, and every query answered by the slowest obvious code.
 *
 * Include streamstore.h and test.h before. A test keeps a model_stream beside every stream of the
 * library: model_prepare makes random rows behind the model's last row, the test appends them to
 * both (model_commit), and model_query puts one random question to both and compares the answers.
 * The first divergence is printed with model_seed and model_step; what follows is not reported. */
#ifndef MODEL_H
#define MODEL_H

#include <float.h>
#include <math.h>

#define MODEL_STREAMS 8
#define MODEL_METAS 6
#define MODEL_META_BYTES 700
#define MODEL_HOLDS 12

/* ---- reporting ---------------------------------------------------------------------------- */

static uint64_t model_seed, model_step;
static bool model_failed;

static inline bool model_true(const char *file, int line, const char *text, bool holds) {
    if (holds) return true;
    if (!model_failed) {
        printf("first divergence: seed %llu, step %llu\n", (unsigned long long)model_seed,
               (unsigned long long)model_step);
        test_fail(file, line, text);
    }
    model_failed = true;
    return false;
}

static inline bool model_equal(const char *file, int line, const char *text, long long got,
                               long long want) {
    char message[512];
    if (got == want) return true;
    snprintf(message, sizeof message, "%s is %lld, expected %lld", text, got, want);
    return model_true(file, line, message, false);
}

#define MODEL(condition) model_true(__FILE__, __LINE__, #condition, (condition))
#define MODEL_INT(got, want) \
    model_equal(__FILE__, __LINE__, #got, (long long)(got), (long long)(want))

/* ---- what a store and its streams should hold --------------------------------------------- */

typedef struct model_meta {
    uint32_t count;
    char key[MODEL_METAS][24];
    size_t size[MODEL_METAS];
    uint8_t value[MODEL_METAS][MODEL_META_BYTES];
} model_meta;

typedef struct model_stream {
    char name[32], field_name[16];
    bool has_field;             /* described by an sst_field, with this offset */
    uint32_t field_offset;
    sst_type type;
    uint32_t shape[4];
    uint32_t lines;             /* timelines */
    sst_unit unit;
    uint32_t block_bytes;
    size_t items, item_bytes, row_bytes;
    int time_style, line_style[SST_MAX_TIMELINES], value_style;
    uint64_t rows, capacity;
    uint64_t sealed;            /* rows known to be in blocks */
    int64_t *times, *line[SST_MAX_TIMELINES];
    uint8_t *values;
    bool finished;
    model_meta meta;
} model_stream;

typedef struct model_store {
    model_stream stream[MODEL_STREAMS];
    uint32_t count;
    model_meta meta;
} model_store;

static inline size_t model_type_bytes(sst_type type) {
    static const uint8_t bytes[16] = {0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 0, 0};
    return bytes[(unsigned)type & 15];
}

static inline void *model_memory(size_t size) {
    void *memory = malloc(size > 0 ? size : 1);
    if (memory == NULL) {
        printf("out of memory\n");
        exit(1);
    }
    return memory;
}

static inline void model_stream_free(model_stream *m) {
    int i;
    free(m->times);
    free(m->values);
    for (i = 0; i < SST_MAX_TIMELINES; i++) free(m->line[i]);
}

static inline void model_store_free(model_store *store) {
    uint32_t i;
    for (i = 0; i < store->count; i++) model_stream_free(&store->stream[i]);
    store->count = 0;
}

static inline void *model_duplicate(const void *from, size_t size) {
    void *copy = model_memory(size);
    if (size > 0) memcpy(copy, from, size);
    return copy;
}

/* A copy of its own, with every row sealed: what an image of the store holds. */
static inline void model_store_copy(model_store *to, const model_store *from) {
    uint32_t i, k;
    *to = *from;
    for (i = 0; i < from->count; i++) {
        model_stream *m = &to->stream[i];
        size_t rows = (size_t)m->rows;
        m->capacity = m->sealed = m->rows;
        m->times = (int64_t *)model_duplicate(m->times, rows * 8);
        m->values = (uint8_t *)model_duplicate(m->values, rows * m->row_bytes);
        for (k = 0; k < m->lines; k++) {
            m->line[k] = (int64_t *)model_duplicate(m->line[k], rows * 8);
        }
    }
}

/* Items and bytes of a row from type and shape. */
static inline void model_measure(model_stream *m) {
    int i;
    m->items = 1;
    for (i = 0; i < 4 && m->shape[i] != 0; i++) m->items *= m->shape[i];
    m->item_bytes = model_type_bytes(m->type);
    m->row_bytes = m->items * m->item_bytes;
}

/* Makes m an empty stream of random type, shape, timelines and kind of data. */
static inline void model_stream_random(model_stream *m, const char *name, uint32_t block_bytes,
                                       uint64_t *random) {
    uint32_t rank = (uint32_t)test_below(random, 5), i;
    memset(m, 0, sizeof *m);
    snprintf(m->name, sizeof m->name, "%.31s", name);
    m->type = (sst_type)(1 + test_below(random, 13));
    if (test_below(random, 3) == 0) rank = 0;
    for (i = 0; i < rank; i++) m->shape[i] = 1 + (uint32_t)test_below(random, 3);
    if (rank > 0 && test_below(random, 4) == 0) {      /* larger than a quarter of a block */
        m->shape[0] = (uint32_t)(block_bytes / 4 / model_type_bytes(m->type) + 1 +
                                 test_below(random, block_bytes));
        for (i = 1; i < rank; i++) m->shape[i] = 1;
    }
    if (test_below(random, 2) == 0) m->lines = (uint32_t)test_below(random, 5);
    m->unit = (sst_unit)test_below(random, 5);
    if (test_below(random, 4) == 0) m->block_bytes = 512 + (uint32_t)test_below(random, 2000);
    if (test_below(random, 4) == 0) {
        m->has_field = true;
        m->field_offset = (uint32_t)test_below(random, 3) * 8;
        if (test_below(random, 2) == 0) snprintf(m->field_name, sizeof m->field_name, "field");
    }
    m->time_style = (int)test_below(random, 5);
    m->value_style = (int)test_below(random, 3);
    for (i = 0; i < m->lines; i++) m->line_style[i] = (int)test_below(random, 6);
    model_measure(m);
}

/* Describes m to sst_stream_create. The description refers to m and to field. */
static inline void model_describe(const model_stream *m, sst_stream_desc *desc, sst_field *field) {
    static const char *const names[SST_MAX_TIMELINES] = {"capture", "arrival", "t\xC3\xA9", "x"};
    uint32_t i;
    memset(desc, 0, sizeof *desc);
    memset(field, 0, sizeof *field);
    desc->name = m->name;
    desc->time_unit = m->unit;
    desc->block_bytes = m->block_bytes;
    for (i = 0; i < m->lines; i++) desc->timelines[i] = names[i];
    if (m->has_field) {
        field->name = m->field_name[0] != '\0' ? m->field_name : NULL;
        field->type = m->type;
        field->offset = m->field_offset;
        memcpy(field->shape, m->shape, sizeof m->shape);
        desc->fields = field;
        desc->field_count = 1;
    } else {
        desc->type = m->type;
        memcpy(desc->shape, m->shape, sizeof m->shape);
    }
}

static inline bool model_alike(const model_stream *a, const model_stream *b) {
    return a->type == b->type && a->lines == b->lines &&
           memcmp(a->shape, b->shape, sizeof a->shape) == 0;
}

/* ---- random rows -------------------------------------------------------------------------- */

/* Puts one of the values that break careless code into an item, or random bits. */
static inline void model_fill_item(sst_type type, uint8_t *item, uint64_t *random) {
    static const uint64_t f64[8] = {0x7FF8000000000123u, 0xFFF0000000000001u, 0x8000000000000000u,
                                    0x7FF0000000000000u, 0xFFF0000000000000u, 0x7FEFFFFFFFFFFFFFu,
                                    0xFFEFFFFFFFFFFFFFu, 0x0000000000000001u};
    static const uint32_t f32[8] = {0x7FC00123u, 0xFF800001u, 0x80000000u, 0x7F800000u,
                                    0xFF800000u, 0x7F7FFFFFu, 0xFF7FFFFFu, 0x00000001u};
    static const uint16_t f16[8] = {0x7E01, 0xFC01, 0x8000, 0x7C00, 0xFC00, 0x7BFF, 0xFBFF, 1};
    uint64_t bits = test_random(random), which = test_below(random, 16);
    uint32_t bits32 = (uint32_t)bits;
    uint16_t bits16 = (uint16_t)bits;
    if (type == SST_F64 && which < 8) bits = f64[which];
    if (type == SST_F32 && which < 8) bits32 = f32[which];
    if (type == SST_F16 && which < 8) bits16 = f16[which];
    if (type == SST_BF16 && which < 8) bits16 = (uint16_t)(f32[which] >> 16);
    switch (model_type_bytes(type)) {
    case 1: item[0] = (uint8_t)(type == SST_BOOL ? bits & 1 : bits); break;
    case 2: memcpy(item, &bits16, 2); break;
    case 4: memcpy(item, &bits32, 4); break;
    default: memcpy(item, &bits, 8); break;
    }
}

/* Small numbers, with which linear interpolation can be checked closely. */
static inline void model_fill_small(sst_type type, uint8_t *item, uint64_t *random) {
    int64_t number = (int64_t)test_below(random, 100);
    double f64 = (double)number - 50;
    float f32 = (float)f64;
    uint32_t bits;
    memcpy(&bits, &f32, 4);
    if (type == SST_BOOL) {
        item[0] = (uint8_t)(number & 1);
    } else if (type == SST_F64) {
        memcpy(item, &f64, 8);
    } else if (type == SST_F32) {
        memcpy(item, &bits, 4);
    } else if (type == SST_BF16) {
        uint16_t half = (uint16_t)(bits >> 16);
        memcpy(item, &half, 2);
    } else if (type == SST_F16) {
        uint16_t half = (uint16_t)((0x3C00 | (number << 3)) & 0xFFFF);
        memcpy(item, &half, 2);
    } else {
        memset(item, 0, model_type_bytes(type));
        item[0] = (uint8_t)number;
    }
}

static inline void model_fill(const model_stream *m, uint8_t *row, uint64_t *random) {
    size_t i;
    for (i = 0; i < m->items; i++) {
        if (m->value_style == 0) model_fill_small(m->type, row + i * m->item_bytes, random);
        else model_fill_item(m->type, row + i * m->item_bytes, random);
    }
}

/* last + step, or INT64_MAX where that is beyond; false when last is INT64_MAX. */
static inline bool model_step_time(int64_t last, uint64_t step, int64_t *next) {
    uint64_t room = (uint64_t)INT64_MAX - (uint64_t)last;
    if (room == 0) return false;
    *next = (int64_t)((uint64_t)last + (step < room ? step : room));
    return true;
}

static inline bool model_next_time(const model_stream *m, uint64_t row, uint64_t *random,
                                   int64_t *next) {
    static const int64_t starts[5] = {1000, -500, INT64_MIN / 2, INT64_MIN, INT64_MAX - 3000};
    int64_t last = row > 0 ? m->times[row - 1] : 0;
    uint64_t step = 1;
    if (row == 0) {
        *next = starts[m->time_style];
        if (m->time_style != 3) *next += (int64_t)test_below(random, 100);
        return true;
    }
    if (m->time_style == 1) step += test_below(random, 1000);
    if (m->time_style == 2) step = (uint64_t)1 << test_below(random, 52);
    if (m->time_style == 3) step = ((uint64_t)1 << test_below(random, 60)) + (random[0] & 7);
    if (m->time_style == 3 && test_below(random, 200) == 0) step = UINT64_MAX;
    if (m->time_style == 4) step += test_below(random, 3);
    return model_step_time(last, step, next);
}

static inline int64_t model_next_line(const model_stream *m, uint32_t k, uint64_t row,
                                      uint64_t *random) {
    int64_t last, next;
    if (row == 0) return m->line_style[k] == 5 ? INT64_MIN : (int64_t)test_below(random, 1000);
    next = last = m->line[k][row - 1];
    switch (m->line_style[k]) {
    case 0: model_step_time(last, 1 + test_below(random, 50), &next); break;
    case 1: model_step_time(last, test_below(random, 3), &next); break;
    case 2: next = (int64_t)test_random(random); break;
    case 3:                                 /* sorted, until it decreases */
        model_step_time(last, test_below(random, 9), &next);
        if (test_below(random, 150) == 0) next = last == INT64_MIN ? last : last - 1;
        break;
    case 5: model_step_time(last, test_random(random) >> test_below(random, 64), &next); break;
    default: break;                         /* constant */
    }
    return next;
}

static inline void model_reserve(model_stream *m, uint64_t rows) {
    uint64_t capacity = m->capacity;
    uint32_t k;
    if (rows <= capacity) return;
    while (capacity < rows) capacity = capacity * 2 + 16;
    m->times = (int64_t *)realloc(m->times, (size_t)capacity * 8);
    m->values = (uint8_t *)realloc(m->values, (size_t)capacity * m->row_bytes);
    for (k = 0; k < m->lines; k++) {
        m->line[k] = (int64_t *)realloc(m->line[k], (size_t)capacity * 8);
        if (m->line[k] == NULL) exit(1);
    }
    if (m->times == NULL || m->values == NULL) exit(1);
    m->capacity = capacity;
}

static inline uint8_t *model_row(const model_stream *m, uint64_t row) {
    return m->values + (size_t)row * m->row_bytes;
}

/* Makes at most `want` random rows behind the last one, and says how many there are (fewer when
 * the times come to their end). They count only after model_commit. */
static inline uint64_t model_prepare(model_stream *m, uint64_t want, uint64_t *random) {
    uint64_t i, row;
    uint32_t k;
    model_reserve(m, m->rows + want);
    for (i = 0; i < want; i++) {
        row = m->rows + i;
        if (!model_next_time(m, row, random, &m->times[row])) break;
        for (k = 0; k < m->lines; k++) m->line[k][row] = model_next_line(m, k, row, random);
        model_fill(m, model_row(m, row), random);
    }
    return i;
}

static inline void model_commit(model_stream *m, uint64_t rows) {
    m->rows += rows;
}

/* ---- the right answers -------------------------------------------------------------------- */

static inline bool model_sorted(const int64_t *times, uint64_t rows) {
    uint64_t i;
    for (i = 1; i < rows; i++) {
        if (times[i] < times[i - 1]) return false;
    }
    return true;
}

/* The row, or -1. Of equal times: the last at or before, the first at or after. */
static inline int64_t model_find(const int64_t *times, uint64_t rows, int64_t time,
                                 sst_match match) {
    int64_t before = -1, after = -1;
    uint64_t i;
    for (i = 0; i < rows; i++) {
        if (times[i] <= time) before = (int64_t)i;
        if (times[i] >= time && after < 0) after = (int64_t)i;
    }
    if (match == SST_AT_OR_BEFORE) return before;
    if (match == SST_AT_OR_AFTER) return after;
    if (before >= 0 && times[before] == time) return before;
    if (match == SST_EXACT) return -1;
    if (before < 0) return after;
    if (after < 0) return before;
    return (uint64_t)times[after] - (uint64_t)time < (uint64_t)time - (uint64_t)times[before]
               ? after : before;
}

/* Rows of an answer. carried: -1 none; 0 the first row's time is `start`, 1 + k its time on
 * timeline k is. */
typedef struct model_range {
    uint64_t first, count;
    int carried;
    int64_t start;
} model_range;

/* line: -1 for the time, else a timeline (sorted). With SST_CARRY every row at start stays. */
static inline model_range model_window(const model_stream *m, int line, int64_t start, int64_t end,
                                       uint32_t flags) {
    const int64_t *times = line < 0 ? m->times : m->line[line];
    model_range range = {0, 0, -1, start};
    uint64_t first = 0, stop = 0;
    bool half_open = (flags & SST_HALF_OPEN) != 0;
    if (start > end || (half_open && start == end)) return range;
    while (first < m->rows && times[first] < start) first++;
    while (stop < m->rows && (times[stop] < end || (!half_open && times[stop] == end))) stop++;
    if ((flags & SST_CARRY) && first > 0 && !(first < m->rows && times[first] == start)) {
        first--;
        range.carried = line + 1;
    }
    range.first = first;
    range.count = stop - first;
    return range;
}

/* binary16 as a double (IEEE 754). */
static inline double model_half(uint16_t bits) {
    int exponent = (bits >> 10) & 31, i;
    double value = bits & 1023;
    if (exponent == 31) value = value == 0 ? HUGE_VAL : (double)NAN;
    else if (exponent == 0) value /= 16777216.0;
    else value = (value + 1024) / 33554432.0;
    for (i = 0; i < exponent && exponent != 31; i++) value *= 2;
    return bits & 0x8000 ? -value : value;
}

#define MODEL_NUMBER(type) do { type x; memcpy(&x, item, sizeof x); return (double)x; } while (0)

static inline double model_number(sst_type type, const uint8_t *item) {
    uint16_t half;
    uint32_t bits;
    float f32;
    switch (type) {
    case SST_I8: MODEL_NUMBER(int8_t);
    case SST_I16: MODEL_NUMBER(int16_t);
    case SST_I32: MODEL_NUMBER(int32_t);
    case SST_I64: MODEL_NUMBER(int64_t);
    case SST_U16: MODEL_NUMBER(uint16_t);
    case SST_U32: MODEL_NUMBER(uint32_t);
    case SST_U64: MODEL_NUMBER(uint64_t);
    case SST_F32: MODEL_NUMBER(float);
    case SST_F64: MODEL_NUMBER(double);
    case SST_F16: memcpy(&half, item, 2); return model_half(half);
    case SST_BF16:
        memcpy(&half, item, 2);
        bits = (uint32_t)half << 16;
        memcpy(&f32, &bits, 4);
        return (double)f32;
    default: return item[0];
    }
}

/* Is `got` the value at `time`, linear between row and the one behind it? */
static inline bool model_linear_right(const model_stream *m, uint64_t row, size_t item,
                                      int64_t time, double got) {
    double a = model_number(m->type, model_row(m, row) + item * m->item_bytes), b, part, want;
    if (m->times[row] == time || row + 1 == m->rows) return isnan(a) ? isnan(got) : got == a;
    b = model_number(m->type, model_row(m, row + 1) + item * m->item_bytes);
    if (isnan(a) || isnan(b)) return isnan(got);
    if (isinf(a) || isinf(b)) return true;          /* nothing is promised */
    part = (double)((uint64_t)time - (uint64_t)m->times[row]) /
           (double)((uint64_t)m->times[row + 1] - (uint64_t)m->times[row]);
    want = a * (1 - part) + b * part;
    return isfinite(got) &&
           fabs(got / 4 - want / 4) <= (fabs(a / 4) + fabs(b / 4)) * 1e-12 + DBL_MIN;
}

/* ---- views -------------------------------------------------------------------------------- */

/* Stable views that are looked at again later. */
typedef struct model_hold {
    const model_stream *stream;
    model_range range;
    const int64_t *times, *line[SST_MAX_TIMELINES];
    const void *values;
} model_hold;

typedef struct model_holds {
    model_hold at[MODEL_HOLDS];
    uint32_t next;
} model_holds;

/* One stream of a store together with what it should hold. aligned: views may point into it. */
typedef struct model_source {
    const model_stream *model;
    sst_stream *handle;
    model_holds *holds;         /* may be NULL */
    bool aligned;
} model_source;

static inline bool model_same_times(const int64_t *got, const int64_t *want, uint64_t count,
                                    bool carried, int64_t start) {
    if (!carried) return memcmp(got, want, (size_t)count * 8) == 0;
    return got[0] == start && memcmp(got + 1, want + 1, (size_t)(count - 1) * 8) == 0;
}

static inline bool model_same_rows(const model_hold *h) {
    const model_stream *m = h->stream;
    const model_range *r = &h->range;
    uint32_t k;
    if (r->count == 0) return true;
    if (!model_same_times(h->times, m->times + r->first, r->count, r->carried == 0, r->start)) {
        return false;
    }
    for (k = 0; k < m->lines; k++) {
        if (!model_same_times(h->line[k], m->line[k] + r->first, r->count,
                              r->carried == (int)k + 1, r->start)) {
            return false;
        }
    }
    return memcmp(h->values, model_row(m, r->first), (size_t)r->count * m->row_bytes) == 0;
}

/* Pointers that do not apply are NULL, those that do are there and aligned. */
static inline bool model_check_pointers(const model_stream *m, const sst_view *view) {
    uint32_t k;
    bool ok = MODEL(view->times != NULL && view->values != NULL);
    ok = ok && MODEL((uintptr_t)view->times % 8 == 0);
    ok = ok && MODEL((uintptr_t)view->values % m->item_bytes == 0);
    ok = ok && MODEL(view->column_count == 1 && view->columns != NULL);
    ok = ok && MODEL(view->columns[0].values == view->values && view->columns[0].offsets == NULL);
    ok = ok && MODEL(view->offsets == NULL && view->tags == NULL && view->key_offsets == NULL);
    ok = ok && MODEL(view->keys == NULL && view->row_flags == NULL);
    for (k = 0; ok && k < SST_MAX_TIMELINES; k++) {
        ok = MODEL((view->timelines[k] != NULL) == (k < m->lines));
        ok = ok && MODEL((uintptr_t)view->timelines[k] % 8 == 0);
    }
    return ok;
}

/* The view has exactly these rows. A stable one is kept for model_check_holds. */
static inline bool model_check_view(const model_source *s, const sst_view *view,
                                    const model_range *range) {
    const model_stream *m = s->model;
    model_hold hold;
    uint32_t k;
    bool one_block = range->count == 1 && range->first < m->sealed && range->carried < 0;
    if (!MODEL_INT(view->count, range->count) || !model_check_pointers(m, view)) return false;
    if (range->count > 0 && !MODEL_INT(view->first_row, range->first)) return false;
    hold.stream = m;
    hold.range = *range;
    hold.times = view->times;
    hold.values = view->values;
    for (k = 0; k < SST_MAX_TIMELINES; k++) hold.line[k] = view->timelines[k];
    if (!MODEL(model_same_rows(&hold))) return false;
    if (range->carried >= 0 && !MODEL(!view->stable)) return false;
    if (one_block && s->aligned && !MODEL(view->stable)) return false;
    if (view->stable && range->count > 0 && s->holds != NULL) {
        s->holds->at[s->holds->next++ % MODEL_HOLDS] = hold;
    }
    return true;
}

/* What was lent as stable is still there, byte for byte. */
static inline void model_check_holds(const model_holds *holds) {
    uint32_t i;
    for (i = 0; i < MODEL_HOLDS && i < holds->next; i++) MODEL(model_same_rows(&holds->at[i]));
}

/* ---- questions ---------------------------------------------------------------------------- */

/* A time to ask for: near a row, between two, anywhere, or an end of the range. */
static inline int64_t model_pick_time(const int64_t *times, uint64_t rows, uint64_t *random) {
    static const int64_t ends[6] = {INT64_MIN, INT64_MAX, INT64_MIN + 1, INT64_MAX - 1, 0, -1};
    uint64_t kind = test_below(random, 10), row = test_below(random, rows);
    uint64_t base;
    if (kind == 0 || rows == 0) return ends[test_below(random, 6)];
    if (kind == 1) return (int64_t)test_random(random);
    base = (uint64_t)times[row];
    if (kind < 5) return (int64_t)base;
    if (kind < 8) return (int64_t)(base + test_below(random, 5) - 2);
    if (row + 1 == rows) return (int64_t)(base + test_below(random, 1000));
    return (int64_t)(base + ((uint64_t)times[row + 1] - base) / 2 + test_below(random, 2));
}

static inline void model_query_locate(const model_source *s, uint64_t *random) {
    const model_stream *m = s->model;
    int64_t time = model_pick_time(m->times, m->rows, random), want;
    sst_match match = (sst_match)test_below(random, 4);
    uint64_t row = 0xA5A5A5A5u;
    int result = sst_locate(s->handle, time, match, &row);
    want = model_find(m->times, m->rows, time, match);
    MODEL_INT(result, want < 0 ? SST_ERR_NOT_FOUND : SST_OK);
    MODEL_INT(row, want < 0 ? (int64_t)0xA5A5A5A5u : want);
}

static inline void model_query_at(const model_source *s, uint64_t *random) {
    const model_stream *m = s->model;
    int64_t time = model_pick_time(m->times, m->rows, random);
    int64_t want = model_find(m->times, m->rows, time, SST_AT_OR_BEFORE);
    model_range range = {(uint64_t)want, 1, -1, 0};
    sst_view view;
    int result;
    memset(&view, 0xA5, sizeof view);
    result = sst_at(s->handle, time, &view);
    if (!MODEL_INT(result, want < 0 ? SST_ERR_NOT_FOUND : SST_OK)) return;
    if (want < 0) MODEL_INT(view.count, 0);
    else model_check_view(s, &view, &range);
}

static inline void model_query_window(const model_source *s, uint64_t *random) {
    const model_stream *m = s->model;
    int64_t start = model_pick_time(m->times, m->rows, random);
    int64_t end = test_below(random, 8) == 0 ? start
                                             : model_pick_time(m->times, m->rows, random);
    uint32_t flags = (uint32_t)test_below(random, 4) * SST_HALF_OPEN;
    model_range range;
    sst_view view;
    int result;
    if (start > end && test_below(random, 8) != 0) {
        int64_t swap = start;
        start = end;
        end = swap;
    }
    if (test_below(random, 3) == 0) {
        flags = 0;
        result = sst_window(s->handle, start, end, &view);
    } else {
        result = sst_window_ex(s->handle, start, end, flags, &view);
    }
    range = model_window(m, -1, start, end, flags);
    if (MODEL_INT(result, SST_OK)) model_check_view(s, &view, &range);
}

static inline void model_query_slice(const model_source *s, uint64_t *random) {
    const model_stream *m = s->model;
    uint64_t first = test_below(random, m->rows + 2), count = test_below(random, 60);
    model_range range = {0, 0, -1, 0};
    sst_view view;
    if (test_below(random, 3) == 0) count = 1;
    if (test_below(random, 10) == 0) count = UINT64_MAX - test_below(random, 2);
    if (test_below(random, 20) == 0) first = UINT64_MAX - test_below(random, 2);
    range.first = first;
    if (first < m->rows) range.count = count < m->rows - first ? count : m->rows - first;
    if (!MODEL_INT(sst_slice(s->handle, first, count, &view), SST_OK)) return;
    model_check_view(s, &view, &range);
}

static inline bool model_zero(const void *bytes, size_t size) {
    const uint8_t *byte = (const uint8_t *)bytes;
    size_t i;
    for (i = 0; i < size; i++) {
        if (byte[i] != 0) return false;
    }
    return true;
}

static inline void model_check_linear(const model_stream *m, int64_t row, int64_t time,
                                      const double *got) {
    size_t i;
    for (i = 0; i < m->items; i++) {
        if (row < 0) MODEL(got[i] == 0);
        else MODEL(model_linear_right(m, (uint64_t)row, i, time, got[i]));
    }
}

#define MODEL_TIMES 20

static inline void model_query_sample(const model_source *s, uint64_t *random) {
    static const sst_match matches[4] = {SST_AT_OR_BEFORE, SST_NEAREST, SST_EXACT,
                                         SST_AT_OR_BEFORE};
    const model_stream *m = s->model;
    sst_sampling how = (sst_sampling)test_below(random, 4);
    bool linear = how == SST_SAMPLE_LINEAR, want_values = test_below(random, 4) != 0;
    bool want_rows = !want_values || test_below(random, 4) != 0;
    size_t n = (size_t)test_below(random, MODEL_TIMES), i;
    size_t cell = linear ? m->items * 8 : m->row_bytes;
    int64_t times[MODEL_TIMES], rows[MODEL_TIMES], want;
    uint8_t *values = (uint8_t *)model_memory(n * cell);
    int result;
    for (i = 0; i < n; i++) times[i] = model_pick_time(m->times, m->rows, random);
    result = sst_sample(s->handle, times, n, how, want_values ? values : NULL,
                        want_rows ? rows : NULL);
    if (linear && m->type == SST_BOOL) {
        if (n > 0) MODEL_INT(result, SST_ERR_TYPE);
        n = 0;
    } else if (!MODEL_INT(result, SST_OK)) {
        n = 0;
    }
    for (i = 0; i < n; i++) {
        const uint8_t *got = values + i * cell;
        want = model_find(m->times, m->rows, times[i], matches[how]);
        if (want_rows) MODEL_INT(rows[i], want);
        if (!want_values) continue;
        if (linear) model_check_linear(m, want, times[i], (const double *)(const void *)got);
        else if (want < 0) MODEL(model_zero(got, cell));
        else MODEL(memcmp(got, model_row(m, (uint64_t)want), cell) == 0);
    }
    free(values);
}

/* A row beyond the end or below -1 among good ones: nothing may be written. */
static inline void model_query_gather_bad(const model_source *s, uint64_t *random) {
    const model_stream *m = s->model;
    int64_t rows[3] = {-1, -1, -1}, times[3], bad[4];
    size_t size = 3 * m->row_bytes, i;
    uint8_t *values = (uint8_t *)model_memory(size);
    bad[0] = (int64_t)m->rows;
    bad[1] = -2;
    bad[2] = INT64_MAX;
    bad[3] = INT64_MIN;
    for (i = 0; i < 3 && m->rows > 0; i++) rows[i] = (int64_t)test_below(random, m->rows);
    rows[test_below(random, 3)] = bad[test_below(random, 4)];
    memset(values, 0xA5, size);
    memset(times, 0xA5, sizeof times);
    MODEL_INT(sst_gather(s->handle, rows, 3, values, times), SST_ERR_ARG);
    for (i = 0; i < size; i++) MODEL(values[i] == 0xA5);
    for (i = 0; i < 3; i++) MODEL(times[i] == (int64_t)0xA5A5A5A5A5A5A5A5u);
    free(values);
}

static inline void model_query_gather(const model_source *s, uint64_t *random) {
    const model_stream *m = s->model;
    bool want_values = test_below(random, 4) != 0;
    bool want_times = !want_values || test_below(random, 2) != 0;
    size_t n = (size_t)test_below(random, MODEL_TIMES), i;
    int64_t rows[MODEL_TIMES], times[MODEL_TIMES];
    uint8_t *values = (uint8_t *)model_memory(n * m->row_bytes);
    for (i = 0; i < n; i++) rows[i] = (int64_t)test_below(random, m->rows + 1) - 1;
    if (!MODEL_INT(sst_gather(s->handle, rows, n, want_values ? values : NULL,
                              want_times ? times : NULL), SST_OK)) {
        n = 0;
    }
    for (i = 0; i < n; i++) {
        const uint8_t *got = values + i * m->row_bytes;
        if (want_times) MODEL_INT(times[i], rows[i] < 0 ? 0 : m->times[rows[i]]);
        if (!want_values) continue;
        if (rows[i] < 0) MODEL(model_zero(got, m->row_bytes));
        else MODEL(memcmp(got, model_row(m, (uint64_t)rows[i]), m->row_bytes) == 0);
    }
    free(values);
}

/* Nearest among rows of equal time: any of them. */
static inline void model_query_locate_on(const model_source *s, uint64_t *random) {
    const model_stream *m = s->model;
    uint32_t line = (uint32_t)test_below(random, m->lines + 1);
    sst_match match = (sst_match)test_below(random, 4);
    uint64_t row = 0xA5A5A5A5u;
    int64_t time, want;
    int result;
    if (line == m->lines) {
        MODEL_INT(sst_locate_on(s->handle, line, 0, match, &row), SST_ERR_ARG);
        return;
    }
    time = model_pick_time(m->line[line], m->rows, random);
    result = sst_locate_on(s->handle, line, time, match, &row);
    if (!model_sorted(m->line[line], m->rows)) {
        MODEL_INT(result, SST_ERR_ORDER);
        return;
    }
    want = model_find(m->line[line], m->rows, time, match);
    if (!MODEL_INT(result, want < 0 ? SST_ERR_NOT_FOUND : SST_OK) || want < 0) return;
    if (match != SST_NEAREST) MODEL_INT(row, want);
    else if (MODEL(row < m->rows)) MODEL_INT(m->line[line][row], m->line[line][want]);
}

static inline void model_query_window_on(const model_source *s, uint64_t *random) {
    const model_stream *m = s->model;
    uint32_t line = (uint32_t)test_below(random, m->lines + 1);
    uint32_t flags = (uint32_t)test_below(random, 4) * SST_HALF_OPEN;
    int64_t start, end;
    model_range range;
    sst_view view;
    int result;
    if (line == m->lines) {
        MODEL_INT(sst_window_on(s->handle, line, 0, 1, 0, &view), SST_ERR_ARG);
        return;
    }
    start = model_pick_time(m->line[line], m->rows, random);
    end = model_pick_time(m->line[line], m->rows, random);
    result = sst_window_on(s->handle, line, start, end, flags, &view);
    if (!model_sorted(m->line[line], m->rows)) {
        if (start < end) MODEL_INT(result, SST_ERR_ORDER);
        return;
    }
    range = model_window(m, (int)line, start, end, flags);
    if (MODEL_INT(result, SST_OK)) model_check_view(s, &view, &range);
}

static inline void model_query_info(const model_source *s) {
    const model_stream *m = s->model;
    sst_stream_desc desc, want;
    sst_field field;
    uint64_t rows = 1;
    int64_t first = 1, last = 1;
    uint32_t k;
    if (!MODEL_INT(sst_stream_info(s->handle, &desc, &rows, &first, &last), SST_OK)) return;
    model_describe(m, &want, &field);
    MODEL_INT(rows, m->rows);
    MODEL_INT(first, m->rows > 0 ? m->times[0] : 0);
    MODEL_INT(last, m->rows > 0 ? m->times[m->rows - 1] : 0);
    MODEL(desc.name != NULL && strcmp(desc.name, m->name) == 0);
    MODEL(desc.time_unit == m->unit && desc.flags == 0 && desc.codec == SST_CODEC_RAW);
    for (k = 0; k < SST_MAX_TIMELINES; k++) {
        if (!MODEL((desc.timelines[k] != NULL) == (k < m->lines)) || k >= m->lines) break;
        MODEL(strcmp(desc.timelines[k], want.timelines[k]) == 0);
    }
    if (m->field_name[0] != '\0') MODEL(desc.fields != NULL && desc.field_count == 1);
    if (desc.fields != NULL) {
        MODEL(desc.fields[0].type == m->type);
        MODEL(memcmp(desc.fields[0].shape, m->shape, sizeof m->shape) == 0);
        if (m->field_name[0] != '\0') {
            MODEL(desc.fields[0].name != NULL && strcmp(desc.fields[0].name, m->field_name) == 0);
        }
    } else {
        MODEL(desc.type == m->type && memcmp(desc.shape, m->shape, sizeof m->shape) == 0);
    }
    MODEL_INT(sst_stream_info(s->handle, NULL, NULL, NULL, NULL), SST_OK);
    MODEL_INT(sst_rows(s->handle), m->rows);
    MODEL_INT(sst_first_row(s->handle), 0);
}

/* Calls that cannot be answered. */
static inline void model_query_bad(const model_source *s) {
    int64_t times[1] = {0}, rows[1];
    uint64_t row;
    sst_view view;
    MODEL_INT(sst_locate(NULL, 0, SST_EXACT, &row), SST_ERR_ARG);
    MODEL_INT(sst_locate(s->handle, 0, SST_EXACT, NULL), SST_ERR_ARG);
    MODEL_INT(sst_locate(s->handle, 0, (sst_match)4, &row), SST_ERR_ARG);
    MODEL_INT(sst_at(NULL, 0, &view), SST_ERR_ARG);
    MODEL_INT(sst_at(s->handle, 0, NULL), SST_ERR_ARG);
    MODEL_INT(sst_window(s->handle, 0, 1, NULL), SST_ERR_ARG);
    MODEL_INT(sst_window_ex(s->handle, 0, 1, SST_NO_REPLACE, &view), SST_ERR_ARG);
    MODEL_INT(sst_window_ex(s->handle, 0, 1, 0x40000000u, &view), SST_ERR_ARG);
    MODEL_INT(sst_slice(s->handle, 0, 1, NULL), SST_ERR_ARG);
    MODEL_INT(sst_sample(s->handle, NULL, 1, SST_SAMPLE_EXACT, NULL, rows), SST_ERR_ARG);
    MODEL_INT(sst_sample(s->handle, times, 1, (sst_sampling)4, NULL, rows), SST_ERR_ARG);
    MODEL_INT(sst_gather(s->handle, NULL, 1, NULL, times), SST_ERR_ARG);
    MODEL_INT(sst_gather(NULL, rows, 1, NULL, times), SST_ERR_ARG);
    MODEL_INT(sst_rows(NULL), 0);
    MODEL_INT(sst_first_row(NULL), 0);
}

/* Puts one random question to the library and compares the answer. */
static inline void model_query(const model_source *s, uint64_t *random) {
    switch (test_below(random, 24)) {
    case 0: case 1: case 2: case 3: model_query_locate(s, random); break;
    case 4: case 5: model_query_at(s, random); break;
    case 6: case 7: case 8: case 9: model_query_window(s, random); break;
    case 10: case 11: case 12: model_query_slice(s, random); break;
    case 13: case 14: case 15: model_query_sample(s, random); break;
    case 16: case 17: model_query_gather(s, random); break;
    case 18: model_query_gather_bad(s, random); break;
    case 19: case 20: model_query_locate_on(s, random); break;
    case 21: case 22: model_query_window_on(s, random); break;
    default:
        model_query_info(s);
        model_query_bad(s);
        break;
    }
}

/* Every row of the stream, at once. */
static inline void model_check_all(const model_source *s) {
    model_range range = {0, 0, -1, 0};
    sst_view view;
    range.count = s->model->rows;
    MODEL_INT(sst_rows(s->handle), s->model->rows);
    if (MODEL_INT(sst_slice(s->handle, 0, UINT64_MAX, &view), SST_OK)) {
        model_check_view(s, &view, &range);
    }
}

/* ---- metadata ----------------------------------------------------------------------------- */

static inline int model_meta_find(const model_meta *meta, const char *key) {
    uint32_t i;
    for (i = 0; i < meta->count; i++) {
        if (strcmp(meta->key[i], key) == 0) return (int)i;
    }
    return -1;
}

static inline void model_meta_set(model_meta *meta, const char *key, const void *value,
                                  size_t size) {
    int at = model_meta_find(meta, key);
    if (at < 0) {
        at = (int)meta->count++;
        snprintf(meta->key[at], sizeof meta->key[at], "%s", key);
    }
    meta->size[at] = size;
    if (size > 0) memcpy(meta->value[at], value, size);
}

/* A key that is set again after its removal comes last. */
static inline void model_meta_remove(model_meta *meta, int at) {
    uint32_t i;
    for (i = (uint32_t)at; i + 1 < meta->count; i++) {
        memcpy(meta->key[i], meta->key[i + 1], sizeof meta->key[i]);
        memcpy(meta->value[i], meta->value[i + 1], sizeof meta->value[i]);
        meta->size[i] = meta->size[i + 1];
    }
    meta->count--;
}

/* stream NULL: the store's. */
static inline void model_check_meta(const model_meta *meta, sst_store *store, sst_stream *stream) {
    const void *value;
    const char *key;
    size_t size;
    uint32_t i;
    int result;
    for (i = 0; i <= meta->count; i++) {
        result = stream != NULL ? sst_stream_meta_at(stream, i, &key, &value, &size)
                                : sst_meta_at(store, i, &key, &value, &size);
        if (!MODEL_INT(result, i < meta->count ? SST_OK : SST_ERR_NOT_FOUND)) return;
        if (i == meta->count) break;
        if (!MODEL(strcmp(key, meta->key[i]) == 0)) return;
        if (!MODEL_INT(size, meta->size[i])) return;
        MODEL(memcmp(value, meta->value[i], size) == 0 && ((const char *)value)[size] == '\0');
        result = stream != NULL ? sst_stream_get_meta(stream, meta->key[i], &value, &size)
                                : sst_get_meta(store, meta->key[i], &value, &size);
        if (!MODEL_INT(result, SST_OK) || !MODEL_INT(size, meta->size[i])) return;
        MODEL(memcmp(value, meta->value[i], size) == 0);
    }
    result = stream != NULL ? sst_stream_get_meta(stream, "absent", NULL, NULL)
                            : sst_get_meta(store, "absent", NULL, NULL);
    MODEL_INT(result, SST_ERR_NOT_FOUND);
}

#endif
