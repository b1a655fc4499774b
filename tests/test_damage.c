/* Damaged, cut and hostile images: every answer is right or an error, what the damage did not
 * touch stays readable, and nothing crashes (the sanitizers look). On a divergence the printed
 * "seed" is the offset of the damage and "step" says which kind of damage.
 *
 * The same is done to files on a simulated disk: read through a mapping and without, and recovered.
 * There also: what was torn is told apart from what is rotten, and a store that is recorded inside
 * itself does not confuse recovery. */
#define STREAMSTORE_IMPLEMENTATION
#define SSTI_INDEX_BLOCKS 8
#define SSTI_TABLE_MIN_BLOCKS 2
#define SSTI_TABLE_ROWS 2u
#include "../streamstore.h"
#include "test.h"
#include "model.h"
#include "mend.h"
#include "simdisk.h"
#include "walk.h"

#define MAX_BLOCKS 128
#define MAX_COLUMNS 12

/* ---- the images --------------------------------------------------------------------------- */

typedef struct block_map {
    uint32_t stream;            /* index in the model */
    uint64_t offset, directory_end, end, padded_end;
    uint64_t first_row, rows;
    uint32_t columns, kind[MAX_COLUMNS], part[MAX_COLUMNS];
    uint64_t start[MAX_COLUMNS], size[MAX_COLUMNS];
} block_map;

typedef struct fixture {
    model_store truth;
    uint8_t *bytes, *work;      /* work: a copy to damage, put right again after each damage */
    uint64_t size, end_record;  /* UINT64_MAX: not closed */
    uint64_t synced;            /* S: damage before is rot, behind it is torn */
    block_map block[MAX_BLOCKS];
    uint32_t blocks;
} fixture;

static fixture small_image, skip_image, kinds_image, ragged_image, piece_image;

static void map_columns(fixture *f, const mend_record *r, block_map *b) {
    mend_column c;
    uint32_t i;
    b->columns = mend_columns(f->bytes, r);
    CHECK(b->columns <= MAX_COLUMNS);
    for (i = 0; i < b->columns && i < MAX_COLUMNS; i++) {
        REQUIRE(mend_column_at(f->bytes, r, i, &c));
        b->kind[i] = c.kind;
        b->part[i] = c.part;
        b->start[i] = c.start;
        b->size[i] = c.size;
    }
}

/* Hops through the undamaged image and writes down where everything is. */
static void map_image(fixture *f) {
    uint64_t offset = 64;
    mend_record r;
    f->end_record = UINT64_MAX;
    while (mend_next(f->bytes, f->size, &offset, &r)) {
        block_map *b = &f->block[f->blocks];
        if (r.type == MEND_END) f->end_record = f->synced = r.offset;
        if (r.type == MEND_SYNC && r.first_row > f->synced) f->synced = r.first_row;
        if (r.type != MEND_BLOCK || f->blocks == MAX_BLOCKS) continue;
        b->stream = r.stream - 1;
        b->offset = r.offset;
        b->first_row = r.first_row;
        b->rows = r.rows;
        b->directory_end = r.payload + mend_directory_bytes(f->bytes, &r);
        b->end = r.payload + r.size;
        b->padded_end = r.next;
        map_columns(f, &r, b);
        f->blocks++;
    }
    CHECK(f->blocks < MAX_BLOCKS);
}

static model_stream *add_stream(fixture *f, const char *name, sst_type type, uint32_t dimension,
                                uint32_t lines) {
    model_stream *m = &f->truth.stream[f->truth.count++];
    memset(m, 0, sizeof *m);
    snprintf(m->name, sizeof m->name, "%s", name);
    m->fields = 1;
    m->field[0].type = type;
    m->field[0].shape[0] = dimension;
    m->field[0].value_style = 1;
    m->lines = lines;
    m->time_style = 1;
    m->line_style[0] = 1;       /* sorted, with equal times */
    m->line_style[1] = 2;       /* not sorted */
    model_measure(m);
    return m;
}

static void append_rows(model_stream *m, sst_stream *stream, uint64_t rows, uint64_t *random) {
    uint64_t i, n = model_prepare(m, rows, random);
    for (i = 0; i < n; i++) {
        CHECK_INT(model_append(m, m->rows, stream), SST_OK);
        model_commit(m, 1);
    }
}

static void set_metas(fixture *f, sst_store *store, sst_stream *stream) {
    CHECK_INT(sst_set_meta(store, "robot", "arm 7", 5), SST_OK);
    model_meta_set(&f->truth.meta, "robot", "arm 7", 5);
    CHECK_INT(sst_set_meta(store, "empty", NULL, 0), SST_OK);
    model_meta_set(&f->truth.meta, "empty", NULL, 0);
    CHECK_INT(sst_set_meta(store, "gone", "x", 1), SST_OK);
    CHECK_INT(sst_remove_meta(store, "gone"), SST_OK);
    CHECK_INT(sst_stream_set_meta(stream, "frame", "old", 3), SST_OK);
    CHECK_INT(sst_stream_set_meta(stream, "frame", "base link", 9), SST_OK);
    model_meta_set(&f->truth.stream[0].meta, "frame", "base link", 9);
}

static void keep_image(fixture *f, sst_store *store) {
    const void *bytes;
    size_t size;
    REQUIRE(sst_image(store, &bytes, &size) == SST_OK);
    free(f->bytes);
    free(f->work);
    f->bytes = (uint8_t *)model_duplicate(bytes, size);
    f->work = (uint8_t *)model_duplicate(bytes, size);
    f->size = size;
    CHECK_INT(sst_close(store), SST_OK);
    map_image(f);
    CHECK_INT(f->end_record, f->size - 64);
}

static sst_store *open_streams(fixture *f, sst_stream **streams, uint32_t block_bytes) {
    sst_options options;
    sst_stream_desc desc;
    sst_field field[MODEL_FIELDS];
    sst_store *store;
    uint32_t i;
    memset(&options, 0, sizeof options);
    options.seed = 42;
    options.block_bytes = block_bytes;
    CHECK_INT(sst_create(NULL, &options, &store), SST_OK);
    for (i = 0; i < f->truth.count; i++) {
        model_describe(&f->truth.stream[i], &desc, field);
        CHECK_INT(sst_stream_create(store, &desc, &streams[i]), SST_OK);
    }
    return store;
}

/* Four streams, timelines, metadata, a finished stream, an image in the middle, a chain of INDEX
 * records, time tables. */
static void make_small_image(void) {
    fixture *f = &small_image;
    sst_stream *stream[4];
    sst_store *store;
    uint64_t random = 7;
    const void *bytes;
    size_t size;
    int i;
    add_stream(f, "imu", SST_F32, 3, 0);
    add_stream(f, "joint", SST_I64, 0, 2);
    add_stream(f, "camera", SST_U8, 160, 0);
    add_stream(f, "button", SST_BOOL, 0, 0);
    store = open_streams(f, stream, 512);
    set_metas(f, store, stream[0]);
    for (i = 0; i < 3; i++) {
        append_rows(&f->truth.stream[0], stream[0], 13, &random);
        append_rows(&f->truth.stream[1], stream[1], 9, &random);
        append_rows(&f->truth.stream[2], stream[2], 1, &random);
        append_rows(&f->truth.stream[3], stream[3], 5, &random);
        if (i == 1) CHECK_INT(sst_image(store, &bytes, &size), SST_OK);
        CHECK_INT(sst_flush(store), SST_OK);
    }
    CHECK_INT(sst_stream_finish(stream[3]), SST_OK);
    keep_image(f, store);
    CHECK(mend_count(f->bytes, f->size, MEND_INDEX, 0) >= 2);
    CHECK(mend_count(f->bytes, f->size, MEND_TABLE, 0) >= 1);
    CHECK(mend_count(f->bytes, f->size, MEND_FINISH, 4) >= 1);
    for (i = 0; i < 4; i++) CHECK(mend_count(f->bytes, f->size, MEND_BLOCK, (uint32_t)i + 1) >= 3);
}

static void add_field(model_stream *m, sst_type type, uint32_t dimension, const char *name) {
    model_field *f = &m->field[m->fields++];
    m->described = true;
    f->type = type;
    f->shape[0] = dimension;
    f->value_style = 1;
    snprintf(f->name, sizeof f->name, "%s", name);
    model_measure(m);
}

/* The image of three streams, of three blocks each of so many rows. */
static void make_three(fixture *f, const uint32_t *rows, uint64_t random) {
    sst_stream *stream[3];
    sst_store *store = open_streams(f, stream, 512);
    uint32_t i, k;
    set_metas(f, store, stream[0]);
    for (i = 0; i < 3; i++) {
        for (k = 0; k < 3; k++) append_rows(&f->truth.stream[k], stream[k], rows[k], &random);
        CHECK_INT(sst_flush(store), SST_OK);
    }
    keep_image(f, store);
    for (k = 0; k < 3; k++) CHECK(mend_count(f->bytes, f->size, MEND_BLOCK, k + 1) >= 3);
}

/* Streams of several fields, with tags, with equal times and a timeline, without times. */
static void make_kinds_image(void) {
    static const uint32_t rows[3] = {9, 11, 14};
    fixture *f = &kinds_image;
    model_stream *m;
    m = add_stream(f, "event", SST_I32, 0, 1);
    add_field(m, SST_F32, 3, "position");
    add_field(m, SST_U8, 5, "");
    m->flags = SST_TAGGED | SST_EQUAL_TIMES;
    m->repeats = 8;
    m = add_stream(f, "frame", SST_I64, 0, 0);
    add_field(m, SST_U16, 7, "pixels");
    m->flags = SST_TAGGED | SST_UNTIMED;
    m = add_stream(f, "step", SST_F64, 0, 0);
    m->flags = SST_UNTIMED;
    make_three(f, rows, 11);
}

static void make_ragged(model_field *f, int count_style) {
    f->ragged = true;
    f->count_style = count_style;
}

/* Text; points beside fixed values and bytes, with keys; bytes with keys and tags, no times. */
static void make_ragged_image(void) {
    static const uint32_t rows[3] = {7, 5, 6};
    fixture *f = &ragged_image;
    model_stream *m;
    int i;
    m = add_stream(f, "log", SST_TEXT, 0, 1);
    make_ragged(&m->field[0], 0);
    m->field[0].silent = true;
    m->flags = SST_TAGGED;
    m = add_stream(f, "scan", SST_F32, 3, 0);
    make_ragged(&m->field[0], 1);
    add_field(m, SST_I16, 2, "health");
    add_field(m, SST_BYTES, 0, "raw");
    make_ragged(&m->field[2], 0);
    m->flags = SST_KEYED | SST_EQUAL_TIMES;
    m->repeats = 6;
    m = add_stream(f, "map", SST_BYTES, 0, 0);
    make_ragged(&m->field[0], 3);
    m->flags = SST_KEYED | SST_UNTIMED | SST_TAGGED;
    for (i = 0; i < 3; i++) model_measure(&f->truth.stream[i]);
    make_three(f, rows, 13);
}

/* Blocks of more than 64 KiB, with a SKIP before each. */
static void make_skip_image(void) {
    fixture *f = &skip_image;
    sst_stream *stream[2];
    sst_store *store;
    uint64_t random = 8;
    add_stream(f, "image", SST_U16, 33000, 0);
    add_stream(f, "number", SST_U32, 0, 0);
    store = open_streams(f, stream, 512);
    append_rows(&f->truth.stream[1], stream[1], 40, &random);
    append_rows(&f->truth.stream[0], stream[0], 2, &random);
    append_rows(&f->truth.stream[1], stream[1], 40, &random);
    keep_image(f, store);
    CHECK(mend_count(f->bytes, f->size, MEND_SKIP, 0) >= 1);
}

/* ---- what a damage may cost --------------------------------------------------------------- */

typedef struct verdict {
    bool head[MAX_BLOCKS];      /* header or directory of the block */
    bool column[MAX_BLOCKS][MAX_COLUMNS];
    bool stream[MODEL_STREAMS]; /* any of these, in a block of the stream */
    bool may_not_open;          /* magic, version, feature flags */
    bool header, end, index, definition;
    bool other;                 /* a checked byte apart from those of END */
    bool weak;                  /* prefixes and lost streams are allowed too */
} verdict;

static bool changed(const fixture *f, uint64_t start, uint64_t end) {
    return memcmp(f->bytes + start, f->work + start, (size_t)(end - start)) != 0;
}

static void judge_block(const fixture *f, uint32_t i, verdict *v) {
    const block_map *b = &f->block[i];
    uint32_t c;
    v->head[i] = changed(f, b->offset, b->directory_end);
    for (c = 0; c < b->columns; c++) {
        if (!changed(f, b->start[c], b->start[c] + b->size[c])) continue;
        v->column[i][c] = true;
        v->stream[b->stream] = v->other = true;
        if (b->kind[c] == MEND_PIECES) v->column[i][b->part[c]] = true;
    }
    if (v->head[i]) v->stream[b->stream] = v->other = true;
}

static void judge_record(const fixture *f, const mend_record *r, verdict *v) {
    uint64_t end = r->type == MEND_SKIP ? r->payload : r->payload + r->size;
    if (r->type == MEND_BLOCK || !changed(f, r->offset, end)) return;
    if (r->offset == f->end_record) {
        v->end = true;
        return;
    }
    v->other = true;
    if (r->type == MEND_INDEX) v->index = true;
    if (r->type == MEND_STREAM || r->type == MEND_META || r->type == MEND_FINISH) {
        v->definition = true;
    }
}

/* Compares work with the undamaged bytes. */
static void judge(const fixture *f, verdict *v) {
    uint64_t offset = 64;
    mend_record r;
    uint32_t i;
    memset(v, 0, sizeof *v);
    for (i = 0; i < f->blocks; i++) judge_block(f, i, v);
    while (mend_next(f->bytes, f->size, &offset, &r)) judge_record(f, &r, v);
    v->header = changed(f, 0, 64);
    v->other = v->other || v->header;
    v->may_not_open = changed(f, 0, 12) || changed(f, 40, 44);
    v->weak = (v->end && v->other) || (v->index && v->definition);
}

/* How the damaged copy is opened: where it lies, or from a file. */
static enum { IN_MEMORY, MAPPED, UNMAPPED } where;

static bool recovered;          /* the store is one that is recorded on */

#define FILE_PATH "run"

static sim_disk disk;           /* of the files */

/* ---- what must be right ------------------------------------------------------------------- */

typedef enum answer { RIGHT, DAMAGED, EITHER } answer;

typedef struct checked {
    const fixture *f;
    const verdict *v;
    sst_stream *handle;
    const model_stream *m;
    uint64_t rows;              /* as the library says */
} checked;

/* An error that is allowed where data is lost. */
static bool lost(int result) {
    return result == SST_ERR_CORRUPT || result == SST_ERR_UNSUPPORTED;
}

/* kind 0: any column; MEND_VALUES: those of one field. */
static answer column_answer(const checked *c, uint32_t block, uint32_t kind, uint32_t field) {
    const block_map *b = &c->f->block[block];
    uint32_t i;
    if (c->v->weak || c->v->head[block]) return EITHER;
    for (i = 0; i < b->columns; i++) {
        if (kind != 0 && b->kind[i] != kind) continue;
        if (kind == MEND_VALUES && b->part[i] != field) continue;
        if (c->v->column[block][i]) return DAMAGED;
    }
    return RIGHT;
}

/* Where a damaged column is reported. */
static void check_error(const checked *c, const block_map *b) {
    sst_error error;
    sst_stream_error(c->handle, &error);
    MODEL_INT(error.result, SST_ERR_CORRUPT);
    MODEL(error.offset >= b->offset && error.offset < b->padded_end);
    MODEL(error.row >= b->first_row && error.row < b->first_row + b->rows);
}

static void check_result(const checked *c, uint32_t block, uint64_t row, int result, answer want) {
    if (want == RIGHT) {
        MODEL_INT(result, SST_OK);
    } else if (want == DAMAGED) {
        if (MODEL_INT(result, SST_ERR_CORRUPT)) check_error(c, &c->f->block[block]);
    } else if (row >= c->rows) {
        MODEL_INT(result, SST_ERR_ARG);
    } else {
        MODEL(result == SST_OK || lost(result));
    }
}

static int gather_field(sst_stream *stream, uint32_t field, uint64_t row, void *value) {
    int64_t number = (int64_t)row;
    if (field == 0) return sst_gather(stream, &number, 1, value, NULL);
    return sst_gather_field(stream, field, &number, 1, value);
}

static void check_values(const checked *c, uint32_t block, uint64_t row) {
    static uint8_t value[1u << 18];
    uint32_t k;
    for (k = 0; k < c->m->fields; k++) {
        int result = gather_field(c->handle, k, row, value);
        if (c->m->field[k].ragged) {
            MODEL_INT(result, SST_ERR_TYPE);
            continue;
        }
        check_result(c, block, row, result, column_answer(c, block, MEND_VALUES, k));
        if (result == SST_OK) MODEL(model_same_value(c->m, k, row, value));
    }
}

static void check_time(const checked *c, uint32_t block, uint64_t row) {
    int64_t number = (int64_t)row, time = 0;
    int result = sst_gather(c->handle, &number, 1, NULL, &time);
    if (!model_timed(c->m)) {
        MODEL_INT(result, SST_ERR_STATE);
        return;
    }
    check_result(c, block, row, result, column_answer(c, block, MEND_TIMES, 0));
    if (result == SST_OK) MODEL_INT(time, c->m->times[row]);
}

/* The rows of a view, for damaged streams: what is there is right. */
static void check_view(const checked *c, const sst_view *view, uint64_t first, uint64_t count) {
    model_source source = {c->m, c->handle, NULL, false};
    model_range range = {0, 0, -1, 0};
    range.first = first;
    range.count = count;
    model_check_view(&source, view, &range);
}

static void check_slice(const checked *c, uint32_t block, uint64_t row) {
    sst_view view;
    int result = sst_slice(c->handle, row, 1, &view);
    if (row >= c->rows) {
        MODEL(result == SST_OK && view.count == 0);
        return;
    }
    check_result(c, block, row, result, column_answer(c, block, 0, 0));
    if (result == SST_OK) check_view(c, &view, row, 1);
}

/* Has the row another time than the one before it? */
static bool apart(const model_stream *m, uint64_t row) {
    return row == 0 || row >= m->rows || m->times[row] != m->times[row - 1];
}

/* May the blocks around this one hold rows of its times, for all that can be read of them? */
static bool blurred(const checked *c, uint32_t block) {
    const block_map *b = &c->f->block[block];
    uint32_t i;
    if (!apart(c->m, b->first_row) || !apart(c->m, b->first_row + b->rows)) return true;
    for (i = 0; i < c->f->blocks && (c->m->flags & SST_EQUAL_TIMES) != 0; i++) {
        if (c->f->block[i].stream == b->stream && c->v->head[i]) return true;
    }
    return false;
}

/* The first and last row of a block, looked up by time; and the block as a window. */
static void check_block_times(const checked *c, uint32_t block) {
    const block_map *b = &c->f->block[block];
    uint64_t first = b->first_row, last = first + b->rows - 1, row = 0;
    answer times = column_answer(c, block, MEND_TIMES, 0), all = column_answer(c, block, 0, 0);
    sst_view view;
    int result;
    if (c->v->weak || c->v->head[block]) return;
    if (!model_timed(c->m) || blurred(c, block)) return;
    if (times == DAMAGED) times = EITHER;           /* the header may suffice for these rows */
    result = sst_locate(c->handle, c->m->times[first], SST_EXACT, &row);
    check_result(c, block, first, result, times);
    if (result == SST_OK) {
        MODEL_INT(row, model_find(c->m->times, last + 1, c->m->times[first], SST_EXACT));
    }
    result = sst_locate(c->handle, c->m->times[last], SST_AT_OR_BEFORE, &row);
    check_result(c, block, last, result, times);
    if (result == SST_OK) MODEL_INT(row, last);
    result = sst_at(c->handle, c->m->times[last], &view);
    check_result(c, block, last, result, all);
    if (result == SST_OK) check_view(c, &view, last, 1);
    result = sst_window(c->handle, c->m->times[first], c->m->times[last], &view);
    check_result(c, block, first, result, all);
    if (result == SST_OK) check_view(c, &view, first, b->rows);
}

static void check_blocks(const checked *c, uint32_t stream) {
    uint64_t row;
    uint32_t i;
    for (i = 0; i < c->f->blocks; i++) {
        const block_map *b = &c->f->block[i];
        if (b->stream != stream) continue;
        for (row = b->first_row; row < b->first_row + b->rows && !model_failed; row++) {
            check_values(c, i, row);
            check_time(c, i, row);
            if (row % 4 == 0 || row == b->first_row) check_slice(c, i, row);
        }
        check_block_times(c, i);
    }
}

/* Questions that reach over the whole stream. */
static void check_stream_wide(const checked *c, uint32_t stream) {
    bool hit = c->v->weak || c->v->stream[stream];
    model_stream prefix = *c->m;
    int64_t first = 0, last = 0;
    uint64_t row = 0, n;
    uint32_t k;
    sst_view view;
    int result = sst_slice(c->handle, 0, UINT64_MAX, &view);
    prefix.rows = c->rows;
    MODEL(result == SST_OK || (hit && lost(result)));
    if (result == SST_OK) check_view(c, &view, 0, c->rows);
    result = sst_stream_info(c->handle, NULL, &n, &first, &last);
    MODEL(result == SST_OK || (hit && lost(result)));
    if (result == SST_OK && c->rows > 0 && model_timed(c->m)) {
        MODEL(n == c->rows && first == c->m->times[0] && last == c->m->times[n - 1]);
    }
    for (k = 0; k < c->m->lines; k++) {
        int64_t time = c->m->line[k][c->m->rows / 2];
        result = sst_locate_on(c->handle, k, time, SST_AT_OR_BEFORE, &row);
        if (hit && (lost(result) || c->rows < c->m->rows)) continue;
        /* Who goes on recording takes a timeline that cannot be read for one that is not sorted. */
        if (hit && recovered && result == SST_ERR_ORDER) continue;
        MODEL_INT(result, k == 0 ? SST_OK : SST_ERR_ORDER);
        if (k == 0) MODEL_INT(row, model_find(c->m->line[k], prefix.rows, time, SST_AT_OR_BEFORE));
    }
}

/* Rows the library must know of: all up to the last block whose header is sound. */
static void check_row_count(const checked *c, uint32_t stream) {
    uint64_t at_least = 0;
    uint32_t i;
    for (i = 0; i < c->f->blocks; i++) {
        const block_map *b = &c->f->block[i];
        if (b->stream == stream && !c->v->head[i]) at_least = b->first_row + b->rows;
    }
    if (c->v->weak) at_least = 0;
    MODEL(c->rows >= at_least && c->rows <= c->m->rows);
}

static void check_verify(const fixture *f, sst_store *store, const verdict *v) {
    sst_damage damage[8];
    sst_report report;
    uint32_t i, k;
    bool seen;
    int result;
    memset(&report, 0, sizeof report);
    report.damage = damage;
    report.damage_capacity = 8;
    result = sst_verify(store, &report);
    if (v->end) MODEL(result == SST_OK || result == SST_ERR_CORRUPT);
    else MODEL_INT(result, v->other ? SST_ERR_CORRUPT : SST_OK);
    MODEL((report.damage_count > 0) == (result == SST_ERR_CORRUPT));
    for (i = 0; i < f->blocks && !v->weak && report.damage_count <= 8; i++) {
        const block_map *b = &f->block[i];
        seen = !changed(f, b->offset, b->directory_end);
        for (k = 0; k < b->columns; k++) seen = seen && !v->column[i][k];
        for (k = 0; k < report.damage_count; k++) {
            const sst_damage *d = &damage[k];
            if (d->offset < b->padded_end && d->offset + d->size > b->offset) seen = true;
        }
        MODEL(seen);
    }
}

static void check_stream(const fixture *f, sst_store *store, const verdict *v, uint32_t i) {
    checked c;
    int result;
    c.f = f;
    c.v = v;
    c.m = &f->truth.stream[i];
    result = sst_stream_open(store, c.m->name, &c.handle);
    if (v->weak && result == SST_ERR_NOT_FOUND) return;
    if (!MODEL_INT(result, SST_OK)) return;
    c.rows = sst_rows(c.handle);
    check_row_count(&c, i);
    if (model_failed) return;
    if (model_seed % 2 == 0) check_stream_wide(&c, i);
    check_blocks(&c, i);
    if (model_seed % 2 != 0) check_stream_wide(&c, i);
    if (!v->weak) model_check_meta(&c.m->meta, store, c.handle);
}

static void check_header(const fixture *f, sst_store *store) {
    sst_info info;
    MODEL_INT(sst_store_info(store, &info), SST_OK);
    MODEL(memcmp(info.uuid, f->bytes + 16, 16) == 0);
    MODEL_INT(info.created_ns, (int64_t)mend_u64(f->bytes + 32));
    MODEL_INT(info.streams, f->truth.count);
}

static sst_options file_options(uint32_t flags) {
    sst_options options;
    memset(&options, 0, sizeof options);
    options.io = &disk.io;
    options.block_bytes = 512;
    options.sync_align = 512;
    options.flags = flags;
    return options;
}

static int open_damaged(const fixture *f, uint64_t size, uint32_t flags, sst_store **store) {
    sst_options options = file_options(flags);
    if (where == IN_MEMORY) return sst_open_memory(f->work, (size_t)size, &options, store);
    if (where == UNMAPPED) options.flags |= SST_NO_MAP;
    sim_put(&disk, FILE_PATH, f->work, (size_t)size);
    return sst_open(FILE_PATH, &options, store);
}

/* Opens the damaged copy and holds it against the truth. */
static void check_damage(const fixture *f, uint64_t size) {
    sst_store *store;
    verdict v;
    uint32_t i;
    int result;
    judge(f, &v);
    result = open_damaged(f, size, 0, &store);
    if (result != SST_OK) {
        MODEL(v.may_not_open || v.weak);
        MODEL(result == SST_ERR_FORMAT || result == SST_ERR_UNSUPPORTED);
        MODEL(store == NULL);
        return;
    }
    if (!v.weak && !(v.header && v.index)) check_header(f, store);
    if (!v.weak) model_check_meta(&f->truth.meta, store, NULL);
    for (i = 0; i < f->truth.count && !model_failed; i++) check_stream(f, store, &v, i);
    check_verify(f, store, &v);
    MODEL_INT(sst_close(store), SST_OK);
    if (model_seed % 16 != 0 || v.end) return;
    result = open_damaged(f, size, SST_VERIFY, &store);
    MODEL_INT(result, v.other ? SST_ERR_CORRUPT : SST_OK);
    sst_close(store);
}

static void restore(fixture *f) {
    memcpy(f->work, f->bytes, (size_t)f->size);
}

/* ---- accidents ---------------------------------------------------------------------------- */

static void flip(fixture *f, uint64_t offset, unsigned bit) {
    model_seed = offset;
    model_step = bit;
    f->work[offset] ^= (uint8_t)(1u << bit);
    check_damage(f, f->size);
    f->work[offset] ^= (uint8_t)(1u << bit);
}

static void undamaged(void) {
    check_damage(&small_image, small_image.size);
    check_damage(&skip_image, skip_image.size);
    check_damage(&kinds_image, kinds_image.size);
    check_damage(&ragged_image, ragged_image.size);
}

static void every_bit(void) {
    uint64_t offset;
    unsigned bit;
    for (offset = 0; offset < small_image.size; offset++) {
        for (bit = 0; bit < 8 && !model_failed; bit++) flip(&small_image, offset, bit);
    }
}

/* A bit of every byte. */
static void some_bits(fixture *f) {
    uint64_t offset;
    for (offset = 0; offset < f->size && !model_failed; offset++) {
        flip(f, offset, (unsigned)(offset * 5 + offset / 64) % 8);
    }
}

static void bits_of_kinds(void) { some_bits(&kinds_image); }
static void bits_of_ragged(void) { some_bits(&ragged_image); }

/* In the image with SKIP records: everything but the inside of the large columns, and of those
 * a sample. */
static void bits_around_skip(void) {
    fixture *f = &skip_image;
    uint64_t offset, step;
    for (offset = 0; offset < f->size && !model_failed; offset += step) {
        uint32_t i;
        step = 1;
        for (i = 0; i < f->blocks; i++) {
            const block_map *b = &f->block[i];
            if (offset > b->directory_end + 64 && offset + 600 < b->end) step = 509;
        }
        if (f->work[offset] == 0 && step == 1) step = 7;    /* mostly the SKIP's payload */
        flip(f, offset, (unsigned)(offset / 64) % 8);
    }
}

static void check_prefix(const fixture *f, sst_store *store, uint64_t size, uint64_t *before) {
    uint32_t i, k;
    for (i = 0; i < sst_stream_count(store) && !model_failed; i++) {
        model_stream prefix = f->truth.stream[i];
        model_source source = {&prefix, NULL, NULL, false};
        uint64_t least = 0, most = 0, random = size;
        if (!MODEL_INT(sst_stream_open(store, prefix.name, &source.handle), SST_OK)) return;
        for (k = 0; k < f->blocks; k++) {
            if (f->block[k].stream != i) continue;
            if (f->block[k].padded_end <= size) least += f->block[k].rows;
            if (f->block[k].end <= size) most += f->block[k].rows;
        }
        prefix.rows = sst_rows(source.handle);
        MODEL(prefix.rows >= least && prefix.rows <= most && prefix.rows >= before[i]);
        before[i] = prefix.rows;
        prefix.sealed = 0;
        if (model_failed) return;
        model_check_all(&source);
        for (k = 0; k < 3; k++) model_query(&source, &random);
    }
}

static void lengths(const fixture *f) {
    uint64_t before[MODEL_STREAMS] = {0}, size;
    for (size = 0; size <= f->size && !model_failed; size++) {
        uint8_t *copy = (uint8_t *)model_duplicate(f->bytes, (size_t)size);
        sst_store *store;
        int result = sst_open_memory(copy, (size_t)size, NULL, &store);
        model_seed = size;
        model_step = 100;
        if (size < 64) MODEL_INT(result, SST_ERR_FORMAT);
        if (size >= 128) MODEL_INT(result, SST_OK);
        MODEL(result == SST_OK || (result == SST_ERR_FORMAT && store == NULL));
        if (result == SST_OK) {
            check_prefix(f, store, size, before);
            MODEL_INT(sst_verify(store, NULL), SST_OK);
        }
        MODEL_INT(sst_close(store), SST_OK);
        free(copy);
    }
}

static void every_length(void) { lengths(&small_image); }
static void every_length_of_kinds(void) { lengths(&kinds_image); }
static void every_length_of_ragged(void) { lengths(&ragged_image); }

/* 64-byte units zeroed, written over the next one, exchanged with the next one. */
static void units(fixture *f) {
    uint64_t at, way;
    for (at = 0; at + 128 <= f->size; at += 64) {
        for (way = 0; way < 4 && !model_failed; way++) {
            model_seed = at;
            model_step = 200 + way;
            if (way == 0) memset(f->work + at, 0, 64);
            if (way == 1) memcpy(f->work + at + 64, f->bytes + at, 64);
            if (way == 2) memset(f->work + at, 0xFF, 64);
            if (way == 3) {
                memcpy(f->work + at + 64, f->bytes + at, 64);
                memcpy(f->work + at, f->bytes + at + 64, 64);
            }
            check_damage(f, f->size);
            restore(f);
        }
    }
}

static void every_unit(void) { units(&small_image); }
static void every_unit_of_kinds(void) { units(&kinds_image); }
static void every_unit_of_ragged(void) { units(&ragged_image); }

/* How far apart samples lie: `step` in the quick run, a part of it in longer ones. */
static uint64_t stride(uint64_t step, uint64_t parts) {
    uint64_t n = test_rounds(1, parts);
    return n < step ? step / n : 1;
}

/* A unit written over any other one, exchanged with any other one. */
static void pairs_of_units(fixture *f) {
    uint64_t units = f->size / 64, step = stride(17, 17), pair, at, to;
    for (pair = 0; pair < units * units && !model_failed; pair += step) {
        at = pair / units * 64;
        to = pair % units * 64;
        if (at == to) continue;
        model_seed = pair;
        model_step = 250;
        memcpy(f->work + to, f->bytes + at, 64);
        check_damage(f, f->size);
        if (at < to) {
            model_step = 251;
            memcpy(f->work + at, f->bytes + to, 64);
            check_damage(f, f->size);
        }
        restore(f);
    }
}

static void every_pair(void) { pairs_of_units(&small_image); }

static void random_damage(void) {
    fixture *f = &small_image;
    uint64_t random = test_seed(3), rounds = test_rounds(700, 30000), i, n, at, size;
    for (i = 0; i < rounds && !model_failed; i++) {
        model_seed = i;
        model_step = 300;
        for (n = 1 + test_below(&random, 6); n > 0; n--) {
            at = test_below(&random, f->size);
            size = test_below(&random, 3) == 0 ? test_below(&random, 700) : 1;
            if (size > f->size - at) size = f->size - at;
            for (; size > 0; size--, at++) f->work[at] = (uint8_t)test_random(&random);
        }
        check_damage(f, f->size);
        restore(f);
    }
}

/* ---- what is behind an image, and what is none --------------------------------------------- */

/* The undamaged image with bytes behind it: nothing is lost and nothing is added. */
static void check_behind(fixture *f, const uint8_t *more, uint64_t size) {
    uint8_t *bytes = (uint8_t *)model_memory((size_t)(f->size + size)), *work = f->work;
    sst_store *store;
    sst_info info;
    memcpy(bytes, f->bytes, (size_t)f->size);
    memcpy(bytes + f->size, more, (size_t)size);
    f->work = bytes;
    check_damage(f, f->size + size);
    f->work = work;
    if (MODEL_INT(sst_open_memory(bytes, (size_t)(f->size + size), NULL, &store), SST_OK)) {
        MODEL_INT(sst_store_info(store, &info), SST_OK);
        MODEL_INT(info.torn_bytes, size);
    }
    sst_close(store);
    free(bytes);
}

static void garbage_behind(void) {
    fixture *f = &small_image;
    uint64_t random = test_seed(4), rounds = test_rounds(100, 3000), i, size, k;
    uint8_t more[1000];
    for (i = 0; i < rounds && !model_failed; i++) {
        model_seed = i;
        model_step = 400;
        size = 1 + test_below(&random, sizeof more);
        for (k = 0; k < size; k++) more[k] = (uint8_t)test_random(&random);
        if (i % 4 == 0) memset(more, 0, sizeof more);
        check_behind(f, more, size);
    }
    check_behind(f, f->bytes, f->size);             /* the image again */
    check_behind(f, f->bytes + 64, f->size - 64);   /* its records again */
    check_behind(f, f->bytes + f->end_record, 64);  /* its END again */
}

static void random_bytes(void) {
    uint64_t random = test_seed(5), rounds = test_rounds(1000, 100000), i, k;
    for (i = 0; i < rounds && !model_failed; i++) {
        size_t size = (size_t)test_below(&random, 700);
        uint8_t *bytes = (uint8_t *)model_memory(size);
        int result;
        for (k = 0; k < size; k++) bytes[k] = (uint8_t)test_random(&random);
        model_seed = i;
        model_step = 500;
        result = walk_bytes(bytes, size, 0, NULL);
        MODEL_INT(result, SST_ERR_FORMAT);
        if (size >= 64) memcpy(bytes, small_image.bytes, 64);
        result = walk_bytes(bytes, size, 0, NULL);
        MODEL(result == SST_ERR_FORMAT || (result == SST_OK && size >= 64));
        free(bytes);
    }
}

static void no_bytes(void) {
    sst_store *store;
    CHECK_INT(sst_open_memory(NULL, 100, NULL, &store), SST_ERR_ARG);
    CHECK_INT(sst_open_memory("", 0, NULL, &store), SST_ERR_FORMAT);
    CHECK(store == NULL);
    CHECK_INT(sst_open_memory("x", 1, NULL, NULL), SST_ERR_ARG);
}

/* A store whose rows are images of a store with the same salt: damage before such a row must not
 * make the records inside count. */
static void image_in_image(void) {
    fixture nest;
    sst_stream *stream[2];
    sst_store *store;
    uint64_t random = 9, k;
    uint32_t i;
    memset(&nest, 0, sizeof nest);
    add_stream(&nest, "inner", SST_U8, (uint32_t)small_image.size, 0);
    add_stream(&nest, "outer", SST_I32, 0, 0);
    store = open_streams(&nest, stream, 512);
    append_rows(&nest.truth.stream[1], stream[1], 30, &random);
    for (i = 0; i < 2; i++) {
        model_stream *m = &nest.truth.stream[0];
        model_prepare(m, 1, &random);
        memcpy(model_value(m, 0, i), small_image.bytes, (size_t)small_image.size);
        CHECK_INT(sst_append(stream[0], m->times[i], model_value(m, 0, i)), SST_OK);
        model_commit(m, 1);
    }
    append_rows(&nest.truth.stream[1], stream[1], 30, &random);
    keep_image(&nest, store);
    CHECK(mend_u32(nest.bytes + 12) == mend_u32(small_image.bytes + 12));
    for (i = 0; i < nest.blocks; i++) {
        uint64_t at = nest.block[i].offset;
        for (k = 0; k < 64; k += 4) flip(&nest, at + k, (unsigned)(k / 4) % 8);
    }
    model_store_free(&nest.truth);
    free(nest.bytes);
    free(nest.work);
}

/* ---- columns checked in pieces ------------------------------------------------------------- */

#define PIECE_ROW 1024u

static void make_piece_image(void) {
    fixture *f = &piece_image;
    sst_stream *stream[1];
    sst_store *store;
    uint64_t random = 10;
    add_stream(f, "bytes", SST_U8, PIECE_ROW, 0);
    store = open_streams(f, stream, 4u << 20);
    append_rows(&f->truth.stream[0], stream[0], 7000, &random);
    keep_image(f, store);
}

/* A flip in one piece costs the rows of this piece and no others. */
static void check_pieces(fixture *f, const block_map *b, uint32_t column, uint64_t at) {
    uint64_t piece = at / MEND_PIECE_BYTES, row;
    uint8_t value[PIECE_ROW];
    sst_stream *stream;
    sst_store *store;
    f->work[b->start[column] + at] ^= 4;
    REQUIRE(sst_open_memory(f->work, (size_t)f->size, NULL, &store) == SST_OK);
    CHECK_INT(sst_stream_open(store, "bytes", &stream), SST_OK);
    for (row = b->first_row; row < b->first_row + b->rows; row += 1 + row % 3) {
        uint64_t start = (row - b->first_row) * PIECE_ROW, end = start + PIECE_ROW - 1;
        bool hit = start / MEND_PIECE_BYTES <= piece && piece <= end / MEND_PIECE_BYTES;
        int64_t number = (int64_t)row;
        int result = sst_gather(stream, &number, 1, value, NULL);
        CHECK_INT(result, hit ? SST_ERR_CORRUPT : SST_OK);
        if (!hit && result == SST_OK) {
            CHECK_BYTES(value, model_value(&f->truth.stream[0], 0, row), PIECE_ROW);
        }
    }
    CHECK_INT(sst_verify(store, NULL), SST_ERR_CORRUPT);
    CHECK_INT(sst_close(store), SST_OK);
    f->work[b->start[column] + at] ^= 4;
}

static void pieces(void) {
    fixture *f = &piece_image;
    uint32_t i, k, seen = 0;
    uint64_t at;
    for (i = 0; i < f->blocks; i++) {
        const block_map *b = &f->block[i];
        for (k = 0; k < b->columns; k++) {
            if (b->kind[k] != MEND_VALUES || b->size[k] <= MEND_PIECE_BYTES) continue;
            seen++;
            for (at = 0; at < b->size[k]; at += MEND_PIECE_BYTES) {
                check_pieces(f, b, k, at);
                if (at + MEND_PIECE_BYTES < b->size[k]) {
                    check_pieces(f, b, k, at + MEND_PIECE_BYTES - 1);
                }
            }
            check_pieces(f, b, k, b->size[k] - 1);
        }
    }
    CHECK(seen > 0);
}

/* The column of checksums itself is damaged: the large column cannot be believed. */
static void piece_checksums(void) {
    fixture *f = &piece_image;
    uint32_t i, k, other;
    for (i = 0; i < f->blocks; i++) {
        const block_map *b = &f->block[i];
        for (k = 0; k < b->columns; k++) {
            sst_stream *stream;
            sst_store *store;
            int64_t row = (int64_t)b->first_row, time;
            uint8_t value[PIECE_ROW];
            if (b->kind[k] != MEND_PIECES) continue;
            other = b->part[k];
            f->work[b->start[k] + b->size[k] - 1] ^= 1;
            REQUIRE(sst_open_memory(f->work, (size_t)f->size, NULL, &store) == SST_OK);
            CHECK_INT(sst_stream_open(store, "bytes", &stream), SST_OK);
            CHECK(other < b->columns && b->kind[other] == MEND_VALUES);
            CHECK_INT(sst_gather(stream, &row, 1, value, NULL), SST_ERR_CORRUPT);
            CHECK_INT(sst_gather(stream, &row, 1, NULL, &time), SST_OK);
            CHECK_INT(sst_close(store), SST_OK);
            f->work[b->start[k] + b->size[k] - 1] ^= 1;
        }
    }
}

/* ---- lies with right checksums -------------------------------------------------------------- */

/* How much is asked after a lie: nothing but not crashing; rows are right or an error; all is
 * right; the file is refused. */
typedef enum demand { SAFE, ROWS, ALL, REFUSED } demand;

static const uint64_t lies[] = {0, 1, 2, 7, 63, 64, 65, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF,
    0x10000, 0x10001, 0x7FFFFFFF, 0x80000000u, 0xFFFFFFFFu, 0x100000000u, 0x3FFFFFFFFFFFFFFFu,
    0x7FFFFFFFFFFFFFFFu, 0x8000000000000000u, 0xFFFFFFFFFFFFFFC0u, 0xFFFFFFFFFFFFFFFFu};
#define LIES (sizeof lies / sizeof lies[0])

static void check_items_only(const model_stream *m, sst_stream *stream, uint64_t row) {
    sst_view view;
    uint32_t k;
    int result = sst_slice(stream, row, 1, &view);
    MODEL(result == SST_OK || lost(result));
    for (k = 0; k < m->fields && result == SST_OK && view.count == 1; k++) {
        MODEL(model_same_column(&m->field[k], row, 1, &view.columns[k]));
    }
}

static void check_row_only(const model_stream *m, sst_stream *stream, uint64_t row) {
    static uint8_t value[4096];
    uint32_t k;
    if (m->ragged) check_items_only(m, stream, row);
    for (k = 0; k < m->fields; k++) {
        int result;
        if (m->field[k].ragged) continue;
        result = gather_field(stream, k, row, value);
        MODEL(result == SST_OK || lost(result) || row >= sst_rows(stream));
        if (result == SST_OK) MODEL(model_same_value(m, k, row, value));
    }
}

/* Values of rows, one by one, right or an error; nothing else can be demanded. */
static void check_rows_only(const fixture *f, sst_store *store) {
    uint32_t i;
    for (i = 0; i < f->truth.count && !model_failed; i++) {
        const model_stream *m = &f->truth.stream[i];
        sst_stream *stream;
        uint64_t row;
        if (!MODEL_INT(sst_stream_open(store, m->name, &stream), SST_OK)) continue;
        for (row = 0; row < m->rows; row++) check_row_only(m, stream, row);
    }
}

/* Everything is right, as if nothing had happened (the judge is not asked). */
static void check_everything(const fixture *f, sst_store *store) {
    static const verdict none;
    uint32_t i;
    check_header(f, store);
    model_check_meta(&f->truth.meta, store, NULL);
    for (i = 0; i < f->truth.count && !model_failed; i++) check_stream(f, store, &none, i);
}

/* Opens f->work up to size, in a copy of just this size, as a liar left it. */
static void check_lie(const fixture *f, uint64_t size, demand want) {
    uint8_t *copy = (uint8_t *)model_duplicate(f->work, (size_t)size);
    sst_store *store;
    int result;
    walk_bytes(copy, (size_t)size, 0, NULL);
    walk_bytes(copy, (size_t)size, SST_VERIFY, NULL);
    walk_bytes(copy, (size_t)size, SST_TRUST, NULL);
    result = sst_open_memory(copy, (size_t)size, NULL, &store);
    if (want == ALL || want == ROWS) MODEL_INT(result, SST_OK);
    if (want == REFUSED) MODEL_INT(result, SST_ERR_UNSUPPORTED);
    if (result == SST_OK && want == ROWS) check_rows_only(f, store);
    if (result == SST_OK && want == ALL) check_everything(f, store);
    sst_close(store);
    free(copy);
}

/* The same with END, and without: the file is read by hopping. */
static void check_lie_both(const fixture *f, demand want) {
    check_lie(f, f->size, want);
    check_lie(f, f->size - 64, want);
}

/* Puts every lie into `bytes` bytes at an offset in a record, which is mended. The quick run takes
 * every third, others at every offset. */
static void lie_at(fixture *f, const mend_record *r, uint64_t offset, int bytes, demand want) {
    bool quick = test_rounds(0, 1000) == 0;
    size_t i;
    for (i = quick ? offset / 4 % 3 : 0; i < LIES + 4 && !model_failed; i += quick ? 3 : 1) {
        uint64_t value = mend_u32(f->bytes + offset);
        if (bytes == 8) value = mend_u64(f->bytes + offset);
        if (bytes == 2) value &= 0xFFFF;
        if (bytes == 1) value &= 0xFF;
        if (i < LIES) value = lies[i];
        else value += i < LIES + 2 ? i - LIES + 1 : (uint64_t)0 - (i - LIES - 1);
        model_seed = offset;
        model_step = 1000 + i;
        mend_put(f->work + offset, value, bytes);
        mend_payload(f->work, r);
        check_lie_both(f, want);
        restore(f);
    }
}

static void last_index(const fixture *f, mend_record *r) {
    uint32_t n = mend_count(f->bytes, f->size, MEND_INDEX, 0);
    REQUIRE(n > 0 && mend_find(f->bytes, f->size, MEND_INDEX, 0, n - 1, r));
}

static void lies_in_index_head(void) {
    fixture *f = &small_image;
    mend_record r;
    last_index(f, &r);
    lie_at(f, &r, r.payload + 64, 8, ALL);      /* offset of the previous INDEX */
    lie_at(f, &r, r.payload + 72, 4, ALL);      /* number of definitions */
    lie_at(f, &r, r.payload + 76, 4, ALL);      /* number of streams */
    lie_at(f, &r, r.payload + 80, 8, ALL);      /* bytes of the definitions */
}

/* A chain of INDEX records that comes back to where it was. */
static void index_cycles(void) {
    fixture *f = &small_image;
    uint32_t n = mend_count(f->bytes, f->size, MEND_INDEX, 0), i, k;
    mend_record r, to;
    for (i = 0; i < n; i++) {
        for (k = 0; k < n && !model_failed; k++) {
            REQUIRE(mend_find(f->bytes, f->size, MEND_INDEX, 0, i, &r));
            REQUIRE(mend_find(f->bytes, f->size, MEND_INDEX, 0, k, &to));
            model_seed = r.offset;
            model_step = 900 + k;
            mend_put(f->work + r.payload + 64, to.offset, 8);
            mend_payload(f->work, &r);
            check_lie_both(f, ALL);
            restore(f);
        }
    }
}

static void lies_in_index_streams(fixture *f) {
    uint32_t i;
    for (i = 1; i <= f->truth.count; i++) {
        uint64_t at, blocks = 0;
        mend_record r;
        last_index(f, &r);
        at = mend_index_stream(f->bytes, &r, i, &blocks);
        CHECK(at != 0);
        lie_at(f, &r, at, 4, ALL);              /* stream number */
        lie_at(f, &r, at + 4, 4, ALL);          /* number of timelines */
        lie_at(f, &r, at + 8, 8, ALL);          /* rows */
        lie_at(f, &r, at + 16, 8, ROWS);        /* first, last time */
        lie_at(f, &r, at + 24, 8, ROWS);
        lie_at(f, &r, at + 32, 8, ALL);         /* tables */
        lie_at(f, &r, at + 40, 8, ALL);
        lie_at(f, &r, at + 48, 4, ALL);         /* number of blocks */
        if (blocks > at + 64) {                 /* a timeline's first, last, sorted */
            lie_at(f, &r, at + 64, 8, ROWS);
            lie_at(f, &r, at + 72, 8, ROWS);
            lie_at(f, &r, at + 80, 4, ROWS);
        }
    }
}

/* where_block: what is demanded when an offset lies. Where it leads to no record at all, that is
 * taken for a damaged block and not for a lie. */
static void lies_in_index_blocks(fixture *f, demand where_block) {
    uint32_t n = mend_count(f->bytes, f->size, MEND_INDEX, 0), i, k, stream;
    for (k = 0; k < n; k++) {
        for (stream = 1; stream <= f->truth.count; stream++) {
            uint64_t at, blocks = 0;
            mend_record r;
            REQUIRE(mend_find(f->bytes, f->size, MEND_INDEX, 0, k, &r));
            at = mend_index_stream(f->bytes, &r, stream, &blocks);
            for (i = 0; at != 0 && i < mend_u32(f->bytes + at + 48) && i < 2; i++, blocks += 40) {
                lie_at(f, &r, blocks, 8, where_block);  /* offset */
                lie_at(f, &r, blocks + 8, 8, ALL);      /* first row */
                lie_at(f, &r, blocks + 16, 8, ROWS);    /* times */
                lie_at(f, &r, blocks + 24, 8, ROWS);
                lie_at(f, &r, blocks + 32, 4, ALL);     /* rows */
                lie_at(f, &r, blocks + 36, 4, ALL);     /* flags */
            }
        }
    }
}

static void lies_in_tables(fixture *f) {
    uint32_t n = mend_count(f->bytes, f->size, MEND_TABLE, 0), k;
    uint64_t at;
    mend_record r;
    for (k = 0; k < n; k++) {
        REQUIRE(mend_find(f->bytes, f->size, MEND_TABLE, 0, k, &r));
        lie_at(f, &r, r.payload, 4, ALL);
        lie_at(f, &r, r.payload + 4, 4, ALL);
        lie_at(f, &r, r.payload + 8, 8, ALL);
        lie_at(f, &r, r.payload + 16, 8, ALL);
        for (at = 24; at < 27; at++) lie_at(f, &r, r.payload + at, 1, ALL);
        lie_at(f, &r, r.payload + 32, 8, ALL);
        for (at = 64; at + 8 <= r.size && at < 64 + 40; at += 4) {
            lie_at(f, &r, r.payload + at, at % 8 == 0 ? 8 : 4, ALL);
        }
        lie_at(f, &r, r.offset + 16, 4, ALL);       /* another stream's table */
    }
}

static void lies_in_end_and_sync(void) {
    fixture *f = &small_image;
    mend_record r;
    REQUIRE(mend_at(f->bytes, f->size, f->end_record, &r));
    lie_at(f, &r, r.offset + 32, 8, ALL);           /* offset of the newest INDEX */
    REQUIRE(mend_find(f->bytes, f->size, MEND_SYNC, 0, 0, &r));
    lie_at(f, &r, r.offset + 32, 8, ALL);           /* synced length */
}

/* Header fields of a block. What such a block holds is no longer what it was. */
static void lies_in_block_headers(fixture *f) {
    static const struct { uint32_t at; int bytes; } field[] = {
        {12, 4}, {16, 4}, {20, 4}, {24, 8}, {32, 8}, {40, 8}, {48, 8}};
    uint32_t nth, i;
    mend_record r;
    for (nth = 0; nth < 3 && nth < f->truth.count; nth++) {
        for (i = 0; i < 7; i++) {
            REQUIRE(mend_find(f->bytes, f->size, MEND_BLOCK, nth + 1, nth, &r));
            lie_at(f, &r, r.offset + field[i].at, field[i].bytes, SAFE);
        }
    }
}

/* The directory of a block of a stream: it may be lost, the others may not. */
static void lies_in_directories(fixture *f, uint32_t stream, uint32_t columns) {
    mend_record r;
    uint32_t nth, c;
    for (nth = 0; nth < 2; nth++) {
        REQUIRE(mend_find(f->bytes, f->size, MEND_BLOCK, stream, nth, &r));
        lie_at(f, &r, r.payload, 4, SAFE);              /* number of columns */
        for (c = 0; c < columns; c++) {
            uint64_t entry = r.payload + 32 + 32 * c;
            lie_at(f, &r, entry, 1, SAFE);              /* kind */
            lie_at(f, &r, entry + 1, 1, ROWS);          /* codec */
            lie_at(f, &r, entry + 2, 2, SAFE);          /* part */
            lie_at(f, &r, entry + 4, 4, ROWS);          /* parameter */
            lie_at(f, &r, entry + 8, 4, ROWS);          /* offset */
            lie_at(f, &r, entry + 16, 8, ROWS);         /* stored bytes */
            lie_at(f, &r, entry + 24, 8, ROWS);         /* decoded bytes */
        }
    }
}

/* No more memory than a small image can need. */
static void *small_resize(void *user, void *old, size_t old_size, size_t new_size) {
    MODEL(new_size < 1u << 20);
    (void)user;
    (void)old_size;
    if (new_size != 0) return realloc(old, new_size);
    free(old);
    return NULL;
}

/* Every block of ragged streams as one view: offsets that are lent are in order, and the items are
 * there. A view of all rows takes no more memory than the file has items. */
static void check_block_offsets(const fixture *f) {
    sst_stream *stream;
    sst_store *store;
    sst_view view;
    uint32_t i, k;
    sst_allocator allocator = {NULL, small_resize};
    sst_options options;
    int result;
    memset(&options, 0, sizeof options);
    options.allocator = &allocator;
    if (!MODEL_INT(sst_open_memory(f->work, (size_t)f->size, &options, &store), SST_OK)) return;
    for (i = 0; i < f->blocks; i++) {
        const model_stream *m = &f->truth.stream[f->block[i].stream];
        if (!MODEL_INT(sst_stream_open(store, m->name, &stream), SST_OK)) break;
        result = sst_slice(stream, 0, UINT64_MAX, &view);
        MODEL(result == SST_OK || lost(result));
        if (sst_slice(stream, f->block[i].first_row, f->block[i].rows, &view) != SST_OK) continue;
        for (k = 0; k < m->fields; k++) {
            if (!m->field[k].ragged) continue;
            walk_offsets(view.columns[k].offsets, view.columns[k].values, view.count,
                         m->field[k].row_bytes);
        }
        if (model_keyed(m)) walk_offsets(view.key_offsets, view.keys, view.count, 1);
    }
    MODEL_INT(sst_close(store), SST_OK);
}

/* Values in a column with all checksums right. */
static void lies_in_column(fixture *f, const mend_record *r, const mend_column *c, int bytes) {
    size_t i, k;
    for (i = 0; i < LIES; i++) {
        for (k = 0; k * (size_t)bytes < c->size; k += 1 + r->rows / 3) {
            uint64_t at = c->start + k * (size_t)bytes;
            mend_put(f->work + at, lies[i], bytes);
            mend_block(f->work, r);
            model_seed = at;
            model_step = 1000 + i;
            check_lie_both(f, SAFE);
            if (bytes == 4) check_block_offsets(f);
            restore(f);
        }
    }
}

/* Times that are not sorted, or not those of the header. */
static void lies_in_times(fixture *f, uint32_t streams) {
    mend_record r;
    mend_column c;
    uint32_t nth, stream;
    for (stream = 1; stream <= streams; stream++) {
        for (nth = 0; nth < 3; nth++) {
            REQUIRE(mend_find(f->bytes, f->size, MEND_BLOCK, stream, nth, &r));
            REQUIRE(mend_column_at(f->work, &r, 0, &c) && c.kind == MEND_TIMES);
            lies_in_column(f, &r, &c, 8);
        }
    }
}

/* Offsets that are not in order, or that lead beyond the items; keys without a kind. */
static void lies_in_offsets(fixture *f) {
    mend_record r;
    mend_column c;
    uint32_t stream, i, n = 0;
    for (stream = 1; stream <= f->truth.count; stream++) {
        REQUIRE(mend_find(f->bytes, f->size, MEND_BLOCK, stream, 1, &r));
        for (i = 0; i < mend_columns(f->bytes, &r); i++) {
            REQUIRE(mend_column_at(f->work, &r, i, &c));
            if (c.kind == MEND_OFFSETS || c.kind == MEND_KEY_OFFSETS) {
                lies_in_column(f, &r, &c, 4);
                n++;
            } else if (c.kind == MEND_KEYS || c.kind == MEND_ROW_FLAGS) {
                lies_in_column(f, &r, &c, 1);
            }
        }
    }
    CHECK(n >= 6);
}

/* Changes the declaration of a stream: its STREAM record, and its copies in every INDEX. */
static void lie_about(fixture *f, uint32_t stream, uint64_t at, uint64_t value, int bytes,
                      demand want) {
    uint32_t n = mend_count(f->bytes, f->size, MEND_INDEX, 0), k;
    uint64_t definition;
    mend_record r;
    REQUIRE(mend_find(f->bytes, f->size, MEND_STREAM, stream, 0, &r));
    if (at + (uint64_t)bytes > r.size) return;
    mend_put(f->work + r.payload + at, value, bytes);
    mend_payload(f->work, &r);
    model_seed = at;
    model_step = value;
    check_lie_both(f, want == ALL ? ALL : SAFE);        /* STREAM alone */
    for (k = 0; k < n; k++) {
        REQUIRE(mend_find(f->bytes, f->size, MEND_INDEX, 0, k, &r));
        definition = mend_index_definition(f->bytes, &r, MEND_STREAM, stream, 0);
        if (definition == 0) continue;
        mend_put(f->work + definition + at, value, bytes);
        mend_payload(f->work, &r);
    }
    check_lie_both(f, want);
    restore(f);
}

static void lie_about_stream(uint32_t stream, uint64_t at, uint64_t value, int bytes,
                             demand want) {
    lie_about(&small_image, stream, at, value, bytes, want);
}

static void lies_in_declarations(void) {
    static const uint32_t bytes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 20, 24,
                                     28, 32, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51};
    size_t i, k, step = test_rounds(0, 1000) == 0 ? 3 : 1;
    uint32_t stream;
    for (stream = 1; stream <= 4; stream++) {
        for (i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
            for (k = i % step; k < 10 && !model_failed; k += step) {
                lie_about_stream(stream, bytes[i], lies[k], 1, SAFE);
            }
        }
        for (i = 0; i < 4; i++) {                       /* dimensions: a row of 2^33 bytes ... */
            for (k = i % step; k < LIES; k += step) {
                lie_about_stream(stream, 16 + 4 * i, lies[k], 4, SAFE);
            }
        }
        lie_about_stream(stream, 0, 0x4001, 4, ALL);    /* flags that may be ignored */
        lie_about_stream(stream, 0, 0x80000000u, 4, SAFE);
        lie_about_stream(stream, 40, 0xFFFF, 2, SAFE);  /* length of the name */
    }
    lie_about_stream(4, 40, 6 | 'j' << 16, 4, SAFE);
    for (i = 0; i < 5; i++) lie_about_stream(2, 42 + i, (uint8_t)"imu\0\xFF"[i], 1, SAFE);
}

static void lies_in_streams(void) { lies_in_index_streams(&small_image); }
static void lies_in_blocks(void) { lies_in_index_blocks(&small_image, ALL); }
static void lies_in_small_tables(void) { lies_in_tables(&small_image); }
static void lies_in_headers(void) { lies_in_block_headers(&small_image); }
static void lies_in_columns(void) { lies_in_directories(&small_image, 2, 2); }
static void lies_in_small_times(void) { lies_in_times(&small_image, 2); }

/* The same where rows are of several fields, with tags, or without times. */
static void lies_in_index_of_kinds(void) {
    lies_in_index_streams(&kinds_image);
    lies_in_index_blocks(&kinds_image, ROWS);
    lies_in_tables(&kinds_image);
}

static void lies_in_blocks_of_kinds(void) {
    lies_in_block_headers(&kinds_image);
    lies_in_directories(&kinds_image, 1, 6);
    lies_in_directories(&kinds_image, 2, 3);
    lies_in_times(&kinds_image, 1);
}

/* The same where rows are ragged, or have keys. */
static void lies_in_blocks_of_ragged(void) {
    lies_in_block_headers(&ragged_image);
    lies_in_directories(&ragged_image, 1, 5);
    lies_in_directories(&ragged_image, 2, 9);
    lies_in_offsets(&ragged_image);
}

/* Every byte of the declarations: flags, number of fields, types, shapes, names. */
static void lies_in_every_declaration(fixture *f) {
    size_t k, step = test_rounds(0, 1000) == 0 ? 4 : 1;
    uint32_t stream;
    uint64_t at;
    mend_record r;
    for (stream = 1; stream <= f->truth.count; stream++) {
        REQUIRE(mend_find(f->bytes, f->size, MEND_STREAM, stream, 0, &r));
        for (at = 0; at < r.size && !model_failed; at++) {
            for (k = at % step; k < 10; k += step) lie_about(f, stream, at, lies[k], 1, SAFE);
            lie_about(f, stream, at, f->bytes[r.payload + at] ^ (1u << at % 8), 1, SAFE);
        }
    }
}

static void lies_in_declarations_of_kinds(void) { lies_in_every_declaration(&kinds_image); }
static void lies_in_declarations_of_ragged(void) { lies_in_every_declaration(&ragged_image); }

/* A second stream with the first one's name. */
static void lie_same_name(void) {
    lie_about_stream(4, 40, 3 | (uint64_t)'i' << 16 | (uint64_t)'m' << 24 | (uint64_t)'u' << 32 |
                     (uint64_t)3 << 40, 6, SAFE);
}

static void lies_in_stream_numbers(void) {
    fixture *f = &small_image;
    uint32_t stream;
    mend_record r;
    for (stream = 1; stream <= 4; stream++) {
        REQUIRE(mend_find(f->bytes, f->size, MEND_STREAM, stream, 0, &r));
        lie_at(f, &r, r.offset + 16, 4, SAFE);
    }
    REQUIRE(mend_find(f->bytes, f->size, MEND_META, 1, 0, &r));
    lie_at(f, &r, r.offset + 16, 4, SAFE);
    lie_at(f, &r, r.payload, 2, SAFE);
    REQUIRE(mend_find(f->bytes, f->size, MEND_FINISH, 4, 0, &r));
    lie_at(f, &r, r.offset + 16, 4, SAFE);
}

/* ---- other versions ------------------------------------------------------------------------- */

static void lie_in_file_header(uint64_t at, uint64_t value, int bytes, demand want) {
    fixture *f = &small_image;
    model_seed = at;
    model_step = value;
    mend_put(f->work + at, value, bytes);
    mend_file_header(f->work, f->size);
    check_lie_both(f, want);
    restore(f);
}

static void other_versions(void) {
    lie_in_file_header(8, 0, 2, REFUSED);
    lie_in_file_header(8, 2, 2, REFUSED);
    lie_in_file_header(8, 0xFFFF, 2, REFUSED);
    lie_in_file_header(10, 1, 2, ALL);
    lie_in_file_header(10, 0xFFFF, 2, ALL);
    lie_in_file_header(40, 1, 4, ALL);
    lie_in_file_header(40, 0xFFFF, 4, ALL);
    lie_in_file_header(40, 0x10000, 4, REFUSED);
    lie_in_file_header(40, 0x80000000u, 4, REFUSED);
    lie_in_file_header(44, 0x1234, 4, ALL);
    lie_in_file_header(12, 0x1234, 4, SAFE);        /* another salt */
}

static void other_record_types(void) {
    fixture *f = &small_image;
    static const uint8_t type[4] = {10, 127, 128, 255};
    mend_record r;
    int i;
    for (i = 0; i < 4 && !model_failed; i++) {
        REQUIRE(mend_find(f->bytes, f->size, MEND_TABLE, 0, 0, &r));
        f->work[r.offset + 4] = type[i];
        mend_payload(f->work, &r);
        model_seed = r.offset;
        model_step = type[i];
        check_lie(f, f->size, type[i] < 128 ? ALL : SAFE);
        check_lie(f, f->size - 64, type[i] < 128 ? ALL : REFUSED);
        restore(f);
    }
}

/* A record of an unknown type behind END, as a later version may write one. */
static void record_behind_end(void) {
    fixture *f = &small_image;
    static const uint8_t type[4] = {10, 127, 128, 255};
    uint8_t *bytes = (uint8_t *)model_memory((size_t)f->size + 64), *work = f->work;
    mend_record r;
    int i;
    for (i = 0; i < 4 && !model_failed; i++) {
        memcpy(bytes, f->bytes, (size_t)f->size);
        memcpy(bytes + f->size, f->bytes + f->end_record, 64);
        bytes[f->size + 4] = type[i];
        mend_put(bytes + f->size + 12, mend_u32(bytes + f->end_record + 12) + 1, 4);
        REQUIRE(mend_at(bytes, f->size + 64, f->size, &r));
        mend_payload(bytes, &r);
        model_seed = r.offset;
        model_step = type[i];
        f->work = bytes;
        check_lie(f, f->size + 64, type[i] < 128 ? ALL : REFUSED);
        f->work = work;
    }
    free(bytes);
}

/* ---- files ---------------------------------------------------------------------------------- */

#define MORE_ROWS 3             /* of every stream: prepared, not in the file */

static fixture closed_file, crashed_file;

/* Everything that an image of small_image has, in a file that is synced in the middle. */
static void record_file(fixture *f, sst_store *store) {
    sst_stream *stream[4];
    sst_stream_desc desc;
    sst_field field[MODEL_FIELDS];
    uint64_t random = 17;
    uint32_t i, k;
    for (i = 0; i < 3; i++) {
        model_describe(&f->truth.stream[i], &desc, field);
        CHECK_INT(sst_stream_create(store, &desc, &stream[i]), SST_OK);
    }
    set_metas(f, store, stream[0]);
    for (k = 0; k < 4; k++) {
        append_rows(&f->truth.stream[0], stream[0], 13, &random);
        append_rows(&f->truth.stream[1], stream[1], 9, &random);
        append_rows(&f->truth.stream[2], stream[2], 1, &random);
        CHECK_INT(k == 1 ? sst_sync(store) : sst_flush(store), SST_OK);
        if (k != 2) continue;
        model_describe(&f->truth.stream[3], &desc, field);
        CHECK_INT(sst_stream_create(store, &desc, &stream[3]), SST_OK);
        append_rows(&f->truth.stream[3], stream[3], 20, &random);
        CHECK_INT(sst_stream_finish(stream[3]), SST_OK);
        f->truth.stream[3].finished = true;
    }
    for (i = 0; i < 4; i++) {
        CHECK_INT(model_prepare(&f->truth.stream[i], MORE_ROWS, &random), MORE_ROWS);
    }
}

/* Keeps the bytes of the file as they are, or as closing leaves them. The disk is emptied. */
static void keep_file(fixture *f, sst_store *store, bool close) {
    const uint8_t *bytes;
    if (close) CHECK_INT(sst_close(store), SST_OK);
    bytes = sim_bytes(&disk, FILE_PATH, &f->size);
    REQUIRE(bytes != NULL);
    f->bytes = (uint8_t *)model_duplicate(bytes, (size_t)f->size);
    f->work = (uint8_t *)model_duplicate(bytes, (size_t)f->size);
    if (!close) CHECK_INT(sst_close(store), SST_OK);
    map_image(f);
    sim_free(&disk);
    sim_init(&disk, 3);
}

static void make_file(fixture *f, bool close) {
    sst_options options;
    sst_store *store;
    sim_init(&disk, 2);
    options = file_options(0);
    add_stream(f, "imu", SST_F32, 3, 0);
    add_stream(f, "joint", SST_I64, 0, 2);
    add_stream(f, "camera", SST_U8, 160, 0);
    add_stream(f, "button", SST_BOOL, 0, 0);
    REQUIRE(sst_create(FILE_PATH, &options, &store) == SST_OK);
    record_file(f, store);
    keep_file(f, store, close);
}

static void make_files(void) {
    make_file(&closed_file, true);
    make_file(&crashed_file, false);
    CHECK_INT(closed_file.end_record, closed_file.size - 64);
    CHECK(crashed_file.end_record == UINT64_MAX && crashed_file.synced > 2000);
    CHECK(mend_count(closed_file.bytes, closed_file.size, MEND_INDEX, 0) >= 2);
}

/* Does this go on behind the synced point? */
static bool changed_behind(const fixture *f) {
    return changed(f, f->synced, f->size);
}

static void damage_in_files(fixture *f) {
    uint64_t step = stride(29, 29), bit, at;
    for (bit = 0; bit < f->size * 8 && !model_failed; bit += step) {
        if (bit / 8 < f->synced || f->end_record != UINT64_MAX) {
            flip(f, bit / 8, (unsigned)(bit % 8));
        }
    }
    for (at = 0; at + 128 <= f->size && !model_failed; at += 64) {
        model_seed = at;
        model_step = 260;
        memset(f->work + at, 0, 64);
        if (f->end_record != UINT64_MAX || !changed_behind(f)) check_damage(f, f->size);
        restore(f);
    }
}

static void files_mapped(void) {
    where = MAPPED;
    damage_in_files(&closed_file);
    damage_in_files(&crashed_file);
    damage_in_files(&ragged_image);
    pairs_of_units(&closed_file);
    where = IN_MEMORY;
    CHECK(disk.open_handles == 0 && disk.open_maps == 0);
}

static void files_unmapped(void) {
    where = UNMAPPED;
    damage_in_files(&closed_file);
    damage_in_files(&crashed_file);
    damage_in_files(&ragged_image);
    pairs_of_units(&closed_file);
    where = IN_MEMORY;
    CHECK(disk.open_handles == 0 && disk.open_maps == 0);
}

/* ---- recovery after damage ------------------------------------------------------------------ */

/* Appends the rows that were prepared, where the stream has all that came before. added[i]: so
 * many. */
static void append_more(const fixture *f, sst_store *store, uint64_t *added) {
    uint32_t i, k;
    for (i = 0; i < f->truth.count; i++) {
        const model_stream *m = &f->truth.stream[i];
        sst_stream *stream;
        added[i] = 0;
        if (sst_stream_open(store, m->name, &stream) != SST_OK || m->finished) continue;
        for (k = 0; k < MORE_ROWS && sst_rows(stream) == m->rows + k; k++) {
            MODEL_INT(model_append(m, m->rows + k, stream), SST_OK);
            added[i]++;
        }
    }
}

/* The recovered and closed file: rows that the damage did not touch, and those that came since. */
static void check_recovered(const fixture *f, const verdict *v, const uint64_t *added) {
    sst_options options = file_options(0);
    sst_store *store;
    uint32_t i, k;
    if (!MODEL_INT(sst_open(FILE_PATH, &options, &store), SST_OK)) return;
    for (i = 0; i < f->truth.count && !model_failed; i++) {
        static uint8_t value[4096];
        checked c;
        c.f = f;
        c.v = v;
        c.m = &f->truth.stream[i];
        if (sst_stream_open(store, c.m->name, &c.handle) != SST_OK) {
            MODEL(v->weak);
            continue;
        }
        c.rows = sst_rows(c.handle);
        check_blocks(&c, i);
        for (k = 0; k < added[i]; k++) {
            int64_t row = (int64_t)(c.m->rows + k);
            MODEL_INT(sst_gather(c.handle, &row, 1, value, NULL), SST_OK);
            MODEL(model_same_value(c.m, 0, (uint64_t)row, value));
        }
    }
    if (!v->weak) {
        MODEL_INT(sst_verify(store, NULL), v->other ? SST_ERR_CORRUPT : SST_OK);
        model_check_meta(&f->truth.meta, store, NULL);
    }
    MODEL_INT(sst_close(store), SST_OK);
}

/* What lies before the synced point is as it was, damaged or not. */
static void check_kept(const fixture *f, const verdict *v) {
    uint64_t size, keep = f->size;
    const uint8_t *bytes = sim_bytes(&disk, FILE_PATH, &size);
    if (v->end) keep = v->other ? 64 : f->end_record;
    MODEL(size >= keep && memcmp(bytes + 64, f->work + 64, (size_t)keep - 64) == 0);
    MODEL(v->end || sim_bytes(&disk, FILE_PATH "-torn", &size) == NULL);
}

/* Opens the damaged file to record on: the damage stays where it is and is reported, everything
 * else is readable, nothing is cut. */
static void check_rotten(const fixture *f) {
    sst_options options = file_options(0);
    uint64_t added[MODEL_STREAMS];
    sst_store *store;
    verdict v;
    uint32_t i;
    int result;
    judge(f, &v);
    sim_put(&disk, FILE_PATH, f->work, (size_t)f->size);
    result = sst_open_append(FILE_PATH, &options, &store);
    if (result != SST_OK) {
        MODEL(v.may_not_open || v.weak);
        MODEL(result == SST_ERR_FORMAT || result == SST_ERR_UNSUPPORTED);
        return;
    }
    check_kept(f, &v);
    recovered = true;
    for (i = 0; i < f->truth.count && !model_failed; i++) check_stream(f, store, &v, i);
    recovered = false;
    if (!v.weak) model_check_meta(&f->truth.meta, store, NULL);
    check_verify(f, store, &v);
    append_more(f, store, added);
    MODEL_INT(sst_close(store), SST_OK);
    check_kept(f, &v);
    if (!model_failed) check_recovered(f, &v, added);
    sim_free(&disk);
    sim_init(&disk, 4);
}

static void rotten_files(fixture *f) {
    uint64_t step = stride(37, 37), bit, at;
    uint64_t end = f->end_record == UINT64_MAX ? f->synced : f->size;
    for (bit = 0; bit < end * 8 && !model_failed; bit += step) {
        model_seed = bit / 8;
        model_step = bit % 8;
        f->work[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check_rotten(f);
        restore(f);
    }
    for (at = 0; at + 64 < end && !model_failed; at += 64) {
        model_seed = at;
        model_step = 270;
        memset(f->work + at, 0, 64);
        check_rotten(f);
        restore(f);
        model_step = 271;
        memcpy(f->work + at, f->bytes + (at * 7 + 640) % end / 64 * 64, 64);
        check_rotten(f);
        restore(f);
    }
}

static void rotten_is_kept(void) {
    rotten_files(&closed_file);
    rotten_files(&crashed_file);
}

/* ---- torn, not rotten ----------------------------------------------------------------------- */

/* Every stream is the prefix that the blocks before `cut` hold, and nothing is called damaged. */
static void check_torn_store(const fixture *f, sst_store *store, uint64_t cut) {
    uint64_t before[MODEL_STREAMS] = {0};
    sst_info info;
    check_prefix(f, store, cut, before);
    MODEL_INT(sst_verify(store, NULL), SST_OK);
    MODEL_INT(sst_store_info(store, &info), SST_OK);
    MODEL(info.state == SST_CRASHED || info.state == SST_RECORDING);
}

/* Opened both ways, recovered, gone on with, closed and verified. */
static void check_torn(const fixture *f, uint64_t size, uint64_t cut) {
    sst_options options = file_options(0);
    uint64_t added[MODEL_STREAMS];
    sst_store *store;
    int way;
    sim_put(&disk, FILE_PATH, f->work, (size_t)size);
    for (way = 0; way < 3 && !model_failed; way++) {
        int result;
        options.flags = way == 1 ? SST_NO_MAP | SST_VERIFY : 0;
        result = way < 2 ? sst_open(FILE_PATH, &options, &store)
                         : sst_open_append(FILE_PATH, &options, &store);
        if (result != SST_OK && size < 128) {
            MODEL_INT(result, SST_ERR_FORMAT);
            return;
        }
        if (!MODEL_INT(result, SST_OK)) return;
        check_torn_store(f, store, cut);
        if (way == 2) append_more(f, store, added);
        MODEL_INT(sst_close(store), SST_OK);
    }
    options.flags = SST_VERIFY;
    MODEL_INT(sst_open(FILE_PATH, &options, &store), SST_OK);
    MODEL_INT(sst_close(store), SST_OK);
    CHECK(disk.open_handles == 0 && disk.open_maps == 0);
    sim_free(&disk);
    sim_init(&disk, 6);
}

/* A file that was not closed, cut at every length: SYNC lies behind what it vouches for, so that
 * a cut before it is torn, too. */
static void torn_at_every_length(void) {
    const fixture *f = &crashed_file;
    uint64_t step = stride(23, 23), size;
    for (size = 0; size <= f->size && !model_failed; size += step) {
        model_seed = size;
        model_step = 280;
        check_torn(f, size, size);
    }
}

/* The record that covers an offset. */
static uint64_t record_at(const fixture *f, uint64_t at) {
    uint64_t offset = 64, found = 0;
    mend_record r;
    while (mend_next(f->bytes, f->size, &offset, &r) && r.offset <= at) found = r.offset;
    return found;
}

/* Damage behind the synced point: whatever it is, it ends the file there. */
static void torn_behind_sync(void) {
    fixture *f = &crashed_file;
    uint64_t step = stride(31, 31), bit;
    int way;
    for (bit = f->synced * 8; bit < f->size * 8 && !model_failed; bit += step) {
        uint64_t at = bit / 8 / 64 * 64;
        for (way = 0; way < 3; way++) {
            verdict v;
            model_seed = bit / 8;
            model_step = 290 + (uint64_t)way;
            if (way == 0) f->work[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (way == 1) memset(f->work + at, 0, 64);
            if (way == 2) memcpy(f->work + at, f->bytes + (at + bit % 8 * 64) % f->size, 64);
            judge(f, &v);
            check_torn(f, f->size, v.other ? record_at(f, bit / 8) : f->size);
            restore(f);
            if (step == 1 && bit % 512 != 0) break;
        }
    }
}

/* ---- a store inside itself ------------------------------------------------------------------ */

#define SELF_BYTES 4096u        /* of a row that holds bytes of the file and of its companion */
#define SELF_ROWS 32u

typedef struct self {
    fixture f;                  /* streams: 0 file and 1 companion in large rows, 2 both in small
                                   ones, 3 numbers */
    sim_disk killed;
} self;

/* Appends what there is of a file at some offset, the time being the number of the row. */
static void append_self(model_stream *m, sst_stream *stream, const char *file, uint64_t *random) {
    uint64_t size, at;
    const uint8_t *bytes = sim_bytes(&disk, file, &size);
    uint8_t *row;
    CHECK_INT(model_prepare(m, 1, random), 1);
    row = model_value(m, 0, m->rows);
    memset(row, 0, m->row_bytes);
    at = size > m->row_bytes ? test_below(random, (size - m->row_bytes) / 64 + 1) * 64 : 0;
    if (m->rows == 0) at = 0;
    if (size > at) {
        size -= at;
        memcpy(row, bytes + at, size < m->row_bytes ? (size_t)size : m->row_bytes);
    }
    CHECK_INT(sst_append(stream, m->times[m->rows], row), SST_OK);
    model_commit(m, 1);
}

static void record_self(self *s) {
    sst_options options;
    sst_stream *stream[4];
    sst_stream_desc desc;
    sst_field field[MODEL_FIELDS];
    sst_store *store;
    uint64_t random = 77;
    uint32_t i, k;
    fixture *f = &s->f;
    sim_init(&disk, 7);
    options = file_options(0);
    options.block_bytes = 2048;
    add_stream(f, "file", SST_U8, SELF_BYTES, 0);
    add_stream(f, "companion", SST_U8, SELF_BYTES, 0);
    add_stream(f, "small", SST_U8, 320, 0);
    add_stream(f, "number", SST_I32, 0, 0);
    REQUIRE(sst_create(FILE_PATH, &options, &store) == SST_OK);
    for (i = 0; i < 4; i++) {
        model_describe(&f->truth.stream[i], &desc, field);
        CHECK_INT(sst_stream_create(store, &desc, &stream[i]), SST_OK);
    }
    for (k = 0; k < SELF_ROWS; k++) {
        append_rows(&f->truth.stream[3], stream[3], 1 + k % 7, &random);
        append_self(&f->truth.stream[2], stream[2], k % 2 ? FILE_PATH : FILE_PATH "-live", &random);
        if (k % 2 == 0) append_self(&f->truth.stream[0], stream[0], FILE_PATH, &random);
        if (k % 5 == 0) append_self(&f->truth.stream[1], stream[1], FILE_PATH "-live", &random);
        if (k % 4 == 1) CHECK_INT(sst_flush(store), SST_OK);
        if (k == SELF_ROWS / 2) CHECK_INT(sst_sync(store), SST_OK);
    }
    memset(&s->killed, 0, sizeof s->killed);
    sim_copy(&disk, &s->killed, 1);
    keep_file(f, store, false);
}

/* What is readable is right. Returns the rows of all streams. */
static uint64_t check_self_rows(const fixture *f, sst_store *store, bool damaged) {
    static uint8_t value[SELF_BYTES];
    uint64_t sum = 0;
    uint32_t i;
    for (i = 0; i < f->truth.count && !model_failed; i++) {
        const model_stream *m = &f->truth.stream[i];
        sst_stream *stream;
        uint64_t rows;
        int64_t row, time = 0;
        if (sst_stream_open(store, m->name, &stream) != SST_OK) continue;
        rows = sst_rows(stream);
        sum += rows;
        if (!MODEL(rows <= m->rows)) return sum;
        for (row = 0; row < (int64_t)rows; row++) {
            int result = sst_gather(stream, &row, 1, value, &time);
            MODEL(result == SST_OK || (damaged && lost(result)));
            if (result != SST_OK) continue;
            MODEL(time == m->times[row]);
            MODEL(model_same_value(m, 0, (uint64_t)row, value));
        }
        sst_stream_close(stream);
    }
    return sum;
}

/* A disk with the file cut at `size` and, if there is one, its companion: read, recovered, closed,
 * read again. rotten: something before the synced point is damaged. */
static void check_self(self *s, uint64_t size, bool companion, bool rotten) {
    sst_options options;
    sst_store *store;
    uint64_t rows, live_size;
    const uint8_t *live = sim_bytes(&s->killed, FILE_PATH "-live", &live_size);
    sim_free(&disk);
    sim_init(&disk, 8);
    options = file_options(0);
    options.block_bytes = 2048;
    sim_put(&disk, FILE_PATH, s->f.work, (size_t)size);
    if (companion) sim_put(&disk, FILE_PATH "-live", live, (size_t)live_size);
    if (!MODEL_INT(sst_open(FILE_PATH, &options, &store), SST_OK)) return;
    rows = check_self_rows(&s->f, store, rotten);
    MODEL_INT(sst_verify(store, NULL), rotten ? SST_ERR_CORRUPT : SST_OK);
    MODEL_INT(sst_close(store), SST_OK);
    if (!MODEL_INT(sst_open_append(FILE_PATH, &options, &store), SST_OK)) return;
    MODEL_INT(check_self_rows(&s->f, store, rotten), rows);
    MODEL_INT(sst_verify(store, NULL), rotten ? SST_ERR_CORRUPT : SST_OK);
    MODEL_INT(sst_close(store), SST_OK);
    options.flags = SST_NO_MAP;
    MODEL_INT(sst_open(FILE_PATH, &options, &store), SST_OK);
    MODEL_INT(check_self_rows(&s->f, store, rotten), rows);
    MODEL_INT(sst_verify(store, NULL), rotten ? SST_ERR_CORRUPT : SST_OK);
    MODEL_INT(sst_close(store), SST_OK);
}

/* Headers in front of what looks like records, in the rows and behind them, are damaged one after
 * the other; the file is cut everywhere. */
static void damage_self(self *s, bool companion) {
    uint64_t step = stride(7, 7), at, unit = 0;
    fixture *f = &s->f;
    for (at = 64; at < f->size && !model_failed; at += 64, unit++) {
        if (memcmp(f->bytes + at, "SREC", 4) != 0 && unit % step != 0) continue;
        model_seed = at;
        model_step = 300 + companion;
        if (record_at(f, at) == at) {               /* a record: its header, then all of it */
            f->work[at + 13] ^= 0x40;
            check_self(s, f->size, companion, at < f->synced);
            restore(f);
        }
        memset(f->work + at, 0, 64);
        if (changed(f, at, at + 64)) {
            verdict v;
            judge(f, &v);
            check_self(s, f->size, companion, v.other && at < f->synced);
        }
        restore(f);
        model_step = 302 + companion;
        if (at >= 128) check_self(s, at + unit % 3 * 17, companion, false);
    }
}

/* Bits of the companion: rows of the tails may be lost, none is wrong. */
static void damage_companion(self *s) {
    uint64_t step = stride(1499, 24), size, bit;
    uint8_t *live = sim_bytes(&s->killed, FILE_PATH "-live", &size);
    REQUIRE(live != NULL);
    for (bit = 0; bit < size * 8 && !model_failed; bit += bit < 4096 * 8 ? step / 9 : step) {
        model_seed = bit / 8;
        model_step = 310;
        live[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check_self(s, s->f.size, true, false);
        live[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void store_in_itself(void) {
    static self s;
    uint64_t at, inner = 0;
    record_self(&s);
    for (at = 64; at < s.f.size; at += 64) {
        inner += memcmp(s.f.bytes + at, "SREC", 4) == 0 && record_at(&s.f, at) != at;
    }
    CHECK(inner > 30);                              /* there is something to be confused by */
    check_self(&s, s.f.size, true, false);
    check_self(&s, s.f.size, false, false);
    damage_self(&s, false);
    damage_self(&s, true);
    damage_companion(&s);
    model_store_free(&s.f.truth);
    free(s.f.bytes);
    free(s.f.work);
    sim_free(&s.killed);
}

static void free_images(void) {
    fixture *f[7] = {&small_image, &skip_image,  &kinds_image, &ragged_image,
                     &piece_image, &closed_file, &crashed_file};
    int i;
    sim_free(&disk);
    for (i = 0; i < 7; i++) {
        model_store_free(&f[i]->truth);
        free(f[i]->bytes);
        free(f[i]->work);
    }
}

/* A divergence in one test does not silence the next. */
#define RUN(function) do { model_failed = false; TEST_RUN(function); } while (0)

int main(void) {
    RUN(make_small_image);
    RUN(make_skip_image);
    RUN(make_kinds_image);
    RUN(make_ragged_image);
    RUN(make_piece_image);
    RUN(undamaged);
    RUN(every_bit);
    RUN(bits_around_skip);
    RUN(bits_of_kinds);
    RUN(bits_of_ragged);
    RUN(every_length);
    RUN(every_length_of_kinds);
    RUN(every_length_of_ragged);
    RUN(every_unit);
    RUN(every_unit_of_kinds);
    RUN(every_unit_of_ragged);
    RUN(every_pair);
    RUN(random_damage);
    RUN(garbage_behind);
    RUN(random_bytes);
    RUN(no_bytes);
    RUN(image_in_image);
    RUN(pieces);
    RUN(piece_checksums);
    RUN(lies_in_index_head);
    RUN(index_cycles);
    RUN(lies_in_streams);
    RUN(lies_in_blocks);
    RUN(lies_in_small_tables);
    RUN(lies_in_end_and_sync);
    RUN(lies_in_headers);
    RUN(lies_in_columns);
    RUN(lies_in_small_times);
    RUN(lies_in_declarations);
    RUN(lie_same_name);
    RUN(lies_in_index_of_kinds);
    RUN(lies_in_blocks_of_kinds);
    RUN(lies_in_blocks_of_ragged);
    RUN(lies_in_declarations_of_kinds);
    RUN(lies_in_declarations_of_ragged);
    RUN(lies_in_stream_numbers);
    RUN(other_versions);
    RUN(other_record_types);
    RUN(record_behind_end);
    RUN(make_files);
    RUN(files_mapped);
    RUN(files_unmapped);
    RUN(rotten_is_kept);
    RUN(torn_at_every_length);
    RUN(torn_behind_sync);
    RUN(store_in_itself);
    free_images();
    return test_done("test_damage");
}
