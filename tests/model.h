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
#define MODEL_FIELDS 5

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

/* A field and its column. Where a row begins in `values` only model_place knows. */
typedef struct model_field {
    char name[16];              /* "": none */
    sst_type type;
    uint32_t shape[4];
    bool ragged;                /* text and bytes always are */
    bool silent;                /* text and bytes: the description does not say so */
    uint32_t offset;            /* in what sst_append is given */
    size_t items, item_bytes;   /* of the shape, and bytes of each */
    size_t row_bytes;           /* of all of them: a row, or, ragged, one of its items */
    int value_style, count_style;
    uint8_t *values;
    uint32_t *starts;           /* ragged: [rows + 1], where rows begin, in items of the shape */
    size_t room;                /* ragged: bytes that values has memory for */
} model_field;

typedef struct model_stream {
    char name[32];
    uint32_t flags;             /* SST_TAGGED, SST_KEYED, SST_UNTIMED, SST_EQUAL_TIMES */
    uint32_t fields;            /* at least 1 */
    model_field field[MODEL_FIELDS];
    bool described;             /* by an array of sst_field, with offsets; several always are */
    uint32_t lines;             /* timelines */
    sst_unit unit;
    uint32_t block_bytes;
    uint32_t large;             /* rows reach about this size now and then; 0: they are small */
    bool ragged;                /* some field is */
    size_t row_bytes;           /* of all fields */
    size_t struct_bytes;        /* of what sst_append is given */
    int time_style, line_style[SST_MAX_TIMELINES];
    uint32_t repeats;           /* with SST_EQUAL_TIMES: of 32 rows, those with the time before */
    uint64_t rows, capacity;
    uint64_t sealed;            /* rows known to be in blocks */
    uint64_t retain_rows;       /* as the description says */
    int64_t retain_time;
    uint64_t first;             /* the oldest row that is kept: see model_refresh */
    int64_t *times;             /* untimed: anything */
    int64_t *line[SST_MAX_TIMELINES];
    uint32_t *tags;             /* untagged: 0 */
    model_field key;            /* as the file has it: a kind and the bytes. Unkeyed: empty */
    uint8_t *row_flags;         /* unkeyed: 0 */
    bool finished;
    model_meta meta;
} model_stream;

typedef struct model_store {
    model_stream stream[MODEL_STREAMS];
    uint32_t count;
    model_meta meta;
} model_store;

static inline size_t model_type_bytes(sst_type type) {
    static const uint8_t bytes[16] = {0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 1, 1};
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

static inline void model_field_free(model_field *f) {
    free(f->values);
    free(f->starts);
}

static inline void model_stream_free(model_stream *m) {
    uint32_t i;
    free(m->times);
    free(m->tags);
    free(m->row_flags);
    model_field_free(&m->key);
    for (i = 0; i < m->fields; i++) model_field_free(&m->field[i]);
    for (i = 0; i < SST_MAX_TIMELINES; i++) free(m->line[i]);
}

static inline bool model_timed(const model_stream *m) {
    return (m->flags & SST_UNTIMED) == 0;
}

static inline bool model_tagged(const model_stream *m) {
    return (m->flags & SST_TAGGED) != 0;
}

static inline bool model_keyed(const model_stream *m) {
    return (m->flags & SST_KEYED) != 0;
}

/* Do calls that give a time and items suffice for a row? The tag is 0. */
static inline bool model_simple(const model_stream *m) {
    return m->lines == 0 && !model_keyed(m);
}

/* Is it a stream for sst_append_n, if it is simple? */
static inline bool model_only_items(const model_stream *m) {
    return m->fields == 1 && m->ragged;
}

static inline bool model_is_text(sst_type type) {
    return type == SST_TEXT || type == SST_BYTES;
}

/* Where a row begins in the values of a field; that of the row behind is where it ends. */
static inline size_t model_place(const model_field *f, uint64_t row) {
    if (!f->ragged) return (size_t)row * f->row_bytes;
    return f->starts == NULL ? 0 : f->starts[row] * f->row_bytes;
}

/* Items of a ragged field in a row. */
static inline size_t model_count(const model_field *f, uint64_t row) {
    return f->starts[row + 1] - f->starts[row];
}

/* The value of a field in a row. */
static inline uint8_t *model_value(const model_stream *m, uint32_t field, uint64_t row) {
    const model_field *f = &m->field[field];
    return f->values + model_place(f, row);
}

static inline size_t model_value_bytes(const model_stream *m, uint32_t field, uint64_t row) {
    const model_field *f = &m->field[field];
    return model_place(f, row + 1) - model_place(f, row);
}

/* Has the field these values in the row? */
static inline bool model_same_value(const model_stream *m, uint32_t field, uint64_t row,
                                    const void *got) {
    return memcmp(got, model_value(m, field, row), model_value_bytes(m, field, row)) == 0;
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

static inline void model_field_copy(model_field *f, size_t rows) {
    const uint32_t none = 0;
    f->room = model_place(f, rows);
    f->values = (uint8_t *)model_duplicate(f->values, f->room);
    if (!f->ragged) return;
    if (rows == 0) f->starts = (uint32_t *)model_duplicate(&none, 4);
    else f->starts = (uint32_t *)model_duplicate(f->starts, (rows + 1) * 4);
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
        m->tags = (uint32_t *)model_duplicate(m->tags, rows * 4);
        m->row_flags = (uint8_t *)model_duplicate(m->row_flags, rows);
        model_field_copy(&m->key, rows);
        for (k = 0; k < m->fields; k++) model_field_copy(&m->field[k], rows);
        for (k = 0; k < m->lines; k++) {
            m->line[k] = (int64_t *)model_duplicate(m->line[k], rows * 8);
        }
    }
}

/* Items and bytes of a row from the types and shapes. */
static inline void model_measure(model_stream *m) {
    uint32_t k, i;
    m->row_bytes = 0;
    m->ragged = false;
    m->key.ragged = true;
    m->key.type = SST_BYTES;
    m->key.items = m->key.item_bytes = m->key.row_bytes = 1;
    for (k = 0; k < m->fields; k++) {
        model_field *f = &m->field[k];
        f->items = 1;
        for (i = 0; i < 4 && f->shape[i] != 0; i++) f->items *= f->shape[i];
        f->item_bytes = model_type_bytes(f->type);
        f->row_bytes = f->items * f->item_bytes;
        m->row_bytes += f->row_bytes;
        m->ragged = m->ragged || f->ragged;
    }
}

/* Places the fields in the caller's structure: in any order, with gaps. What is not described has
 * no offset. */
static inline void model_layout(model_stream *m, uint64_t *random) {
    uint32_t left = m->fields, first = (uint32_t)test_below(random, m->fields);
    uint32_t step = test_below(random, 2) == 0 ? 1 : m->fields - 1;
    size_t at = 0;
    for (; left > 0; left--, first += step) {
        model_field *f = &m->field[first % m->fields];
        if (m->described) at += (size_t)test_below(random, 3) * 8;
        if (m->described && test_below(random, 4) == 0) at += (size_t)test_below(random, 8);
        f->offset = (uint32_t)at;
        at += f->row_bytes;
    }
    m->struct_bytes = at;
}

/* A field of random type and shape. small: one of several. */
static inline void model_field_random(model_field *f, bool small, uint32_t block_bytes,
                                      uint64_t *random) {
    uint32_t rank = (uint32_t)test_below(random, small ? 3 : 5), i;
    f->ragged = test_below(random, small ? 4 : 3) == 0;
    f->type = (sst_type)(1 + test_below(random, 13));
    if (f->ragged && test_below(random, 3) == 0) f->type = SST_TEXT;
    else if (f->ragged && test_below(random, 5) == 0) f->type = SST_BYTES;
    f->value_style = (int)test_below(random, 3);
    f->count_style = (int)test_below(random, 4);
    f->silent = model_is_text(f->type) && test_below(random, 2) == 0;
    if (test_below(random, 3) == 0 || model_is_text(f->type)) rank = 0;
    for (i = 0; i < rank; i++) f->shape[i] = 1 + (uint32_t)test_below(random, 3);
    if (rank > 0 && test_below(random, small ? 24 : 4) == 0) {
        /* larger than a quarter of a block */
        f->shape[0] = (uint32_t)(block_bytes / 4 / model_type_bytes(f->type) + 1 +
                                 test_below(random, block_bytes));
        for (i = 1; i < rank; i++) f->shape[i] = 1;
    }
}

/* One field or several, with names or without. */
static inline void model_fields_random(model_stream *m, uint32_t block_bytes, uint64_t *random) {
    uint32_t i;
    m->fields = 1;
    if (test_below(random, 3) == 0) m->fields = 2 + (uint32_t)test_below(random, MODEL_FIELDS - 1);
    m->described = m->fields > 1 || test_below(random, 4) == 0;
    for (i = 0; i < m->fields; i++) {
        model_field *f = &m->field[i];
        model_field_random(f, m->fields > 1, block_bytes, random);
        if (!m->described || test_below(random, 2) == 0) continue;
        snprintf(f->name, sizeof f->name, "field%u", (unsigned)i);
    }
}

/* Every combination of kinds that is allowed. */
static inline void model_flags_random(model_stream *m, uint64_t *random) {
    static const uint32_t repeats[4] = {3, 12, 24, 31};
    uint64_t clock = test_below(random, 8);
    if (test_below(random, 3) == 0) m->flags |= SST_TAGGED;
    if (test_below(random, 5) == 0) m->flags |= SST_KEYED;
    if (clock == 0) m->flags |= SST_UNTIMED;
    if (clock > 5) m->flags |= SST_EQUAL_TIMES;
    m->repeats = repeats[test_below(random, 4)];
}

/* Makes m an empty stream of random fields, kinds, timelines and data. */
static inline void model_stream_random(model_stream *m, const char *name, uint32_t block_bytes,
                                       uint64_t *random) {
    uint32_t i;
    memset(m, 0, sizeof *m);
    snprintf(m->name, sizeof m->name, "%.31s", name);
    model_fields_random(m, block_bytes, random);
    model_flags_random(m, random);
    if (model_timed(m) && test_below(random, 2) == 0) m->lines = (uint32_t)test_below(random, 5);
    m->unit = (sst_unit)test_below(random, 5);
    if (test_below(random, 4) == 0) m->block_bytes = 512 + (uint32_t)test_below(random, 2000);
    m->large = m->block_bytes != 0 ? m->block_bytes : block_bytes;
    m->time_style = (int)test_below(random, 5);
    for (i = 0; i < m->lines; i++) m->line_style[i] = (int)test_below(random, 6);
    model_measure(m);
    model_layout(m, random);
}

/* Gives m, which is empty, the kinds, timelines and fields of another one: their views fit both. */
static inline void model_become_like(model_stream *m, const model_stream *like,
                                     uint64_t *random) {
    uint32_t i;
    m->flags = like->flags;
    m->lines = like->lines;
    m->fields = like->fields;
    m->described = m->described || m->fields > 1;
    for (i = 0; i < m->fields; i++) {
        m->field[i].type = like->field[i].type;
        m->field[i].ragged = like->field[i].ragged;
        m->field[i].silent = m->field[i].silent && like->field[i].silent;
        memcpy(m->field[i].shape, like->field[i].shape, sizeof m->field[i].shape);
    }
    model_measure(m);
    model_layout(m, random);
}

/* What a description says about a field. Of the only one the stream may say it. */
static inline uint32_t model_field_flags(const model_field *f) {
    return f->ragged && !f->silent ? SST_RAGGED : 0;
}

/* Describes m to sst_stream_create. The description refers to m and to field[MODEL_FIELDS]. */
static inline void model_describe(const model_stream *m, sst_stream_desc *desc, sst_field *field) {
    static const char *const names[SST_MAX_TIMELINES] = {"capture", "arrival", "t\xC3\xA9", "x"};
    uint32_t i;
    memset(desc, 0, sizeof *desc);
    memset(field, 0, MODEL_FIELDS * sizeof *field);
    desc->name = m->name;
    desc->flags = m->flags;
    desc->time_unit = m->unit;
    desc->block_bytes = m->block_bytes;
    desc->retain_rows = m->retain_rows;
    desc->retain_time = m->retain_time;
    for (i = 0; i < m->lines; i++) desc->timelines[i] = names[i];
    if (!m->described) {
        desc->flags |= model_field_flags(&m->field[0]);
        desc->type = m->field[0].type;
        memcpy(desc->shape, m->field[0].shape, sizeof desc->shape);
        return;
    }
    for (i = 0; i < m->fields; i++) {
        const model_field *f = &m->field[i];
        field[i].name = f->name[0] != '\0' ? f->name : NULL;
        field[i].type = f->type;
        field[i].flags = model_field_flags(f);
        field[i].offset = f->offset;
        memcpy(field[i].shape, f->shape, sizeof f->shape);
    }
    if (m->fields == 1 && m->field[0].value_style == 1) {       /* whoever says it */
        desc->flags |= field[0].flags;
        field[0].flags = 0;
    }
    desc->fields = field;
    desc->field_count = m->fields;
}

static inline bool model_alike(const model_stream *a, const model_stream *b) {
    uint32_t i;
    if (a->flags != b->flags || a->lines != b->lines || a->fields != b->fields) return false;
    for (i = 0; i < a->fields; i++) {
        const model_field *f = &a->field[i], *g = &b->field[i];
        if (f->type != g->type || f->ragged != g->ragged) return false;
        if (memcmp(f->shape, g->shape, sizeof f->shape) != 0) return false;
    }
    return true;
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

/* UTF-8 of so many bytes: every length of a character, and NULs. */
static inline void model_fill_text(uint8_t *text, size_t size, uint64_t *random) {
    static const uint32_t least[4] = {0, 0x80, 0x800, 0x10000};
    static const uint32_t most[4] = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF};
    static const uint8_t lead[4] = {0, 0xC0, 0xE0, 0xF0};
    while (size > 0) {
        size_t n = (size_t)test_below(random, size < 4 ? size : 4), i;      /* and one more */
        uint32_t code = least[n] + (uint32_t)test_below(random, most[n] - least[n] + 1);
        if (test_below(random, 9) == 0) code = test_below(random, 2) == 0 ? least[n] : most[n];
        if (code >= 0xD800 && code < 0xE000) code = 0xD7FF;
        text[0] = (uint8_t)(lead[n] | code >> (6 * n));
        for (i = 1; i <= n; i++) text[i] = (uint8_t)(0x80 | (code >> (6 * (n - i)) & 63));
        text += n + 1;
        size -= n + 1;
    }
}

/* count: of the shape; 1 of a fixed field. */
static inline void model_fill(const model_field *f, uint8_t *row, size_t count, uint64_t *random) {
    size_t i;
    if (f->type == SST_TEXT) {
        model_fill_text(row, count, random);
        return;
    }
    for (i = 0; i < f->items * count; i++) {
        if (f->value_style == 0) model_fill_small(f->type, row + i * f->item_bytes, random);
        else model_fill_item(f->type, row + i * f->item_bytes, random);
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
    if (!model_timed(m)) {
        *next = (int64_t)test_random(random);
        return true;
    }
    if (row == 0) {
        *next = starts[m->time_style];
        if (m->time_style != 3) *next += (int64_t)test_below(random, 100);
        return true;
    }
    if ((m->flags & SST_EQUAL_TIMES) != 0 && test_below(random, 32) < m->repeats) {
        *next = last;
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

static inline void *model_grow(void *memory, size_t size) {
    memory = realloc(memory, size);
    if (memory == NULL) {
        printf("out of memory\n");
        exit(1);
    }
    return memory;
}

static inline void model_field_reserve(model_field *f, uint64_t rows) {
    bool fresh = f->starts == NULL;
    if (!f->ragged) {
        f->values = (uint8_t *)model_grow(f->values, model_place(f, rows));
        return;
    }
    f->starts = (uint32_t *)model_grow(f->starts, (size_t)(rows + 1) * 4);
    if (!fresh) return;
    f->starts[0] = 0;
    f->room = 64;
    f->values = (uint8_t *)model_grow(f->values, f->room);
}

/* Gives a ragged field's row, the last one so far, so many items, and says where they go. */
static inline uint8_t *model_make_items(model_field *f, uint64_t row, size_t count) {
    size_t need;
    f->starts[row + 1] = f->starts[row] + (uint32_t)count;
    need = model_place(f, row + 1);
    if (need > f->room) {
        while (f->room < need) f->room *= 2;
        f->values = (uint8_t *)model_grow(f->values, f->room);
    }
    return f->values + model_place(f, row);
}

/* How many items a row has: few, none, or more than fit a half, a quarter of a block, a block. */
static inline size_t model_next_count(const model_stream *m, const model_field *f,
                                      uint64_t *random) {
    uint64_t kind = test_below(random, 128), large = m->large, bytes = test_below(random, 24);
    if (f->count_style == 1) bytes = bytes < 6 ? bytes * 3 : 0;
    if (f->count_style == 2) bytes = test_below(random, 24 + large / 32);
    if (f->count_style == 3) return 3;
    if (large != 0 && kind < 3) bytes = test_below(random, large / 4);
    if (large != 0 && kind == 3) bytes = large / 4 + test_below(random, large / 4);
    if (large != 0 && kind == 4) bytes = large + test_below(random, large);
    if (test_below(random, 2) == 0) bytes += f->row_bytes - 1;
    return (size_t)(bytes / f->row_bytes);
}

/* A key of any kind, for the row behind the last one; a few of them come often. */
static inline void model_next_key(model_stream *m, uint64_t row, uint64_t *random) {
    static const uint8_t kinds[4] = {SST_KEY_I64, SST_KEY_I64, SST_KEY_TEXT, SST_KEY_BYTES};
    uint8_t kind = kinds[test_below(random, 4)];
    size_t size = (size_t)test_below(random, 12);
    uint8_t *key;
    m->row_flags[row] = 0;
    if (!model_keyed(m)) {
        model_make_items(&m->key, row, 0);
        return;
    }
    if (test_below(random, 8) == 0) m->row_flags[row] = SST_ROW_REMOVED;
    if (m->large != 0 && test_below(random, 60) == 0) size = (size_t)test_below(random, 1000);
    if (m->large != 0 && test_below(random, 800) == 0) size = SST_MAX_NAME;
    if (kind == SST_KEY_I64) size = 8;
    key = model_make_items(&m->key, row, size + 1);
    key[0] = kind;
    if (kind == SST_KEY_TEXT) model_fill_text(key + 1, size, random);
    else if (test_below(random, 2) == 0) memset(key + 1, (int)test_below(random, 4), size);
    else while (size > 0) key[size--] = (uint8_t)test_random(random);
}

static inline void model_reserve(model_stream *m, uint64_t rows) {
    uint64_t capacity = m->capacity;
    uint32_t k;
    if (rows <= capacity) return;
    while (capacity < rows) capacity = capacity * 2 + 16;
    m->times = (int64_t *)model_grow(m->times, (size_t)capacity * 8);
    m->tags = (uint32_t *)model_grow(m->tags, (size_t)capacity * 4);
    m->row_flags = (uint8_t *)model_grow(m->row_flags, (size_t)capacity);
    model_field_reserve(&m->key, capacity);
    for (k = 0; k < m->fields; k++) model_field_reserve(&m->field[k], capacity);
    for (k = 0; k < m->lines; k++) {
        m->line[k] = (int64_t *)model_grow(m->line[k], (size_t)capacity * 8);
    }
    m->capacity = capacity;
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
        m->tags[row] = 0;
        if (model_tagged(m) && test_below(random, 4) != 0) {
            m->tags[row] = (uint32_t)(test_random(random) >> test_below(random, 64));
        }
        model_next_key(m, row, random);
        for (k = 0; k < m->fields; k++) {
            model_field *f = &m->field[k];
            size_t count = f->ragged ? model_next_count(m, f, random) : 1;
            if (f->ragged) model_make_items(f, row, count);
            model_fill(f, model_value(m, k, row), count, random);
        }
    }
    return i;
}

static inline void model_borrow_value(model_field *f, uint64_t to, const model_field *from,
                                      uint64_t at) {
    size_t size = model_place(from, at + 1) - model_place(from, at);
    if (f->ragged) model_make_items(f, to, model_count(from, at));
    memcpy(f->values + model_place(f, to), from->values + model_place(from, at), size);
}

/* The prepared rows become copies of others: of another stream like m, or of m itself. */
static inline void model_borrow(model_stream *m, const model_stream *from, uint64_t first,
                                uint64_t rows) {
    uint64_t i;
    uint32_t k;
    model_reserve(m, m->rows + rows);
    for (i = 0; i < rows; i++) {
        uint64_t to = m->rows + i, at = first + i;
        m->times[to] = from->times[at];
        m->tags[to] = from->tags[at];
        for (k = 0; k < m->lines; k++) m->line[k][to] = from->line[k][at];
        m->row_flags[to] = from->row_flags[at];
        model_borrow_value(&m->key, to, &from->key, at);
        for (k = 0; k < m->fields; k++) {
            model_borrow_value(&m->field[k], to, &from->field[k], at);
        }
    }
}

/* What an sst_row refers to. */
typedef struct model_parts {
    int64_t lines[SST_MAX_TIMELINES];
    sst_cell cells[MODEL_FIELDS];
} model_parts;

/* The key of a row, as sst_append_row is given it. */
static inline sst_key model_key(const model_stream *m, uint64_t row) {
    const uint8_t *bytes = m->key.values + model_place(&m->key, row);
    sst_key key;
    memset(&key, 0, sizeof key);
    if (!model_keyed(m)) return key;
    key.kind = bytes[0];
    key.size = (uint32_t)model_count(&m->key, row) - 1;
    key.bytes = bytes + 1;
    if (key.kind == SST_KEY_I64) {
        key.number = (int64_t)ssti_get64(bytes + 1);
        key.size = (uint32_t)row;               /* means nothing */
        key.bytes = NULL;
    } else if (key.size == 0 && (row & 1) != 0) {
        key.bytes = NULL;
    }
    return key;
}

/* A row for sst_append_row: a value if there is one field, else cells, which are there anyway. */
static inline sst_row model_row(const model_stream *m, uint64_t row, model_parts *parts) {
    sst_row out;
    uint32_t k;
    memset(&out, 0, sizeof out);
    memset(parts, 0, sizeof *parts);
    for (k = 0; k < m->lines; k++) parts->lines[k] = m->line[k][row];
    for (k = 0; k < m->fields; k++) {
        parts->cells[k].data = model_value(m, k, row);
        parts->cells[k].count = (size_t)((row + k) & 1);        /* both stand for a fixed value */
        if (!m->field[k].ragged) continue;
        parts->cells[k].count = model_count(&m->field[k], row);
        if (parts->cells[k].count == 0 && (row & 1) != 0) parts->cells[k].data = NULL;
    }
    out.time = m->times[row];
    out.tag = m->tags[row];
    out.key = model_key(m, row);
    out.flags = m->row_flags[row];
    out.timelines = m->lines > 0 ? parts->lines : NULL;
    if (m->fields == 1) out.count = parts->cells[0].count;
    if (m->fields == 1) out.value = parts->cells[0].data;
    else out.cells = parts->cells;
    return out;
}

static inline int model_append(const model_stream *m, uint64_t row, sst_stream *stream) {
    model_parts parts;
    sst_row out = model_row(m, row, &parts);
    return sst_append_row(stream, &out);
}

/* Rows of the model as a view, with columns[MODEL_FIELDS]. */
static inline sst_view model_view(const model_stream *m, uint64_t first, uint64_t rows,
                                  sst_column *columns) {
    sst_view view;
    uint32_t k;
    memset(&view, 0, sizeof view);
    memset(columns, 0, MODEL_FIELDS * sizeof *columns);
    for (k = 0; k < m->fields; k++) {
        const model_field *f = &m->field[k];
        columns[k].values = f->ragged ? f->values : model_value(m, k, first);
        if (f->ragged) columns[k].offsets = f->starts + first;
    }
    for (k = 0; k < m->lines; k++) view.timelines[k] = m->line[k] + first;
    view.count = rows;
    view.times = model_timed(m) ? m->times + first : NULL;
    view.tags = model_tagged(m) ? m->tags + first : NULL;
    if (model_keyed(m)) {
        view.key_offsets = m->key.starts + first;
        view.keys = m->key.values;
        view.row_flags = m->row_flags + first;
    }
    view.values = columns[0].values;
    view.offsets = columns[0].offsets;
    view.columns = columns;
    view.column_count = m->fields;
    return view;
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

/* The row, or -1. Of equal times: the last one, but at or after the first. */
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
    if (after < 0) return before;
    if (before >= 0 && (uint64_t)times[after] - (uint64_t)time >=
                           (uint64_t)time - (uint64_t)times[before]) return before;
    while ((uint64_t)after + 1 < rows && times[after + 1] == times[after]) after++;
    return after;
}

/* The same among the rows of a stream that are kept. */
static inline int64_t model_search(const model_stream *m, const int64_t *times, int64_t time,
                                   sst_match match) {
    int64_t row;
    if (m->rows == 0) return -1;
    row = model_find(times + m->first, m->rows - m->first, time, match);
    return row < 0 ? -1 : row + (int64_t)m->first;
}

static inline bool model_retained(const model_stream *m) {
    return m->retain_rows != 0 || m->retain_time != 0;
}

/* Notes which rows are kept: the newest retain_rows, or those in force in retain_time. Of the
 * latter at most a block more, and how many depends on where blocks end, which is asked for. */
static inline void model_refresh(model_stream *m, sst_stream *handle) {
    uint64_t first = sst_first_row(handle), least = 0, by_rows = 0, row, block;
    if (m->rows > m->retain_rows) by_rows = m->rows - m->retain_rows;
    if (!model_retained(m)) by_rows = 0;
    if (m->retain_time == 0) {
        MODEL_INT(first, by_rows);
        m->first = by_rows;
        return;
    }
    for (row = 0; row < m->rows; row++) {
        int64_t newest = m->times[m->rows - 1];
        if (newest < INT64_MIN + m->retain_time) break;
        if (m->times[row] <= newest - m->retain_time) least = row;
    }
    if (m->retain_rows != 0 && by_rows < least) least = by_rows;
    block = (m->block_bytes != 0 ? m->block_bytes : m->large) / (m->row_bytes + 1) + 4;
    MODEL(first <= least && first >= m->first);
    if (!m->ragged) MODEL(least - first <= block);
    m->first = first;
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
    uint64_t first = m->first, stop = m->first;
    bool half_open = (flags & SST_HALF_OPEN) != 0;
    if (start > end || (half_open && start == end)) return range;
    while (first < m->rows && times[first] < start) first++;
    while (stop < m->rows && (times[stop] < end || (!half_open && times[stop] == end))) stop++;
    if ((flags & SST_CARRY) && first > m->first && !(first < m->rows && times[first] == start)) {
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

/* Is `got` the value of a field at `time`, linear between row and the one behind it? */
static inline bool model_linear_right(const model_stream *m, uint32_t field, uint64_t row,
                                      size_t item, int64_t time, double got) {
    const model_field *f = &m->field[field];
    double a = model_number(f->type, model_value(m, field, row) + item * f->item_bytes);
    double b, part, want;
    if (m->times[row] == time || row + 1 == m->rows) return isnan(a) ? isnan(got) : got == a;
    b = model_number(f->type, model_value(m, field, row + 1) + item * f->item_bytes);
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
    const uint32_t *tags;
    const uint8_t *row_flags;
    sst_column column[MODEL_FIELDS], keys;
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

/* Rows of one field. */
static inline bool model_same_column(const model_field *f, uint64_t first, uint64_t count,
                                     const sst_column *got) {
    size_t start = model_place(f, first), end = model_place(f, first + count);
    const uint8_t *values = (const uint8_t *)got->values;
    uint64_t i;
    for (i = 0; i < count && f->ragged; i++) {
        if (got->offsets[i + 1] - got->offsets[i] != model_count(f, first + i)) return false;
    }
    if (f->ragged) values += got->offsets[0] * f->row_bytes;
    return memcmp(values, f->values + start, end - start) == 0;
}

static inline bool model_same_rows(const model_hold *h) {
    const model_stream *m = h->stream;
    const model_range *r = &h->range;
    uint32_t k;
    if (r->count == 0) return true;
    if (model_timed(m) && !model_same_times(h->times, m->times + r->first, r->count,
                                            r->carried == 0, r->start)) return false;
    for (k = 0; k < m->lines; k++) {
        if (!model_same_times(h->line[k], m->line[k] + r->first, r->count,
                              r->carried == (int)k + 1, r->start)) {
            return false;
        }
    }
    if (model_tagged(m) && memcmp(h->tags, m->tags + r->first, (size_t)r->count * 4) != 0) {
        return false;
    }
    if (model_keyed(m)) {
        if (memcmp(h->row_flags, m->row_flags + r->first, (size_t)r->count) != 0) return false;
        if (!model_same_column(&m->key, r->first, r->count, &h->keys)) return false;
    }
    for (k = 0; k < m->fields; k++) {
        if (!model_same_column(&m->field[k], r->first, r->count, &h->column[k])) return false;
    }
    return true;
}

static inline bool model_check_columns(const model_stream *m, const sst_view *view) {
    uint32_t k;
    bool ok = MODEL_INT(view->column_count, m->fields) && MODEL(view->columns != NULL);
    ok = ok && MODEL(view->columns[0].values == view->values);
    ok = ok && MODEL(view->columns[0].offsets == view->offsets);
    for (k = 0; ok && k < m->fields; k++) {
        const sst_column *c = &view->columns[k];
        ok = MODEL(c->values != NULL && (c->offsets != NULL) == m->field[k].ragged);
        ok = ok && MODEL((uintptr_t)c->offsets % 4 == 0);
        ok = ok && MODEL((uintptr_t)c->values % m->field[k].item_bytes == 0);
    }
    return ok;
}

/* Pointers that do not apply are NULL, those that do are there and aligned. */
static inline bool model_check_pointers(const model_stream *m, const sst_view *view) {
    uint32_t k;
    bool ok = MODEL((view->times != NULL) == model_timed(m));
    ok = ok && MODEL((uintptr_t)view->times % 8 == 0);
    ok = ok && MODEL((view->tags != NULL) == model_tagged(m));
    ok = ok && MODEL((uintptr_t)view->tags % 4 == 0);
    ok = ok && MODEL((view->key_offsets != NULL) == model_keyed(m));
    ok = ok && MODEL((view->keys != NULL) == model_keyed(m));
    ok = ok && MODEL((view->row_flags != NULL) == model_keyed(m));
    ok = ok && MODEL((uintptr_t)view->key_offsets % 4 == 0);
    for (k = 0; ok && k < SST_MAX_TIMELINES; k++) {
        ok = MODEL((view->timelines[k] != NULL) == (k < m->lines));
        ok = ok && MODEL((uintptr_t)view->timelines[k] % 8 == 0);
    }
    return ok && model_check_columns(m, view);
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
    hold.tags = view->tags;
    hold.row_flags = view->row_flags;
    hold.keys.values = view->keys;
    hold.keys.offsets = view->key_offsets;
    for (k = 0; k < m->fields; k++) hold.column[k] = view->columns[k];
    for (k = 0; k < SST_MAX_TIMELINES; k++) hold.line[k] = view->timelines[k];
    if (!MODEL(model_same_rows(&hold))) return false;
    if (range->carried >= 0 && !MODEL(!view->stable)) return false;
    if (model_retained(m) && range->count != 0 && !MODEL(!view->stable)) return false;
    if (one_block && s->aligned && !model_retained(m) && !MODEL(view->stable)) return false;
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

/* A view of no rows, as a query that fails leaves it. */
static inline void model_check_empty(const model_stream *m, const sst_view *view) {
    if (MODEL_INT(view->count, 0)) model_check_pointers(m, view);
}

static inline void model_query_locate(const model_source *s, uint64_t *random) {
    const model_stream *m = s->model;
    int64_t time = model_pick_time(m->times, m->rows, random), want;
    sst_match match = (sst_match)test_below(random, 4);
    uint64_t row = 0xA5A5A5A5u;
    int result = sst_locate(s->handle, time, match, &row);
    want = model_search(m, m->times, time, match);
    MODEL_INT(result, want < 0 ? SST_ERR_NOT_FOUND : SST_OK);
    MODEL_INT(row, want < 0 ? (int64_t)0xA5A5A5A5u : want);
}

static inline void model_query_at(const model_source *s, uint64_t *random) {
    const model_stream *m = s->model;
    int64_t time = model_pick_time(m->times, m->rows, random);
    int64_t want = model_search(m, m->times, time, SST_AT_OR_BEFORE);
    model_range range = {(uint64_t)want, 1, -1, 0};
    sst_view view;
    int result;
    memset(&view, 0xA5, sizeof view);
    result = sst_at(s->handle, time, &view);
    if (!MODEL_INT(result, want < 0 ? SST_ERR_NOT_FOUND : SST_OK)) return;
    if (want < 0) model_check_empty(m, &view);
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
    if (first < m->first) {
        MODEL_INT(sst_slice(s->handle, first, count, &view), SST_ERR_NOT_FOUND);
        model_check_empty(m, &view);
        return;
    }
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

static inline void model_check_linear(const model_stream *m, uint32_t field, int64_t row,
                                      int64_t time, const double *got) {
    size_t i;
    for (i = 0; i < m->field[field].items; i++) {
        if (row < 0) MODEL(got[i] == 0);
        else MODEL(model_linear_right(m, field, (uint64_t)row, i, time, got[i]));
    }
}

#define MODEL_TIMES 20

/* sst_sample is sst_sample_field of the first field. */
static inline int model_sample(const model_source *s, uint32_t field, const int64_t *times,
                               size_t n, sst_sampling how, void *values, int64_t *rows,
                               bool plain) {
    if (field == 0 && plain) return sst_sample(s->handle, times, n, how, values, rows);
    return sst_sample_field(s->handle, field, times, n, how, values, rows);
}

static inline void model_query_sample(const model_source *s, uint64_t *random) {
    static const sst_match matches[4] = {SST_AT_OR_BEFORE, SST_NEAREST, SST_EXACT,
                                         SST_AT_OR_BEFORE};
    const model_stream *m = s->model;
    uint32_t field = (uint32_t)test_below(random, m->fields);
    const model_field *f = &m->field[field];
    sst_sampling how = (sst_sampling)test_below(random, 4);
    bool linear = how == SST_SAMPLE_LINEAR, want_values = test_below(random, 4) != 0;
    bool want_rows = !want_values || test_below(random, 4) != 0;
    size_t n = (size_t)test_below(random, MODEL_TIMES), i;
    size_t cell = linear ? f->items * 8 : f->row_bytes;
    int64_t times[MODEL_TIMES], rows[MODEL_TIMES], want;
    uint8_t *values = (uint8_t *)model_memory(n * cell);
    int result;
    for (i = 0; i < n; i++) times[i] = model_pick_time(m->times, m->rows, random);
    result = model_sample(s, field, times, n, how, want_values ? values : NULL,
                          want_rows ? rows : NULL, test_below(random, 2) == 0);
    if ((f->ragged && want_values) || (linear && f->type == SST_BOOL)) {
        if (n > 0) MODEL_INT(result, SST_ERR_TYPE);
        n = 0;
    } else if (!MODEL_INT(result, SST_OK)) {
        n = 0;
    }
    for (i = 0; i < n; i++) {
        const uint8_t *got = values + i * cell;
        want = model_search(m, m->times, times[i], matches[how]);
        if (want_rows) MODEL_INT(rows[i], want);
        if (!want_values) continue;
        if (linear) {
            model_check_linear(m, field, want, times[i], (const double *)(const void *)got);
        } else if (want < 0) {
            MODEL(model_zero(got, cell));
        } else {
            MODEL(model_same_value(m, field, (uint64_t)want, got));
        }
    }
    free(values);
}

/* A row beyond the end or below -1 among good ones: nothing may be written. */
static inline void model_query_gather_bad(const model_source *s, uint64_t *random) {
    const model_stream *m = s->model;
    uint32_t field = (uint32_t)test_below(random, m->fields);
    int64_t rows[3] = {-1, -1, -1}, times[3], bad[4];
    bool dropped = m->first != 0 && test_below(random, 2) == 0;
    int want = dropped ? SST_ERR_NOT_FOUND : SST_ERR_ARG;
    size_t size = 3 * m->field[field].row_bytes, i;
    uint8_t *values = (uint8_t *)model_memory(size);
    bad[0] = (int64_t)m->rows;
    bad[1] = -2;
    bad[2] = INT64_MAX;
    bad[3] = INT64_MIN;
    for (i = 0; i < 3 && m->rows > 0; i++) rows[i] = (int64_t)test_below(random, m->rows);
    rows[test_below(random, 3)] = dropped ? (int64_t)test_below(random, m->first)
                                          : bad[test_below(random, 4)];
    memset(values, 0xA5, size);
    memset(times, 0xA5, sizeof times);
    if (field > 0) {
        MODEL_INT(sst_gather_field(s->handle, field, rows, 3, values),
                  m->field[field].ragged ? SST_ERR_TYPE : want);
    } else {
        MODEL_INT(sst_gather(s->handle, rows, 3, m->field[0].ragged ? NULL : values,
                             model_timed(m) ? times : NULL), want);
    }
    for (i = 0; i < size; i++) MODEL(values[i] == 0xA5);
    for (i = 0; i < 3; i++) MODEL(times[i] == (int64_t)0xA5A5A5A5A5A5A5A5u);
    free(values);
}

static inline void model_query_gather(const model_source *s, uint64_t *random) {
    const model_stream *m = s->model;
    uint32_t field = (uint32_t)test_below(random, m->fields);
    bool whole = field == 0 && test_below(random, 4) != 0;      /* sst_gather */
    bool ragged = m->field[field].ragged;
    bool want_values = !whole || !model_timed(m) || test_below(random, ragged ? 2 : 4) != 0;
    bool want_times = whole && model_timed(m) && (!want_values || test_below(random, 2) != 0);
    size_t n = (size_t)test_below(random, MODEL_TIMES), i, cell = m->field[field].row_bytes;
    int64_t rows[MODEL_TIMES], times[MODEL_TIMES];
    uint8_t *values = (uint8_t *)model_memory(n * cell);
    int result;
    for (i = 0; i < n; i++) {
        rows[i] = (int64_t)test_below(random, m->rows - m->first + 1) - 1;
        if (rows[i] >= 0) rows[i] += (int64_t)m->first;
    }
    if (!whole) result = sst_gather_field(s->handle, field, rows, n, values);
    else result = sst_gather(s->handle, rows, n, want_values ? values : NULL,
                             want_times ? times : NULL);
    if (!MODEL_INT(result, ragged && want_values ? SST_ERR_TYPE : SST_OK)) n = 0;
    if (ragged && want_values) n = 0;
    for (i = 0; i < n; i++) {
        const uint8_t *got = values + i * cell;
        if (want_times) MODEL_INT(times[i], rows[i] < 0 ? 0 : m->times[rows[i]]);
        if (!want_values) continue;
        if (rows[i] < 0) MODEL(model_zero(got, cell));
        else MODEL(model_same_value(m, field, (uint64_t)rows[i], got));
    }
    free(values);
}

/* Where the next row of n streams comes from (back: the one before), by the order of time, then of
 * the array; -1: there is none. next[n]: the rows behind the cursor. */
static inline int model_merge(const model_source *s, size_t n, const uint64_t *next, bool back) {
    int place = -1;
    int64_t best = 0;
    size_t i;
    for (i = 0; i < n; i++) {
        const model_stream *m = s[i].model;
        int64_t time;
        if (back ? next[i] == m->first : next[i] == m->rows) continue;
        time = m->times[back ? next[i] - 1 : next[i]];
        if (place >= 0 && (back ? time < best : time >= best)) continue;
        place = (int)i;
        best = time;
    }
    return place;
}

/* One step of a replay of n streams. */
static inline bool model_replay_step(sst_replay *replay, const model_source *s, size_t n,
                                     uint64_t *next, bool back) {
    int want = model_merge(s, n, next, back);
    size_t place = 99;
    model_source source = {NULL, NULL, NULL, false};
    model_range range = {0, 1, -1, 0};
    sst_view view;
    int result = back ? sst_replay_prev(replay, &place, &view)
                      : sst_replay_next(replay, &place, &view);
    if (!MODEL_INT(result, want < 0 ? SST_ERR_NOT_FOUND : SST_OK)) return false;
    if (want < 0) return MODEL_INT(view.count, 0);
    if (!MODEL_INT(place, want)) return false;
    source.model = s[want].model;
    range.first = back ? --next[want] : next[want]++;
    return model_check_view(&source, &view, &range);
}

static inline void model_replay_seek(const model_source *s, size_t n, int64_t time,
                                     uint64_t *next) {
    size_t i;
    for (i = 0; i < n; i++) {
        const model_stream *m = s[i].model;
        int64_t row = model_search(m, m->times, time, SST_AT_OR_AFTER);
        next[i] = row < 0 ? m->rows : (uint64_t)row;
    }
}

/* Steps through streams from some time on, to and fro. All of them have times. */
static inline void model_query_replay(const model_source *s, size_t n, uint64_t *random) {
    const model_stream *m = s[test_below(random, n)].model;
    int64_t time = model_pick_time(m->times, m->rows, random);
    uint64_t steps = test_below(random, 20 + 10 * n), back = test_below(random, 4);
    uint64_t next[MODEL_STREAMS];
    sst_stream *handles[MODEL_STREAMS];
    sst_replay *replay = NULL;
    size_t i;
    for (i = 0; i < n; i++) handles[i] = s[i].handle;
    if (!MODEL_INT(sst_replay_open(handles, n, time, &replay), SST_OK)) return;
    if (test_below(random, 2) == 0) {
        time = model_pick_time(m->times, m->rows, random);
        MODEL_INT(sst_replay_seek(replay, time), SST_OK);
    }
    model_replay_seek(s, n, time, next);
    while (steps-- > 0 && model_replay_step(replay, s, n, next, test_below(random, 4) < back)) {}
    sst_replay_close(replay);
}

/* The state of n streams, which all have times, at some time. Each handle is there once. */
static inline void model_query_snapshot(const model_source *s, size_t n, uint64_t *random) {
    const model_stream *m = s[test_below(random, n)].model;
    int64_t times[2], rows[2 * MODEL_STREAMS], want;
    sst_stream *handles[MODEL_STREAMS];
    sst_view views[MODEL_STREAMS];
    size_t i, k;
    for (i = 0; i < n; i++) handles[i] = s[i].handle;
    for (k = 0; k < 2; k++) times[k] = model_pick_time(m->times, m->rows, random);
    MODEL_INT(sst_snapshot_rows(handles, n, times, 2, rows), SST_OK);
    if (!MODEL_INT(sst_snapshot(handles, n, times[0], views), SST_OK)) return;
    for (i = 0; i < n; i++) {
        model_range range = {0, 1, -1, 0};
        for (k = 0; k < 2; k++) {
            want = model_search(s[i].model, s[i].model->times, times[k], SST_AT_OR_BEFORE);
            MODEL_INT(rows[k * n + i], want);
        }
        if (rows[i] < 0) {
            model_check_empty(s[i].model, &views[i]);
            continue;
        }
        range.first = (uint64_t)rows[i];
        model_check_view(&s[i], &views[i], &range);
    }
}

/* A stream without times refuses every question by time. */
static inline void model_query_untimed(const model_source *s, uint64_t *random) {
    const model_stream *m = s->model;
    int64_t time = (int64_t)test_random(random), row = -7;
    uint64_t number = 7;
    double value[8];
    sst_replay *replay = NULL;
    sst_view view;
    memset(&view, 0xA5, sizeof view);
    memset(value, 0, sizeof value);
    MODEL_INT(sst_locate(s->handle, time, (sst_match)test_below(random, 4), &number),
              SST_ERR_STATE);
    MODEL_INT(number, 7);
    MODEL_INT(sst_at(s->handle, time, &view), SST_ERR_STATE);
    model_check_empty(m, &view);
    memset(&view, 0xA5, sizeof view);
    MODEL_INT(sst_window(s->handle, time, INT64_MAX, &view), SST_ERR_STATE);
    model_check_empty(m, &view);
    memset(&view, 0xA5, sizeof view);
    MODEL_INT(sst_window_ex(s->handle, time, INT64_MAX,
                            (uint32_t)test_below(random, 4) * SST_HALF_OPEN, &view),
              SST_ERR_STATE);
    model_check_empty(m, &view);
    MODEL_INT(model_sample(s, (uint32_t)test_below(random, m->fields), &time, 1,
                           (sst_sampling)test_below(random, 3), NULL, &row,
                           test_below(random, 2) == 0), SST_ERR_STATE);
    MODEL_INT(row, -7);
    if (m->rows > 0) row = (int64_t)m->first;
    else row = -1;
    MODEL_INT(sst_gather(s->handle, &row, 1, NULL, &time), SST_ERR_STATE);
    MODEL_INT(sst_snapshot(&s->handle, 1, time, &view), SST_ERR_STATE);
    MODEL_INT(sst_snapshot_rows(&s->handle, 1, &time, 1, &row), SST_ERR_STATE);
    MODEL_INT(sst_replay_open(&s->handle, 1, time, &replay), SST_ERR_STATE);
    MODEL(replay == NULL);
}

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
    want = model_search(m, m->line[line], time, match);
    MODEL_INT(result, want < 0 ? SST_ERR_NOT_FOUND : SST_OK);
    MODEL_INT(row, want < 0 ? (int64_t)0xA5A5A5A5u : want);
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

/* The fields of a description, or its type and shape. */
static inline void model_check_fields(const model_stream *m, const sst_stream_desc *desc) {
    uint32_t k;
    if (desc->fields == NULL) {
        const model_field *f = &m->field[0];
        MODEL(m->fields == 1 && f->name[0] == '\0' && desc->field_count == 0);
        MODEL(f->silent || ((desc->flags & SST_RAGGED) != 0) == f->ragged);
        MODEL(desc->type == f->type && memcmp(desc->shape, f->shape, sizeof f->shape) == 0);
        return;
    }
    if (!MODEL_INT(desc->field_count, m->fields)) return;
    for (k = 0; k < m->fields; k++) {
        const model_field *f = &m->field[k];
        const sst_field *got = &desc->fields[k];
        MODEL(got->type == f->type && memcmp(got->shape, f->shape, sizeof f->shape) == 0);
        MODEL(got->name == NULL ? f->name[0] == '\0' : strcmp(got->name, f->name) == 0);
        MODEL(got->flags == (f->ragged ? SST_RAGGED : 0) || (f->silent && got->flags == 0));
    }
}

static inline void model_query_info(const model_source *s) {
    const model_stream *m = s->model;
    bool times = model_timed(m) && m->rows > 0;
    sst_stream_desc desc, want;
    sst_field field[MODEL_FIELDS];
    uint64_t rows = 1;
    int64_t first = 1, last = 1;
    uint32_t k;
    if (!MODEL_INT(sst_stream_info(s->handle, &desc, &rows, &first, &last), SST_OK)) return;
    model_describe(m, &want, field);
    MODEL_INT(rows, m->rows);
    MODEL_INT(first, times ? m->times[m->first] : 0);
    MODEL_INT(last, times ? m->times[m->rows - 1] : 0);
    MODEL(desc.name != NULL && strcmp(desc.name, m->name) == 0);
    MODEL(desc.time_unit == m->unit && desc.codec == SST_CODEC_RAW);
    MODEL((desc.flags & ~(uint32_t)(m->fields == 1 ? SST_RAGGED : 0)) == m->flags);
    for (k = 0; k < SST_MAX_TIMELINES; k++) {
        if (!MODEL((desc.timelines[k] != NULL) == (k < m->lines)) || k >= m->lines) break;
        MODEL(strcmp(desc.timelines[k], want.timelines[k]) == 0);
    }
    model_check_fields(m, &desc);
    MODEL_INT(sst_stream_info(s->handle, NULL, NULL, NULL, NULL), SST_OK);
    MODEL_INT(sst_rows(s->handle), m->rows);
    MODEL_INT(sst_first_row(s->handle), m->first);
    MODEL(desc.retain_rows == m->retain_rows && desc.retain_time == m->retain_time);
}

/* Calls that cannot be answered. */
static inline void model_query_bad(const model_source *s) {
    uint32_t fields = s->model->fields;
    int64_t times[1] = {0}, rows[1] = {-1};
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
    MODEL_INT(sst_sample_field(s->handle, fields, times, 1, SST_SAMPLE_EXACT, NULL, rows),
              SST_ERR_ARG);
    MODEL_INT(sst_gather(s->handle, NULL, 1, NULL, times), SST_ERR_ARG);
    MODEL_INT(sst_gather(NULL, rows, 1, NULL, times), SST_ERR_ARG);
    MODEL_INT(sst_gather_field(s->handle, fields, rows, 1, NULL), SST_ERR_ARG);
    MODEL_INT(sst_gather_field(s->handle, UINT32_MAX, rows, 1, NULL), SST_ERR_ARG);
    MODEL_INT(sst_rows(NULL), 0);
    MODEL_INT(sst_first_row(NULL), 0);
}

static inline void model_query_by_time(const model_source *s, uint64_t *random) {
    switch (test_below(random, 14)) {
    case 0: case 1: case 2: case 3: model_query_locate(s, random); break;
    case 4: case 5: model_query_at(s, random); break;
    case 6: case 7: case 8: case 9: model_query_window(s, random); break;
    case 10: model_query_replay(s, 1, random); break;
    default: model_query_sample(s, random); break;
    }
}

/* Puts one random question to the library and compares the answer. */
static inline void model_query(const model_source *s, uint64_t *random) {
    uint64_t which = test_below(random, 25);
    if (!model_timed(s->model) && which < 14 && test_below(random, 4) != 0) which = 14 + which % 6;
    switch (which) {
    case 14: case 15: case 16: model_query_slice(s, random); break;
    case 17: case 18: model_query_gather(s, random); break;
    case 19: model_query_gather_bad(s, random); break;
    case 20: case 21: model_query_locate_on(s, random); break;
    case 22: case 23: model_query_window_on(s, random); break;
    case 24:
        model_query_info(s);
        model_query_bad(s);
        break;
    default:
        if (model_timed(s->model)) model_query_by_time(s, random);
        else model_query_untimed(s, random);
        break;
    }
}

/* Every row of the stream, at once. */
static inline void model_check_all(const model_source *s) {
    model_range range = {0, 0, -1, 0};
    sst_view view;
    range.first = s->model->first;
    range.count = s->model->rows - s->model->first;
    MODEL_INT(sst_rows(s->handle), s->model->rows);
    if (MODEL_INT(sst_slice(s->handle, range.first, UINT64_MAX, &view), SST_OK)) {
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
